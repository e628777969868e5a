"""``isthmus detect`` on series: the events, how far they can be trusted, and the values of the worst."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, Event, SlidingWindows
from isthmus.anomaly.events import mark_events
from isthmus.anomaly.thresholds import FPR
from isthmus.cli.detect_options import DetectOptions
from isthmus.cli.images import draw_events
from isthmus.cli.models import list_times
from isthmus.cli.outputs import Output
from isthmus.data.series.series import read_fitted_series
from isthmus.data.series.times import list_time_columns, read_times
from isthmus.formatting import format_percent, format_range, format_value, list_names, pluralize

Values = np.ndarray[Any, Any]

# Share of the time points above which alarms hardly help anyone. Not tuned.
MANY = 1 / 3
# Quantiles between which the usual values of a channel lie.
USUAL = (0.01, 0.99)
# Distance from the range of the rows of fit beyond which values are named, as a share of this range. Not tuned.
MARGIN = 0.1
# A value that is repeated at this many points, and this many times as often as in the rows of fit, is named. Not tuned.
N_REPEATED, MORE_REPEATED = 10, 3

# Largest number of channels that are named for the same reason.
N_LINES = 5
# Share of the points of an event from which on a repeated value describes the event, unless it is as usual outside. Not
# tuned.
MOST = 0.5
# Rows and share of equal steps from which on dates are those of a series. Not tuned.
MIN_TIMES, REGULAR = 50, 0.9
# What is unusual about values that are within their usual range.
COURSE, COMBINATION = "their course", "their course or beside the other channels"
EXPECTED = (
    "expected if normal: how many events at least as severe normal data of this length has, at most, on average; more "
    "points to learn from make the number smaller"
)


def parse_lengths(text: str | None) -> tuple[int, ...] | str:
    """Parse lengths of windows such as ``12,36``; None is "auto"."""
    if text is None:
        return "auto"
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError(f"--lengths must be numbers of time points such as 12,36, got {text!r}")
    return tuple(map(int, parts))


def rename_times(detector: AnomalyDetector, rows: Any, options: DetectOptions, data: Path) -> Any:
    """Return rows whose columns of times have the names with which a detector was fitted; ``--time`` tells their own.

    Raises
    ------
    ValueError
        If the rows have no such columns, or ``--time`` does not fit the detector.
    """
    own, given = list_times(detector), options.time or []
    if given and not isinstance(detector.estimator_, SlidingWindows):
        raise ValueError(f"--time is for series, but {str(options.detector)!r} is a detector of single rows")
    found = getattr(rows, "column_names", own)
    missing = [name for name in own if name not in found]
    fitted = f"the detector was fitted with the times in {list_names(own)}"
    if given == own or not (given or missing):
        return rows
    if not missing:
        raise ValueError(f"{fitted}, which {str(data)!r} has: leave --time out")
    if len(given) != len(own) or not set(given) <= set(found):
        raise ValueError(
            f"{fitted}, which {str(data)!r} lacks: name as many columns with its own times by --time; it has "
            f"{list_names(found)}"
        )
    renamed = dict(zip(given, own, strict=True))
    return rows.rename_columns([renamed.get(name, name) for name in found])


def name_regular_times(X: Any) -> list[str]:
    """Return the columns of a table that hold dates in order, most of them with the same distance to the next."""
    frame = nw.from_native(X, eager_only=True) if isinstance(X, pa.Table) and len(X) >= MIN_TIMES else None
    dates = (
        [] if frame is None else [column for column in frame.iter_columns() if column.dtype in (nw.Datetime, nw.Date)]
    )
    return [column.name for column in dates if _is_regular(column)]


def _is_regular(column: Any) -> bool:
    try:
        steps = np.diff(read_times([column]).elapsed)
    except ValueError:  # missing times, or not in order
        return False
    return bool(np.mean(steps == np.median(steps)) >= REGULAR)


def report_events(detector: AnomalyDetector, X: Any, options: DetectOptions, output: Output, out: Path) -> int:
    """Write the events, explain the worst, and return how many there are."""
    events = detector.events(X)
    worst = sorted(events, key=lambda event: -event.severity)[: options.top]
    times = read_fitted_series(detector.estimator_, X).times
    quiet = ~mark_events(events, times)
    n_channels = detector.estimator_.n_features_in_
    reasons = {event: _describe_event(event, X, mark_events([event], times), quiet, n_channels) for event in worst}
    output.write({out: _as_table({event: reasons[event] for event in events if event in reasons})})
    if options.detector is None:
        print(f"windows of {list_names(detector.estimator_.lengths_)} time points; --lengths sets others")
    n_points, count = sum(event.n_points for event in worst), options.describe_count(len(events), "event")
    print(f"wrote {out}: {count}, {n_points:,} of {pluralize(len(X), 'time point')}")
    print(_describe_rate(detector))
    if n_points > MANY * len(X):
        print(
            "alarms at more than a third of the time points are of little use: learn from a normal part with --normal, "
            "or use shorter windows, such as --lengths 12,36"
        )
    if not all(np.isnan(event.expected_if_normal) for event in worst[: options.n_explained]):
        print(EXPECTED)
    for event in worst[: options.n_explained]:
        print(f"{_describe_time(event)}: {reasons[event]}")
    if options.normal is not None:
        for line in [*_list_values_outside(detector, X, times, quiet), *_list_repeated_values(detector, X, times)]:
            print(line)
    if options.plot is not None:
        draw_events(detector, X, options.plot, options.top)
    return len(events)


def _describe_rate(detector: AnomalyDetector) -> str:
    """Describe the requested rate of false alarms, and the rate that the time points learned from can guarantee."""
    if detector.contamination is not None:
        return f"--contamination {detector.contamination:g} of the points learned from are alarms"
    guaranteed = f"at most {format_percent(detector.fpr_)} of normal time points on average"
    asked, n_points = detector.fpr or FPR, len(detector.calibration_scores_)
    if detector.fpr_ <= asked:
        return f"false alarms: {guaranteed}"
    wanted, needed = format_percent(asked), math.ceil(detector.block_length_ * (1 / asked - 1))
    return (
        f"false alarms: {wanted} of normal time points are asked for (--fpr), but neighbouring points depend on each "
        f"other, and {n_points:,} points to learn from can guarantee only {guaranteed}; {wanted} needs about "
        f"{needed:,} points{'' if detector.fpr else f' and --fpr {FPR:g}'}"
    )


def _list_repeated_values(detector: AnomalyDetector, X: Any, times: Values) -> list[str]:
    """Return a line for each channel that repeats one value far more often than in the rows of fit: a stuck sensor.

    Nets reconstruct a constant value well if it is a usual one, so that it may raise no alarm.
    """
    lines = []
    for name in _list_channels(detector, X):
        values = _read_channel(X, name)
        n_repeated, start = _find_longest_run(values)
        n_known, _ = _find_longest_run(_read_channel(detector._reference.rows, name))
        if n_repeated >= max(N_REPEATED, MORE_REPEATED * n_known):
            where = f"{pluralize(n_repeated, 'point')} from {format_value(times[start])} on"
            known = f"learned from at most {n_known} equal values in a row"
            lines.append(f"stuck sensor? {name} is {format_value(float(values[start]))} at {where}, {known}")
    return _shorten(lines)


def _shorten(lines: list[str]) -> list[str]:
    """Return the first lines, and a line with the number of the others."""
    rest = [f"... and {pluralize(len(lines) - N_LINES, 'more channel')}"] if len(lines) > N_LINES else []
    return [*lines[:N_LINES], *rest]


def _find_longest_run(values: Values) -> tuple[int, int]:
    """Return the length and the start of the longest run of equal values."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    lengths = np.diff(np.append(starts, len(values)))
    longest = int(lengths.argmax())
    return int(lengths[longest]), int(starts[longest])


