"""Readers of data files. The format details of a file are inferred and reported, or stated by the caller."""

import struct
import tokenize
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import pyarrow as pa

from isthmus.data.parsing.missing_words import MISSING
from isthmus.data.reading.arrays import read_npy, read_npz
from isthmus.data.reading.options import USUAL, Notation, Options, ReadingNote
from isthmus.data.reading.packed import PACKED, Content, open_content
from isthmus.data.reading.sheets import read_sheet
from isthmus.data.reading.tables import read_arrow, read_json_lines, read_parquet
from isthmus.data.reading.text import find_text_notation, read_text
from isthmus.errors import memory_errors

__all__ = [
    "MISSING",
    "PACKED",
    "READERS",
    "TEXTS",
    "USUAL",
    "Notation",
    "Options",
    "ReadingNote",
    "find_notation",
    "read_file",
]


# Suffixes of text tables, and their usual delimiters.
TEXTS = {".csv": ",", ".tsv": "\t"}


class Reader(NamedTuple):
    """How a file format is read, from the content, the options, and a list that notes are appended to."""

    kind: str
    read: Callable[[Content, Options, list[str]], Any]


READERS = {
    ".csv": Reader("a CSV", partial(read_text, usual=TEXTS[".csv"])),
    ".tsv": Reader("a TSV", partial(read_text, usual=TEXTS[".tsv"])),
    ".parquet": Reader("a Parquet", read_parquet),
    ".npy": Reader("a NPY", read_npy),
    ".npz": Reader("a NPZ", read_npz),
    ".feather": Reader("a Feather", read_arrow),
    ".arrow": Reader("an Arrow", read_arrow),
    ".jsonl": Reader("a JSON Lines", read_json_lines),
    ".xlsx": Reader("an Excel", read_sheet),
}
# Exceptions of readers for damaged files, and for files with a wrong suffix. Headers of arrays are in Python's syntax.
DAMAGES = (
    pa.ArrowException,
    ArithmeticError,
    AttributeError,
    BadZipFile,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
)


def read_file(path: Path, options: Options) -> Any:
    """Read a file, and warn with a ``ReadingNote`` of what is unusual about it.

    Raises
    ------
    ValueError
        If it is damaged, or has another format than its suffix says.
    MemoryError
        If there is not enough memory for it.
    """
    notes: list[str] = []
    kind = f"a {path.suffix[1:].upper()}"
    try:
        with memory_errors(f"read {str(path)!r}"):
            content = open_content(path, READERS)
            kind = READERS[content.suffix].kind
            values = READERS[content.suffix].read(content, options, notes)
    except DAMAGES as error:
        raise ValueError(f"cannot read {str(path)!r} as {kind} file: {error or type(error).__name__}") from error
    if notes:
        warnings.warn(f"{str(path)!r}: {'; '.join(notes)}", ReadingNote, stacklevel=3)
    return values


def find_notation(path: Path, options: Options) -> Notation:
    """Find how a text table that can be read is written; as usual for other formats."""
    content = open_content(path, READERS)
    usual = TEXTS.get(content.suffix)
    return USUAL if usual is None else find_text_notation(content, options, usual)
