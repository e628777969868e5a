"""Where to draw the line: rules that turn calibration scores into a threshold, below which a row is an alarm."""

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
# False-positive rates where none is asked for: of "auto", and of "tail", which reaches beyond the rows.
FPR, TAIL_FPR = 0.01, 0.001
# Deviations from the median that make an outlier (Iglewicz and Hoaglin, How to detect and handle outliers, 1993).
N_DEVIATIONS = 3.5
# Rows that make the tail: a tenth of few rows, a fiftieth of many; and the fewest.
LARGE_SHARE, SMALL_SHARE, TAIL_ROWS, MIN_TAIL = 0.1, 0.02, 50, 5
# Prior mean and deviation of the shape of a Pareto tail (0 is exponential, from 0.5 on there is no variance): with it,
# tails of common distributions keep to their rate (benchmarks/calibration.py). Grids of shapes, never 0, and of scales.
SHAPE, SHAPE_SPREAD = 0.2, 0.3
SHAPES, SCALES = np.arange(-0.475, 2.0, 0.05), np.exp(np.arange(-4.0, 4.05, 0.1))


def choose_rule(threshold: Any, contamination: Any, fpr: Any, costs: Any) -> Rule:
    """Return the one rule that the parameters of the detector ask for.

    Raises
    ------
    ValueError
        If one is out of its range, or if they ask for two rules.
    """
    _check_rules(threshold, contamination, fpr)
    _check_ranges(contamination, fpr, costs)
    if contamination is not None:
        return lambda calibration: lowest_share(calibration.normal, contamination)
    if threshold == "labels":
        return lambda calibration: of_least_cost(calibration, costs)
    if threshold == "tail":
        return lambda calibration: by_tail(calibration.normal, TAIL_FPR if fpr is None else fpr)
    if threshold == "mad":
        return lambda calibration: by_deviations(calibration.normal)
    if threshold == "auto":
        return lambda calibration: at_rate(calibration.normal, fpr, calibration.block)
    return lambda calibration: float(threshold)


def at_rate(scores: Values, fpr: float | None = None, block: int = 1) -> float:
    """Alarm on normal rows at most as often as ``fpr``, exactly so where they are exchangeable with ``scores``.

    The threshold is the k-th lowest of n scores with k = fpr (n + 1), rounded down: a new row is one of n + 1 that
    could as well stand in any place among them. Points of a series count by blocks, see ``isthmus.anomaly.blocks``:
    the share of alarms in a new block is at most ``fpr`` on average if at most fpr (n + m) - m of n scores in blocks of
    m lie below the threshold. Where that is impossible, none does, and the rate is m / (n + m) at most. If no rate
    is asked for, points count one by one: ``fpr_`` says what that may come to.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Sorted, of calibration rows.
    fpr : float or None, default=None
        None is 0.01 of the calibration rows, at least one.
    block : int, default=1
        Scores in a row that count as one.

    Raises
    ------
    ValueError
        If there are too few rows to promise so low a rate; the message says how many it takes.
    """
    n_rows = len(scores)
    if fpr is None:
        return float(scores[max(1, math.floor(FPR * (n_rows + 1))) - 1])
    k = math.floor(fpr * (n_rows + block) * (1 + 1e-12)) - block + 1
    if k < 1 and block > 1:
        return float(scores[0])
    if k < 1:
        needed = math.ceil((1 - 1e-12) / fpr) - 1
        advice = "ask for a higher rate, or for threshold='tail', which estimates what lies beyond the rows"
        raise ValueError(f"fpr={fpr} needs at least {needed} calibration rows, got {n_rows}; {advice}")
    return float(scores[k - 1])


def by_tail(scores: Values, fpr: float) -> float:
    """Alarm on normal rows as often as ``fpr``, by a generalised Pareto distribution of the lowest scores.

    It reaches rates that no calibration row has seen: peaks over threshold, as in Siffer, Fouque, Termier and Largouet,
    Anomaly detection in streams with extreme value theory, 2017. No rule can guarantee a rate below 1 / (n + 1). The
    predictive distribution of the next score keeps to it on average over calibration sets: in simulations of 50 to 500
    rows (``benchmarks/results/calibration.md``) rates are lower than asked where tails are light, and up to twice as
    high where variances are infinite.

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
    # A new row is below ``start`` with probability (n_peaks + 1) / (n + 1), as it could stand in any place.
    share = fpr * (n_rows + 1) / (len(peaks) + 1)
    return at_rate(scores, fpr) if share >= 1 else float(start - exceeded_by(share, peaks))


def exceeded_by(share: float, peaks: Values) -> float:
    """Return the value that a further peak exceeds with probability ``share``, given some peaks (n,), all positive.

    The peaks follow a generalised Pareto distribution whose parameters are not known: exceedance probabilities are
    averaged over their posterior distribution, on a grid, with a normal prior of the shape and a flat one of the log
    scale. A quantile of fitted parameters would be exceeded too often, by as much as few peaks leave unknown.

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
    """Logarithm where values are positive, else 0."""
    return np.log(np.where(values > 0, values, 1.0))


def by_deviations(scores: Values) -> float:
    """Alarm 3.5 robust deviations below the median: the median absolute deviation, as wide as a normal one."""
    return float(np.median(scores) - N_DEVIATIONS * median_abs_deviation(scores, scale="normal"))


def lowest_share(scores: Values, share: float) -> float:
    """Alarm on this share of the rows themselves."""
    return float(np.quantile(scores, share))


def of_least_cost(calibration: Calibration, costs: tuple[float, float]) -> float:
    """Alarm where false alarms and misses on labelled rows cost least in all; the middle of equally good thresholds.

    Parameters
    ----------
    calibration : Calibration
    costs : (float, float)
        Of a false alarm and of a miss.

    Raises
    ------
    ValueError
        If there are no anomalies, or no normal rows, among the labels.
    """
    scores, labels = calibration.scores, calibration.labels
    normal, odd = np.sort(scores[labels == NORMAL]), np.sort(scores[labels == ANOMALY])
    for name, rows in (("anomalies (y = -1)", odd), ("normal rows (y = 1)", normal)):
        if not len(rows):
            raise ValueError(f"threshold='labels' needs {name} at calibration, and there are none")
    levels = np.unique(np.concatenate([normal, odd]))
    cuts = np.concatenate([levels[:1], (levels[1:] + levels[:-1]) / 2, [np.nextafter(levels[-1], np.inf)]])
    false_alarms, hits = np.searchsorted(normal, cuts), np.searchsorted(odd, cuts)
    cost = costs[0] * false_alarms + costs[1] * (len(odd) - hits)
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
        raise ValueError(f"costs must be two positive numbers, of a false alarm and of a miss, got {costs!r}")
