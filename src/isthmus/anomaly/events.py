"""Events: intervals of a series with alarms, with their time, severity and channels.

Scores of windows detect, but one unusual value lowers the scores of all points that share a window with it. A run of
alarms is therefore narrowed to the points whose own values are unusual.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
from scipy.ndimage import maximum_filter1d

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.rows import ANOMALY
from isthmus.containers import open_frame
from isthmus.data.series.series import read_fitted_series
from isthmus.data.series.windows import Windows
from isthmus.data.tables.frames import is_frame
from isthmus.formatting import format_number, format_range, format_value, list_names, pluralize

Values = np.ndarray[Any, Any]

# The channels of an event are the fewest that explain this share of its negative contributions. Not tuned.
EXPLAINED = 0.5
# A point belongs to an event if its values are at least this share as unusual as the most unusual ones within a window:
# nets also reconstruct the neighbours of an unusual value worse, by up to 4 % in three simulated sensors. Not tuned.
UNUSUAL = 0.1
# What ``Event.expected_if_normal`` is, for readers of a list of events.
EXPECTED = (
    "the average number of events that are at least as severe in normal data of this length; it is an upper limit, and "
    "more points to learn from make it smaller"
)


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
    expected_if_normal : float, default=nan
        Expected number of events at least as severe in a normal series of this length: far below 1 for an event that
        normal data hardly explain. A normal series has on average at most x events for which it is at most x. It
        follows from the calibration scores, and cannot be less than the length of the series as a share of theirs.
        NaN for the series of ``fit`` itself, whose events are among the calibration scores.

    Examples
    --------
    >>> from isthmus.anomaly import Event
    >>> print(Event(120, 131, 124, n_points=12, severity=2.5, channels=("cpu",), expected_if_normal=0.1))
    120 to 131 (12 points), lowest at 124, severity 2.5, expected if normal 0.1, channels 'cpu'
    """

    start: Any
    end: Any
    peak: Any
    n_points: int
    severity: float
    channels: tuple[Any, ...]
    expected_if_normal: float = np.nan

    @property
    def certainty(self) -> str:
        """The severity, and the expected number of such events in normal data where it is known, as text."""
        severity, expected = f"severity {format_number(self.severity)}", self.expected_if_normal
        return severity if np.isnan(expected) else f"{severity}, expected if normal {format_value(expected, 0, 1)}"

    def __str__(self) -> str:
        """Return one line of text."""
        times = f"{format_range(self.start, self.end)} ({pluralize(self.n_points, 'point')})"
        text = f"{times}, lowest at {format_value(self.peak)}, {self.certainty}"
        return f"{text}, channels {list_names(self.channels)}" if self.channels else text


class ScoredSeries(NamedTuple):
    """Scores of time points (n,), their times (n,), and the names of the channels.

    ``lengths`` are the lengths of the shortest and of the longest window. ``contributions`` returns, for the points
    from ``start`` to ``stop``, the contribution of each channel, or None. ``score_without`` scores the series without
    the values of some points (n,); None if the estimator cannot.
    """

    scores: Values
    times: Values
    channels: tuple[Any, ...]
    lengths: tuple[int, int]
    contributions: Callable[[int, int], Values | None]
    score_without: Callable[[Values], Values] | None = None


def find_events(detector: Any, X: Any, gap: int | None, min_length: int) -> list[Event]:
    """Merge alarms into events; see ``AnomalyDetector.events``."""
    for name, value, least in (("gap", gap, 0), ("min_length", min_length, 1)):
        if not (value is None and name == "gap") and not (isinstance(value, int | np.integer) and value >= least):
            raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    series = _score_windows(detector, X) if isinstance(X, Windows) else _score_points(detector, X)
    gap = series.lengths[0] // 2 if gap is None else gap
    scores = _score_unusual_points(series, detector.offset_, gap)
    long = [(start, stop) for start, stop in merge_spans(~np.isnan(scores), gap) if stop - start >= min_length]
    events = [_make_event(series._replace(scores=scores), start, stop, detector) for start, stop in long]
    if _is_calibrated_on(detector._calibration, series.scores):
        return events
    lowest = [np.nanmin(scores[start:stop]) for start, stop in long]
    expected = [count_expected(detector._calibration, score, gap, len(scores)) for score in lowest]
    return [event._replace(expected_if_normal=each) for event, each in zip(events, expected, strict=True)]


def count_expected(calibration: Calibration, score: float, gap: int, n_points: int) -> float:
    """Return the expected number of events with at most this lowest score among normal time points.

    The rate is that of the calibration scores with one event added, as in conformal p-values: of k + 1 events that are
    equally likely to be the most severe, k are in the calibration scores.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.calibration import Calibration
    >>> from isthmus.anomaly.events import count_expected
    >>> calibration = Calibration.unlabelled(np.array([0.0, -3.0, -2.0, 0.0, 0.0, 0.0, -2.0, 0.0]))
    >>> [count_expected(calibration, score, 0, 80) for score in (-4.0, -3.0, -2.0)]
    [10.0, 20.0, 30.0]
    """
    normal = calibration.scores[calibration.labels != ANOMALY]
    return (len(merge_spans(normal <= score, gap)) + 1) * n_points / len(normal)


