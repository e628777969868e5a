"""What detects anomalies where the user names no estimator."""

from typing import Any

from isthmus.anomaly.exemplar_distance import ExemplarDistance


def default_estimator() -> Any:
    """Return an estimator that has not been fitted, one for all tables."""
    return ExemplarDistance()
