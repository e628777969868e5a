"""Dependence between the scores of a series: how many points carry as much information as one independent point.

A quantile of n dependent scores is as unsure as that of n / m independent ones, where m is the integrated
autocorrelation time [1]. Blocks of m points are about exchangeable, and the share of alarms in a block is a loss that
falls as the threshold falls: conformal risk control [2] bounds its expectation in a block to come.

References
----------
[1] Sokal, Monte Carlo methods in statistical mechanics, 1997, section 3: the window of the estimate. [2] Angelopoulos,
    Bates, Fisch, Lei and Schuster, Conformal risk control, ICLR 2024, arXiv:2208.02814.
"""

import math
from typing import Any

import numpy as np
from scipy import fft
from scipy.stats import rankdata

from isthmus.anomaly.rows import Values
from isthmus.data import Windows

# The sum over lags ends at this many autocorrelation times (Sokal, 1997).
WINDOW = 5.0


def overlap(estimator: Any, X: Any) -> int:
    """Return how many scores in a row share values: those within a window of a series; 1 for rows of tables."""
    if isinstance(X, Windows):
        return max(1, math.ceil(X.length / X.stride))
    return max(getattr(estimator, "lengths_", [1]))


def block_length(scores: Values, at_least: int) -> int:
    """Return how many scores in order of time count as one, at most all of them.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    at_least : int
        Scores that share values.
    """
    return min(len(scores), max(at_least, math.ceil(autocorrelation_time(rankdata(scores)))))


def autocorrelation_time(values: Values) -> float:
    """Sum the autocorrelation over all lags, up to where the rest is noise; 1 for independent values.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.blocks import autocorrelation_time
    >>> noise = np.random.default_rng(0).standard_normal(10_000)
    >>> round(autocorrelation_time(noise)), round(autocorrelation_time(np.repeat(noise, 20)))
    (1, 20)
    """
    n = len(values)
    centred = values - values.mean()
    size = fft.next_fast_len(2 * n, real=True)
    products = fft.irfft(np.abs(fft.rfft(centred, size)) ** 2, size)[:n]
    if not products[0] > 0:
        return 1.0
    times = 2 * np.cumsum(products / products[0]) - 1
    ends = np.flatnonzero(np.arange(n) >= WINDOW * times)
    return max(1.0, float(times[ends[0] if len(ends) else -1]))
