"""``isthmus doctor``: what is wrong with the rows of a file, before a fit is spent on them."""

from pathlib import Path
from typing import Any

from isthmus.cli.pictures import open_folder
from isthmus.cli.progress import hint
from isthmus.cli.reading import read
from isthmus.cli.runs import Run, choose_columns, make_estimator
from isthmus.cli.streaming import holds_images, some, streams
from isthmus.data import Parquet, Source
from isthmus.data.streams.parquet import read_columns_only
from isthmus.doctor import examine, report


def examine_file(data: Path, run: Run, test: Path | None) -> None:
    """Show what is wrong with rows, and with a run that is to fit them; of streamed rows some are looked at.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, or the run is not one.
    """
    estimator = make_estimator(run)
    if holds_images(data):
        X, tests = _read_images(data, run, test)
    else:
        X, tests = read_rows(data, run), None if test is None else {test.name: read_rows(test, run)}
    shape = (len(X), *X.schema.shape) if isinstance(X, Source) else X.shape
    hint(f"examining {' x '.join(f'{size:,}' for size in shape)} values")
    print(report(examine(X, estimator, test=tests)))


def read_rows(data: Path, run: Run) -> Any:
    """Read the rows of a file; of rows past memory, some.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or lacks a column of the run.
    """
    if not streams(data):
        return choose_columns(read(data), run, data)
    names = choose_columns(read_columns_only(data), run, data).column_names
    source = Parquet(data, names)
    rows = some(source, run.seed)
    print(f"{data} is streamed: {len(rows):,} of its {len(source):,} rows are looked at")
    return rows


def _read_images(data: Path, run: Run, test: Path | None) -> tuple[Any, dict[str, Any] | None]:
    """Read a folder of images, and another in the same size and range of values."""
    choose_columns(None, run, data)
    images = open_folder(data)
    return images, None if test is None else {test.name: open_folder(test, like=images.schema)}
