"""``isthmus fit``: rows of a file to a model file, and what the model is worth."""

import shlex
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Column, Table

from isthmus import distributed
from isthmus.autoencoder import Autoencoder
from isthmus.baselines import Comparison, judge
from isthmus.cli.outputs import Output
from isthmus.cli.pictures import labels_for, open_folder
from isthmus.cli.progress import say
from isthmus.cli.reading import read
from isthmus.cli.runs import Run, choose_columns, make_estimator
from isthmus.cli.streaming import beside, holds_images, some, streams
from isthmus.data import ImageFolder, Parquet, Source, as_source
from isthmus.data.streams.parquet import read_columns_only
from isthmus.data.validation import check_cells, compute_statistics
from isthmus.formatting import pluralize
from isthmus.persistence import save
from isthmus.schema import Schema
from isthmus.training import Checkpoint, Group

Rows = np.ndarray[Any, Any]

SUFFIX = ".safetensors"
# Share of the rows that the fit does not see.
HELD_OUT = 0.1
# Rows to look for gaps in at once.
CHUNK = 2**12


def fit_file(
    data: Path,
    run: Run,
    output: Output,
    config: Path | None = None,
    checkpoint: Path | None = None,
    workers: int | None = None,
    size: str | None = None,
) -> None:
    """Fit what ``run`` describes to nine tenths of the rows, write it, and show its error on the others.

    Of several processes that train together, the first writes and speaks. ``config`` is the run file that ``run`` was
    read from, if there is one, and ``checkpoint`` a folder. ``workers`` is the number of processes of Ray.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or the run does not suit the data.
    """
    out = output.path or beside(data, SUFFIX)
    progress = None if checkpoint is None else Checkpoint(checkpoint).file
    output.check([out], [data, config, progress], [SUFFIX])
    estimator = make_estimator(run)
    of_images = holds_images(data)
    if size is not None and not of_images:
        raise ValueError(f"--size is for folders of images, and {str(data)!r} is none")
    if of_images and workers is not None:
        raise ValueError(f"--workers takes Parquet files, but {str(data)!r} is a folder of images")
    if not of_images:
        _check_condition(run, estimator)
    if workers is None:
        train, test, y, schema = _halves_of_images(data, run, size, estimator) if of_images else _read_halves(data, run)
        estimator.set_params(schema=schema, callbacks=() if checkpoint is None else (Checkpoint(checkpoint),)).fit(
            train, y
        )
    else:
        train, test, y, _ = _shared_halves(data, run)
        estimator = distributed.fit(estimator, train, num_workers=workers, storage_path=checkpoint)
    if Group.current().rank:
        return
    known, unknown = (some(half, run.seed) for half in (train, test))
    say("comparing with simple methods on rows that were held out")
    comparisons = list(judge(estimator, known, unknown, run.seed))
    save(estimator, out)  # only now: a command that fails leaves no file behind
    for comparison in comparisons:
        _show(comparison, run.model, len(unknown))
    print(f"wrote {out}: {run.model} fitted to {_describe(len(train), estimator.schema_)}")


def _describe(n_rows: int, schema: Schema) -> str:
    if schema.layout:
        height, width = schema.shape[1:]
        return f"{pluralize(n_rows, 'image')} of {height} x {width}"
    return f"{pluralize(n_rows, 'row')} x {pluralize(prod(schema.shape), 'column')}"


def _read_halves(data: Path, run: Run) -> tuple[Any, Any, Any, Schema | None]:
    return _streamed_halves(data, run) if streams(data) else _halves(data, run)


def _halves(data: Path, run: Run) -> tuple[Any, Any, Any, Schema | None]:
    """Read the rows to fit, those to hold out, the labels of the first, and of tables what the columns are."""
    X, y = _choose_columns(read(data), run, data)
    _n_held_out(len(X))  # too few rows are said before anything is told by them
    source = as_source(X, run.kinds)
    check_cells(source, compute_statistics(source))  # here, where rows have the numbers of the file
    kept, held_out = hold_out(source, run.seed)
    # By all rows: the rows held out may have levels that the others have not.
    schema = source.schema if source.schema.fields else None
    return _take(X, kept), _take(X, held_out), None if y is None else y[kept], schema


