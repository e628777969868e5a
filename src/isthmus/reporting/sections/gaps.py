"""An imputer of series: stretches of known values are hidden and filled."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from isthmus.data.series.series import read_fitted_series
from isthmus.data.tables.frames import is_frame
from isthmus.data.tables.native_dtypes import make_column_like
from isthmus.formatting import pluralize
from isthmus.reporting.blocks import Block, Figure, Interval, Section, Table, Text
from isthmus.reporting.drawing import ACCENT, INK, MUTED, WIDTH, draw
from isthmus.reporting.sections.comparison import (
    MODEL,
    NAMES,
    Judgement,
    describe_difference,
    draw_methods,
    judge_errors,
    list_methods,
    summarize_methods,
)
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE, LAST = "linear interpolation", "last known value"
MEASURE = "Error in hidden stretches"
# Steps between hidden stretches, in windows of the model; pictures; and context on both sides, in lengths of a stretch.
DISTANCE, N_PICTURES, CONTEXT = 2, 3, 1.5
# Smallest number of stretches of a length for an interval of its own.
MIN_GAPS = 10


@dataclass(frozen=True)
class Gap:
    """A hidden stretch of one channel.

    Parameters
    ----------
    channel, start, stop : int
    errors : mapping of str to float
        Sum of squared errors in units of the variance of the channel, by method.
    """

    channel: int
    start: int
    stop: int
    errors: dict[str, float]

    @property
    def size(self) -> int:
        """Number of hidden points."""
        return self.stop - self.start


@dataclass(frozen=True)
class Trial:
    """Values of a series (n_points, n_channels), what methods fill in, and the hidden stretches."""

    names: list[str]
    truth: Values
    filled: dict[str, Values]
    gaps: list[Gap]


@once
def fill_hidden(subject: Subject) -> Trial | None:
    """Hide stretches and fill them; None for arrays of many series, or if no stretch of known values is long enough."""
    X, model = subject.X, subject.model
    if not is_frame(X) and np.ndim(X) == 3:
        return None
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    truth = _read_points(X, names)
    hidden = [*choose_stretches(np.isnan(truth), DISTANCE * model.length_, subject.seed)]
    if not hidden:
        return None
    shown = truth.copy()
    for channel, start, stop in hidden:
        shown[start:stop, channel] = np.nan
    points = read_fitted_series(model, X).points
    filled = {MODEL: _read_points(model.impute(_write_points(X, shown, names)), names)}
    filled |= {LINE: interpolate_linearly(shown, points), LAST: carry_forward(shown)}
    variance = np.nanvar(truth, axis=0)
    gaps = [_measure(truth, filled, np.where(variance > 0, variance, 1.0), *place) for place in hidden]
    return Trial(names or [str(i) for i in range(truth.shape[1])], truth, filled, gaps)


def compare_fillings(subject: Subject) -> Section | None:
    """Return the errors in hidden stretches of the model and of simple methods, by length, with pictures."""
    trial = fill_hidden(subject)
    if trial is None:
        return None
    judgement = judge_gaps(trial.gaps, subject.seed)
    names = {name: NAMES.get(name, name) for name in judgement.means}
    sizes = [*_compare_sizes(trial.gaps, subject.seed)]
    blocks: list[Block] = [
        draw_methods(judgement, names, MEASURE),
        list_methods(judgement, names, f"{MEASURE}: mean squared error in units of the variance; 95 % intervals"),
        *([Table.of(sizes, "By length of the stretch")] if sizes else []),
        Text(
            f"Known values were hidden in {pluralize(len(trial.gaps), 'place')}, chosen at random. "
            "Some of them, with a large, a middle and a small error of the model:"
        ),
        *_draw_examples(trial),
    ]
    values = {
        "n_gaps": len(trial.gaps),
        "errors": judgement.means,
        "relative_differences": judgement.differences,
        "by_length": sizes,
        "gaps": [vars(gap) for gap in trial.gaps],
    }
    lead = summarize_methods(judgement, names, MEASURE)
    return Section("comparison", "Hidden stretches, filled", lead, blocks, values, "quality")


def choose_stretches(missing: Values, distance: int, seed: int) -> Iterator[tuple[int, int, int]]:
    """Yield channel, start and stop of stretches without missing values, one per block of time.

    Parameters
    ----------
    missing : ndarray of shape (n_points, n_channels)
    distance : int
        Points of a block. The length of a stretch is at most a quarter of it, and its logarithm is uniform.
    seed : int
    """
    generator = np.random.default_rng(seed)
    for first in range(0, len(missing) - distance + 1, distance):
        size = int(np.exp(generator.uniform(0, np.log(distance / 4 + 1))))
        start, channel = first + int(generator.integers(1, distance - size)), int(generator.integers(missing.shape[1]))
        if not missing[start - 1 : start + size + 1, channel].any():
            yield channel, start, start + size


def interpolate_linearly(values: Values, points: Values) -> Values:
    """Interpolate missing values (n_points, n_channels) over time."""
    filled = values.copy()
    for column in filled.T:
        missing = np.isnan(column)
        column[missing] = np.interp(points[missing], points[~missing], column[~missing])
    return filled


def carry_forward(values: Values) -> Values:
    """Replace missing values (n_points, n_channels) by the last known value of the channel."""
    rows = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.asarray(np.take_along_axis(values, np.maximum.accumulate(rows, axis=0), axis=0))


def judge_gaps(gaps: list[Gap], seed: int) -> Judgement:
    """Return errors per hidden value of each method, with intervals over stretches."""
    sums = {name: np.array([gap.errors[name] for gap in gaps]) for name in gaps[0].errors}
    return judge_errors(sums, np.array([gap.size for gap in gaps]), seed)


def _measure(truth: Values, filled: dict[str, Values], variance: Values, channel: int, start: int, stop: int) -> Gap:
    expected = truth[start:stop, channel]
    errors = {
        name: float(np.square(values[start:stop, channel] - expected).sum() / variance[channel])
        for name, values in filled.items()
    }
    return Gap(channel, start, stop, errors)


def _compare_sizes(gaps: list[Gap], seed: int) -> Iterator[dict[str, Any]]:
    """Yield a record for stretches of 1 point, 2 to 3 points, 4 to 7 points, and so on."""
    exponents = np.array([gap.size.bit_length() - 1 for gap in gaps])
    for exponent in np.unique(exponents).tolist():
        some = [gap for gap, each in zip(gaps, exponents, strict=True) if each == exponent]
        if len(some) < MIN_GAPS:
            continue
        judgement = judge_gaps(some, seed)
        low, high = 2**exponent, 2 ** (exponent + 1) - 1
        yield {
            "points": str(low) if low == high else f"{low} to {high}",
            "stretches": len(some),
            **{NAMES.get(name, name): _value(mean) for name, mean in judgement.means.items() if name != LAST},
            "model, relative to linear interpolation": describe_difference(judgement.differences[LINE]),
        }


def _value(interval: Interval) -> float:
    return interval.value


def _draw_examples(trial: Trial) -> list[Figure]:
    """Draw stretches at the 90 %, 50 % and 10 % quantile of the error among the longer half."""
    longer = sorted(trial.gaps, key=lambda gap: -gap.size)[: max(N_PICTURES, len(trial.gaps) // 4)]
    ordered = sorted(longer, key=lambda gap: -gap.errors[MODEL] / gap.size)
    chosen = dict.fromkeys(int(share * (len(ordered) - 1)) for share in (0.1, 0.5, 0.9))
    return [_draw_gap(trial, ordered[i], with_legend=not place) for place, i in enumerate(chosen)]


def _draw_gap(trial: Trial, gap: Gap, with_legend: bool) -> Figure:
    margin = max(8, int(CONTEXT * gap.size))
    first, last = max(0, gap.start - margin), min(len(trial.truth), gap.stop + margin)
    inside, around = np.arange(gap.start - 1, min(last, gap.stop + 1)), np.arange(first, last)
    name, is_hidden = trial.names[gap.channel], (inside >= gap.start) & (inside < gap.stop)

    def paint(ax: "Axes") -> None:
        ax.axvspan(gap.start - 0.5, gap.stop - 0.5, color=MUTED, alpha=0.12, linewidth=0)
        ax.plot(around, trial.truth[around, gap.channel], color=INK, linewidth=1, label="true values")
        for method, colour, style in ((LINE, MUTED, "--"), (MODEL, ACCENT, "-")):
            curve = np.where(is_hidden, trial.filled[method][inside, gap.channel], trial.truth[inside, gap.channel])
            ax.plot(inside, curve, color=colour, linestyle=style, linewidth=1.6, label=NAMES.get(method, method))
        ax.set_ylabel(name)
        if with_legend:
            ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9, handlelength=1.5)

    errors = ", ".join(f"{NAMES.get(m, m)} {show(gap.errors[m] / gap.size)}" for m in (MODEL, LINE))
    alt = f"Channel {name}: {gap.size} hidden points from point {gap.start}, filled; errors: {errors}"
    return draw(paint, alt, f"{gap.size} hidden points from point {gap.start:,}. Errors: {errors}.", (WIDTH, 1.6))


def _read_points(X: Any, names: list[str]) -> Values:
    """Return values (n_points, n_channels) of a series."""
    if is_frame(X):
        frame = nw.from_native(X, eager_only=True)
        own = {str(name): name for name in frame.columns}
        return np.column_stack([frame.get_column(own[name]).to_numpy().astype(float) for name in names])
    values = np.asarray(X, dtype=float)
    return values[:, None] if values.ndim == 1 else values


def _write_points(X: Any, values: Values, names: list[str]) -> Any:
    """Return values (n_points, n_channels) in a container like ``X``."""
    if not is_frame(X):
        return values.reshape(np.shape(X))
    frame = nw.from_native(X, eager_only=True)
    own = {str(name): frame.get_column(name) for name in frame.columns}
    columns = [
        make_column_like(own[name].cast(nw.Float64), column) for name, column in zip(names, values.T, strict=True)
    ]
    return frame.with_columns(*columns).to_native()
