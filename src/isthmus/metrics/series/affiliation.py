"""Affiliation: distances between alarms and events, compared with those of random alarms."""

from typing import Any, NamedTuple

import numpy as np

from isthmus.metrics.series.reading import Events, PrecisionRecall, Values, find_runs, read_flags, read_labels

# Number of cells per point. Zones end at multiples of half a point, and integrands are linear between multiples of a
# quarter, so the midpoint rule on these cells is exact.
CELLS = 4


def affiliation_precision_recall(labels: Any, predictions: Any) -> PrecisionRecall:
    """Return precision and recall by distance: an alarm near an event is almost correct.

    Each event has a zone, which ends halfway to the next events or at the ends of the series. The precision of an alarm
    is the probability that a random point of its zone is farther from the event. The recall of an event is the mean
    over its points of the probability that a random point of the zone is farther away than the nearest alarm. Both are
    averaged over zones; zones without alarms are left out of precision.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    predictions : array-like of shape (n,)
        1 for alarms, 0 for none: ``predict(X) == -1``.

    Returns
    -------
    PrecisionRecall
        With ``f1``. Random alarms have a precision of about 0.5 and, if there are many, a recall near 1. Without
        alarms the precision is 0; the authors leave it undefined.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, or predictions are not 0 and 1 of the same length.

    References
    ----------
    A. Huet, J. Navarro, D. Rossi. Local Evaluation of Time Series Anomaly Detection Algorithms. KDD, 2022,
    arXiv:2206.13167.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.series import affiliation_precision_recall
    >>> labels = np.repeat([0, 1, 0], [45, 10, 45])
    >>> near, far = (affiliation_precision_recall(labels, np.roll(labels, steps)) for steps in (5, 40))
    >>> round(near.f1, 2), round(far.f1, 2)
    (0.95, 0.24)
    """
    flags = read_labels(labels)
    alarms = np.repeat(read_flags("predictions", predictions, len(flags)), CELLS)
    zones = _make_zones(find_runs(flags), len(flags))
    if not alarms.any():
        return PrecisionRecall(0.0, 0.0)
    return PrecisionRecall(_precision(zones, alarms), _recall(zones, np.repeat(flags, CELLS), alarms))


class Zones(NamedTuple):
    """Events and their zones.

    ``starts``, ``stops``, ``left`` and ``right`` are the ends of each event and of its zone (n_events,), ``centers``
    the midpoints of cells, and ``of`` the index of the zone of each cell (n_cells,).
    """

    starts: Values
    stops: Values
    left: Values
    right: Values
    centers: Values
    of: Values


def _make_zones(events: Events, n: int) -> Zones:
    borders = (events.stops[:-1] + events.starts[1:]) / 2
    centers = (np.arange(n * CELLS) + 0.5) / CELLS
    left, right = np.append(0, borders), np.append(borders, n)
    return Zones(events.starts, events.stops, left, right, centers, np.searchsorted(borders, centers))


def _precision(zones: Zones, alarms: Values) -> float:
    x, zone = zones.centers[alarms], zones.of[alarms]
    start, stop, left, right = (ends[zone] for ends in zones[:4])
    distance = np.maximum(start - x, x - stop)
    nearer_end = np.minimum(start - left, right - stop)
    closer = (stop - start + np.minimum(distance, nearer_end) + distance) / (right - left)
    probability = np.where(distance <= 0, 1.0, 1 - closer)
    sums, counts = (np.bincount(zone, values) for values in (probability, np.ones(len(x))))
    return float(np.mean(sums[counts > 0] / counts[counts > 0]))


def _recall(zones: Zones, flags: Values, alarms: Values) -> float:
    y, zone = zones.centers[flags], zones.of[flags]
    left, right = zones.left[zone], zones.right[zone]
    distance = _distance_to_alarm(zones.of, alarms)[flags]
    closer = (np.minimum(distance, np.minimum(y - left, right - y)) + distance) / (right - left)
    probability = np.where(np.isfinite(distance), 1 - closer, 0.0)
    return float(np.mean(np.bincount(zone, probability) / np.bincount(zone)))


def _distance_to_alarm(zone: Values, alarms: Values) -> Values:
    """Return the distance of each midpoint to the nearest alarm of its zone, (n_cells,); infinite without alarms."""
    backwards = _distance_to_last_alarm(zone[::-1], alarms[::-1])[::-1]
    return np.minimum(_distance_to_last_alarm(zone, alarms), backwards)


def _distance_to_last_alarm(zone: Values, alarms: Values) -> Values:
    """Return the distance of each midpoint to the end of the last alarm before it, (n_cells,)."""
    cells = np.arange(len(alarms))
    last = np.maximum.accumulate(np.where(alarms, cells, -1))
    distance = np.maximum(cells - last - 0.5, 0) / CELLS
    return np.where((last >= 0) & (zone[last] == zone), distance, np.inf)
