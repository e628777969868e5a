"""``isthmus look`` and ``isthmus doctor``: what a file holds, and what is wrong with its rows or with a model."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.cli.fitting import read_labels, split_as_fit
from isthmus.cli.images import open_folder, summarize_folder
from isthmus.cli.inference import open_rows
from isthmus.cli.models import load_for
from isthmus.cli.paths import holds_images
from isthmus.cli.progress import hint
from isthmus.cli.reading import read
from isthmus.cli.runs import Run, choose_columns, make_estimator
from isthmus.cli.streaming import is_streamed, sample_stream
from isthmus.data import Parquet, Source
from isthmus.data.files import as_table
from isthmus.data.streams.parquet import read_columns_only
from isthmus.data.streams.stream import Stream
from isthmus.doctor import Overview, examine, format_findings, summarize
from isthmus.doctor.overview import ASCII_BARS, BARS

Rows = np.ndarray[Any, Any]


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


def examine_model(model: Path, data: Path, run: Run, test: Path | None) -> None:
    """Print what is wrong with a fitted model and with rows, which should be those that it was fitted to.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, the rows have other columns than in the fit, or ``run`` has more than labels.
    """
    if replace(run, condition=None) != Run():
        refused = "--model, --set, --config, --seed, --columns, --without or --kind"
        raise ValueError(f"the model in {str(model)!r} is fitted, so doctor takes no {refused}")
    estimator = load_for("doctor", model)
    X, y = _read_for(estimator, data), _read_labels(data, run)
    tests = {} if test is None else {test.name: _read_for(estimator, test)}
    kept, held_out = split_as_fit(estimator, X, y)
    if len(held_out):
        tests["the rows that isthmus fit held out"] = _take(X, held_out)
        X, y = _take(X, kept), None if y is None else y[kept]
    hint(f"examining the model on {len(X):,} rows")
    print(format_findings(examine(X, estimator, test=tests, y=y)))


def _read_for(estimator: Any, data: Path) -> Any:
    """Read rows in the form that a model was fitted on; of a stream, random rows."""
    rows = open_rows(data).read(estimator)
    return sample_stream(rows, 0) if isinstance(rows, Stream) else rows


def _read_labels(data: Path, run: Run) -> Rows | None:
    return None if run.condition is None else read_labels(read(data), run.condition)


def _take(X: Any, positions: Rows) -> Any:
    return X.take(positions) if isinstance(X, pa.Table | Source) else X[positions]


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
    if holds_images(data):
        choose_columns(None, run, data)
        print(summarize_folder(data))
        return
    rows = read_rows(data, run)
    if len(rows.shape) > 2:
        raise ValueError(f"{str(data)!r} holds values of shape {rows.shape}, but look takes rows and columns")
    show_overview(summarize(as_table(rows), run.kinds))


def show_overview(overview: Overview) -> None:
    """Print an overview in the characters that the terminal can show."""
    encoding = sys.stdout.encoding or "ascii"
    can_print = BARS.encode(encoding, "ignore").decode(encoding) == BARS
    print(overview.to_text(BARS if can_print else ASCII_BARS))
