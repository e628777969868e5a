"""Volume under the surface: mean areas under curves that tolerate alarms shortly before and after an event."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from isthmus.metrics.series.reading import Values, find_runs, read_labels, read_scores
from isthmus.part import is_count, passes


def vus_pr(labels: Any, anomaly_scores: Any, window: int = 100) -> float:
    """Return the volume under the surface of the precision-recall curve over the width of buffers around events.

    Events get buffers on both sides of half a width l, in which the label decreases from 1 to sqrt(1/2) with the
    distance d as sqrt(1 - d / l); a point in two buffers is anomalous. Curves weight points by these labels. Recall is
    multiplied by the share of events with an alarm, where events with overlapping buffers count as one. The volume is
    the mean area for the widths 0, 1, ..., ``window``. Every distinct score is a threshold; the cost is O(n window).

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.
    window : int, default=100
        Largest width. The authors use the period of the series or the typical length of its anomalies.

    Returns
    -------
    float
        1 is best, for scores that decrease in the buffers as the labels do. The value of random scores depends on the
        series, see ``series_quality``.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, scores are not finite numbers of the same length, or the window is
        not an integer >= 0.

    Notes
    -----
    In aeon, as in the first code of the authors, buffers after an event are one point shorter than those before it, so
    that a reversed series has another volume, and 250 thresholds are spread evenly over the points: too few to separate
    the highest scores of a long series. In TSB-AD, the later code of the authors, only predicted points of buffers
    count, and areas use the precision at the end of each step of recall, where aeon and this function use trapezoids.

    References
    ----------
    J. Paparrizos, P. Boniol, T. Palpanas, R. Tsay, A. Elmore, M. Franklin. Volume Under the Surface: A New Accuracy
    Evaluation Measure for Time-Series Anomaly Detection. PVLDB 15(11), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.series import vus_pr
    >>> labels = np.repeat([0, 1, 0], 50)
    >>> late = np.roll(labels, 5)
    >>> round(vus_pr(labels, labels), 2), round(vus_pr(labels, late, window=40), 2)
    (0.96, 0.95)
    """
    return volumes(*_read(labels, anomaly_scores, window)).pr


def vus_roc(labels: Any, anomaly_scores: Any, window: int = 100) -> float:
    """Return the volume under the surface of the ROC curve over the width of buffers around events.

    Buffers, weights and widths are as in ``vus_pr``.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.
    window : int, default=100
        Largest width.

    Returns
    -------
    float
        1 is best. Random scores give 0.5 without buffers, and more with wider buffers.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, scores are not finite numbers of the same length, or the window is
        not an integer >= 0.

    References
    ----------
    J. Paparrizos, P. Boniol, T. Palpanas, R. Tsay, A. Elmore, M. Franklin. Volume Under the Surface: A New Accuracy
    Evaluation Measure for Time-Series Anomaly Detection. PVLDB 15(11), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.series import vus_roc
    >>> labels = np.repeat([0, 1, 0], 50)
    >>> vus_roc(labels, labels, window=1)
    1.0
    """
    return volumes(*_read(labels, anomaly_scores, window)).roc


class Volumes(NamedTuple):
    """Both volumes of a series, which are computed together."""

    pr: float
    roc: float


def volumes(flags: Values, scores: Values, window: int) -> Volumes:
    """Return mean areas over all widths, for labels (n,) as booleans and scores (n,) as floats."""
    # The highest score has rank 0; equal scores share a rank.
    rank = np.unique(-scores, return_inverse=True)[1]
    predicted = np.cumsum(np.bincount(rank))
    areas = [_areas(flags, weights, rank, predicted) for weights in _buffer_weights(flags, window)]
    return Volumes(*np.mean(areas, axis=0).tolist())


def check_window(window: Any) -> None:
    """Raise a ``ValueError`` unless the largest width is an integer >= 0."""
    if not passes(lambda width: is_count(width + 1), window):
        raise ValueError(f"window must be an integer >= 0, got {window!r}")


def _read(labels: Any, anomaly_scores: Any, window: Any) -> tuple[Values, Values, int]:
    check_window(window)
    flags = read_labels(labels)
    return flags, read_scores(anomaly_scores, len(flags)), window


def _buffer_weights(flags: Values, window: int) -> Iterator[Values]:
    """Yield labels with buffers (n,), for the widths from 0 to the window."""
    events = find_runs(flags)
    nearest, n_buffers = np.zeros(len(flags)), np.zeros(len(flags), int)
    for width in range(window + 1):
        if width and width % 2 == 0:
            distance = width // 2
            reached = np.concatenate([events.starts - distance, events.stops - 1 + distance])
            reached = reached[(reached >= 0) & (reached < len(flags))]
            nearest[reached[n_buffers[reached] == 0]] = distance
            np.add.at(n_buffers, reached, 1)
        # A point in two buffers has the label 1, because each buffer adds at least sqrt(1/2).
        slope = np.where(n_buffers == 1, np.sqrt(1 - nearest / max(width, 1)), n_buffers > 1)
        yield np.where(flags, 1.0, slope)


def _areas(flags: Values, weights: Values, rank: Values, predicted: Values) -> tuple[float, float]:
    """Return the areas under the precision-recall and the ROC curve, with one threshold per rank."""
    found = np.cumsum(np.bincount(rank, weights))
    positives = (flags.sum() + weights.sum()) / 2
    recall = np.minimum(found / positives, 1) * _share_of_events(weights > 0, rank, len(predicted))
    false = (predicted - found) / (len(flags) - positives)
    pr = _area(np.append(0, recall), np.append(1, found / predicted))
    return pr, _area(np.concatenate([[0], false, [1]]), np.concatenate([[0], recall, [1]]))


def _share_of_events(reach: Values, rank: Values, n_ranks: int) -> Values:
    """Return the share of events with an alarm, buffers included, for each threshold, (n_ranks,)."""
    starts = find_runs(reach).starts
    first = np.minimum.reduceat(np.where(reach, rank, n_ranks), starts)
    return np.cumsum(np.bincount(first, minlength=n_ranks)) / len(starts)


def _area(x: Values, y: Values) -> float:
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2)
