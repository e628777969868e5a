"""Confidence intervals over rows, by the bootstrap."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm

from isthmus.reporting.blocks import Interval, Share

Values = np.ndarray[Any, Any]

# Resamples of the bootstrap, and its percentiles for 95 % (Efron and Tibshirani, An introduction to the bootstrap,
# 1993, chapter 13).
N_RESAMPLES, PERCENTILES, CONFIDENCE = 1000, (2.5, 97.5), 0.95


def resample_means(values: Values, seed: int) -> Values:
    """Return means over resampled rows of values (n, k): (N_RESAMPLES, k)."""
    generator, n = np.random.default_rng(seed), len(values)
    counts = (np.bincount(generator.integers(n, size=n), minlength=n) for _ in range(N_RESAMPLES))
    return np.array([count @ values / n for count in counts])


def estimate(values: Values, seed: int, function: Callable[[Values], Values] | None = None) -> list[Interval]:
    """Return functions of the means of values (n, k), with intervals: by default, the means.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        Rows are drawn whole, so that differences between columns are paired.
    seed : int
    function : callable
        From means (..., k) to estimates (..., m).
    """
    means = np.vstack([values.mean(0)[None], resample_means(values, seed)])
    estimates = means if function is None else function(means)
    low, high = np.percentile(estimates[1:], PERCENTILES, axis=0)
    return [Interval(*map(float, each)) for each in zip(estimates[0], low, high, strict=True)]


def estimate_share(n_found: int, n: int) -> Interval:
    """Return a share of at least one independent trial with the interval of Wilson.

    References
    ----------
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.
    """
    limits = binomtest(n_found, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(Share(n_found / n), float(limits.low), float(limits.high))


def estimate_auroc(auroc: float, n_positive: int, n_negative: int) -> Interval:
    """Return the interval of an area under the ROC curve by its closed-form standard error.

    References
    ----------
    Hanley and McNeil, The meaning and use of the area under a receiver operating characteristic curve, Radiology 143,
    1982.
    """
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = auroc * (1 - auroc) + (n_positive - 1) * (q1 - auroc**2) + (n_negative - 1) * (q2 - auroc**2)
    half = norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(variance / (n_positive * n_negative))
    return Interval(auroc, float(max(0.0, auroc - half)), float(min(1.0, auroc + half)))


def average_blocks(values: Values, n_blocks: int = 50) -> Values:
    """Return the means of consecutive blocks of values (n, k), because neighbouring time points depend on each other.

    References
    ----------
    Kuensch, The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17, 1989.
    """
    return np.array([block.mean(0) for block in np.array_split(values, min(n_blocks, len(values)))])
