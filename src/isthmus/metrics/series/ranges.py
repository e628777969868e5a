"""Range-based precision and recall: which part of each event is covered, and by how many alarms."""

from collections.abc import Callable
from typing import Any

import numpy as np

from isthmus.metrics.series.reading import PrecisionRecall, Values, find_runs, read_flags, read_labels
from isthmus.part import did_you_mean

# Weight of a point of an event, from its position, starting at 1, and the length of the event.
BIASES: dict[str, Callable[[Values, Values], Values]] = {
    "flat": lambda position, length: np.ones(len(position)),
    "front": lambda position, length: length - position + 1,
    "middle": lambda position, length: np.minimum(position, length - position + 1),
    "back": lambda position, length: position,
}


def range_precision_recall(labels: Any, predictions: Any, *, alpha: float = 0.0, bias: str = "flat") -> PrecisionRecall:
    """Return range-based precision and recall, in which events of any length have the same weight.

    The recall of an event is the fraction of it that is covered, divided by the number of predicted events that cover
    it. The precision of a predicted event is the same with the roles exchanged.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    predictions : array-like of shape (n,)
        1 for alarms, 0 for none: ``predict(X) == -1``.
    alpha : float, default=0.0
        Weight in [0, 1] of whether an event is detected, instead of its covered fraction; for recall only.
    bias : {"flat", "front", "middle", "back"}, default="flat"
        Part of an event with the largest weights in its recall; precision has equal weights.

    Returns
    -------
    PrecisionRecall
        With ``f1``. Without alarms, precision is 0.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, predictions are not 0 and 1 of the same length, or a parameter is
        out of range.

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
        raise ValueError(f"alpha must be in [0, 1], got {alpha!r}")
    if bias not in BIASES:
        raise ValueError(f"bias must be one of {list(BIASES)}, got {bias!r}{did_you_mean(bias, BIASES)}")
    return PrecisionRecall(_covered(alarms, flags, 0.0, "flat"), _covered(flags, alarms, alpha, bias))


def _covered(flags: Values, cover: Values, alpha: float, bias: str) -> float:
    """Return the mean over the events in ``flags`` of their coverage by ``cover``; 0 without events."""
    events = find_runs(flags)
    if not len(events.starts):
        return 0.0
    points = np.flatnonzero(flags)
    event = np.repeat(np.arange(len(events.starts)), events.lengths)
    weights = BIASES[bias](points - events.starts[event] + 1, events.lengths[event])
    share = np.bincount(event, weights * cover[points]) / np.bincount(event, weights)
    # A covering event is counted at its start, or at the start of the covered one.
    is_start = cover & (np.diff(cover.astype(np.int8), prepend=0) == 1)
    is_start[events.starts] = cover[events.starts]
    n_covering = np.maximum(np.bincount(event, is_start[points]), 1)
    return float(np.mean(alpha * (share > 0) + (1 - alpha) * share / n_covering))
