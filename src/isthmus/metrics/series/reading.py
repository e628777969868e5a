"""Labels, scores and alarms of a series: checked, and cut into events."""

from typing import Any, NamedTuple

import numpy as np

Values = np.ndarray[Any, Any]


class PrecisionRecall(NamedTuple):
    """How much of what was predicted is right, and how much of what is right was predicted, both from 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 if both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


class Events(NamedTuple):
    """Runs of flagged points: where each begins, and the first point after it, both (n_events,)."""

    starts: Values
    stops: Values

    @property
    def lengths(self) -> Values:
        """Number of points of each event (n_events,)."""
        return self.stops - self.starts


def events_of(flags: Values) -> Events:
    """Find the runs of flagged points of a boolean array (n,)."""
    steps = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return Events(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1))


def read_labels(labels: Any) -> Values:
    """Return labels as booleans (n,).

    Raises
    ------
    ValueError
        If they are not 0 and 1, or not both occur: without an anomaly, or without a normal point, nothing can be told.
    """
    flags = read_flags("labels", labels)
    if flags.all() or not flags.any():
        kind = "an anomalous point (1)" if not flags.any() else "a normal point (0)"
        raise ValueError(f"labels must hold at least {kind} among their {len(flags)} points")
    return flags


def read_flags(name: str, values: Any, n: int | None = None) -> Values:
    """Return 0 and 1 as booleans (n,).

    Raises
    ------
    ValueError
        If there are others, or not as many as labels.
    """
    flags = _column(name, values, n)
    strange = flags[~np.isin(flags, (0, 1))]
    if len(strange):
        raise ValueError(
            f"{name} must be 1 for anomalous and 0 for normal points, got {strange[0]!s}; "
            "from the signs of predict they come by predict(X) == -1"
        )
    return flags.astype(bool)


def read_scores(values: Any, n: int) -> Values:
    """Return scores as float64 (n,).

    Raises
    ------
    ValueError
        If they are not finite numbers, or not as many as labels.
    """
    scores = _column("anomaly_scores", values, n).astype(np.float64)
    strange = np.flatnonzero(~np.isfinite(scores))
    if len(strange):
        raise ValueError(
            f"anomaly_scores must be finite, got {scores[strange[0]]} at point {strange[0]} "
            f"and {len(strange)} such points of {n}"
        )
    return scores


def _column(name: str, values: Any, n: int | None) -> Values:
    column = np.asarray(values)
    if column.ndim != 1 or not len(column) or column.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numbers of shape (n,), got {column.dtype} of shape {column.shape}")
    if n is not None and len(column) != n:
        raise ValueError(f"{name} must be as many as labels ({n}), got {len(column)}")
    return column
