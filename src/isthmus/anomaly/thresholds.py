"""Rules that compute the threshold, below which a row is an alarm, from calibration scores."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import median_abs_deviation

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.rows import ANOMALY, NORMAL, Values

Rule = Callable[[Calibration], float]
THRESHOLDS = ("auto", "tail", "mad", "labels")
# Default false-positive rates of "auto" and of "tail", which extrapolates beyond the calibration scores.
FPR, TAIL_FPR = 0.01, 0.001
# Robust standard deviations from the median to an outlier (Iglewicz and Hoaglin, How to detect and handle outliers,
# 1993).
N_DEVIATIONS = 3.5
# Rows in the tail: a tenth of up to 500 rows, then 50, and a fiftieth of more than 2,500; at least MIN_TAIL. Chosen on
# simulations, see benchmarks/calibration.py.
LARGE_SHARE, SMALL_SHARE, TAIL_ROWS, MIN_TAIL = 0.1, 0.02, 50, 5
# Prior mean and standard deviation of the shape of a Pareto tail (0 is exponential; above 0.5 the variance is
# infinite). With this prior, tails of common distributions keep their rate, see benchmarks/calibration.py. Grids of
# shapes, which omit 0, and of scales.
SHAPE, SHAPE_SPREAD = 0.2, 0.3
SHAPES, SCALES = np.arange(-0.475, 2.0, 0.05), np.exp(np.arange(-4.0, 4.05, 0.1))


def choose_rule(threshold: Any, contamination: Any, fpr: Any, costs: Any) -> Rule:
    """Return the rule that the parameters of the detector select.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or if two parameters select different rules.
    """
    _check_rules(threshold, contamination, fpr)
    _check_ranges(contamination, fpr, costs)
    if contamination is not None:
        return lambda calibration: lowest_share(calibration.normal, contamination)
    rules: dict[Any, Rule] = {
        "labels": lambda calibration: minimise_cost(calibration, costs),
        "tail": lambda calibration: by_tail(calibration.normal, TAIL_FPR if fpr is None else fpr),
        "mad": lambda calibration: by_deviations(calibration.normal),
        "auto": lambda calibration: at_rate(calibration.normal, fpr, calibration.block),
    }
    return rules.get(threshold, lambda calibration: float(threshold))


def at_rate(scores: Values, fpr: float | None = None, block: int = 1) -> float:
    """Return the threshold with the false-positive rate ``fpr``, exact if normal rows are exchangeable with ``scores``.

    The threshold is the k-th lowest of n scores with k = fpr (n + 1), rounded down: the rank of a new normal row among
    the n + 1 is uniform. Points of a series count by blocks, see ``isthmus.anomaly.calibration``: the expected share of
    alarms in a new block is at most ``fpr`` if at most fpr (n + m) - m of n scores in blocks of m lie below the
    threshold. If that number is negative, the threshold is the lowest score, and the rate is at most m / (n + m). With
    ``fpr=None`` each point of a series counts, and ``fpr_`` of the detector is the resulting rate.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Sorted, of calibration rows.
    fpr : float or None, default=None
        None is 0.01 of the calibration rows, at least one row.
    block : int, default=1
        Consecutive scores that count as one.

    Raises
    ------
    ValueError
        If there are too few rows for the rate; the message names the number that is needed.
    """
    n_rows = len(scores)
    if fpr is None:
        return float(scores[max(1, math.floor(FPR * (n_rows + 1))) - 1])
    k = math.floor(fpr * (n_rows + block) * (1 + 1e-12)) - block + 1
    if k < 1 and block > 1:
        return float(scores[0])
    if k < 1:
        needed = math.ceil((1 - 1e-12) / fpr) - 1
        advice = "ask for a higher rate (--fpr), or in Python for threshold='tail', which estimates the tail beyond"
        raise ValueError(f"fpr={fpr} needs at least {needed} calibration rows, got {n_rows}; {advice}")
    return float(scores[k - 1])


def by_tail(scores: Values, fpr: float) -> float:
    """Return the threshold with the false-positive rate ``fpr``, from a generalised Pareto distribution of the tail.

    The rate can be lower than any that the calibration rows show: peaks over threshold, as in Siffer, Fouque, Termier
    and Largouet, Anomaly detection in streams with extreme value theory, 2017. No rule can guarantee a rate below
    1 / (n + 1). The threshold is a quantile of the predictive distribution of the next score, whose rate is ``fpr`` on
    average over calibration sets. In simulations of 50 to 500 rows (``benchmarks/results/calibration.md``) the rate is
    lower than ``fpr`` for light tails, and up to twice as high if the variance is infinite. Rows are taken as
    independent: points of a series are not, and their rate can be higher.

    Raises
    ------
    ValueError
        If there are too few rows for a tail.
    """
    n_rows = len(scores)
    n_tail = int(max(SMALL_SHARE * n_rows, min(LARGE_SHARE * n_rows, TAIL_ROWS)))
    if n_tail < MIN_TAIL:
        needed = math.ceil(MIN_TAIL / LARGE_SHARE)
        raise ValueError(f"threshold='tail' needs at least {needed} calibration rows, got {n_rows}")
    start = scores[n_tail]
    peaks = start - scores[scores < start]
    if not len(peaks):
        return float(start)
    # The rank of a new row is uniform: it is below ``start`` with probability (n_peaks + 1) / (n + 1).
    share = fpr * (n_rows + 1) / (len(peaks) + 1)
    return at_rate(scores, fpr) if share >= 1 else float(start - predictive_quantile(share, peaks))


def predictive_quantile(share: float, peaks: Values) -> float:
    """Return the value that a further peak exceeds with probability ``share``, given peaks (n,), all positive.

    The peaks follow a generalised Pareto distribution with unknown parameters. Exceedance probabilities are averaged
    over the posterior distribution of the parameters on a grid, with a normal prior of the shape and a flat prior of
    the log scale. A quantile at fitted parameters would be exceeded too often, since it ignores their uncertainty.

    References
    ----------
    Coles, An introduction to statistical modeling of extreme values, 2001, section 9.1: predictive distributions.
    """
    unit = float(np.median(peaks))
    shapes, scales = SHAPES[:, None], SCALES
    inside = 1 + shapes[..., None] * (peaks / unit) / scales[:, None]
    log_likelihood = -len(peaks) * np.log(scales) - (1 + 1 / shapes) * _log(inside).sum(-1)
    log_posterior = np.where((inside > 0).all(-1), log_likelihood, -np.inf) - ((shapes - SHAPE) / SHAPE_SPREAD) ** 2 / 2
    weights = np.exp(log_posterior - log_posterior.max())

    def excess(log_value: float) -> float:
        inside = 1 + shapes * math.exp(log_value) / scales
        exceeded = np.where(inside > 0, np.exp(-_log(inside) / shapes), 0.0)
        return float((weights * exceeded).sum() / weights.sum()) - share

    return unit * math.exp(brentq(excess, -50.0, 300.0))


def _log(values: Values) -> Values:
    """Return the logarithm of positive values, else 0."""
    return np.log(np.where(values > 0, values, 1.0))


def by_deviations(scores: Values) -> float:
    """Return the threshold 3.5 robust standard deviations below the median (median absolute deviation, scaled)."""
    return float(np.median(scores) - N_DEVIATIONS * median_abs_deviation(scores, scale="normal"))


def lowest_share(scores: Values, share: float) -> float:
    """Return the threshold below which this share of the scores lies."""
    return float(np.quantile(scores, share))


def minimise_cost(calibration: Calibration, costs: tuple[float, float]) -> float:
    """Return the threshold with the lowest total cost on labelled rows; of several, the middle one.

    Parameters
    ----------
    calibration : Calibration
    costs : (float, float)
        Costs of a false alarm and of a miss.

    Raises
    ------
    ValueError
        If no row is labelled as an anomaly, or none as normal.
    """
    scores, labels = calibration.scores, calibration.labels
    normal, anomalies = np.sort(scores[labels == NORMAL]), np.sort(scores[labels == ANOMALY])
    for name, rows in (("anomalies (y = -1)", anomalies), ("normal rows (y = 1)", normal)):
        if not len(rows):
            raise ValueError(f"threshold='labels' needs {name} at calibration, and there are none")
    distinct = np.unique(np.concatenate([normal, anomalies]))
    cuts = np.concatenate([distinct[:1], (distinct[1:] + distinct[:-1]) / 2, [np.nextafter(distinct[-1], np.inf)]])
    false_alarms, hits = np.searchsorted(normal, cuts), np.searchsorted(anomalies, cuts)
    cost = costs[0] * false_alarms + costs[1] * (len(anomalies) - hits)
    best = np.flatnonzero(cost == cost.min())
    return float(cuts[best[len(best) // 2]])


def _check_rules(threshold: Any, contamination: Any, fpr: Any) -> None:
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not (is_number or (isinstance(threshold, str) and threshold in THRESHOLDS)):
        raise ValueError(f"threshold must be a number or one of {list(THRESHOLDS)}, got {threshold!r}")
    asked = {"threshold": threshold, "contamination": contamination, "fpr": fpr}
    if threshold == "auto" or (threshold == "tail" and fpr is not None):
        del asked["threshold"]
    asked = {name: value for name, value in asked.items() if value is not None}
    if len(asked) > 1:
        rules = " and ".join(f"{name}={value!r}" for name, value in asked.items())
        raise ValueError(f"{rules} are different rules for the threshold: give one of them")


def _check_ranges(contamination: Any, fpr: Any, costs: Any) -> None:
    if contamination is not None and not (isinstance(contamination, Real) and 0 < float(contamination) <= 0.5):
        raise ValueError(f"contamination must be None or in (0, 0.5], got {contamination!r}")
    if fpr is not None and not (isinstance(fpr, Real) and 0 < float(fpr) < 1):
        raise ValueError(f"fpr must be None or in (0, 1), got {fpr!r}")
    pair = isinstance(costs, tuple | list) and len(costs) == 2
    if not (pair and all(isinstance(cost, Real) and 0 < float(cost) < math.inf for cost in costs)):
        raise ValueError(f"costs must be two positive numbers, for a false alarm and for a miss, got {costs!r}")
