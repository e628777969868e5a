"""Precision and recall of ranges: how much of each event is covered, where, and by how many pieces."""

from collections.abc import Callable
from typing import Any

import numpy as np

from isthmus.metrics.series.reading import PrecisionRecall, Values, events_of, read_flags, read_labels
from isthmus.part import did_you_mean

# What a place in an event counts, by the number of the place, from 1, and the length of the event.
BIASES: dict[str, Callable[[Values, Values], Values]] = {
    "flat": lambda place, length: np.ones(len(place)),
    "front": lambda place, length: length - place + 1,
    "middle": lambda place, length: np.minimum(place, length - place + 1),
    "back": lambda place, length: place,
}


def range_precision_recall(labels: Any, predictions: Any, *, alpha: float = 0.0, bias: str = "flat") -> PrecisionRecall:
    """Precision and recall of ranges, each event counting once, however long.

    Recall of an event is the covered share of it, divided by the number of predicted events that cover it; precision
    of a predicted event is the same with the two exchanged.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    predictions : array-like of shape (n,)
        1 for alarms, 0 for none: ``predict(X) == -1``.
    alpha : float, default=0.0
        Weight, from 0 to 1, of finding an event at all against how much of it; of recall only.
    bias : {"flat", "front", "middle", "back"}, default="flat"
        Which points of an event count most for its recall; in precision all count the same.

    Returns
    -------
    PrecisionRecall
        With ``f1``. Without any prediction, precision is 0.

    Raises
    ------
    ValueError
        If labels are not 0 and 1, both of them, predictions not as many of these, or a parameter is out of range.

    References
    ----------
    N. Tatbul, T. Lee, S. Zdonik, M. Alam, J. Gottschlich. Precision and Recall for Time Series. NeurIPS, 2018,
    arXiv:1803.03639.

    Examples
    --------
    >>> from isthmus.metrics.series import range_precision_recall
    >>> range_precision_recall([0, 1, 1, 1, 1, 0], [1, 1, 0, 1, 0, 0])
    PrecisionRecall(precision=0.75, recall=0.25)
    """
    flags = read_labels(labels)
    alarms = read_flags("predictions", predictions, len(flags))
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    if bias not in BIASES:
        raise ValueError(f"bias must be one of {list(BIASES)}, got {bias!r}{did_you_mean(bias, BIASES)}")
    return PrecisionRecall(_covered(alarms, flags, 0.0, "flat"), _covered(flags, alarms, alpha, bias))


def _covered(flags: Values, cover: Values, alpha: float, bias: str) -> float:
    """Mean over the events of some flags of how well other flags cover them; 0 without events."""
    events = events_of(flags)
    if not len(events.starts):
        return 0.0
    points = np.flatnonzero(flags)
    event = np.repeat(np.arange(len(events.starts)), events.lengths)
    weights = BIASES[bias](points - events.starts[event] + 1, events.lengths[event])
    share = np.bincount(event, weights * cover[points]) / np.bincount(event, weights)
    # A covering event is counted where it begins, or where the covered one does.
    begins = cover & (np.diff(cover.astype(np.int8), prepend=0) == 1)
    begins[events.starts] = cover[events.starts]
    pieces = np.maximum(np.bincount(event, begins[points]), 1)
    return float(np.mean(alpha * (share > 0) + (1 - alpha) * share / pieces))
