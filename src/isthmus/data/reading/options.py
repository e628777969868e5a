"""Options for reading a file, and the warnings of readers."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from isthmus.data.parsing.missing_words import MISSING
from isthmus.errors import InputTypeError

DECIMALS = (".", ",")


class ReadingNote(UserWarning):
    """What is unusual about a file that was read, in one line for each file."""


class Notation(NamedTuple):
    """How a text table is written.

    Parameters
    ----------
    delimiter : str or None, default=None
        Delimiter of CSV files; None is a comma. TSV files have tabs.
    decimal : {".", ","}, default="."
        Decimal mark.
    encoding : str, default="utf-8"
        Encoding; UTF-8 for texts that it cannot hold.
    """

    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"


# Commas in CSV files, decimal points, and UTF-8.
USUAL = Notation()


@dataclass(frozen=True)
class Options:
    """Options for reading a file, see ``isthmus.data.files.read``; None means inferred."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    missing: Collection[str] = MISSING
    text: Collection[str] = ()
    plain_notation: bool = False

    def __post_init__(self) -> None:
        if self.delimiter is not None and not _is_delimiter(self.delimiter):
            raise ValueError(f"delimiter must be one character, such as ';', got {self.delimiter!r}")
        if self.decimal not in (None, *DECIMALS):
            raise ValueError(f"decimal must be '.' or ',', got {self.decimal!r}")
        if self.decimal is not None and self.decimal == self.delimiter:
            raise ValueError(f"delimiter and decimal must differ, got {self.decimal!r} for both")
        if isinstance(self.missing, str) or not all(isinstance(word, str) for word in self.missing):
            raise InputTypeError(f"missing must be a list of strings, got {self.missing!r}")


def _is_delimiter(value: Any) -> bool:
    return (
        isinstance(value, str) and len(value) == 1 and value.isascii() and not value.isalnum() and value not in '"\r\n'
    )