def _halves_of_images(
    data: Path, run: Run, size: str | None, estimator: Autoencoder
) -> tuple[ImageFolder, ImageFolder, Any, None]:
    """Do the same for a folder of images, whose labels are its subfolders."""
    if run.condition is not None:
        raise ValueError("labels of images are their subfolders: leave --condition out")
    choose_columns(None, run, data)
    folder = open_folder(data, size)
    y = labels_for(folder, estimator.conditional)
    kept, held_out = hold_out(folder, run.seed)
    return folder.take(kept), folder.take(held_out), None if y is None else y[kept], None


def _streamed_halves(data: Path, run: Run) -> tuple[Parquet, Parquet, None, None]:
    """Do the same for rows past memory, which have no labels and hold numbers."""
    if run.kinds:
        raise ValueError(f"{str(data)!r} is streamed, and its columns are numbers: --kind is for tables in memory")
    if run.condition is not None:
        raise ValueError(f"{str(data)!r} is streamed, but a conditional model needs its rows in memory")
    X, _ = _choose_columns(read_columns_only(data), run, data)
    _refuse_text(X)
    source = Parquet(data, X.column_names)
    return *source.split(_n_held_out(len(source)), run.seed), None, None


def _shared_halves(data: Path, run: Run) -> tuple[Parquet, Parquet, None, None]:
    """Do the same for rows that several processes read."""
    if not streams(data) and data.suffix.lower() != ".parquet":
        raise ValueError(f"--workers takes a Parquet file, or a folder or pattern of them, got {str(data)!r}")
    return _streamed_halves(data, run)


def hold_out(source: Source, seed: int) -> tuple[Rows, Rows]:
    """Choose by chance the rows to fit, and one in ten to hold out."""
    n, n_out = len(source), _n_held_out(len(source))
    gaps = np.concatenate([batch.x.flatten(1).isnan().any(1).numpy() for batch in source.batches(CHUNK)])
    # One row with gaps is always trained on, if there is any: a model that has seen none refuses them.
    first = np.flatnonzero(gaps)[:1]
    held_out = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(n), first))[:n_out]
    return np.setdiff1d(np.arange(n), held_out), np.sort(held_out)


def _n_held_out(n: int) -> int:
    n_out = max(1, round(HELD_OUT * n))
    if n - n_out < 2:
        raise ValueError(f"n_samples={n}: fit holds one row in ten out, and needs at least 2 others to train on")
    return n_out


def _check_condition(run: Run, estimator: Autoencoder) -> None:
    if run.condition is None and estimator.conditional:
        raise ValueError(f"{run.model} is conditional: name the column of its labels by --condition NAME")
    if run.condition is not None and not estimator.conditional:
        raise ValueError(f"{run.model} takes no --condition; use --model conditional_vae, or --set conditional=true")


def _choose_columns(values: Any, run: Run, path: Path) -> tuple[Any, Any]:
    """Return the columns to learn from, and the labels or None."""
    X = choose_columns(values, run, path)
    if not isinstance(X, pa.Table):
        return X, None
    return X, None if run.condition is None else _labels(values, run.condition)


def _refuse_text(table: pa.Table) -> None:
    """Raise ``ValueError`` for columns of a stream that are not numbers, and name the options that leave them out."""
    others = [field.name for field in table.schema if not _is_number(field.type)]
    if others:
        options = " ".join(f"--without {shlex.quote(name)}" for name in others)
        raise ValueError(f"rows past memory must be numbers, but column {others[0]!r} holds text or dates: {options}")


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(test(kind) for test in tests)


def _labels(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    column = table.column(name)
    if column.null_count:
        raise ValueError(f"column {name!r} lacks {column.null_count} labels; give these rows one, or leave them out")
    return column.to_numpy()


def _take(X: Any, rows: Rows) -> Any:
    return X.take(rows) if isinstance(X, pa.Table) else X[rows]


def _show(comparison: Comparison, model: str, n_rows: int) -> None:
    """Show the figures of a model and of simple methods, a line a method."""
    table = Table("method", *(Column(name, justify="right") for name in comparison.figures))
    for method in next(iter(comparison.figures.values()), {}):
        figures = [_write(name, values[method]) for name, values in comparison.figures.items()]
        table.add_row(model if method == "model" else method, *figures)
    console = Console()
    console.print(f"{comparison.title}; {pluralize(n_rows, 'held-out row')}", highlight=False)
    console.print(table)
    if comparison.note:
        console.print(comparison.note, highlight=False)


def _write(name: str, figure: float) -> str:
    return f"{figure:.1%}" if name == "wrong" else f"{figure:.4g}"
