"""``isthmus fit``: a model is fitted to the rows of a file, compared with simple methods, and saved."""

import shlex
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Column, Table

from isthmus import distributed
from isthmus.autoencoder import Autoencoder
from isthmus.baselines import Comparison, judge
from isthmus.baselines.comparison import BETTER
from isthmus.cli.choosing import check_choice, choose_variant
from isthmus.cli.images import choose_labels, open_folder
from isthmus.cli.options import AUTO, ChoiceOptions
from isthmus.cli.outputs import Output
from isthmus.cli.paths import MODEL, holds_images
from isthmus.cli.progress import say
from isthmus.cli.reading import read
from isthmus.cli.runs import Run, as_time, choose_columns, choose_series, make_estimator
from isthmus.cli.streaming import is_streamed, sample_stream
from isthmus.corruptions import predicts_hidden_cells
from isthmus.data import Parquet, Source, as_source
from isthmus.data.streams.parquet import read_columns_only
from isthmus.data.streams.stream import Stream
from isthmus.data.validation import check_cells, compute_statistics
from isthmus.doctor.fitted_input import find_held_out
from isthmus.formatting import pluralize
from isthmus.gap_filling import SeriesImputer
from isthmus.persistence import save
from isthmus.schema import Schema
from isthmus.training import Checkpoint, Group

Rows = np.ndarray[Any, Any]

# Share of the rows that is held out of the fit, for the comparison with simple methods. Not tuned.
HELD_OUT = 0.1
# Fewest rows of which a fit held out some; fewer are examined as they are.
MIN_ROWS = 20
# Rows that are searched for missing values at once.
CHUNK = 2**12


class Halves(NamedTuple):
    """Rows to fit and rows that are held out, of one source, and the labels of the former."""

    train: Source
    test: Source
    y: Rows | None = None


def fit_file(
    data: Path,
    run: Run,
    output: Output,
    choice: ChoiceOptions,
    config: Path | None = None,
    checkpoint: Path | None = None,
    workers: int | None = None,
    size: str | None = None,
) -> None:
    """Fit the model of a run to nine tenths of the rows, save it, and print its error on the others.

    If several processes train together, only the first one writes and prints. ``choice`` tells how a variant is chosen
    if the run names none, ``config`` is the run file, ``checkpoint`` a folder, ``workers`` the number of processes of
    Ray, and ``size`` the height and width of images.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or the run does not fit the data.
    """
    progress = None if checkpoint is None else Checkpoint(checkpoint).file
    out = output.file(data, MODEL[0], [data, config, progress], MODEL)
    check_choice(run, choice)
    check_data_options(data, run, size, workers)
    estimator = None if run.model == AUTO else make_for_labels(data, run)
    conditional = estimator is not None and estimator.conditional
    train, test, y = _read_halves(data, run, size, conditional, streamed=workers is not None)
    if estimator is None:
        run = choose_variant(train, y, run, choice)
        estimator = make_for_labels(data, run)
    if workers is None:
        estimator.set_params(callbacks=() if checkpoint is None else (Checkpoint(checkpoint),)).fit(train, y)
    else:
        estimator = distributed.fit(estimator, train, num_workers=workers, storage_path=checkpoint)
    if Group.current().rank:
        return
    known, unknown = (sample_stream(rows, run.seed) if isinstance(rows, Stream) else rows for rows in (train, test))
    say("comparing with simple methods on rows that were held out")
    comparisons = judge(estimator, known, unknown, run.seed)
    save(estimator, out)  # only now: a command that fails leaves no file behind
    for comparison in comparisons:
        _show(comparison, run.model, len(unknown))
    print(
        f"wrote {out}: {run.model} fitted to {_describe(len(train), estimator.schema_)}{_describe_code(estimator, run)}"
    )
    if run.model == Run.model and len(estimator.schema_.shape) > 1:
        print(
            f"{run.model} has a dense net, which does not know which values are neighbours; --model convolutional "
            f"does, and --model {AUTO} chooses by the data"
        )


