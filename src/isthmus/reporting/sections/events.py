"""The events that a detector finds in a series."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus import plots
from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.events import EXPECTED, Event, merge_spans
from isthmus.anomaly.events import mark_events as mark
from isthmus.data.series.series import read_fitted_series
from isthmus.formatting import format_number, format_percent, format_value, pluralize
from isthmus.plots.events import name_channel
from isthmus.reporting.blocks import Block, Section, Share, Table, Text
from isthmus.reporting.drawing import WIDTH, draw
from isthmus.reporting.intervals import average_blocks, estimate, estimate_share
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show

# Channels that the picture shows, and that a row of the table names; height of a panel in inches.
N_CHANNELS, N_NAMED, HEIGHT = 6, 5, 1.0
MODEL, DEVIATION = "this model", "largest standardized value"
WITHIN = "marked points in labelled events"


@once
def find_events(subject: Subject) -> list[Event]:
    """Return the events that the model finds."""
    return list(subject.model.events(subject.X))


@once
def mark_events(subject: Subject) -> Values:
    """Return which time points are in an event, (n,)."""
    return mark(find_events(subject), read_fitted_series(subject.model.estimator_, subject.X).times)


def show_events(subject: Subject) -> Section | None:
    """Return the series with its events, and a table of the events."""
    model = subject.model
    if not isinstance(model, AnomalyDetector):
        return None
    events, low = find_events(subject), subject.scores < model.offset_
    rate = estimate(average_blocks(low[:, None].astype(float)), subject.seed)[0].as_share()
    n_panels = 1 + min(N_CHANNELS, read_fitted_series(model.estimator_, subject.X).values.shape[0])
    figure = draw(
        lambda ax: plots.events(model, subject.X, n_channels=N_CHANNELS, ax=ax),
        f"The series and its scores, with {pluralize(len(events), 'event')} shaded",
        "Events are shaded. The lowest panel has the score of each time point and the threshold.",
        (WIDTH, HEIGHT * n_panels),
    )
    lead = (
        f"The model finds {pluralize(len(events), 'event')} in {pluralize(len(low), 'time point')}; "
        f"{format_percent(mark_events(subject).mean())} of the points are in events."
    )
    lead = " ".join([lead, *_describe_worst(events)])
    blocks: list[Block] = [figure]
    if events:
        blocks.append(Table.of([_describe(event) for event in events], "Events, in order of time"))
        blocks.append(Text("Severity 1 is as far below the threshold as a typical normal score is above it."))
    if any(map(_is_expected_known, events)):
        blocks.append(Text(f"Expected if normal: {EXPECTED}."))
    blocks.append(
        Text(
            f"The scores of {show(rate)} of the time points are below the threshold; the interval is over blocks of "
            "consecutive points. Points near an event can have low scores, because they are in windows that contain "
            "points of the event."
        )
    )
    values = {
        "n_points": len(low),
        "n_points_in_events": int(mark_events(subject).sum()),
        "n_alarms": int(low.sum()),
        "rate": rate,
        "threshold": float(model.offset_),
        "events": [event._asdict() for event in events],
    }
    return Section("events", "Events", lead, blocks, values, "quality")


def compare_alarms(subject: Subject) -> Section | None:
    """Return how many labelled events are found, beside those that as many of the largest standardized values find."""
    labels = subject.y
    if labels is None or not isinstance(subject.model, AnomalyDetector) or -1 not in labels:
        return None
    marked = mark_events(subject)
    found = {MODEL: marked, DEVIATION: find_largest(subject, int(marked.sum()))}
    records = [{"method": name, **_judge(points, labels)} for name, points in found.items()]
    spans = merge_spans(labels == -1, 0)
    ours, other = (sum(points[start:stop].any() for start, stop in spans) for points in found.values())
    lead = f"Of {pluralize(len(spans), 'labelled event')}, the model finds {ours} and the {DEVIATION} alone {other}."
    within = [record[WITHIN] for record in records]
    if None not in within:
        lead += f" Of the points that they mark, {show(within[0])} and {show(within[1])} are in labelled events."
    text = Text(
        f"The {DEVIATION}: the distance of a channel from its mean in units of its standard deviation, the largest one "
        "of a time point. It marks as many points as the events of the model have. A labelled event is found if one of "
        "its points is marked."
    )
    table = Table.of(records, "Labelled events that are found; 95 % intervals")
    values = {"n_events": len(spans), "methods": records}
    return Section("comparison", "Compared with a simple method", lead, [table, text], values, "quality")


def find_largest(subject: Subject, n: int) -> Values:
    """Return which ``n`` time points have the largest standardized values."""
    estimator = subject.model.estimator_
    series = read_fitted_series(estimator, subject.X)
    known = series if subject.train is None else read_fitted_series(estimator, subject.train)
    mean, deviation = (f(known.values.numpy(), axis=1, keepdims=True) for f in (np.nanmean, np.nanstd))
    sizes = np.abs(series.values.numpy() - mean) / np.where(deviation > 0, deviation, 1.0)
    largest = np.where(np.isnan(sizes), 0.0, sizes).max(0)[np.rint(series.points).astype(int)]
    marked = np.zeros(len(largest), dtype=bool)
    marked[np.argsort(-largest, kind="stable")[:n]] = True
    return marked


def show_time(time: Any) -> str:
    """Return a time as text: a date without a part that is 0, or a number."""
    if isinstance(time, np.datetime64):
        return str(np.datetime_as_string(time, unit="s")).replace("T", " ").removesuffix(":00").removesuffix(" 00:00")
    return f"{time:,}" if isinstance(time, int) else format_value(time)


def _describe_worst(events: Sequence[Event]) -> list[str]:
    """Return a sentence about the most severe event, if there is one."""
    if not events:
        return []
    worst = max(events, key=lambda event: event.severity)
    text = f"The most severe one is at {show_time(worst.peak)} and has severity {format_number(worst.severity)}"
    if _is_expected_known(worst):
        expected = format_value(worst.expected_if_normal, 0, 1)
        text += f"; normal data of this length has on average at most {expected} events as severe"
    return [f"{text}."]


def _is_expected_known(event: Event) -> bool:
    return not np.isnan(event.expected_if_normal)


def _describe(event: Event) -> dict[str, Any]:
    channels = ", ".join(map(name_channel, event.channels[:N_NAMED]))
    n_others = len(event.channels) - N_NAMED
    return {
        "start": show_time(event.start),
        "end": show_time(event.end),
        "peak": show_time(event.peak),
        "points": event.n_points,
        "severity": float(event.severity),
        **({"expected if normal": event.expected_if_normal} if _is_expected_known(event) else {}),
        "channels": channels + (f" and {n_others} more" if n_others > 0 else ""),
    }


def _judge(marked: Values, labels: Values) -> dict[str, Any]:
    spans = merge_spans(labels == -1, 0)
    found = sum(bool(marked[start:stop].any()) for start, stop in spans)
    known = marked & (labels != 0)
    return {
        "labelled events found": estimate_share(found, len(spans)),
        WITHIN: Share((labels[known] == -1).mean()) if known.any() else None,
    }
