"""Faults of single channels of a series that need not raise an alarm: dead and stuck sensors, and extreme values."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.channel_limits import find_longest_gap, find_longest_run
from isthmus.formatting import format_range, format_value, pluralize

Values = np.ndarray[Any, Any]

# Distance from the range of the rows of fit beyond which values are named, as a share of this range. Not tuned.
MARGIN = 0.1
# Smallest number of equal or missing values in a row that is named, and how much larger than in the rows of fit it must
# be. Not tuned.
N_REPEATED, MORE_REPEATED = 10, 3
# Largest number of channels that are named for the same reason.
N_LINES = 5


def report_faults(detector: AnomalyDetector, X: Any, times: Values, quiet: Values) -> int:
    """Print the faults of channels, compared with the rows of fit, and return the number of dead and stuck sensors.

    ``quiet`` marks the time points without an alarm.
    """
    dead, stuck = list_dead_sensors(detector, X, times), list_stuck_sensors(detector, X, times)
    for lines in (list_extreme_values(detector, X, times, quiet), dead, stuck):
        for line in lines[:N_LINES]:
            print(line)
        if len(lines) > N_LINES:
            print(f"... and {pluralize(len(lines) - N_LINES, 'more channel')}")
    return len(dead) + len(stuck)


def list_dead_sensors(detector: AnomalyDetector, X: Any, times: Values) -> list[str]:
    """Return a line for each channel that lacks far more values in a row than in the rows of fit.

    Scores use the values of the other channels, so that a dead sensor may raise no alarm.
    """
    return [
        f"dead sensor? {name} has no value at {_locate(times, start, length)}, learned from at most "
        f"{pluralize(n_known, 'missing value')} in a row"
        for name, start, length, n_known in _find_long_runs(detector, X, find_longest_gap, "longest_gap")
    ]


def list_stuck_sensors(detector: AnomalyDetector, X: Any, times: Values) -> list[str]:
    """Return a line for each channel that repeats a value far more often in a row than in the rows of fit.

    Nets reconstruct a constant value well if it is a usual one, so that a stuck sensor may raise no alarm.
    """
    return [
        f"stuck sensor? {name} is {format_value(float(read_channel(X, name)[start]))} at "
        f"{_locate(times, start, length)}, learned from at most {pluralize(n_known, 'equal value')} in a row"
        for name, start, length, n_known in _find_long_runs(detector, X, find_longest_run, "longest_run")
    ]


def list_extreme_values(detector: AnomalyDetector, X: Any, times: Values, quiet: Values) -> list[str]:
    """Return a line for each channel with values without an alarm that lie far outside those of the rows of fit.

    The score of a window is about all its values, so that a few values of one channel may not suffice for an alarm.
    """
    return [
        f"without an alarm: {name} {found} at {_locate(times, points[0], len(points))}, {known}"
        for name, found, known, points in find_values_outside(detector, X, quiet)
    ]


def find_values_outside(detector: AnomalyDetector, X: Any, chosen: Values) -> Iterator[tuple[Any, str, str, Values]]:
    """Yield each channel whose values at chosen points lie far outside those of the rows of fit.

    Yields
    ------
    tuple
        Name of the channel, the range of these values, the range in the rows of fit, and the points.
    """
    for name, low, high in _pair_channels(detector, "low", "high"):
        values, margin = read_channel(X, name), MARGIN * (high - low)
        points = np.flatnonzero(chosen & ((values < low - margin) | (values > high + margin)))
        if len(points):
            found = format_range(float(values[points].min()), float(values[points].max()))
            yield name, found, f"learned from {format_range(float(low), float(high))}", points


def read_channel(X: Any, name: Any) -> Values:
    """Return the values of a channel of a series, a table or an array."""
    column = X.column(name).to_numpy() if isinstance(X, pa.Table) else np.reshape(X, (len(X), -1))[:, name]
    return np.asarray(column, dtype=np.float64)


def _find_long_runs(
    detector: AnomalyDetector, X: Any, find: Callable[[Values], tuple[int, int]], limit: str
) -> Iterator[tuple[Any, int, int, int]]:
    """Yield channels with a run far longer than in fit: the name, the start, the length, and the longest one in fit."""
    for name, n_known in _pair_channels(detector, limit):
        length, start = find(read_channel(X, name))
        if length >= max(N_REPEATED, MORE_REPEATED * n_known):
            yield name, start, length, int(n_known)


def _pair_channels(detector: AnomalyDetector, *limits: str) -> Iterator[tuple[Any, ...]]:
    """Yield the name of each channel, and limits of its values in the rows of fit."""
    series = detector.estimator_
    return zip(series.feature_names_in_, *(getattr(series.channel_limits_, limit) for limit in limits), strict=True)


def _locate(times: Values, start: int, n_points: int) -> str:
    return f"{pluralize(n_points, 'point')} from {format_value(times[start])} on"
