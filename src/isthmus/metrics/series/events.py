"""Measures that count whether events are detected."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve

from isthmus.metrics.series.reading import (
    PrecisionRecall,
    Values,
    find_runs,
    read_flags,
    read_labels,
    read_scores,
)
from isthmus.randomness import seed_of

# Number of series of random scores per comparison.
N_RANDOM = 10


def event_f1(labels: Any, predictions: Any) -> float:
    """Return F1 of the recall of events and the precision of points.

    Precision counts points, because one alarm over the whole series would be a single correct event.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    predictions : array-like of shape (n,)
        1 for alarms, 0 for none: ``predict(X) == -1``.

    Returns
    -------
    float
        1 is best; 0 without a correct alarm.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, or predictions are not 0 and 1 of the same length.

    References
    ----------
    A. Garg, W. Zhang, J. Samaran, R. Savitha, C.-S. Foo. An Evaluation of Anomaly Detection and Diagnosis in
    Multivariate Time Series. IEEE TNNLS, 2022, arXiv:2109.11428: the composite F-score.

    Examples
    --------
    >>> from isthmus.metrics.series import event_f1
    >>> event_f1([1, 1, 0, 0, 1, 1], [1, 0, 0, 1, 0, 0])
    0.5
    """
    flags = read_labels(labels)
    alarms = read_flags("predictions", predictions, len(flags))
    if not alarms.any():
        return 0.0
    detected = _highest_scores(flags, alarms.astype(np.float64))
    return PrecisionRecall(float(flags[alarms].mean()), float(detected.mean())).f1


@dataclass(frozen=True)
class PointAdjusted:
    """A point-adjusted F1, and that of random scores, without which it cannot be interpreted.

    Attributes
    ----------
    f1 : float
        F1 of the scores at their best threshold.
    random : float
        Mean F1 of ten samples of uniform random scores at their best thresholds.
    """

    f1: float
    random: float

    def __str__(self) -> str:
        return f"{self.f1:.3f} (random scores {self.random:.3f})"


def point_adjusted_f1(labels: Any, anomaly_scores: Any, random_state: Any = None) -> PointAdjusted:
    """Return F1 where all points of an event count as detected if one of them is, and that of random scores.

    This common measure is misleading: it increases with the length of events, so that random scores outperform
    published methods. Use it for comparisons with papers only.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.
    random_state : int, RandomState or None, default=None
        Random state of the random scores.

    Returns
    -------
    PointAdjusted
        Both at their best thresholds, as in the papers; a threshold chosen without labels gives less.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, or scores are not finite numbers of the same length.

    References
    ----------
    S. Kim, K. Choi, H.-S. Choi, B. Lee, S. Yoon. Towards a Rigorous Evaluation of Time-Series Anomaly Detection. AAAI,
    2022, arXiv:2109.05257. The adjustment: H. Xu et al. Unsupervised Anomaly Detection via Variational Auto-Encoder
    for Seasonal KPIs in Web Applications. WWW, 2018, arXiv:1802.03903.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.series import point_adjusted_f1
    >>> labels = np.repeat([0, 1, 0], [400, 200, 400])
    >>> print(point_adjusted_f1(labels, np.sin(np.arange(1000)), random_state=0))
    0.985 (random scores 0.989)
    """
    flags = read_labels(labels)
    scores = read_scores(anomaly_scores, len(flags))
    draws = np.random.default_rng(seed_of(random_state)).random((N_RANDOM, len(flags)))
    return PointAdjusted(adjusted_f1(flags, scores), float(np.mean([adjusted_f1(flags, draw) for draw in draws])))


def adjusted_f1(flags: Values, scores: Values) -> float:
    """Return the best point-adjusted F1 over all thresholds: all points of an event get its highest score."""
    adjusted = scores.copy()
    adjusted[flags] = np.repeat(_highest_scores(flags, scores), find_runs(flags).lengths)
    return best_threshold(flags, adjusted)[0]


def best_threshold(flags: Values, scores: Values) -> tuple[float, float]:
    """Return the largest F1 of points, and its threshold."""
    precision, recall, thresholds = precision_recall_curve(flags, scores)
    # The last pair of the curve has recall 0 and no threshold.
    f1 = (2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny))[:-1]
    return float(f1.max()), float(thresholds[f1.argmax()])


def _highest_scores(flags: Values, scores: Values) -> Values:
    """Return the highest score of each event, (n_events,)."""
    return np.maximum.reduceat(np.where(flags, scores, -np.inf), find_runs(flags).starts)
