"""Series of one or more channels, read from arrays and data frames and resampled to regular time steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import torch
from torch import Tensor

from isthmus.containers import open_frame, select_columns
from isthmus.data.arrays import Array
from isthmus.data.series.times import Times, list_time_columns, read_times, select_time_columns
from isthmus.data.sources import NUMBERS, as_source
from isthmus.data.tables.frames import is_frame
from isthmus.formatting import pluralize
from isthmus.part import did_you_mean

Values = np.ndarray[Any, Any]

# Largest distance of a time from the regular grid, as a fraction of a step.
TOLERANCE = 0.01
# Number of steps between two known points from which values between them are missing instead of interpolated.
GAP = 2.0
# Largest number of steps per known point: with more, the series consists mostly of gaps.
MAX_STEPS_PER_POINT = 10


@dataclass(frozen=True)
class Series:
    """Values at regular time steps, and the positions of the original points on them.

    Parameters
    ----------
    values : Tensor of shape (n_channels, n_steps)
        NaN in gaps and where values are missing.
    channels : tuple of str
        Names of the columns; empty for arrays.
    times : ndarray of shape (n_points,)
        Original times of the points: dates, numbers, or positions in an array.
    points : ndarray of shape (n_points,)
        Position of each point in steps from the first.
    step : float or None
        Time between two steps, nanoseconds for dates; None for arrays.
    note : str
        Description of the resampling, for messages.
    """

    values: Tensor
    channels: tuple[str, ...]
    times: Values
    points: Values
    step: float | None = None
    note: str = ""

    @property
    def extent(self) -> str:
        """The number of points, and the number of steps if there are fewer, for messages."""
        n, n_steps = len(self.points), self.values.shape[1]
        steps = (
            f" on {n_steps} steps of {_format_duration(self.step, self.times.dtype.kind == 'M')}" if self.step else ""
        )
        return f"{pluralize(n, 'time point')}{steps if n_steps < n else ''}"


def read_series(
    X: Any, time: str | Sequence[str] | None = None, step: float | None = None, channels: Sequence[str] = ()
) -> Series:
    """Read a series of numbers.

    Parameters
    ----------
    X : array, tensor, column or data frame of shape (n_points,) or (n_points, n_channels)
    time : str, sequence of str or None
        The column of a data frame that holds the times, or columns that hold parts of dates, such as year, month, day
        and hour; None takes the index of pandas where it holds dates, and even steps otherwise.
    step : float or None
        Time between two steps; None is the median difference of times.
    channels : sequence of str
        Columns of a data frame to read, in this order; all if empty.

    Raises
    ------
    ValueError
        If the values are not numbers or not finite, or times are missing, duplicated or out of order.
    """
    X, columns = _split_times(X, list_time_columns(time), channels)
    source = as_source(X, NUMBERS)
    if not (isinstance(source, Array) and isinstance(source.values, Tensor) and source.values.ndim == 2):
        shape = (len(source), *source.schema.shape)
        raise ValueError(f"a series is a dense array of shape (time,) or (time, channels), got {shape}")
    values, names = _to_floats(source.values), tuple(map(str, source.schema.names))
    _check_finite(values, names)
    if not columns:
        points = np.arange(len(values))
        return Series(values.T.contiguous(), names, points, points)
    clock = read_times(columns)
    return _resample(values.numpy(), names, clock, step or float(np.median(np.diff(clock.elapsed))))


def read_fitted_series(estimator: Any, X: Any) -> Series:
    """Read a series with the time columns and channels of a fitted estimator."""
    channels = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    return read_series(X, getattr(estimator, "time", None), channels=channels)


def _split_times(X: Any, names: Sequence[str], channels: Sequence[str]) -> tuple[Any, list[Any]]:
    """Split a series into its values and the narwhals columns of its times, if any."""
    if nw.dependencies.is_into_series(X):
        X = nw.from_native(X, series_only=True).to_frame().to_native()
    if not is_frame(X):
        if names:
            raise ValueError(f"time={', '.join(names)!r} names a column of a data frame, got {type(X).__name__}")
        return (X if np.ndim(X) != 1 else np.asarray(X)[:, None]), []
    frame = open_frame(X)
    columns = select_time_columns(frame, names) or _read_date_index(frame)
    return _convert_empty_channels(_select_channels(frame.drop(names), channels)).to_native(), columns


def _select_channels(frame: Any, channels: Sequence[str]) -> Any:
    if not channels:
        return frame
    own = {str(name): name for name in frame.columns}
    lacking = [name for name in channels if name not in own]
    if lacking:
        found = f"channels {[*own]}, but the first one had channels {[*channels]}"
        raise ValueError(f"the series has {found}{did_you_mean(lacking[0], own)}")
    return select_columns(frame, [own[name] for name in channels])


def _read_date_index(frame: Any) -> list[Any]:
    index: Any = nw.maybe_get_index(frame)
    dated = type(index).__name__ == "DatetimeIndex"
    return [nw.from_native(index.to_series(), series_only=True).alias("index")] if dated else []


def _convert_empty_channels(frame: Any) -> Any:
    """Convert columns without any value, whose dtype is arbitrary, to columns of missing numbers."""
    dead = [c.name for c in frame.iter_columns() if not c.dtype.is_numeric() and c.is_null().all()]
    return frame.with_columns(nw.lit(np.nan).alias(name) for name in dead) if dead else frame


def _to_floats(values: Tensor) -> Tensor:
    wide = values.dtype in (torch.int32, torch.int64, torch.float64)
    return values.to(torch.float64 if wide else torch.float32)


def _check_finite(values: Tensor, channels: tuple[str, ...]) -> None:
    infinite = values.isinf().nonzero()
    if len(infinite):
        point, channel = infinite[0].tolist()
        name = repr(channels[channel]) if channels else channel
        raise ValueError(
            f"channel {name} holds an infinite value at time point {point}; expected finite numbers, or NaN for missing"
        )


def _resample(values: Values, channels: tuple[str, ...], clock: Times, step: float) -> Series:
    """Interpolate points (n_points, n_channels) at regular steps."""
    points = clock.elapsed / step
    nearest = np.round(points)
    on_grid = bool((np.abs(points - nearest) <= TOLERANCE).all())
    points = nearest if on_grid else points
    n_steps, each = int(points[-1]) + 1, _format_duration(step, clock.is_date)
    if n_steps > MAX_STEPS_PER_POINT * len(points):
        raise ValueError(
            f"{len(points)} time points lie on {n_steps} steps of {each}: the series is mostly gaps; "
            "cut it where it pauses, or bring it to even steps"
        )
    known, note = _find_covered_steps(points, n_steps), ""
    if not on_grid:
        note = f"time points are uneven: resampled to steps of {each} by linear interpolation"
    if not known.all():
        note += f"{'; ' if note else ''}{n_steps - int(known.sum())} of {n_steps} steps of {each} lie in gaps"
    even = np.where(known, interpolate(np.arange(n_steps), points, values).T, np.nan).astype(values.dtype)
    return Series(torch.from_numpy(np.ascontiguousarray(even)), channels, clock.times, points, step, note)


def _format_duration(step: float, is_date: bool) -> str:
    return f"{step / 1e9:g} s" if is_date else f"{step:g}"


def _find_covered_steps(points: Values, n_steps: int) -> Values:
    """Return which steps are next to a point, or between two points without a gap."""
    steps = np.arange(n_steps)
    after = np.searchsorted(points, steps).clip(1, len(points) - 1)
    left, right = points[after - 1], points[after]
    return (right - left < GAP) | (np.minimum(steps - left, right - steps) <= TOLERANCE)


def interpolate(at: Values, points: Values, values: Values) -> Values:
    """Interpolate values (n_points,) or (n_points, n_channels) linearly between points."""
    if values.ndim == 1:
        return np.interp(at, points, values)
    return np.column_stack([np.interp(at, points, channel) for channel in values.T])