def fit_series(data: Path, run: Run, output: Output, times: Sequence[str], config: Path | None = None) -> None:
    """Fit an imputer to a series, save it, and print its error in gaps beside that of linear interpolation.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or the run does not fit a series.
    """
    out = output.file(data, MODEL[0], [data, config], MODEL)
    if run.model != Run.model or run.set or run.kinds or run.condition:
        raise ValueError("--time fits an imputer of series, which takes no --model, --set, --kind or --condition")
    X = choose_series(read(data), run, times, data)
    say(f"fitting an imputer to {pluralize(len(X), 'time point')}")
    imputer = SeriesImputer(time=as_time(times), random_state=run.seed).fit(X)
    save(imputer, out)
    print("error in hidden gaps, relative to that of linear interpolation, on held-out windows:")
    for i, error in enumerate(imputer.relative_error_):
        print(f"{'1 step' if i == 0 else f'{2**i} to {2 ** (i + 1) - 1} steps'}: {error:.2f}")
    size = f"{pluralize(len(X), 'time point')} x {pluralize(imputer.n_features_in_, 'channel')}"
    print(f"wrote {out}: series imputer fitted to {size}")


def check_data_options(data: Path, run: Run, size: str | None, workers: int | None) -> None:
    """Raise ``ValueError`` for options that do not fit the data."""
    if holds_images(data):
        if workers is not None:
            raise ValueError(f"--workers takes Parquet files, but {str(data)!r} is a folder of images")
        if run.condition is not None:
            raise ValueError("labels of images are their subfolders: leave --condition out")
        return
    if size is not None:
        raise ValueError(f"--size is for folders of images, but {str(data)!r} is not one")
    if workers is not None and not is_streamed(data) and data.suffix.lower() != ".parquet":
        raise ValueError(f"--workers takes a Parquet file, or a folder or pattern of them, got {str(data)!r}")


def make_for_labels(data: Path, run: Run) -> Autoencoder:
    """Make the estimator; raise ``ValueError`` for labels without a conditional model, or one without labels."""
    estimator = make_estimator(run)
    if holds_images(data):
        return estimator
    if run.condition is None and estimator.conditional:
        raise ValueError(f"{run.model} is conditional: name its column of labels with --condition NAME")
    if run.condition is not None and not estimator.conditional:
        raise ValueError(f"{run.model} takes no --condition; use --model conditional_vae, or --set conditional=true")
    return estimator


def _read_halves(data: Path, run: Run, size: str | None, conditional: bool, streamed: bool) -> Halves:
    if holds_images(data):
        choose_columns(None, run, data)
        folder = open_folder(data, size)
        return _split(folder, choose_labels(folder, conditional), run.seed)
    if streamed or is_streamed(data):
        return _stream_halves(data, run)
    values = read(data)
    X = choose_columns(values, run, data)
    _count_held_out(len(X))  # before the kinds of columns are inferred from too few rows
    source = as_source(X, run.kinds)
    check_cells(source, compute_statistics(source))
    return _split(source, read_labels(values, run.condition), run.seed)


def _stream_halves(data: Path, run: Run) -> Halves:
    """Split rows that are streamed."""
    source = open_stream(data, run)
    return Halves(*source.split(_count_held_out(len(source)), run.seed))


def open_stream(data: Path, run: Run) -> Parquet:
    """Open rows that are streamed; raise ``ValueError`` unless they are numbers without labels."""
    if run.kinds:
        raise ValueError(f"{str(data)!r} is streamed, which supports columns of numbers only; leave --kind out")
    if run.condition is not None:
        raise ValueError(f"{str(data)!r} is streamed, but a conditional model needs its rows in memory")
    columns = choose_columns(read_columns_only(data), run, data)
    _refuse_text(columns)
    return Parquet(data, columns.column_names)


