"""Measures of single points, from scikit-learn, with the checks of this package."""

from typing import Any

from sklearn.metrics import average_precision_score, roc_auc_score

from isthmus.metrics.series.reading import read_labels, read_scores


def auc_pr(labels: Any, anomaly_scores: Any) -> float:
    """Return the area under the precision-recall curve of single points, as average precision.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.

    Returns
    -------
    float
        1 is best; random scores give the share of anomalous points.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, or scores are not finite numbers of the same length.

    References
    ----------
    J. Davis, M. Goadrich. The Relationship between Precision-Recall and ROC Curves. ICML, 2006.

    Examples
    --------
    >>> from isthmus.metrics.series import auc_pr
    >>> auc_pr([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.2])
    1.0
    """
    flags = read_labels(labels)
    return float(average_precision_score(flags, read_scores(anomaly_scores, len(flags))))


def auc_roc(labels: Any, anomaly_scores: Any) -> float:
    """Return the area under the ROC curve: the probability that an anomalous point scores higher than a normal one.

    Parameters
    ----------
    labels : array-like of shape (n,)
        1 for anomalous points, 0 for normal ones.
    anomaly_scores : array-like of shape (n,)
        Higher is more anomalous: the negative of ``score_samples``.

    Returns
    -------
    float
        1 is best; random scores give 0.5.

    Raises
    ------
    ValueError
        If labels are not 0 and 1 with both present, or scores are not finite numbers of the same length.

    References
    ----------
    T. Fawcett. An Introduction to ROC Analysis. Pattern Recognition Letters, 2006.

    Examples
    --------
    >>> from isthmus.metrics.series import auc_roc
    >>> auc_roc([0, 1, 1, 0], [0.1, 0.9, 0.15, 0.2])
    0.75
    """
    flags = read_labels(labels)
    return float(roc_auc_score(flags, read_scores(anomaly_scores, len(flags))))
