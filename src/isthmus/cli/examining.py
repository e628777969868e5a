"""``isthmus look`` and ``isthmus doctor``: what a file holds, and what is wrong with its rows before a fit."""

import sys
from pathlib import Path
from typing import Any

from isthmus.cli.images import open_folder
from isthmus.cli.progress import hint
from isthmus.cli.reading import read
from isthmus.cli.runs import Run, choose_columns, make_estimator
from isthmus.cli.streaming import holds_images, is_streamed, sample_stream
from isthmus.data import Parquet, Source
from isthmus.data.files import as_table
from isthmus.data.streams.parquet import read_columns_only
from isthmus.doctor import Overview, examine, format_findings, summarize
from isthmus.doctor.overview import ASCII_BARS, BARS


def examine_file(data: Path, run: Run, test: Path | None) -> None:
    """Print what is wrong with rows, and with a run that is to fit them; of a stream, random rows are examined.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, or the run is not valid.
    """
    estimator = make_estimator(run)
    if holds_images(data):
        X, tests = _read_images(data, run, test)
    else:
        X, tests = read_rows(data, run), None if test is None else {test.name: read_rows(test, run)}
    shape = (len(X), *X.schema.shape) if isinstance(X, Source) else X.shape
    hint(f"examining {' x '.join(f'{size:,}' for size in shape)} values")
    print(format_findings(examine(X, estimator, test=tests)))


def read_rows(data: Path, run: Run) -> Any:
    """Read the rows of a file; of a stream, random rows.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or lacks a column of the run.
    """
    if not is_streamed(data):
        return choose_columns(read(data), run, data)
    names = choose_columns(read_columns_only(data), run, data).column_names
    source = Parquet(data, names)
    rows = sample_stream(source, run.seed)
    print(f"{data} is streamed: {len(rows):,} of its {len(source):,} rows are examined")
    return rows.to_container(rows.values.numpy())


def _read_images(data: Path, run: Run, test: Path | None) -> tuple[Any, dict[str, Any] | None]:
    """Read a folder of images, and a second one in the same size and range of values."""
    choose_columns(None, run, data)
    images = open_folder(data)
    return images, None if test is None else {test.name: open_folder(test, like=images.schema)}


def show_file(data: Path, run: Run) -> None:
    """Print an overview of a file.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or does not hold rows and columns.
    """
    rows = read_rows(data, run)
    if len(rows.shape) > 2:
        raise ValueError(f"{str(data)!r} holds values of shape {rows.shape}, but look takes rows and columns")
    show_overview(summarize(as_table(rows), run.kinds))


def show_overview(overview: Overview) -> None:
    """Print an overview in the characters that the terminal can show."""
    encoding = sys.stdout.encoding or "ascii"
    can_print = BARS.encode(encoding, "ignore").decode(encoding) == BARS
    print(overview.to_text(BARS if can_print else ASCII_BARS))
