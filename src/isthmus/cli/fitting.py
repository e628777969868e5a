"""``isthmus fit``: rows of a file to a model file, and what the model is worth."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Column, Table

from isthmus import distributed
from isthmus.autoencoder import Autoencoder
from isthmus.baselines import compare, unit_of
from isthmus.cli.runs import Run, choose_columns, make_estimator
from isthmus.cli.streaming import beside, some, streams
from isthmus.data import Parquet, as_source
from isthmus.data.files import check_target, read
from isthmus.data.parquet import head
from isthmus.persistence import save
from isthmus.training import Checkpoint, Group

Rows = np.ndarray[Any, Any]

SUFFIX = ".safetensors"
# Share of the rows that the fit does not see.
HELD_OUT = 0.1
# Rows to look for gaps in at once.
CHUNK = 2**12


def fit_file(
    data: Path, run: Run, out: Path | None, checkpoint: Path | None = None, workers: int | None = None
) -> None:
    """Fit what ``run`` describes to nine tenths of the rows, write it, and show its error on the others.

    Of several processes that train together, the first writes and speaks. A ``checkpoint`` is a folder. With
    ``workers`` so many processes of Ray fit it.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or the run does not suit the data.
    """
    if out is not None:
        check_target(out, [SUFFIX])
    out = out or beside(data, SUFFIX)
    estimator = make_estimator(run)
    _check_condition(run, estimator)
    if workers is None:
        train, test, y = _streamed_halves(data, run) if streams(data) else _halves(data, run)
        estimator.set_params(callbacks=() if checkpoint is None else (Checkpoint(checkpoint),)).fit(train, y)
    else:
        train, test, y = _shared_halves(data, run)
        estimator = distributed.fit(estimator, train, num_workers=workers, storage_path=checkpoint)
    if Group.current().rank:
        return
    save(estimator, out)
    known, unknown = (some(half, run.seed) for half in (train, test))
    _show(compare(estimator, known, unknown), unit_of(known), run.model, len(unknown))
    print(f"wrote {out}: {run.model} fitted to {len(train)} rows x {np.prod(estimator.schema_.shape)} columns")


def _halves(data: Path, run: Run) -> tuple[Any, Any, Any]:
    """Read the rows to fit, those to hold out, and the labels of the first, or None."""
    X, y = _choose_columns(read(data), run, data)
    kept, held_out = hold_out(X, run.seed)
    return _take(X, kept), _take(X, held_out), None if y is None else y[kept]


def _streamed_halves(data: Path, run: Run) -> tuple[Parquet, Parquet, None]:
    """Do the same for rows past memory, which have no labels."""
    if run.condition is not None:
        raise ValueError(f"{str(data)!r} is streamed, but a conditional model needs its rows in memory")
    X, _ = _choose_columns(head(data), run, data)
    source = Parquet(data, X.column_names)
    return *source.split(_n_held_out(len(source)), run.seed), None


def _shared_halves(data: Path, run: Run) -> tuple[Parquet, Parquet, None]:
    """Do the same for rows that several processes read."""
    if not streams(data) and data.suffix.lower() != ".parquet":
        raise ValueError(f"--workers takes a Parquet file, or a folder or pattern of them, got {str(data)!r}")
    return _streamed_halves(data, run)


def hold_out(X: Any, seed: int) -> tuple[Rows, Rows]:
    """Choose by chance the rows to fit, and one in ten to hold out."""
    n, n_out = len(X), _n_held_out(len(X))
    gaps = np.concatenate([x.flatten(1).isnan().any(1).numpy() for x, _ in as_source(X).batches(CHUNK)])
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
    _refuse_text(X)
    return X, None if run.condition is None else _labels(values, run.condition)


def _refuse_text(table: pa.Table) -> None:
    """Raise what the library says of columns that are not numbers, and name the options that leave them out."""
    others = [field.name for field in table.schema if not _is_number(field.type)]
    if others:
        try:
            as_source(table.select(others))
        except ValueError as error:
            options = " ".join(f"--without {shlex.quote(name)}" for name in others)
            raise ValueError(f"{error}: {options}") from error


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


def _show(errors: dict[str, float], unit: str, model: str, n_rows: int) -> None:
    table = Table("reconstruction by", Column("error", justify="right"))
    for name, error in errors.items():
        table.add_row(model if name == "model" else name, f"{error:.4g}")
    console = Console()
    console.print(f"mean squared error of a value, in squares of {unit}, on held-out rows ({n_rows}):")
    console.print(table)