def _is_calibrated_on(calibration: Calibration, scores: Values) -> bool:
    """Whether these scores are the calibration scores: such a series holds no other normal points to compare with."""
    return len(scores) == len(calibration.scores) and np.allclose(scores, calibration.scores)


def mark_events(events: Sequence[Event], times: Values) -> Values:
    """Return which time points are in an event, (n,)."""
    inside = [(times >= event.start) & (times <= event.end) for event in events]
    return np.any([np.zeros(len(times), dtype=bool), *inside], axis=0)


def _score_unusual_points(series: ScoredSeries, offset: float, gap: int) -> Values:
    """Return the scores of the points of all events, and NaN for other points.

    A strong event lowers the scores of all windows that contain a part of it, and so turns values beside it into
    alarms. Weaker values therefore count only if their scores without the strongest values around are alarms, too.
    """
    surprise = _measure_surprise(series, merge_spans(series.scores < offset, gap))
    largest = maximum_filter1d(surprise, 2 * series.lengths[1] - 1)
    unusual = (surprise > 0) & (surprise >= UNUSUAL * largest)
    strongest = _keep_strongest(unusual, surprise == largest)
    if series.score_without is None or (strongest == unusual).all():
        return np.where(unusual, series.scores, np.nan)
    others = series.score_without(strongest)
    scores = np.where(strongest | (unusual & (others < offset)), others, np.nan)
    for start, stop in merge_spans(~np.isnan(scores), gap):
        if strongest[start:stop].any():
            scores[start:stop] = series.scores[start:stop]
    return scores


def _measure_surprise(series: ScoredSeries, runs: Sequence[tuple[int, int]]) -> Values:
    """Return how unusual the values of each point in runs of alarms are, (n,); 0 outside, and 1 if it is not known."""
    surprise = np.zeros(len(series.scores))
    for start, stop in runs:
        parts = series.contributions(start, stop)
        own = np.zeros(stop - start) if parts is None or series.lengths[1] == 1 else np.maximum(-parts.sum(1), 0)
        surprise[start:stop] = own if own.any() else 1.0
    return surprise


def _keep_strongest(unusual: Values, is_largest: Values) -> Values:
    """Return the runs of unusual points that contain the most unusual point within a window."""
    strongest = np.zeros_like(unusual)
    for start, stop in merge_spans(unusual, 0):
        strongest[start:stop] = is_largest[start:stop].any()
    return strongest


def merge_spans(alarms: Values, gap: int) -> list[tuple[int, int]]:
    """Return starts and stops of runs of alarms; runs with at most ``gap`` points between them are merged."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], alarms, [False]])))
    starts, stops = edges[::2], edges[1::2]
    is_separate = starts[1:] - stops[:-1] > gap
    first, last = np.concatenate([[True], is_separate]), np.concatenate([is_separate, [True]])
    return list(zip(starts[first[: len(starts)]].tolist(), stops[last[: len(stops)]].tolist(), strict=True))


def _make_event(series: ScoredSeries, start: int, stop: int, detector: Any) -> Event:
    peak = start + int(np.nanargmin(series.scores[start:stop]))
    unit = np.median(detector.calibration_scores_) - detector.offset_
    severity = float((detector.offset_ - series.scores[peak]) / unit) if unit > 0 else np.inf
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
    locate, lengths = getattr(estimator, "step_contributions", None), getattr(estimator, "lengths_", [1])
    method = locate or getattr(estimator, "contributions", None)
    channels = tuple(series.channels or range(len(series.values)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # score_samples has given the same warnings
        parts = None if method is None else np.asarray(method(X))[:, : len(channels)]

    def score_without(points: Values) -> Values:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(detector.score_samples(_hide(X, points, [str(name) for name in channels])))

    return ScoredSeries(
        scores,
        series.times,
        channels,
        (min(lengths), max(lengths)),
        lambda start, stop: None if parts is None else parts[start:stop],
        score_without if locate else None,
    )


def _hide(X: Any, points: Values, channels: Sequence[str]) -> Any:
    """Return a series in which the channels have no values at some points (n,)."""
    if not is_frame(X):
        values = np.array(X, dtype=np.float64)
        values[points] = np.nan
        return values
    frame = open_frame(X)
    shown, missing = (nw.new_series("", values, backend=frame.implementation) for values in (~points, points * np.nan))
    read = [frame.get_column(name) for name in frame.columns if str(name) in channels]
    hidden = [column.cast(nw.Float64).zip_with(shown, missing) for column in read if column.dtype.is_numeric()]
    return frame.with_columns(*hidden).to_native()