def _list_values_outside(detector: AnomalyDetector, X: Any, times: Values, quiet: Values) -> list[str]:
    """Return a line for each channel with values without an alarm that lie far outside those of the rows of fit.

    The score of a window is about all its values, so that a few values of one channel may not suffice for an alarm.
    """
    known, lines = detector._reference.rows, []
    for name in _list_channels(detector, X):
        values, fitted = _read_channel(X, name), _read_channel(known, name)
        low, high, margin = np.nanmin(fitted), np.nanmax(fitted), MARGIN * np.ptp(fitted[~np.isnan(fitted)])
        outside = np.flatnonzero(quiet & ((values < low - margin) | (values > high + margin)))
        if len(outside):
            found = _format_range(values[outside].min(), values[outside].max())
            where = f"{pluralize(len(outside), 'point')} from {format_value(times[outside[0]])} on"
            lines.append(f"without an alarm: {name} {found} at {where}, learned from {_format_range(low, high)}")
    return _shorten(lines)


def _describe_time(event: Event) -> str:
    span = f"{format_range(event.start, event.end)} ({pluralize(event.n_points, 'point')})"
    return f"{span}, {event.certainty}"


def _describe_event(event: Event, X: Any, during: Values, usual: Values, n_channels: int) -> str:
    """Return what is unusual in the channels of an event."""
    channels = [_describe_channel(name, _read_channel(X, name), during, usual) for name in event.channels]
    texts, within = ([text for text, is_within in channels if is_within == each] for each in (False, True))
    if within:
        texts.append(f"{', '.join(within)}, but unusual in {COURSE if n_channels == 1 else COMBINATION}")
    return "; ".join(texts) or "all channels"


def _describe_channel(name: Any, values: Values, during: Values, usual: Values) -> tuple[str, bool]:
    """Return the range of a channel in an event beside the usual one, and whether it is within the usual one only."""
    inside, outside = (values[points & ~np.isnan(values)] for points in (during, usual))
    if not len(inside):
        return f"{name} missing", False
    found = f"{name} {_format_range(inside.min(), inside.max())}"
    if not len(outside):
        return found, False
    low, high = outside.min(), outside.max()
    n_repeated, start = _find_longest_run(inside)
    is_stuck = n_repeated >= max(N_REPEATED, MOST * len(inside)) and np.mean(np.diff(outside) == 0) < MOST
    if is_stuck:
        found = f"{name} {format_value(float(inside[start]))} at {pluralize(n_repeated, 'point')} in a row"
    if inside.min() < low or inside.max() > high:
        return f"{found}, usually {_format_range(*np.quantile(outside, USUAL))}", False
    return (found, False) if is_stuck else (f"{found} within the usual {_format_range(low, high)}", True)


def _format_range(low: float, high: float) -> str:
    return format_range(float(low), float(high))


def _list_channels(detector: AnomalyDetector, X: Any) -> list[str]:
    own = list_time_columns(detector.estimator_.time)
    return [name for name in X.column_names if name not in own]


def _read_channel(X: Any, name: Any) -> Values:
    column = X.column(name).to_numpy() if isinstance(X, pa.Table) else np.reshape(X, (len(X), -1))[:, name]
    return np.asarray(column, dtype=np.float64)


def _as_table(reasons: Mapping[Event, str]) -> pa.Table:
    columns: dict[str, Any] = {name: [getattr(event, name) for event in reasons] for name in Event._fields}
    columns["channels"] = [", ".join(map(str, channels)) for channels in columns["channels"]]
    columns["reasons"] = list(reasons.values())
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
