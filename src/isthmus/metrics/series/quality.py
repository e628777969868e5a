"""All measures of a series, with those of random scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.metrics.series.affiliation import affiliation_precision_recall
from isthmus.metrics.series.archive import archive_hit
from isthmus.metrics.series.events import adjusted_f1, best_threshold, event_f1
from isthmus.metrics.series.points import auc_pr, auc_roc
from isthmus.metrics.series.ranges import range_precision_recall
from isthmus.metrics.series.reading import PrecisionRecall, Values, find_runs, read_flags, read_labels, read_scores
from isthmus.metrics.series.volume import check_window, volumes
from isthmus.metrics.text_table import format_table
from isthmus.randomness import seed_of


@dataclass(frozen=True)
class Measures:
    """Measures of one set of scores and alarms.

    Attributes
    ----------
    vus_pr, vus_roc, auc_pr, auc_roc : float
        Measures of the scores over all thresholds.
    range, affiliation : PrecisionRecall
        Measures of the alarms.
    event_f1 : float
        Measure of the alarms.
    point_adjusted_f1 : float
        Measure of the scores at the best threshold.
    archive_hit : bool or None
        None if there is more than one event.
    """

    vus_pr: float
    vus_roc: float
    auc_pr: float
    auc_roc: float
    range: PrecisionRecall
    affiliation: PrecisionRecall
    event_f1: float
    point_adjusted_f1: float
    archive_hit: bool | None


@dataclass(frozen=True)
class SeriesQuality:
    """Measures of scores and of random scores; printed, a table of both.

    Attributes
    ----------
    scores : Measures
    random : Measures
        Measures of uniform random scores, with the same number of alarms if alarms were given.
    oracle : bool
        Whether no alarms were given, and the best threshold was found with the labels.
    """

    scores: Measures
    random: Measures
    oracle: bool

    def __str__(self) -> str:
        both = (self.scores, self.random)
        known = {name: get for name, get in LINES.items() if get(self.scores) is not None}
        rows = [(name, *(f"{get(measures):.3f}" for measures in both)) for name, get in known.items()]
        note = "\nAlarms use the best threshold for these labels." if self.oracle else ""
        return format_table([("", "scores", "random scores"), *rows]) + note


LINES: dict[str, Callable[[Measures], Any]] = {
    "VUS-PR": lambda measures: measures.vus_pr,
    "VUS-ROC": lambda measures: measures.vus_roc,
    "AUC-PR": lambda measures: measures.auc_pr,
    "AUC-ROC": lambda measures: measures.auc_roc,
    "range F1": lambda measures: measures.range.f1,
    "affiliation F1": lambda measures: measures.affiliation.f1,
    "event F1": lambda measures: measures.event_f1,
    "point-adjusted F1 (misleading)": lambda measures: measures.point_adjusted_f1,
    "archive hit": lambda measures: measures.archive_hit,
}


def series_quality(
    labels: Any, anomaly_scores: Any, predictions: Any = None, *, window: int = 100, random_state: Any = None
) -> SeriesQuality:
    """Evaluate scores and alarms by all measures of this package, and random scores as a baseline.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.
    predictions : array-like of shape (n,) or None, default=None
        1 for alarms, 0 for none: ``predict(X) == -1``. None uses the threshold with the best F1 of points, which is
        unknown without labels. Measures of alarms are then upper bounds, and the printed table has a note.
    window : int, default=100
        Largest width of buffers in ``vus_pr`` and ``vus_roc``.
    random_state : int, RandomState or None, default=None
        Random state of the random scores.

    Returns
    -------
    SeriesQuality

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, scores or predictions are not valid or not of the same length, or
        the window is not an integer >= 0.

    References
    ----------
    Q. Liu, J. Paparrizos. The Elephant in the Room: Towards a Reliable Time-Series Anomaly Detection Benchmark.
    NeurIPS, 2024: recommends VUS-PR.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.series import series_quality
    >>> labels = np.repeat([0, 1, 0], [5000, 200, 4800])
    >>> print(series_quality(labels, labels + np.sin(np.arange(10_000)), random_state=0))
                                    scores  random scores
    VUS-PR                           0.488          0.023
    VUS-ROC                          0.810          0.541
    AUC-PR                           0.527          0.019
    AUC-ROC                          0.816          0.495
    range F1                         0.031          0.018
    affiliation F1                   1.000          0.666
    event F1                         1.000          0.042
    point-adjusted F1 (misleading)   1.000          0.606
    archive hit                      1.000          0.000
    Alarms use the best threshold for these labels.
    """
    check_window(window)
    flags = read_labels(labels)
    scores = read_scores(anomaly_scores, len(flags))
    noise = np.random.default_rng(seed_of(random_state)).random(len(flags))
    if predictions is None:
        alarms = [each >= best_threshold(flags, each)[1] for each in (scores, noise)]
    else:
        given = read_flags("predictions", predictions, len(flags))
        alarms = [given, np.argsort(np.argsort(-noise)) < given.sum()]
    measured, random = (_measures(flags, *each, window) for each in zip((scores, noise), alarms, strict=True))
    return SeriesQuality(measured, random, oracle=predictions is None)


def _measures(flags: Values, scores: Values, alarms: Values, window: int) -> Measures:
    volume = volumes(flags, scores, window)
    return Measures(
        vus_pr=volume.pr,
        vus_roc=volume.roc,
        auc_pr=auc_pr(flags, scores),
        auc_roc=auc_roc(flags, scores),
        range=range_precision_recall(flags, alarms),
        affiliation=affiliation_precision_recall(flags, alarms),
        event_f1=event_f1(flags, alarms),
        point_adjusted_f1=adjusted_f1(flags, scores),
        archive_hit=archive_hit(flags, scores) if len(find_runs(flags).starts) == 1 else None,
    )
