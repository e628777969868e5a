"""Reading of data files in the dialect that the options of the running command state."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from isthmus.cli.commands import PARAMETERS
from isthmus.cli.options import Dialect
from isthmus.cli.streaming import check_folder
from isthmus.data import files
from isthmus.data.parsing.missing_words import MISSING, fold_case
from isthmus.data.reading import USUAL, Notation, Options, find_notation
from isthmus.data.streams.parquet import is_pattern


def read(path: Path, **options: Any) -> Any:
    """Read a file with ``isthmus.data.files.read`` and the options of the running command."""
    check_folder(path)
    return files.read(path, **{**_stated_dialect(), "missing": missing_words(), **options})


def find_notation_of(path: Path) -> Notation:
    """Find how a text table that was read is written; as usual for other formats."""
    return USUAL if path.is_dir() or is_pattern(path) else find_notation(path, Options(**_stated_dialect()))


def _stated_dialect() -> dict[str, Any]:
    return {name: PARAMETERS.get({}).get(name) for name in ("delimiter", "decimal", "encoding", "header")}


def list_options() -> Iterator[str]:
    """Yield the words of the options of the running command that state how files are read."""
    for field in fields(Dialect):
        value, flag = PARAMETERS.get({}).get(field.name), field.name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        elif value is not None:
            yield from (word for each in ([value] if isinstance(value, str) else value) for word in (f"--{flag}", each))


def missing_words() -> list[str]:
    """Return the words that mean a missing value: the usual ones and ``--missing``, without ``--not-missing``."""
    parameters = PARAMETERS.get({})
    values = fold_case(parameters.get("not_missing") or ())
    words = (*MISSING, *(parameters.get("missing") or ()))
    return [word for word in words if word.strip().casefold() not in values]


def list_string_columns(rows: Any) -> list[str]:
    """Return the names of the text columns of a table; an array has none."""
    schema = getattr(rows, "schema", ())
    return [field.name for field in schema if str(field.type) == "string"]
