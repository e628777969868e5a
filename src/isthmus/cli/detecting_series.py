"""``isthmus detect`` on series: the events, how far they can be trusted, and the values of the worst."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, Event, SlidingWindows
from isthmus.anomaly.thresholds import FPR
from isthmus.cli.detect_options import DetectOptions
from isthmus.cli.images import draw_events
from isthmus.cli.outputs import Output
from isthmus.data.series.series import read_fitted_series
from isthmus.data.series.times import list_time_columns
from isthmus.formatting import format_interval, format_number, format_percent, format_value, list_names, pluralize

Values = np.ndarray[Any, Any]

# Share of the time points above which alarms hardly help anyone. Not tuned.
MANY = 1 / 3
# Quantiles between which the usual values of a channel lie.
USUAL = (0.01, 0.99)
# Distance from the range of the rows of fit beyond which values are named, as a share of this range. Not tuned.
MARGIN = 0.1


def parse_lengths(text: str | None) -> tuple[int, ...] | str:
    """Parse lengths of windows such as ``12,36``; None is "auto"."""
    if text is None:
        return "auto"
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError(f"--lengths must be numbers of time points such as 12,36, got {text!r}")
    return tuple(map(int, parts))


def check_times(detector: AnomalyDetector, options: DetectOptions) -> None:
    """Raise ``ValueError`` if ``--time`` names other columns than those with the times of a fitted detector."""
    if not options.time:
        return
    if not isinstance(detector.estimator_, SlidingWindows):
        raise ValueError(f"--time is for series, but {str(options.detector)!r} is a detector of single rows")
    own = list_time_columns(detector.estimator_.time)
    if options.time != own:
        raise ValueError(f"the detector was fitted with the times in {list_names(own)}: leave --time out")


def report_events(detector: AnomalyDetector, X: Any, options: DetectOptions, output: Output, out: Path) -> None:
    """Write the events, print how many there are, and explain the worst."""
    events = detector.events(X)
    output.write({out: _as_table(events)})
    n_points = sum(event.n_points for event in events)
    found = f"{pluralize(len(events), 'event')}, {n_points:,} of {pluralize(len(X), 'time point')}"
    if options.detector is None:
        print(f"windows of {list_names(detector.estimator_.lengths_)} time points; --lengths sets others")
    print(f"wrote {out}: {found} ({_describe_rate(detector, options)})")
    if n_points > MANY * len(X):
        print(
            "alarms at more than a third of the time points are of little use: learn from a normal part with --normal, "
            "or use shorter windows, such as --lengths 12,36"
        )
    times = read_fitted_series(detector.estimator_, X).times
    during = [(times >= event.start) & (times <= event.end) for event in events]
    quiet = ~np.any(during, axis=0) if events else np.ones(len(times), dtype=bool)
    for line in [
        *_explain(X, events, during, quiet, options.explain),
        *([] if options.normal is None else _list_values_outside(detector, X, times, quiet)),
    ]:
        print(line)
    if options.plot is not None:
        draw_events(detector, X, options.plot)


def _describe_rate(detector: AnomalyDetector, options: DetectOptions) -> str:
    """Describe the expected false alarms, and why they are more than requested."""
    if options.contamination is not None:
        return f"--contamination {options.contamination:g} of the points learned from are alarms"
    expected = f"on average at most {format_percent(detector.fpr_)} of normal time points are alarms"
    wanted = options.fpr or FPR
    if detector.fpr_ <= wanted:
        return expected
    n_points = math.ceil(detector.block_length_ * (1 / wanted - 1))
    needed = f"about {n_points:,} time points to learn from"
    return f"{expected}; {format_percent(wanted)} needs {needed}{'' if options.fpr else f' and --fpr {FPR:g}'}"


def _list_values_outside(detector: AnomalyDetector, X: Any, times: Values, quiet: Values) -> list[str]:
    """Return a line for each channel with values without an alarm that lie far outside those of the rows of fit.

    The score of a window is about all its values, so that a few values of one channel may not suffice for an alarm.
    """
    known, own = detector._reference.rows, list_time_columns(detector.estimator_.time)
    lines = []
    for name in [name for name in X.column_names if name not in own]:
        values, fitted = _read_channel(X, name), _read_channel(known, name)
        low, high, margin = np.nanmin(fitted), np.nanmax(fitted), MARGIN * np.ptp(fitted[~np.isnan(fitted)])
        outside = np.flatnonzero(quiet & ((values < low - margin) | (values > high + margin)))
        if len(outside):
            found = _format_range(values[outside].min(), values[outside].max())
            where = f"{pluralize(len(outside), 'point')} from {format_value(times[outside[0]])} on"
            lines.append(f"without an alarm: {name} {found} at {where}, learned from {_format_range(low, high)}")
    return lines


def _explain(X: Any, events: Sequence[Event], during: Sequence[Values], usual: Values, n_events: int) -> list[str]:
    """Return a line for each of the most severe events, with the values of its channels."""
    worst = sorted(range(len(events)), key=lambda i: -events[i].severity)[:n_events]
    return [_explain_event(events[i], X, during[i], usual) for i in worst]


def _explain_event(event: Event, X: Any, during: Values, usual: Values) -> str:
    channels = [_describe_channel(name, _read_channel(X, name), during, usual) for name in event.channels]
    span = f"{format_value(event.start)} .. {format_value(event.end)} ({pluralize(event.n_points, 'point')})"
    return f"{span}, severity {format_number(event.severity)}: {'; '.join(channels) or 'all channels'}"


def _describe_channel(name: Any, values: Values, during: Values, usual: Values) -> str:
    """Return the range of a channel in an event, and that of most points outside all events."""
    inside, outside = (values[points & ~np.isnan(values)] for points in (during, usual))
    if not len(inside):
        return f"{name} missing"
    found = f"{name} {_format_range(inside.min(), inside.max())}"
    return f"{found}, usually {_format_range(*np.quantile(outside, USUAL))}" if len(outside) else found


def _format_range(low: float, high: float) -> str:
    return format_interval(None, float(low), float(high))


def _read_channel(X: Any, name: Any) -> Values:
    column = X.column(name).to_numpy() if isinstance(X, pa.Table) else np.reshape(X, (len(X), -1))[:, name]
    return np.asarray(column, dtype=np.float64)


def _as_table(events: Sequence[Event]) -> pa.Table:
    columns = {name: [getattr(event, name) for event in events] for name in Event._fields}
    columns["channels"] = [", ".join(map(str, channels)) for channels in columns["channels"]]
    return pa.table({name: pa.array(values) for name, values in columns.items()})
