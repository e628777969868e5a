"""The period of a series, by its autocorrelation."""

from typing import Any

import numpy as np
from scipy import fft

Values = np.ndarray[Any, Any]

# Steps that are looked at: the first so many tell a period, and a transform of all could take longer than the fit.
N_STEPS = 2**17
# Autocorrelation from which a peak counts, or so many deviations of that of noise, whichever is more.
STRONG, SIGMAS = 0.3, 4.0
# Share of the highest peak from which an earlier one is the period, and the highest a multiple of it.
ALIKE = 0.9
# Fewest steps of a window, and those of one of a series without a period.
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
    """Find the period of the channel that repeats itself most clearly, or None if none does.

    It is the lag of the first strong peak of the autocorrelation, once a straight trend is taken off. A series of mean
    0 that repeats itself must be its own opposite somewhere in between, so that peaks are looked for after the first
    lag at which the autocorrelation is negative: not on the shoulder of a smooth series. Where slow wander hides the
    period, the steps from value to value may still tell it.

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
    """Correlation with the series some steps later, for lags up to a quarter of the series, over what is known."""
    known = ~np.isnan(channel)
    steps = np.arange(len(channel))
    trend = np.polynomial.Polynomial.fit(steps[known], channel[known].astype(np.float64), 1)
    residual = np.where(known, channel - trend(steps), 0.0)
    n_lags = len(channel) // 4 + 1
    products, pairs = (_products(x)[:n_lags] for x in (residual, known.astype(np.float64)))
    mean_products = products / np.maximum(pairs, 1.0)
    return mean_products / max(mean_products[0], np.finfo(np.float64).tiny)


def _products(x: Values) -> Values:
    """Sum of x[i] x[i + lag] for every lag."""
    size = fft.next_fast_len(2 * len(x), real=True)
    return np.asarray(fft.irfft(np.abs(fft.rfft(x, size)) ** 2, size)[: len(x)])


def _first_peak(correlation: Values) -> tuple[int, float]:
    """Lag and height of the first of the highest peaks after the first negative lag; (0, 0) if there is none."""
    negative = np.flatnonzero(correlation < 0)
    start = int(negative[0]) if len(negative) else len(correlation)
    inner = correlation[1:-1]
    tops = 1 + np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:]))
    tops = tops[tops > start]
    if not len(tops):
        return 0, 0.0
    heights = correlation[tops]
    first = int(np.argmax(heights >= ALIKE * heights.max()))
    # Noise makes several tops of one peak: the highest within half of its lag is meant.
    near = tops < 1.5 * tops[first]
    best = int(np.argmax(np.where(near, heights, -np.inf)))
    return int(tops[best]), float(heights[best])
