"""Confidence intervals over rows, by the bootstrap."""

from collections.abc import Callable
from typing import Any

import numpy as np

from isthmus.reporting.blocks import Interval

Values = np.ndarray[Any, Any]

# Resamples of the bootstrap, and its percentiles for 95 % (Efron and Tibshirani, An introduction to the bootstrap,
# 1993, chapter 13).
N_RESAMPLES, PERCENTILES = 1000, (2.5, 97.5)


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