def _split(source: Source, y: Rows | None, seed: int) -> Halves:
    kept, held_out = hold_out(source, seed)
    return Halves(source.take(kept), source.take(held_out), None if y is None else y[kept])


def hold_out(source: Source, seed: int) -> tuple[Rows, Rows]:
    """Return the positions of random rows to fit, and of one row in ten to hold out."""
    n, n_out = len(source), _count_held_out(len(source))
    incomplete = np.concatenate([batch.x.flatten(1).isnan().any(1).numpy() for batch in source.batches(CHUNK)])
    # A model accepts missing values only if its training rows have some: one such row is never held out.
    first = np.flatnonzero(incomplete)[:1]
    held_out = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(n), first))[:n_out]
    return np.setdiff1d(np.arange(n), held_out), np.sort(held_out)


def split_as_fit(model: Any, X: Any, y: Rows | None) -> tuple[Rows, Rows]:
    """Split the positions of rows as ``isthmus fit`` does; no rows are held out if the model was not fitted like this.

    The model was fitted to the other rows if its own held-out rows among them have the loss that ``history_`` records.
    """
    everything, nothing = np.arange(len(X)), np.empty(0, dtype=np.int64)
    if not isinstance(model, Autoencoder) or isinstance(X, Stream) or model.random_state is None or len(X) < MIN_ROWS:
        return everything, nothing
    source = model.read_rows(X, y)
    kept, held_out = hold_out(source, model.random_state)
    return (kept, held_out) if len(find_held_out(model, source.take(kept))) else (everything, nothing)


def _count_held_out(n: int) -> int:
    n_out = max(1, round(HELD_OUT * n))
    if n - n_out < 2:
        raise ValueError(f"n_samples={n}: fit needs at least 3 rows, 2 to train on and 1 to hold out")
    return n_out


def _refuse_text(table: pa.Table) -> None:
    """Raise ``ValueError`` for columns of a stream that are not numbers, and name the options that leave them out."""
    others = [field.name for field in table.schema if not _is_number(field.type)]
    if others:
        options = " ".join(f"--without {shlex.quote(name)}" for name in others)
        raise ValueError(f"streamed rows must be numbers: leave out text and dates with {options}")


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(test(kind) for test in tests)


def read_labels(table: Any, name: str | None) -> Rows | None:
    """Return the column of labels, if there is one; raise ``ValueError`` if it lacks labels."""
    if name is None:
        return None
    column = table.column(name)
    if column.null_count:
        raise ValueError(f"column {name!r} lacks {column.null_count} labels; add the labels or remove the rows")
    return column.to_numpy()


def _show(comparison: Comparison, model: str, n_rows: int) -> None:
    """Print a table with the figures of a model and of simple methods."""
    header, *lines = comparison.table
    table = Table(header[0], *(Column(name, justify="left" if name == BETTER else "right") for name in header[1:]))
    for name, *figures in lines:
        table.add_row(model if (comparison.per, name) == ("method", "model") else name, *figures)
    console = Console()
    console.print(f"{comparison.title}; {pluralize(n_rows, 'held-out row')}", highlight=False)
    console.print(table)
    if comparison.note:
        console.print(comparison.note, highlight=False)


def _describe_code(estimator: Autoencoder, run: Run) -> str:
    """Say how many numbers a code has, and how to change that if the run does not state it.

    Codes of imputers are wide on purpose: they are not used.
    """
    is_chosen = "n_components" in run.set or predicts_hidden_cells(estimator.corruption)
    size = pluralize(estimator._n_features_out, "number")
    return f"; a code has {size}{'' if is_chosen else ', which --set n_components=8 changes'}"


def _describe(n_rows: int, schema: Schema) -> str:
    if schema.layout:
        height, width = schema.shape[1:]
        return f"{pluralize(n_rows, 'image')} of {height} x {width}"
    return f"{pluralize(n_rows, 'row')} x {pluralize(prod(schema.shape), 'column')}"
