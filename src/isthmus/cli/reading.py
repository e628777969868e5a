"""Options of all commands that read data files: they state the dialect of a file where it is not found by itself."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import typer

OPTIONS: dict[str, Any] = {
    "delimiter": Annotated[str | None, typer.Option(metavar="CHAR", help="Separator of the cells of text files.")],
    "decimal": Annotated[str | None, typer.Option(metavar="CHAR", help="Decimal mark of text files: . or ,")],
    "encoding": Annotated[str | None, typer.Option(help="Encoding of text files, such as latin-1.")],
    "header": Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header", help="Whether the first row of text files holds the names of the columns."
        ),
    ],
    "missing": Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Text that means a missing value, in addition to NA, ? and similar words; repeatable."
        ),
    ],
    "not_missing": Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Text that is a value although it usually means missing, such as NA; repeatable."
        ),
    ],
}
# The options of the running command, for all files that it reads.
_stated: ContextVar[dict[str, Any]] = ContextVar("stated")


def reads_files(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that state the dialect of files; ``read`` follows them."""

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
    """Read a file with ``isthmus.data.files.read`` and the options of the running command."""
    from isthmus.cli.streaming import check_folder
    from isthmus.data import files

    check_folder(path)

    stated = {name: _stated.get({}).get(name) for name in ("delimiter", "decimal", "encoding", "header")}
    return files.read(path, **{**stated, "missing": missing_words(), **options})


def missing_words() -> list[str]:
    """Return the words that mean a missing value: the usual ones and ``--missing``, without ``--not-missing``."""
    from isthmus.data.parsing.missing_words import fold_case
    from isthmus.preparing import MISSING

    stated = _stated.get({})
    values = fold_case(stated.get("not_missing") or ())
    return [word for word in (*MISSING, *(stated.get("missing") or ())) if word.strip().casefold() not in values]


def list_string_columns(rows: Any) -> list[str]:
    """Return the names of the text columns of a table; an array has none."""
    schema = getattr(rows, "schema", ())
    return [field.name for field in schema if str(field.type) == "string"]


@contextmanager
def _stating(values: dict[str, Any]) -> Iterator[None]:
    token = _stated.set(values)
    try:
        yield
    finally:
        _stated.reset(token)
