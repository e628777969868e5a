"""How data files are written, where their reader cannot find it: options that all commands that read files share."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import typer

OPTIONS: dict[str, Any] = {
    "delimiter": Annotated[str | None, typer.Option(metavar="CHAR", help="Between cells of text files.")],
    "decimal": Annotated[str | None, typer.Option(metavar="CHAR", help="Decimal mark of text files: . or ,")],
    "encoding": Annotated[str | None, typer.Option(help="Of text files, such as latin-1.")],
    "header": Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first row of text files has names.")
    ],
    "missing": Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Text that means missing, besides NA, ? and the like; repeatable."),
    ],
    "not_missing": Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Text that is a value, such as NA of a basement; repeatable."),
    ],
}
# What was stated to the command that runs; for all files that it reads.
_stated: ContextVar[dict[str, Any]] = ContextVar("stated")


def reads_files(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that state how files are written; ``read`` obeys them."""

    @functools.wraps(command)
    def run(**values: Any) -> None:
        with _stating({name: values.pop(name) for name in OPTIONS}):
            command(**values)

    signature = inspect.signature(command)
    options = [inspect.Parameter(name, KEYWORD, default=None, annotation=kind) for name, kind in OPTIONS.items()]
    parameters = [*signature.parameters.values(), *options]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, **OPTIONS}
    return run


KEYWORD = inspect.Parameter.KEYWORD_ONLY


def read(path: Path, **options: Any) -> Any:
    """Read a file as ``isthmus.data.files.read`` does, by what was stated to the command."""
    from isthmus.data import files

    stated = {name: _stated.get({}).get(name) for name in ("delimiter", "decimal", "encoding", "header")}
    return files.read(path, **{**stated, "missing": words_for_missing(), **options})


def words_for_missing() -> list[str]:
    """Return the words that mean a missing value: the usual ones and those stated, less those that are values."""
    from isthmus.data.parsing.missing_words import fold_case
    from isthmus.preparing import MISSING

    stated = _stated.get({})
    values = fold_case(stated.get("not_missing") or ())
    return [word for word in (*MISSING, *(stated.get("missing") or ())) if word.strip().casefold() not in values]


def texts_in(rows: Any) -> list[str]:
    """Return the names of the columns of text of a table; none of an array."""
    schema = getattr(rows, "schema", ())
    return [field.name for field in schema if str(field.type) == "string"]


@contextmanager
def _stating(values: dict[str, Any]) -> Iterator[None]:
    token = _stated.set(values)
    try:
        yield
    finally:
        _stated.reset(token)
