"""``isthmus detect`` on series: the events, how far they can be trusted, and the values of the worst."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, Event, SlidingWindows
from isthmus.anomaly.channel_limits import find_longest_gap, find_longest_run
from isthmus.anomaly.events import mark_events
from isthmus.anomaly.thresholds import FPR
from isthmus.cli.detect_options import DetectOptions
from isthmus.cli.images import draw_events
from isthmus.cli.models import list_times
from isthmus.cli.outputs import Output
from isthmus.data.series.series import read_fitted_series
from isthmus.data.series.times import read_times
from isthmus.formatting import format_percent, format_range, format_value, list_names, pluralize

Values = np.ndarray[Any, Any]

# Share of the time points above which alarms hardly help anyone. Not tuned.
MANY = 1 / 3
# Quantiles between which the usual values of a channel lie.
USUAL = (0.01, 0.99)
# Distance from the range of the rows of fit beyond which values are named, as a share of this range. Not tuned.
MARGIN = 0.1
# A value that is repeated or missing at this many points in a row, and this many times as many as in fit, is
# named. Not tuned.
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
    """Write the events, explain the worst, and return how many events and faulty sensors there are."""
    events = detector.events(X)
    worst = sorted(events, key=lambda event: -event.severity)[: options.top]
    times = read_fitted_series(detector.estimator_, X).times
    quiet = ~mark_events(events, times)
    reasons = {event: _describe_event(event, detector, X, mark_events([event], times), quiet) for event in worst}
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
    # Rows that the detector has learned from are within its limits.
    learned = options.normal is None and options.detector is None
    faults = [] if learned else [*_list_missing_values(detector, X, times), *_list_repeated_values(detector, X, times)]
    for line in [*([] if learned else _list_values_outside(detector, X, times, quiet)), *faults]:
        print(line)
    if options.plot is not None:
        draw_events(detector, X, options.plot, options.top)
    return len(events) + len(faults)


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
    for name, n_known in _pair_channels(detector, "longest_run"):
        values = _read_channel(X, name)
        n_repeated, start = find_longest_run(values)
        if n_repeated >= max(N_REPEATED, MORE_REPEATED * n_known):
            where = f"{pluralize(n_repeated, 'point')} from {format_value(times[start])} on"
            known = f"learned from at most {pluralize(int(n_known), 'equal value')} in a row"
            lines.append(f"stuck sensor? {name} is {format_value(float(values[start]))} at {where}, {known}")
    return _shorten(lines)


def _list_missing_values(detector: AnomalyDetector, X: Any, times: Values) -> list[str]:
    """Return a line for each channel that lacks far more values in a row than in the rows of fit: a dead sensor.

    Scores use the values of the other channels, so that there is no alarm.
    """
    lines = []
    for name, n_known in _pair_channels(detector, "longest_gap"):
        n_missing, start = find_longest_gap(_read_channel(X, name))
        if n_missing >= max(N_REPEATED, MORE_REPEATED * n_known):
            where = f"{pluralize(n_missing, 'point')} in a row from {format_value(times[start])} on"
            known = f"learned from at most {pluralize(int(n_known), 'missing value')} in a row"
            lines.append(f"dead sensor? {name} has no value at {where}, {known}")
    return _shorten(lines)


def _shorten(lines: list[str]) -> list[str]:
    """Return the first lines, and a line with the number of the others."""
    rest = [f"... and {pluralize(len(lines) - N_LINES, 'more channel')}"] if len(lines) > N_LINES else []
    return [*lines[:N_LINES], *rest]


def _list_values_outside(detector: AnomalyDetector, X: Any, times: Values, quiet: Values) -> list[str]:
    """Return a line for each channel with values without an alarm that lie far outside those of the rows of fit.

    The score of a window is about all its values, so that a few values of one channel may not suffice for an alarm.
    """
    lines = []
    for name, found, known, points in _find_values_outside(detector, X, quiet):
        where = f"{pluralize(len(points), 'point')} from {format_value(times[points[0]])} on"
        lines.append(f"without an alarm: {name} {found} at {where}, {known}")
    return _shorten(lines)


def _find_values_outside(detector: AnomalyDetector, X: Any, chosen: Values) -> Iterator[tuple[Any, str, str, Values]]:
    """Yield channels whose values at chosen points lie far outside those of the rows of fit, and the points."""
    for name, low, high in _pair_channels(detector, "low", "high"):
        values, margin = _read_channel(X, name), MARGIN * (high - low)
        points = np.flatnonzero(chosen & ((values < low - margin) | (values > high + margin)))
        if len(points):
            found = _format_range(values[points].min(), values[points].max())
            yield name, found, f"learned from {_format_range(low, high)}", points


def _describe_time(event: Event) -> str:
    span = f"{format_range(event.start, event.end)} ({pluralize(event.n_points, 'point')})"
    return f"{span}, {event.certainty}"


def _describe_event(event: Event, detector: AnomalyDetector, X: Any, during: Values, usual: Values) -> str:
    """Return what is unusual in the channels of an event, and in others that lie outside the rows of fit.

    Nets expect the values of related channels from each other, so that a fault of one may appear in another.
    """
    channels = [_describe_channel(name, _read_channel(X, name), during, usual) for name in event.channels]
    texts, within = ([text for text, is_within in channels if is_within == each] for each in (False, True))
    if within:
        is_alone = detector.estimator_.n_features_in_ == 1
        texts.append(f"{', '.join(within)}, but unusual in {COURSE if is_alone else COMBINATION}")
    for name, found, known, _ in _find_values_outside(detector, X, during):
        if name not in event.channels:
            texts.append(f"{name} {found}, {known}")
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
    n_repeated, start = find_longest_run(inside)
    is_stuck = n_repeated >= max(N_REPEATED, MOST * len(inside)) and np.mean(np.diff(outside) == 0) < MOST
    if is_stuck:
        found = f"{name} {format_value(float(inside[start]))} at {pluralize(n_repeated, 'point')} in a row"
    if inside.min() < low or inside.max() > high:
        return f"{found}, usually {_format_range(*np.quantile(outside, USUAL))}", False
    return (found, False) if is_stuck else (f"{found} within the usual {_format_range(low, high)}", True)


def _format_range(low: float, high: float) -> str:
    return format_range(float(low), float(high))


def _pair_channels(detector: AnomalyDetector, *names: str) -> Iterator[tuple[Any, ...]]:
    """Yield the name of each channel, and limits of its values in the rows of fit."""
    series = detector.estimator_
    return zip(series.feature_names_in_, *(getattr(series.channel_limits_, name) for name in names), strict=True)


def _read_channel(X: Any, name: Any) -> Values:
    column = X.column(name).to_numpy() if isinstance(X, pa.Table) else np.reshape(X, (len(X), -1))[:, name]
    return np.asarray(column, dtype=np.float64)


def _as_table(reasons: Mapping[Event, str]) -> pa.Table:
    columns: dict[str, Any] = {name: [getattr(event, name) for event in reasons] for name in Event._fields}
    columns["channels"] = [", ".join(map(str, channels)) for channels in columns["channels"]]
    columns["reasons"] = list(reasons.values())
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
