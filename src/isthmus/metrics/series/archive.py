"""Accuracy as in the UCR anomaly archive: the fraction of series whose single anomaly is located."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from isthmus.metrics.series.reading import find_runs, read_labels, read_scores

# Largest distance of a correct answer from the anomaly, in points, if the anomaly is not longer (Wu and Keogh, 2021).
REACH = 100


def archive_hit(labels: Any, anomaly_scores: Any) -> bool:
    """Return whether the highest score is within 100 points of the anomaly, or within its length if it is longer.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, which are consecutive, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.

    Returns
    -------
    bool
        If several points have the highest score, all must be there. A constant score thus has no hit.

    Raises
    ------
    ValueError
        If there is not exactly one event, labels are not 0 and 1, or scores are not finite numbers of the same length.

    References
    ----------
    R. Wu, E. Keogh. Current Time Series Anomaly Detection Benchmarks are Flawed and are Creating the Illusion of
    Progress. IEEE TKDE, 2021, arXiv:2009.13807.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.series import archive_hit
    >>> labels = np.repeat([0, 1, 0], [500, 20, 480])
    >>> archive_hit(labels, np.eye(1000)[610]), archive_hit(labels, np.eye(1000)[630])
    (True, False)
    """
    flags = read_labels(labels)
    scores = read_scores(anomaly_scores, len(flags))
    (starts, stops) = find_runs(flags)
    if len(starts) != 1:
        raise ValueError(f"labels must hold exactly one anomalous event, got {len(starts)}")
    reach = max(REACH, stops[0] - starts[0])
    highest = np.flatnonzero(scores == scores.max())
    return bool(highest[0] >= starts[0] - reach and highest[-1] < stops[0] + reach)


def archive_accuracy(series: Iterable[tuple[Any, Any]]) -> float:
    """Return the fraction of series whose anomaly is found.

    Parameters
    ----------
    series : iterable of (labels, anomaly_scores)
        Arguments of ``archive_hit``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no series, or ``archive_hit`` raises an error for one.

    References
    ----------
    R. Wu, E. Keogh. Current Time Series Anomaly Detection Benchmarks are Flawed and are Creating the Illusion of
    Progress. IEEE TKDE, 2021, arXiv:2009.13807.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.series import archive_accuracy
    >>> labels = np.repeat([0, 1, 0], [500, 20, 480])
    >>> archive_accuracy((labels, np.eye(1000)[place]) for place in (510, 900))
    0.5
    """
    hits = [archive_hit(labels, scores) for labels, scores in series]
    if not hits:
        raise ValueError("series must hold at least one pair of labels and anomaly_scores")
    return float(np.mean(hits))
