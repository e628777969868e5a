"""Alarms of time points, merged into events: when, how bad, and which channels."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from isthmus.data.series.series import read_fitted_series
from isthmus.data.series.windows import Windows

Values = np.ndarray[Any, Any]

# The channels of an event are those that explain this share of it.
EXPLAINED = 0.5


class Event(NamedTuple):
    """An interval of time that is not normal.

    Parameters
    ----------
    start, end, peak : date, number or int
        Times of the first and the last point, and of the one that is the least normal; positions in arrays.
    n_points : int
    severity : float
        By how much the peak scores below the threshold, in distances from the threshold to the median normal score.
    channels : tuple of str or int
        Those that stand out, most of all first; empty if the estimator takes no scores apart.
    """

    start: Any
    end: Any
    peak: Any
    n_points: int
    severity: float
    channels: tuple[Any, ...]


class Course(NamedTuple):
    """Scores of time points (n,), their times (n,), the names of the channels, and how to take a span apart.

    ``apart`` gives, of the points from ``start`` to ``stop``, what each channel adds to the scores, or None.
    """

    scores: Values
    times: Values
    channels: tuple[Any, ...]
    width: int
    apart: Callable[[int, int], Values | None]


def find_events(detector: Any, X: Any, gap: int | None, min_length: int) -> list[Event]:
    """Merge alarms into events; see ``AnomalyDetector.events``."""
    for name, value, least in (("gap", gap, 0), ("min_length", min_length, 1)):
        if not (value is None and name == "gap") and not (isinstance(value, int | np.integer) and value >= least):
            raise ValueError(f"{name} must be an integer from {least} on, got {value!r}")
    course = _of_windows(detector, X) if isinstance(X, Windows) else _of_points(detector, X)
    spans = merge_spans(course.scores < detector.offset_, course.width // 2 if gap is None else gap)
    unit = np.median(detector.calibration_scores_) - detector.offset_
    return [_event(course, start, stop, detector.offset_, unit) for start, stop in spans if stop - start >= min_length]


def merge_spans(alarms: Values, gap: int) -> list[tuple[int, int]]:
    """Find where runs of alarms start and stop; runs with at most ``gap`` points between them are one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], alarms, [False]])))
    starts, stops = edges[::2], edges[1::2]
    apart = starts[1:] - stops[:-1] > gap
    first, last = np.concatenate([[True], apart])[: len(starts)], np.concatenate([apart, [True]])[: len(stops)]
    return list(zip(starts[first].tolist(), stops[last].tolist(), strict=True))


def _event(course: Course, start: int, stop: int, offset: float, unit: float) -> Event:
    peak = start + int(np.argmin(course.scores[start:stop]))
    severity = float((offset - course.scores[peak]) / unit) if unit > 0 else np.inf
    parts = course.apart(start, stop)
    channels = () if parts is None else tuple(course.channels[i] for i in _standing_out(parts.sum(0)))
    first, last, lowest = (_plain(course.times[i]) for i in (start, stop - 1, peak))
    return Event(first, last, lowest, stop - start, severity, channels)


def _plain(time: Any) -> Any:
    """Dates stay as they are; numbers become Python's own."""
    return time if isinstance(time, np.datetime64) else time.item()


def _standing_out(contributions: Values) -> Values:
    """Find the fewest channels that explain most of the lack."""
    lack = np.maximum(-contributions, 0)
    order = np.argsort(-lack)
    n = int(np.searchsorted(np.cumsum(lack[order]), EXPLAINED * lack.sum())) + 1
    return order[:n] if lack.any() else order[:0]


def _of_windows(detector: Any, windows: Windows) -> Course:
    contributions = getattr(detector.estimator_, "contributions", None)
    shape = windows.schema.shape

    def apart(start: int, stop: int) -> Values | None:
        if contributions is None:
            return None
        holding = (windows.starts < stop) & (windows.starts + windows.length > start)
        some = windows.take(np.flatnonzero(holding))
        values = np.asarray(contributions(some))[:, : int(np.prod(shape))]
        return some.spread(values.reshape(-1, *shape))[start:stop]

    channels = tuple(windows.channels or range(shape[0]))
    return Course(windows.spread(detector.score_samples(windows)), windows.times, channels, windows.length, apart)


def _of_points(detector: Any, X: Any) -> Course:
    """Rows are time points, and the estimator knows which column holds the times."""
    estimator = detector.estimator_
    series = read_fitted_series(estimator, X)
    scores = detector.score_samples(X)
    contributions = getattr(estimator, "contributions", None)
    channels = tuple(series.channels or range(len(series.values)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the scores have said what there is to say of X
        parts = None if contributions is None else np.asarray(contributions(X))[:, : len(channels)]
    width = min(getattr(estimator, "lengths_", [1]))
    return Course(
        scores, series.times, channels, width, lambda start, stop: None if parts is None else parts[start:stop]
    )
