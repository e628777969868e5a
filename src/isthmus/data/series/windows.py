"""Windows of a series as overlapping samples, without copies."""

import warnings
from collections.abc import Iterable, Sequence
from copy import copy
from hashlib import blake2b
from typing import Any, Self

import numpy as np
import torch

from isthmus.containers import open_frame
from isthmus.data.arrays import Array, ArraySource
from isthmus.data.new_rows import warn_ignored_columns
from isthmus.data.series.seasonality import choose_window_length
from isthmus.data.series.series import Series, interpolate, read_series
from isthmus.data.series.times import list_time_columns
from isthmus.data.tables.frames import is_frame
from isthmus.data.validation import check_cells, compute_statistics
from isthmus.part import is_count
from isthmus.schema import Field, Schema

Values = np.ndarray[Any, Any]


class Windows(ArraySource):
    """Windows of a series, each of which is a sample (n_channels, length).

    All steps of a channel have one unit. Overlapping windows share values, so held-out windows are blocks of time, and
    windows that overlap a block are left out on either side of it. Steps in gaps are missing values. Irregular times
    are resampled to their median step, with a warning.

    Parameters
    ----------
    series : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
        Values in order of time; NaN means missing.
    length : int or "auto", default="auto"
        Number of steps of a window. "auto" is the period, which is the first strong peak of the autocorrelation [1],
        from 8 steps to a quarter of the series; 64 without a period.
    stride : int, default=1
        Number of steps from one window to the next. The last window always ends with the series.
    time : str, tuple of str or None, default=None
        The column of a data frame that holds the times, dates or numbers, or columns that hold parts of dates, such as
        ``("year", "month", "day", "hour")`` or a date and a time of day. None uses an index of pandas with dates, and
        regular steps otherwise.

    Attributes
    ----------
    length : int
    channels : tuple of str
        Names of the columns; empty for arrays.
    times : ndarray of shape (n_timepoints,)
    constant : list of int
        Channels with at most one different value.
    note : str
        Description of the resampling, for messages.

    Raises
    ------
    ValueError
        If the series is shorter than a window, values are not finite numbers, or times are missing, duplicated or not
        ascending.

    References
    ----------
    [1] Box, Jenkins, Reinsel and Ljung, Time series analysis, 5th edition, 2015, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.data import Windows
    >>> windows = Windows(np.sin(np.arange(1000) * 2 * np.pi / 50))
    >>> len(windows), windows.schema.shape
    (951, (1, 50))
    >>> windows.spread(np.ones(951)).shape
    (1000,)
    """

    def __init__(
        self, series: Any, length: int | str = "auto", stride: int = 1, time: str | Sequence[str] | None = None
    ) -> None:
        if not (length == "auto" or is_count(length)):
            raise ValueError(f'length must be "auto" or a positive integer, got {length!r}')
        if not is_count(stride):
            raise ValueError(f"stride must be a positive integer, got {stride!r}")
        read = read_series(series, time)
        self.length = choose_window_length(read.values.numpy()) if isinstance(length, str) else int(length)
        self.stride, self.time = int(stride), time
        self._cut(read)
        _warn_of_resampling(read)

    @classmethod
    def of(cls, series: Series, length: int, stride: int, time: str | Sequence[str] | None) -> Self:
        """Make windows of a series that has been read.

        Parameters
        ----------
        series : Series
            The series.
        length, stride : int
            Number of steps of a window, and from one window to the next.
        time : str, tuple of str or None
            Columns of times, which ``like`` reads from other series.

        Returns
        -------
        Windows
            The windows.
        """
        windows = cls.__new__(cls)
        windows.length, windows.stride, windows.time = length, stride, time
        windows._cut(series)
        return windows

    def like(self, series: Any) -> Self:
        """Make windows of another series with the same channels, such as the one to score.

        Columns of data frames are selected by name; columns that the first series does not have are ignored, with a
        warning.

        Parameters
        ----------
        series : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            The other series.

        Returns
        -------
        Windows
            Windows of the same length and stride.

        Raises
        ------
        ValueError
            If its channels differ from those of the first series.
        """
        read, twin = read_series(series, self.time, self.series.step, self.channels), copy(self)
        if (len(read.values), read.channels) != (len(self.series.values), self.channels):
            found, expected = (
                f"channels {list(s.channels)}" if s.channels else f"{len(s.values)} channels without names"
                for s in (read, self.series)
            )
            raise ValueError(f"the series has {found}, but the first one had {expected}")
        twin._cut(read)
        _warn_of_resampling(read)
        if self.channels and is_frame(series):
            known = {*self.channels, *list_time_columns(self.time)}
            warn_ignored_columns([name for name in open_frame(series).columns if str(name) not in known], stacklevel=3)
        return twin

    def cut(self, length: int) -> Self:
        """Make windows of another length of the same series.

        Parameters
        ----------
        length : int
            Number of steps of a window.

        Returns
        -------
        Windows
            The windows, with the same stride.
        """
        twin = copy(self)
        twin.length = length
        twin._cut(self.series)
        return twin

    def _cut(self, series: Series) -> None:
        last = series.values.shape[1] - self.length
        if last < 0:
            raise ValueError(
                f"the series has {series.extent}, fewer than the length={self.length} of a window: add earlier ones, "
                "or fit with shorter windows"
            )
        starts = torch.arange(0, last + self.stride, self.stride, device="cpu").clamp(max=last)
        views = series.values.unfold(1, self.length, 1).movedim(1, 0)
        self.schema = Schema(tuple(views.shape[1:]), dtype=str(views.dtype)[6:], shared_axes=(1,))
        self.series, self._rows = series, Array(views, self.schema, rows=starts)
        self.channels, self.times, self.note = series.channels, series.times, series.note

    @property
    def fingerprint(self) -> str:
        """A hash of the values and channels of the series, by which the series of fit is recognised."""
        content = blake2b(self.series.values.contiguous().numpy().tobytes(), digest_size=16)
        content.update(repr(self.channels).encode())
        return content.hexdigest()

    @property
    def n_steps(self) -> int:
        """Number of steps of the series."""
        return self.series.values.shape[1]

    @property
    def n_missing(self) -> Values:
        """Number of missing steps of each channel, (n_channels,)."""
        return self.series.values.isnan().sum(1).numpy()

    @property
    def constant(self) -> list[int]:
        """Channels with at most one different value."""
        spans = self.series.values.nan_to_num(torch.inf).amin(1) < self.series.values.nan_to_num(-torch.inf).amax(1)
        return [i for i, varies in enumerate(spans.tolist()) if not varies]

    @property
    def starts(self) -> Values:
        """The first step of each window."""
        rows = self._rows.rows
        assert rows is not None
        return rows.numpy()

    def blocks(self, n: int, seed: int) -> list[Values]:
        """Split the positions of all windows into ``n`` blocks of time; the seed is not used."""
        return np.array_split(np.argsort(self.starts), n)

    def disjoint_from(self, index: Values) -> Values:
        """Return the positions of the windows that overlap none of the given windows."""
        starts, given = self.starts, np.sort(self.starts[index])
        first, last = (
            np.searchsorted(given, starts - self.length, "right"),
            np.searchsorted(given, starts + self.length),
        )
        return np.flatnonzero(first == last)

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Split off the last ``n`` windows, because models are used on later data than those of fit."""
        held_out = np.argsort(self.starts)[len(self) - n :]
        return self.take(self.disjoint_from(held_out)), self.take(held_out)

    def spread(self, values: Any) -> Values:
        """Average values of windows at each time point.

        Points outside all windows, which exist if the stride is longer than a window, are interpolated linearly.

        Parameters
        ----------
        values : array of shape (n_windows,), (n_windows, length) or (n_windows, n_channels, length)
            Values of windows, or of each step of each window.

        Returns
        -------
        ndarray of shape (n_timepoints,) or (n_timepoints, n_channels)
            The means.
        """
        values = np.asarray(values)
        n, shape = len(self), (len(self), *self.schema.shape)
        if values.shape not in ((n,), (n, self.length), shape):
            raise ValueError(f"values must be of shape {(n,)}, {(n, self.length)} or {shape}, got {values.shape}")
        steps = np.broadcast_to(values[:, None], (n, self.length)) if values.ndim == 1 else values
        return self.spread_chunks([(self, steps)], steps.shape[1:-1])

    def spread_chunks(self, chunks: Iterable[tuple["Windows", Values]], shape: tuple[int, ...]) -> Values:
        """Average values at each time point as ``spread`` does, without values of all windows in memory.

        Parameters
        ----------
        chunks : iterable of (Windows, array of shape (n_windows, ``*shape``, length))
            Windows of this series, and values of each of their steps.
        shape : tuple of int
            Shape of the values of one step: () or (n_channels,).

        Returns
        -------
        ndarray of shape (n_timepoints, ``*shape``)
            The means.
        """
        sums, counts = np.zeros((self.n_steps, *shape)), np.zeros(self.n_steps)
        for windows, steps in chunks:
            for offset in range(self.length):
                sums[windows.starts + offset] += steps[..., offset]
                counts[windows.starts + offset] += 1
        covered = np.flatnonzero(counts)
        return interpolate(self.series.points, covered, (sums[covered].T / counts[covered]).T)


def _warn_of_resampling(series: Series) -> None:
    if series.note:
        warnings.warn(series.note, stacklevel=3)


def check_channels(windows: Windows) -> None:
    """Raise a ValueError if a channel has no value, or if a value is too far from all others to learn from both."""
    empty = np.flatnonzero(windows.n_missing == windows.n_steps)
    if len(empty):
        name = repr(windows.channels[empty[0]]) if windows.channels else empty[0]
        raise ValueError(f"channel {name} has no value in the training series; leave it out")
    values = windows.series.values.T
    dtype = str(values.dtype)[6:]
    fields = tuple(Field(name, dtype) for name in windows.channels)
    points = Array(values, Schema((values.shape[1],), dtype=dtype, fields=fields))
    check_cells(points, compute_statistics(points))
