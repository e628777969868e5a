"""Events: intervals of a series with alarms, with their time, severity and channels.

Scores of windows detect, but one unusual value lowers the scores of all points that share a window with it. A run of
alarms is therefore narrowed to the points whose own values are unusual.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d

from isthmus.data.series.series import read_fitted_series
from isthmus.data.series.windows import Windows
from isthmus.formatting import format_number, format_value, list_names, pluralize

Values = np.ndarray[Any, Any]

# The channels of an event are the fewest that explain this share of its negative contributions. Not tuned.
EXPLAINED = 0.5
# A point belongs to an event if its values are at least this share as unusual as the most unusual ones within a window:
# nets also reconstruct the neighbours of an unusual value worse, by up to 4 % in three simulated sensors. Not tuned.
UNUSUAL = 0.1


class Event(NamedTuple):
    """An interval of time with alarms, whose values are unusual.

    Parameters
    ----------
    start, end, peak : date, number or int
        Times of the first point, the last point and the point with the lowest score; positions in arrays.
    n_points : int
        Number of points from start to end.
    severity : float
        Distance of the lowest score from the threshold, in units of the distance from the threshold to the median
        calibration score.
    channels : tuple of str or int
        Channels that explain the event, the most important first; empty if the estimator has no ``contributions``.

    Examples
    --------
    >>> from isthmus.anomaly import Event
    >>> print(Event(120, 131, 124, n_points=12, severity=2.5, channels=("cpu",)))
    120 .. 131 (12 points), lowest at 124, severity 2.5, channels 'cpu'
    """

    start: Any
    end: Any
    peak: Any
    n_points: int
    severity: float
    channels: tuple[Any, ...]

    def __str__(self) -> str:
        """Return one line of text."""
        times = f"{format_value(self.start)} .. {format_value(self.end)} ({pluralize(self.n_points, 'point')})"
        text = f"{times}, lowest at {format_value(self.peak)}, severity {format_number(self.severity)}"
        return f"{text}, channels {list_names(self.channels)}" if self.channels else text


class ScoredSeries(NamedTuple):
    """Scores of time points (n,), their times (n,), and the names of the channels.

    ``lengths`` are the lengths of the shortest and of the longest window. ``contributions`` returns, for the points
    from ``start`` to ``stop``, the contribution of each channel, or None.
    """

    scores: Values
    times: Values
    channels: tuple[Any, ...]
    lengths: tuple[int, int]
    contributions: Callable[[int, int], Values | None]


def find_events(detector: Any, X: Any, gap: int | None, min_length: int) -> list[Event]:
    """Merge alarms into events; see ``AnomalyDetector.events``."""
    for name, value, least in (("gap", gap, 0), ("min_length", min_length, 1)):
        if not (value is None and name == "gap") and not (isinstance(value, int | np.integer) and value >= least):
            raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    series = _score_windows(detector, X) if isinstance(X, Windows) else _score_points(detector, X)
    gap = series.lengths[0] // 2 if gap is None else gap
    runs = merge_spans(series.scores < detector.offset_, gap)
    spans = [span for run in runs for span in _narrow(series, *run, gap)]
    unit = np.median(detector.calibration_scores_) - detector.offset_
    long = [(start, stop) for start, stop in spans if stop - start >= min_length]
    return [_make_event(series, start, stop, detector.offset_, unit) for start, stop in long]


def _narrow(series: ScoredSeries, start: int, stop: int, gap: int) -> list[tuple[int, int]]:
    """Return the parts of a run of alarms whose own values are unusual; the run itself if that is not known."""
    parts, reach = series.contributions(start, stop), series.lengths[1]
    if parts is None or reach == 1:
        return [(start, stop)]
    surprise = np.maximum(-parts.sum(1), 0)
    largest = maximum_filter1d(surprise, 2 * reach - 1)
    narrowed = merge_spans((surprise > 0) & (surprise >= UNUSUAL * largest), gap)
    return [(start + first, start + last) for first, last in narrowed] or [(start, stop)]


def merge_spans(alarms: Values, gap: int) -> list[tuple[int, int]]:
    """Return starts and stops of runs of alarms; runs with at most ``gap`` points between them are merged."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], alarms, [False]])))
    starts, stops = edges[::2], edges[1::2]
    is_separate = starts[1:] - stops[:-1] > gap
    first, last = np.concatenate([[True], is_separate]), np.concatenate([is_separate, [True]])
    return list(zip(starts[first[: len(starts)]].tolist(), stops[last[: len(stops)]].tolist(), strict=True))


def _make_event(series: ScoredSeries, start: int, stop: int, offset: float, unit: float) -> Event:
    peak = start + int(np.argmin(series.scores[start:stop]))
    severity = float((offset - series.scores[peak]) / unit) if unit > 0 else np.inf
    parts = series.contributions(start, stop)
    channels = () if parts is None else tuple(series.channels[i] for i in _main_channels(parts.sum(0)))
    first, last, lowest = (_to_python(series.times[i]) for i in (start, stop - 1, peak))
    return Event(first, last, lowest, stop - start, severity, channels)


def _to_python(time: Any) -> Any:
    """Convert numbers to Python's types, and leave dates as they are."""
    return time if isinstance(time, np.datetime64) else time.item()


def _main_channels(contributions: Values) -> Values:
    """Find the fewest channels that explain ``EXPLAINED`` of the negative contributions."""
    negative = np.maximum(-contributions, 0)
    order = np.argsort(-negative)
    n = int(np.searchsorted(np.cumsum(negative[order]), EXPLAINED * negative.sum())) + 1
    return order[:n] if negative.any() else order[:0]


def _score_windows(detector: Any, windows: Windows) -> ScoredSeries:
    method = getattr(detector.estimator_, "contributions", None)
    shape = windows.schema.shape

    def contributions(start: int, stop: int) -> Values | None:
        if method is None:
            return None
        overlaps = (windows.starts < stop) & (windows.starts + windows.length > start)
        overlapping = windows.take(np.flatnonzero(overlaps))
        values = np.asarray(method(overlapping))[:, : int(np.prod(shape))]
        return overlapping.spread(values.reshape(-1, *shape))[start:stop]

    channels, scores = tuple(windows.channels or range(shape[0])), windows.spread(detector.score_samples(windows))
    return ScoredSeries(scores, windows.times, channels, (windows.length, windows.length), contributions)


def _score_points(detector: Any, X: Any) -> ScoredSeries:
    """Score rows that are time points; the estimator knows which column holds the times."""
    estimator = detector.estimator_
    series = read_fitted_series(estimator, X)
    scores = detector.score_samples(X)
    method = getattr(estimator, "step_contributions", getattr(estimator, "contributions", None))
    channels = tuple(series.channels or range(len(series.values)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # score_samples has given the same warnings
        parts = None if method is None else np.asarray(method(X))[:, : len(channels)]

    lengths = getattr(estimator, "lengths_", [1])
    ends = min(lengths), max(lengths)
    return ScoredSeries(scores, series.times, channels, ends, lambda i, j: None if parts is None else parts[i:j])
