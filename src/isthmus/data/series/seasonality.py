"""The period of a series, from its autocorrelation."""

from typing import Any

import numpy as np
from scipy import fft

Values = np.ndarray[Any, Any]

# Number of first steps in which the period is searched: a transform of a longer series can take longer than the fit.
N_STEPS = 2**17
# Smallest autocorrelation of a peak, and in standard errors 1 / sqrt(n) of white noise (Bartlett, 1946); the larger of
# the two is used.
STRONG, SIGMAS = 0.3, 4.0
# An earlier peak of at least this share of the highest peak is the period, and the highest a multiple of it.
ALIKE = 0.9
# Smallest length of a window, and its length for a series without a period.
SHORTEST, WITHOUT_PERIOD = 8, 64


def choose_window_length(values: Values) -> int:
    """Choose the length of a window: one period, but at least 8 steps and at most a quarter of the series.

    Parameters
    ----------
    values : ndarray of shape (n_channels, n_steps)
        NaN means missing.
    """
    longest = max(1, values.shape[1] // 4)
    return min(longest, max(SHORTEST, find_period(values) or WITHOUT_PERIOD))


def find_period(values: Values) -> int | None:
    """Find the period of the channel with the strongest periodicity, or None if no channel is periodic.

    The period is the lag of the first strong peak of the autocorrelation, after removal of a linear trend. Only peaks
    after the first negative autocorrelation count: a periodic series of mean 0 has one before its first period, and a
    smooth series has high values before it. Where slow variation hides the period, first differences are used.

    Parameters
    ----------
    values : ndarray of shape (n_channels, n_steps)
        NaN means missing.
    """
    values = values[:, :N_STEPS]
    return _period(values) or _period(np.diff(values))


def _period(values: Values) -> int | None:
    peaks = [_first_peak(_autocorrelation(channel)) for channel in values if _varies(channel)]
    lag, height = max(peaks, key=lambda peak: peak[1], default=(0, 0.0))
    return lag if height > max(STRONG, SIGMAS / np.sqrt(max(1, values.shape[1]))) else None


def _varies(channel: Values) -> bool:
    known = channel[~np.isnan(channel)]
    return len(known) > 2 and bool(known.min() < known.max())


def _autocorrelation(channel: Values) -> Values:
    """Autocorrelation for lags up to a quarter of the series, over known values."""
    known = ~np.isnan(channel)
    steps = np.arange(len(channel))
    trend = np.polynomial.Polynomial.fit(steps[known], channel[known].astype(np.float64), 1)
    residual = np.where(known, channel - trend(steps), 0.0)
    n_lags = len(channel) // 4 + 1
    products, pairs = (_products(x)[:n_lags] for x in (residual, known.astype(np.float64)))
    mean_products = products / np.maximum(pairs, 1.0)
    return mean_products / max(mean_products[0], np.finfo(np.float64).tiny)


def _products(x: Values) -> Values:
    """Return the sum of x[i] x[i + lag] for every lag."""
    size = fft.next_fast_len(2 * len(x), real=True)
    return np.asarray(fft.irfft(np.abs(fft.rfft(x, size)) ** 2, size)[: len(x)])


def _first_peak(correlation: Values) -> tuple[int, float]:
    """Return lag and height of the first high peak after the first negative lag; (0, 0) if there is none."""
    negative = np.flatnonzero(correlation < 0)
    start = int(negative[0]) if len(negative) else len(correlation)
    inner = correlation[1:-1]
    tops = 1 + np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:]))
    tops = tops[tops > start]
    if not len(tops):
        return 0, 0.0
    heights = correlation[tops]
    first = int(np.argmax(heights >= ALIKE * heights.max()))
    # Noise splits a peak into several maxima: use the highest up to 1.5 times the lag.
    near = tops < 1.5 * tops[first]
    best = int(np.argmax(np.where(near, heights, -np.inf)))
    return int(tops[best]), float(heights[best])
