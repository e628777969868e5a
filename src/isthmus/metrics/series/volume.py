"""Volume under the surface: areas under curves that forgive alarms somewhat before and after an event."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from isthmus.metrics.series.reading import Values, events_of, read_labels, read_scores
from isthmus.part import is_count, passes


def vus_pr(labels: Any, anomaly_scores: Any, window: int = 100) -> float:
    """Volume under the surface of precision over recall over the width of the buffers around events.

    Events are given buffers on both sides, half a width l long, in which the label falls from 1 to sqrt(1/2) with the
    distance d as sqrt(1 - d / l); two buffers on one point make it wholly anomalous. A curve is drawn from points
    weighted so; recall is multiplied by the share of events, joined where buffers meet, of which any point is
    predicted. The volume is the mean of the areas for the widths 0, 1, ..., ``window``. Every distinct score is a
    threshold, at a cost of O(n window).

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.
    window : int, default=100
        The greatest width. Its authors take the period of the series or the usual length of its anomalies.

    Returns
    -------
    float
        1 is best, for scores that fall off in the buffers like the labels do. What random scores reach depends on the
        series: see ``series_quality``.

    Raises
    ------
    ValueError
        If labels are not 0 and 1, both of them, scores not as many finite numbers, or the window is no whole number.

    Notes
    -----
    aeon, like the authors' first code, makes buffers after an event one point shorter than those before it, so that a
    series read backwards has another volume, and tries 250 thresholds spread evenly over the points: too few to tell
    the highest scores of a long series apart. TSB-AD, the authors' later code, counts of the buffers only what is
    predicted, and takes precision at the end of each step of recall, where aeon and this have trapezoids.

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
    """Volume under the surface of true over false positives over the width of the buffers around events.

    Buffers, weights and widths are those of ``vus_pr``.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.
    window : int, default=100
        The greatest width.

    Returns
    -------
    float
        1 is best. Random scores reach 0.5 without buffers, and more the wider these are.

    Raises
    ------
    ValueError
        If labels are not 0 and 1, both of them, scores not as many finite numbers, or the window is no whole number.

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
    """Both volumes of a series, which share nearly all of their work."""

    pr: float
    roc: float


def volumes(flags: Values, scores: Values, window: int) -> Volumes:
    """Mean areas over all widths, for labels (n,) as booleans and scores (n,) as floats."""
    # The highest score has place 0, equal scores share one.
    place = np.unique(-scores, return_inverse=True)[1]
    predicted = np.cumsum(np.bincount(place))
    areas = [_areas(flags, weights, place, predicted) for weights in _widening(flags, window)]
    return Volumes(*np.mean(areas, axis=0).tolist())


def check_window(window: Any) -> None:
    """Raise ``ValueError`` unless the greatest width is a count or 0, no buffers."""
    if not passes(lambda width: is_count(width + 1), window):
        raise ValueError(f"window must be a whole number from 0 up, got {window!r}")


def _read(labels: Any, anomaly_scores: Any, window: Any) -> tuple[Values, Values, int]:
    check_window(window)
    flags = read_labels(labels)
    return flags, read_scores(anomaly_scores, len(flags)), window


def _widening(flags: Values, window: int) -> Iterator[Values]:
    """Weights (n,) of points as anomalous ones, for the widths from 0 to the window."""
    events = events_of(flags)
    nearest, n_buffers = np.zeros(len(flags)), np.zeros(len(flags), int)
    for width in range(window + 1):
        if width and width % 2 == 0:
            distance = width // 2
            reached = np.concatenate([events.starts - distance, events.stops - 1 + distance])
            reached = reached[(reached >= 0) & (reached < len(flags))]
            nearest[reached[n_buffers[reached] == 0]] = distance
            np.add.at(n_buffers, reached, 1)
        # Two buffers would add up to more than 1: each is at least sqrt(1/2).
        slope = np.where(n_buffers == 1, np.sqrt(1 - nearest / max(width, 1)), n_buffers > 1)
        yield np.where(flags, 1.0, slope)


def _areas(flags: Values, weights: Values, place: Values, predicted: Values) -> tuple[float, float]:
    """Areas under precision over recall, and under true over false positives, one threshold for each place."""
    found = np.cumsum(np.bincount(place, weights))
    positives = (flags.sum() + weights.sum()) / 2
    recall = np.minimum(found / positives, 1) * _share_of_events(weights > 0, place, len(predicted))
    false = (predicted - found) / (len(flags) - positives)
    pr = _area(np.append(0, recall), np.append(1, found / predicted))
    return pr, _area(np.concatenate([[0], false, [1]]), np.concatenate([[0], recall, [1]]))


def _share_of_events(reach: Values, place: Values, n_places: int) -> Values:
    """Share of events with buffers of which any point is predicted, for each threshold (n_places,)."""
    starts = events_of(reach).starts
    first = np.minimum.reduceat(np.where(reach, place, n_places), starts)
    return np.cumsum(np.bincount(first, minlength=n_places)) / len(starts)


def _area(x: Values, y: Values) -> float:
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2)
