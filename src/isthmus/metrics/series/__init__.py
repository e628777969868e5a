"""Measures of anomaly scores and alarms in series, compared with random scores.

All measures take ``anomaly_scores``, where **higher is more anomalous**, as in the literature. Scores of isthmus and
scikit-learn have the opposite sign: use ``vus_pr(labels, -detector.score_samples(X))``.
Labels and predictions are 1 for an anomalous point and 0 for a normal one: ``detector.predict(X) == -1``.
"""

from isthmus.metrics.series.affiliation import affiliation_precision_recall
from isthmus.metrics.series.archive import archive_accuracy, archive_hit
from isthmus.metrics.series.events import event_f1, point_adjusted_f1
from isthmus.metrics.series.points import auc_pr, auc_roc
from isthmus.metrics.series.quality import Measures, SeriesQuality, series_quality
from isthmus.metrics.series.ranges import range_precision_recall
from isthmus.metrics.series.reading import PrecisionRecall
from isthmus.metrics.series.volume import vus_pr, vus_roc

__all__ = [
    "Measures",
    "PrecisionRecall",
    "SeriesQuality",
    "affiliation_precision_recall",
    "archive_accuracy",
    "archive_hit",
    "auc_pr",
    "auc_roc",
    "event_f1",
    "point_adjusted_f1",
    "range_precision_recall",
    "series_quality",
    "vus_pr",
    "vus_roc",
]
