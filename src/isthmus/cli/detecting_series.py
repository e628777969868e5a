"""``isthmus detect`` on series: the events, how far they can be trusted, and the values of the worst."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, Event, SlidingWindows
from isthmus.anomaly.channel_limits import find_longest_run
from isthmus.anomaly.events import EXPECTED, mark_events
from isthmus.anomaly.thresholds import FPR
from isthmus.cli.channel_faults import N_REPEATED, find_values_outside, read_channel, report_faults
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
# Share of the points of an event from which on a repeated value describes the event, unless it is as usual outside. Not
# tuned.
MOST = 0.5
# Rows and share of equal steps from which on dates are those of a series. Not tuned.
MIN_TIMES, REGULAR = 50, 0.9
# What is unusual about values that are within their usual range.
COURSE, COMBINATION = "their course", "their course or beside the other channels"


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
        print(f"expected if normal: {EXPECTED}")
    for event in worst[: options.n_explained]:
        print(f"{_describe_time(event)}: {reasons[event]}")
    # Points that the detector has learned from are within its limits.
    is_new = options.normal is not None or options.detector is not None
    n_faulty = report_faults(detector, X, times, quiet) if is_new else 0
    if options.plot is not None:
        draw_events(detector, X, options.plot, options.top)
    return len(events) + n_faulty


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


def _describe_time(event: Event) -> str:
    span = f"{format_range(event.start, event.end)} ({pluralize(event.n_points, 'point')})"
    return f"{span}, {event.certainty}"


def _describe_event(event: Event, detector: AnomalyDetector, X: Any, during: Values, usual: Values) -> str:
    """Return what is unusual in the channels of an event, and in others that lie outside the rows of fit.

    Nets expect the values of related channels from each other, so that a fault of one may appear in another.
    """
    channels = [_describe_channel(name, read_channel(X, name), during, usual) for name in event.channels]
    texts, within = ([text for text, is_within in channels if is_within == each] for each in (False, True))
    if within:
        is_alone = detector.estimator_.n_features_in_ == 1
        texts.append(f"{', '.join(within)}, but unusual in {COURSE if is_alone else COMBINATION}")
    others = find_values_outside(detector, X, during)
    texts += [f"{name} {found}, {known}" for name, found, known, _ in others if name not in event.channels]
    return "; ".join(texts) or "all channels"


def _describe_channel(name: Any, values: Values, during: Values, usual: Values) -> tuple[str, bool]:
    """Return the range of a channel in an event beside the usual one, and whether it is within the usual one only."""
    inside, outside = (values[points & ~np.isnan(values)] for points in (during, usual))
    if not len(inside):
        return f"{name} missing", False
    found = f"{name} {format_range(float(inside.min()), float(inside.max()))}"
    if not len(outside):
        return found, False
    low, high = float(outside.min()), float(outside.max())
    n_repeated, start = find_longest_run(inside)
    is_stuck = n_repeated >= max(N_REPEATED, MOST * len(inside)) and np.mean(np.diff(outside) == 0) < MOST
    if is_stuck:
        found = f"{name} {format_value(float(inside[start]))} at {pluralize(n_repeated, 'point')} in a row"
    if inside.min() < low or inside.max() > high:
        return f"{found}, usually {format_range(*np.quantile(outside, USUAL).tolist())}", False
    return (found, False) if is_stuck else (f"{found} within the usual {format_range(low, high)}", True)


def _as_table(reasons: Mapping[Event, str]) -> pa.Table:
    columns: dict[str, Any] = {name: [getattr(event, name) for event in reasons] for name in Event._fields}
    columns["channels"] = [", ".join(map(str, channels)) for channels in columns["channels"]]
    columns["reasons"] = list(reasons.values())
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
