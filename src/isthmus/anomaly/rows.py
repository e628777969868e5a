"""Rows in any container: arrays, data frames, sparse matrices, lists and sources."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.model_selection import KFold
from sklearn.utils.validation import _num_samples

from isthmus.containers import open_frame, refuse_container
from isthmus.data import Source, Texts, as_source
from isthmus.data.sources import to_computable_rows
from isthmus.data.streams.stream import Stream
from isthmus.data.tables.frames import is_frame
from isthmus.randomness import N_SEEDS
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]
ANOMALY, UNKNOWN, NORMAL = -1, 0, 1
LABELS = (ANOMALY, UNKNOWN, NORMAL)
# Rows that are converted to numbers at once.
CHUNK = 4096
# Largest number of rows, and of values, that a detector keeps of the training rows: 16 MB in float64.
MAX_ROWS, MAX_VALUES = 10_000, 2**21


def count_rows(X: Any) -> int:
    """Count rows; ``refuse_container`` raises an error for containers without rows."""
    refuse_container(X)
    return int(len(X) if isinstance(X, Source) else _num_samples(X))


def take_rows(X: Any, positions: Values) -> Any:
    """Take rows by position, in a container of the same kind."""
    X, positions = to_computable_rows(X), np.ascontiguousarray(positions)  # torch reads no reversed arrays
    if isinstance(X, Source):
        return X.take(positions)
    if is_frame(X):
        return open_frame(X)[positions].to_native()
    if sparse.issparse(X):
        return X.tocsr()[positions]
    return X[positions] if isinstance(X, torch.Tensor) else _as_array(X)[positions]


def _as_array(X: Any) -> Values:
    """Return rows as an array; texts are objects, since an array of characters has the size of the longest one."""
    rows = X.texts if isinstance(X, Texts) else X
    are_texts = isinstance(rows, list | tuple) and isinstance(rows[0], str)
    return np.asarray(rows, dtype=object if are_texts else None)


def to_numbers(source: Source) -> Values:
    """Return all rows of a source as float64 numbers, (n, ...)."""
    return np.concatenate([batch.x.numpy() for batch in source.batches(CHUNK)]).astype(np.float64)


def from_numbers(numbers: Values, schema: Schema) -> Source:
    """Return numbers (n, ...) as a source with this schema."""
    return replace(as_source(torch.from_numpy(numbers)), schema=schema)  # type: ignore[type-var]


# Labels and folds


def read_labels(y: Any, X: Any, required: bool) -> Values:
    """Return a label for each row: 1 normal, -1 anomaly, 0 unknown.

    Parameters
    ----------
    y : array of shape (n_samples,) or None
    X : array, data frame or Source
    required : bool
        If False, a ``y`` that does not consist of these three labels, with at least one -1, is ignored: pipelines and
        searches pass any target on.

    Raises
    ------
    ValueError
        If labels are required and ``y`` is None or holds other values, or if ``y`` does not have one label per row.
    """
    n_rows = count_rows(X)
    if y is None and required:
        raise ValueError("threshold='labels' needs y: 1 for normal rows, -1 for anomalies, 0 where it is not known")
    given = np.full(n_rows, UNKNOWN) if y is None else np.asarray(y)
    are_labels = bool(np.isin(given, LABELS).all()) and ANOMALY in given
    if required and not are_labels:
        raise _label_error(given)
    if not are_labels:
        return np.full(n_rows, UNKNOWN)
    if given.shape != (n_rows,):
        raise ValueError(f"y must have a label for each of the {n_rows} rows of X, got shape {given.shape}")
    return given.astype(int)


def _label_error(given: Values) -> ValueError:
    found = np.unique(given)
    if set(found.tolist()) == {0, 1}:
        advice = "if 1 means anomaly, give np.where(y == 1, -1, 1); if 0 does, np.where(y == 0, -1, 1)"
        return ValueError(
            f"threshold='labels' takes 1 for normal rows and -1 for anomalies, but y holds 0 and 1: {advice}"
        )
    if np.isin(found, LABELS).all():
        return ValueError("threshold='labels' needs anomalies at calibration, but no row of y is -1")
    others = found[~np.isin(found, LABELS)][:3].tolist()
    return ValueError(f"y must hold 1 (normal), -1 (anomaly) or 0 (unknown), got {others}")


def split_folds(X: Any, labels: Values, n_folds: int, seed: int) -> Iterator[tuple[Any, Any, Values, Values]]:
    """Yield for each fold: training rows, held-out rows, and labels and positions of the held-out rows.

    A ``Source`` decides which of its rows share values and belong to one fold. A ``Stream`` yields one fold only, since
    each pass over it is slow and one fold holds enough rows.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    n_rows = count_rows(X)
    if n_rows < 2:
        raise ValueError(f"n_samples={n_rows}: expected at least 2 rows, one to learn from and one to hold out")
    n_folds = min(n_folds, n_rows)
    if isinstance(X, Stream):
        rest, held = X.split(max(1, n_rows // n_folds), seed)
        yield rest, held, np.full(len(held), UNKNOWN), np.arange(len(held))
        return
    # The last fold comes first: in ordered data the latest rows resemble new rows most.
    for training, held_out in reversed(list(_fold_positions(X, n_rows, n_folds, seed))):
        yield take_rows(X, training), take_rows(X, held_out), labels[held_out], held_out


def _fold_positions(X: Any, n_rows: int, n_folds: int, seed: int) -> Iterator[tuple[Values, Values]]:
    if isinstance(X, Source):
        return X.folds(n_folds, seed)
    return KFold(n_folds, shuffle=True, random_state=seed % N_SEEDS).split(np.empty(n_rows))


# Reference rows


@dataclass(frozen=True)
class ReferenceRows:
    """A random sample of the training rows, which explanations compare other rows with.

    Parameters
    ----------
    rows : array, data frame or Source of shape (n_rows, ...)
        A copy, in random order.
    positions : ndarray of int of shape (n_rows,)
        Positions in the data of ``fit``; -1 for rows of a stream, which have no position.
    """

    rows: Any
    positions: Values

    @classmethod
    def sample(cls, X: Any, labels: Values, seed: int) -> "ReferenceRows":
        """Sample at most ``MAX_ROWS`` rows, and ``MAX_VALUES`` values, that are not labelled as anomalies."""
        generator = np.random.default_rng(seed)
        n = min(MAX_ROWS, max(1, MAX_VALUES // _row_size(X)))
        if isinstance(X, Stream):
            sample = X.split(min(n, len(X) - 1), seed)[1].load()
            rows = take_rows(sample, generator.permutation(len(sample)))
            return cls(_copy(rows), np.full(len(rows), -1))
        positions = generator.permutation(np.flatnonzero(labels != ANOMALY))[:n]
        return cls(_copy(take_rows(X, positions)), positions)


def _row_size(X: Any) -> int:
    """Count the values of a row."""
    if isinstance(X, Source):
        return prod(X.schema.shape)
    shape = getattr(X, "shape", None)
    return prod((np.asarray(X).shape if shape is None else shape)[1:])


def _copy(rows: Any) -> Any:
    """Copy rows of a source, which may be views of the whole training data."""
    return from_numbers(to_numbers(rows), rows.schema) if isinstance(rows, Source) else rows
