"""A series with the scores of its time points and the events of a detector."""

from typing import Any

import numpy as np

from isthmus.data import Windows
from isthmus.data.series.series import Series, interpolate, read_fitted_series
from isthmus.errors import InputTypeError
from isthmus.plots.style import PALETTE, Axes, new_axes

Values = np.ndarray[Any, Any]

# Height of a panel in inches, and the blank share of it.
HEIGHT, BLANK = 1.3, 0.15
# Smallest width of an event as a share of the plot, so that single points of long series are visible.
MIN_WIDTH = 0.002
# Width of the label of a date in inches.
TICK = 0.7
# Largest number of events with numbers, which would overlap otherwise, and distance of a title above them in points.
N_NUMBERED, PAD = 10, 14


def events(
    model: Any,
    X: Any,
    *,
    n_channels: int = 6,
    n_events: int | None = None,
    gap: int | None = None,
    min_length: int = 1,
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot a series with its events: the most anomalous channels, and below the scores with the threshold.

    Numbers above the shaded events are their positions in order of time, from 1; the most severe ones have numbers.

    Parameters
    ----------
    model : AnomalyDetector
        Fitted to a series.
    X : Windows, or array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
        As in ``AnomalyDetector.score_samples``.
    n_channels : int, default=6
        Largest number of channels to show, the most anomalous channels of the most severe events first.
    n_events : int or None, default=None
        Largest number of events to show, the most severe first; None shows all.
    gap : int or None, default=None
        See ``AnomalyDetector.events``.
    min_length : int, default=1
        See ``AnomalyDetector.events``.
    ax : Axes or None, default=None
        Axes within which the panels are drawn, as its ``child_axes``.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    TypeError
        If the model has no ``events``.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from isthmus import AnomalyDetector, SlidingWindows
    >>> from isthmus.plots import events
    >>> series = np.sin(np.arange(600) / 5)
    >>> detector = AnomalyDetector(SlidingWindows(lengths=(16,), random_state=0), fpr=0.05).fit(series)
    >>> broken = series.copy()
    >>> broken[300:320] = 0
    >>> ax = events(detector, broken, ax=Figure().subplots())
    >>> [panel.get_ylabel() for panel in ax.child_axes]
    ['channel 0', 'score']
    """
    if not callable(getattr(model, "events", None)):
        raise InputTypeError(f"events needs an AnomalyDetector that is fitted to a series, got {type(model).__name__}")
    every = model.events(X, gap=gap, min_length=min_length)
    by_severity = sorted(every, key=lambda event: -event.severity)[:n_events]
    found = [event for event in every if event in by_severity]
    series = X.series if isinstance(X, Windows) else read_fitted_series(model.estimator_, X)
    scores = model.score_samples(X)
    scores = X.spread(scores) if isinstance(X, Windows) else scores
    names: list[Any] = [*series.channels] or [*range(len(series.values))]
    shown = _sort_channels(found, names)[:n_channels]
    curves = {name_channel(name): _resample_to_points(series, names.index(name)) for name in shown} | {"score": scores}
    ax = new_axes(ax, 8.0, HEIGHT * len(curves))
    panels = _panels(ax, list(curves))
    for panel, curve in zip(panels, curves.values(), strict=True):
        panel.plot(series.times, curve, color=PALETTE[0], linewidth=0.8)
        _shade(panel, found, series.times)
    numbers = {event: number for number, event in enumerate(found, 1)}
    _number_events(panels[0], {numbers[event]: event for event in by_severity[:N_NUMBERED]})
    if len(shown) < len(names):
        why = ", those of the most severe events" if found else ""
        panels[0].set_title(f"{len(shown)} of {len(names)} channels{why}", loc="left", fontsize="small", pad=PAD)
    lowest = panels[-1]
    _mark_times(lowest, series.times)
    lowest.axhline(model.offset_, color=PALETTE[1], linestyle="--", linewidth=0.8)
    lowest.set_title(f"threshold {model.offset_:.3g}", loc="right", fontsize="small", color=PALETTE[1], pad=2)
    return ax


def name_channel(channel: Any) -> str:
    """Return the name of a channel, or its number with the word if it has no name."""
    return f"channel {channel}" if isinstance(channel, int | np.integer) else str(channel)


def _sort_channels(found: list[Any], names: list[Any]) -> list[Any]:
    """Sort channels by the total severity of the events in which they are anomalous."""
    weights = dict.fromkeys(names, 0.0)
    for event in found:
        for channel in event.channels:
            weights[channel] += event.severity
    return sorted(names, key=lambda name: -weights[name])


def _resample_to_points(series: Series, channel: int) -> Values:
    """Return a channel at the given time points."""
    values = series.values[channel].double().numpy()
    return interpolate(series.points, np.arange(len(values)), values)


def _panels(ax: "Axes", names: list[str]) -> list["Axes"]:
    """Stack one panel per name, with a common time axis at the bottom."""
    ax.set_axis_off()
    share = 1 / len(names)
    panels: list[Axes] = []
    for i, name in enumerate(reversed(names)):
        room = (0.0, i * share, 1.0, (1 - BLANK) * share)
        panel = ax.inset_axes(room, sharex=panels[0] if i else None)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_ylabel(name)
        panel.tick_params(labelbottom=not i)
        panels.append(panel)
    ax.child_axes.reverse()
    return panels[::-1]


def _mark_times(panel: "Axes", times: Values) -> None:
    width = panel.get_window_extent().width / panel.figure.get_dpi()
    from matplotlib import dates

    if times.dtype.kind == "M":
        untyped: Any = dates
        # More ticks than a narrow figure has room for would overlap.
        locator = untyped.AutoDateLocator(minticks=2, maxticks=max(2, int(width / TICK)))
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator))
    elif np.array_equal(times, np.arange(len(times))):
        panel.set_xlabel("time point")


def _number_events(panel: "Axes", events: dict[int, Any]) -> None:
    """Write the numbers of events above them."""
    for number, event in events.items():
        middle = event.start + (event.end - event.start) / 2
        above = (0, 2)
        panel.annotate(
            str(number),
            (middle, 1),
            above,
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize="small",
            color=PALETTE[1],
        )


def _shade(panel: "Axes", found: list[Any], times: Values) -> None:
    """Shade events, each from half a step before its first point to half a step after its last."""
    low, high = times[0], times[-1]
    half = max(np.median(np.diff(times)) / 2, (high - low) * MIN_WIDTH / 2)
    for event in found:
        panel.axvspan(event.start - half, event.end + half, color=PALETTE[1], alpha=0.25, linewidth=0)
