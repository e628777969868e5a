"""Validation of labels, scores and alarms of a series, and their events."""

from typing import Any, NamedTuple

import numpy as np

Values = np.ndarray[Any, Any]


class PrecisionRecall(NamedTuple):
    """Precision and recall, both in [0, 1]."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 if both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


class Events(NamedTuple):
    """Runs of flagged points: the first point of each, and the first point after it, both (n_events,)."""

    starts: Values
    stops: Values

    @property
    def lengths(self) -> Values:
        """Number of points of each event (n_events,)."""
        return self.stops - self.starts


def find_runs(flags: Values) -> Events:
    """Return the runs of flagged points in a boolean array (n,)."""
    steps = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return Events(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1))


def read_labels(labels: Any) -> Values:
    """Return labels as booleans (n,).

    Raises
    ------
    ValueError
        If they are not 0 and 1 with both present: measures need an anomalous and a normal point.
    """
    flags = read_flags("labels", labels)
    if flags.all() or not flags.any():
        kind = "an anomalous point (1)" if not flags.any() else "a normal point (0)"
        raise ValueError(f"labels must have at least {kind} among their {len(flags)} points")
    return flags


def read_flags(name: str, values: Any, n: int | None = None) -> Values:
    """Return 0 and 1 as booleans (n,).

    Raises
    ------
    ValueError
        If there are other values, or if they do not have the length of the labels.
    """
    flags = _read_column(name, values, n)
    invalid = flags[~np.isin(flags, (0, 1))]
    if len(invalid):
        raise ValueError(
            f"{name} must be 1 for anomalous and 0 for normal points, got {invalid[0]!s}; "
            "convert decisions of predict by predict(X) == -1"
        )
    return flags.astype(bool)


def read_scores(values: Any, n: int) -> Values:
    """Return scores as float64 (n,).

    Raises
    ------
    ValueError
        If they are not finite numbers, or if they do not have the length of the labels.
    """
    scores = _read_column("anomaly_scores", values, n).astype(np.float64)
    invalid = np.flatnonzero(~np.isfinite(scores))
    if len(invalid):
        raise ValueError(
            f"anomaly_scores must be finite, got {scores[invalid[0]]} at point {invalid[0]} "
            f"and {len(invalid)} invalid points of {n}"
        )
    return scores


def _read_column(name: str, values: Any, n: int | None) -> Values:
    column = np.asarray(values)
    if column.ndim != 1 or not len(column) or column.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers of shape (n,), got {column.dtype} of shape {column.shape}")
    if n is not None and len(column) != n:
        raise ValueError(f"{name} must have the length of labels, {n}, got {len(column)}")
    return column
