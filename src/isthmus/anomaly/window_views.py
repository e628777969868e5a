"""Windows as the nets look at them: their values, or their shape alone; long ones coarsely."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.data import Batch, Source, Windows
from isthmus.data.base import WHOLE, Shard
from isthmus.data.validation import compute_statistics
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

KINDS = ("values", "shape")
# Steps that a net sees of a window: longer ones are averaged over a few steps at a time.
MAX_STEPS = 128
# The most values of a window, all channels together, that small nets can rebuild, and its fewest steps.
MAX_VALUES, SHORTEST = 1024, 4
# Share of a channel's deviation below which the fluctuation within a window is taken for noise, not for its shape.
NOISE = 0.1


@dataclass(frozen=True)
class View(Source):
    """Windows, averaged to few steps, with or without their own level and scale.

    Parameters
    ----------
    windows : Windows
    kind : {"values", "shape"}
        "shape" takes each channel's mean over the window off and divides by its deviation in the window.
    noise : Tensor of shape (n_channels, 1)
        Deviation that is added, so that noise in quiet windows is not blown up to a shape.
    mean : Tensor of shape (n_channels, 1)
        Of the values of the training series.
    """

    windows: Windows
    kind: str
    noise: Tensor
    mean: Tensor

    @classmethod
    def of(cls, windows: Windows, kind: str) -> "View":
        """Look at the windows of a training series."""
        statistics = compute_statistics(windows)
        deviation = statistics.deviation[:, :1]
        return cls(
            windows,
            kind,
            NOISE * deviation.masked_fill(deviation == 0, 1.0),
            statistics.mean[:, :1].clone(memory_format=torch.contiguous_format),
        )

    def like(self, windows: Windows) -> "View":
        """Look at the windows of another series the same way."""
        return replace(self, windows=windows.cut(self.windows.length))

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """What one window looks like."""
        n_channels, length = self.windows.schema.shape
        return replace(self.windows.schema, shape=(n_channels, length // pace(length)))

    def __len__(self) -> int:
        return len(self.windows)

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Hand over windows; see the base class."""
        return (batch._replace(x=self.look(batch.x)) for batch in self.coarse_batches(size, seed, shard))

    def coarse_batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Hand over windows of few steps, in their own units."""
        return (batch._replace(x=coarse(batch.x)) for batch in self.windows.batches(size, seed, shard))

    def look(self, x: Tensor) -> Tensor:
        """Turn windows of few steps (n, n_channels, length) into what the nets see."""
        if self.kind == "values":
            return x
        level, scale = self._level_and_scale(x)
        return (x - level) / scale

    def look_back(self, seen: Tensor, x: Tensor) -> Tensor:
        """Turn what nets make of windows into values of windows whose level and scale are those of ``x``."""
        if self.kind == "values":
            return seen
        level, scale = self._level_and_scale(x)
        return seen * scale + level

    def _level_and_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        level = mean_of_known(x, keepdim=True)
        variance = mean_of_known((x - level).square(), keepdim=True)
        return level, (variance + self.noise.to(x.dtype).square()).sqrt()

    def typical(self, x: Tensor) -> Tensor:
        """Return what may stand for missing values at first: the mean of the series, or of the window for its shape."""
        mean = self.mean.to(x.dtype).expand(len(x), -1, -1)
        level = mean if self.kind == "values" else mean_of_known(x, keepdim=True)
        return torch.where(level.isnan(), mean, level)

    def take(self, index: Values) -> Self:
        """Choose windows; see the base class."""
        return replace(self, windows=self.windows.take(index))

    def blocks(self, n: int, seed: int) -> list[Values]:
        """Cut into blocks of time; see the base class."""
        return self.windows.blocks(n, seed)

    def disjoint_from(self, index: Values) -> Values:
        """Find the windows that overlap none of those given; see the base class."""
        return self.windows.disjoint_from(index)

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Set the last windows aside; see the base class."""
        kept, aside = self.windows.split(n, seed)
        return replace(self, windows=kept), replace(self, windows=aside)

    def to_container(self, values: Values) -> Values:
        """Return values of windows as they are."""
        return values


def coarse(x: Tensor) -> Tensor:
    """Average windows over a few steps at a time."""
    step = pace(x.shape[-1])
    return x if step == 1 else mean_of_known(x[..., : x.shape[-1] // step * step].unflatten(-1, (-1, step)))


def mean_of_known(x: Tensor, keepdim: bool = False) -> Tensor:
    """Average known values over the last axis; ``Tensor.nanmean`` takes more than twice as long as ``mean``."""
    mean = x.mean(-1, keepdim=keepdim)
    return x.nanmean(-1, keepdim=keepdim) if mean.isnan().any() else mean


def pace(length: int) -> int:
    """Steps of a window that are averaged into one."""
    return -(-length // MAX_STEPS)


def choose_lengths(period: int, n_channels: int, n_timepoints: int) -> list[int]:
    """Choose half a period, one and two, as far as there are data to learn from.

    No window holds more than ``MAX_VALUES`` values, for small nets cannot rebuild more; and none more than an eighth
    of the series, which is held out in blocks with a window's length beside them.
    """
    period = min(period, max(SHORTEST, MAX_VALUES // (2 * n_channels)))
    longest = max(1, n_timepoints // 8)
    return sorted({min(longest, max(SHORTEST, length)) for length in (period // 2, period, 2 * period)})
