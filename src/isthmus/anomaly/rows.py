"""Rows of whatever holds them: arrays, frames, sparse rows, lists, sources."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.model_selection import KFold
from sklearn.utils.validation import _num_samples

from isthmus.containers import open_frame, refuse_container
from isthmus.data import Source
from isthmus.data.sources import to_computable_rows
from isthmus.data.streams.stream import Stream
from isthmus.data.tables.frames import is_frame
from isthmus.randomness import N_SEEDS

Values = np.ndarray[Any, Any]
ANOMALY, UNKNOWN, NORMAL = -1, 0, 1
LABELS = (ANOMALY, UNKNOWN, NORMAL)


def count(X: Any) -> int:
    """Count rows; see ``refuse_container`` for what has none."""
    refuse_container(X)
    return int(len(X) if isinstance(X, Source) else _num_samples(X))


def take(X: Any, rows: Values) -> Any:
    """Take rows by their numbers, in the container that they are in, or a common one of its kind."""
    X = to_computable_rows(X)
    if isinstance(X, Source):
        return X.take(rows)
    if is_frame(X):
        return open_frame(X)[rows].to_native()
    if sparse.issparse(X):
        return X.tocsr()[rows]
    return X[rows] if isinstance(X, torch.Tensor) else np.asarray(X)[rows]


def read_labels(y: Any, X: Any, required: bool) -> Values:
    """Return one label a row: 1 normal, -1 anomaly, 0 unknown.

    Parameters
    ----------
    y : array of shape (n_samples,) or None
    X : array, data frame or Source
    required : bool
        Where labels are not required, whatever is not made of these three labels, with anomalies among them, is no
        label of this kind and not looked at: pipelines and searches pass any target on.

    Raises
    ------
    ValueError
        If labels are required and there are none, or others; or if there is not one a row.
    """
    n_rows = count(X)
    if y is None and required:
        raise ValueError("threshold='labels' needs y: 1 for normal rows, -1 for anomalies, 0 where it is not known")
    given = np.full(n_rows, UNKNOWN) if y is None else np.asarray(y)
    are_labels = bool(np.isin(given, LABELS).all()) and ANOMALY in given
    if required:
        _check(given, are_labels)
    elif not are_labels:
        return np.full(n_rows, UNKNOWN)
    if given.shape != (n_rows,):
        raise ValueError(f"y must have a label for each of the {n_rows} rows of X, got shape {given.shape}")
    return given.astype(int)


def _check(given: Values, are_labels: bool) -> None:
    found = np.unique(given)
    if are_labels:
        return
    if set(found.tolist()) == {0, 1}:
        advice = "if 1 means anomaly, give np.where(y == 1, -1, 1); if 0 does, np.where(y == 0, -1, 1)"
        raise ValueError(
            f"threshold='labels' takes 1 for normal rows and -1 for anomalies, but y holds 0 and 1: {advice}"
        )
    if np.isin(found, LABELS).all():
        raise ValueError("threshold='labels' needs anomalies at calibration, but no row of y is -1")
    raise ValueError(
        f"y must hold 1 (normal), -1 (anomaly) or 0 (unknown), got {found[~np.isin(found, LABELS)][:3].tolist()}"
    )


def folds(X: Any, labels: Values, n_folds: int, seed: int) -> Iterator[tuple[Any, Any, Values, Values]]:
    """Yield rows to learn from, rows held out, and the labels and the positions of the latter.

    A source knows which of its rows share values. One that streams is read for one fold alone: it has rows enough.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    n_rows = count(X)
    if n_rows < 2:
        raise ValueError(f"n_samples={n_rows}: expected at least 2 rows, one to learn from and one to hold out")
    n_folds = min(n_folds, n_rows)
    if isinstance(X, Stream):
        rest, held = X.split(max(1, n_rows // n_folds), seed)
        yield rest, held, np.full(len(held), UNKNOWN), np.arange(len(held))
        return
    # The last first: of what is in order, the latest rows are most like those to come.
    for learned, aside in reversed(list(_positions(X, n_rows, n_folds, seed))):
        yield take(X, learned), take(X, aside), labels[aside], aside


def _positions(X: Any, n_rows: int, n_folds: int, seed: int) -> Iterator[tuple[Values, Values]]:
    if isinstance(X, Source):
        return X.folds(n_folds, seed)
    return KFold(n_folds, shuffle=True, random_state=seed % N_SEEDS).split(np.empty(n_rows))
