"""From scores to decisions: by a threshold, by a threshold and how sure it is, by the false discovery rate."""

from numbers import Real
from typing import Any

import numpy as np

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.conformal import discoveries, p_values
from isthmus.anomaly.rows import ANOMALY, NORMAL, UNKNOWN, Values
from isthmus.anomaly.thresholds import Rule

# Resamples that tell how far calibration rows determine a threshold.
N_RESAMPLES = 200


def check_decision(fdr: Any, min_confidence: Any) -> None:
    """Raise a ValueError unless at most one way is chosen, and by a number in (0, 1)."""
    for name, value in (("fdr", fdr), ("min_confidence", min_confidence)):
        if value is not None and not (isinstance(value, Real) and 0 < float(value) < 1):
            raise ValueError(f"{name} must be None or in (0, 1), got {value!r}")
    if fdr is not None and min_confidence is not None:
        raise ValueError("fdr and min_confidence are different ways to decide: give one of them")


def by_threshold(scores: Values, low: float, high: float) -> Values:
    """Alarm (-1) below ``low``, pass (1) from ``high`` on, leave undecided (0) what lies between."""
    return np.select([scores < low, scores < high], [ANOMALY, UNKNOWN], NORMAL)


def by_discovery_rate(scores: Values, calibration: Calibration, level: float) -> Values:
    """Alarm (-1) such that at most a share of ``level`` among the alarms is false on average."""
    return np.where(discoveries(p_values(scores, calibration.normal), level), ANOMALY, NORMAL)


def interval(rule: Rule, calibration: Calibration, offset: float, confidence: float, seed: int) -> tuple[float, float]:
    """Return where the threshold may lie, for all that calibration rows say: a bootstrap (Efron, 1979) of the rule.

    It is laid around ``offset``, which is that of the calibration rows, or a quantile of training scores: such a
    quantile is as unsure as one of calibration scores.
    """
    rng = np.random.default_rng(seed)
    drawn = [rule(calibration.resampled(rng)) for _ in range(N_RESAMPLES)]
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2]) + offset - rule(calibration)
    return min(float(low), offset), max(float(high), offset)
