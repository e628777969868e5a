"""Views of windows, which nets are trained on: values or shape, averaged over steps if windows are long."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data import Batch, Windows
from isthmus.data.base import WHOLE, Shard
from isthmus.data.series.transformed import TransformedWindows
from isthmus.data.validation import compute_statistics
from isthmus.formatting import pluralize
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

KINDS = ("values", "shape")
# Largest number of steps in the input of a net; longer windows are averaged over several steps. Not tuned.
MAX_STEPS = 128
# Largest number of values of a window that small nets can reconstruct, and smallest number of steps. Not tuned.
MAX_VALUES, MIN_STEPS = 1024, 4
# Smallest length of a series in windows: four nets hold out blocks with a window of distance on both sides. Not tuned.
MIN_WINDOWS = 8
# Standard deviation of noise within a window, as a share of that of the channel: smaller fluctuations are not a shape.
# Not tuned.
NOISE = 0.1


@dataclass(frozen=True)
class View(TransformedWindows):
    """Windows of a series, averaged to at most ``MAX_STEPS`` steps, with or without their own level and scale.

    Parameters
    ----------
    windows : Windows
    kind : {"values", "shape"}
        "shape" subtracts each channel's mean in the window and divides by its standard deviation in the window.
    noise : Tensor of shape (n_channels, 1)
        Standard deviation of noise that is added to that of the window, so that noise in quiet windows is not
        magnified.
    mean : Tensor of shape (n_channels, 1)
        Mean of the training series.
    """

    kind: str
    noise: Tensor
    mean: Tensor

    @classmethod
    def fit(cls, windows: Windows, kind: str) -> "View":
        """Make a view of the windows of a training series."""
        statistics = compute_statistics(windows)
        deviation = statistics.deviation[:, :1]
        return cls(
            windows,
            kind,
            NOISE * deviation.masked_fill(deviation == 0, 1.0),
            statistics.mean[:, :1].clone(memory_format=torch.contiguous_format),
        )

    def like(self, windows: Windows) -> "View":
        """Make the same view of the windows of another series."""
        return replace(self, windows=windows.cut(self.windows.length))

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """The schema of one window."""
        n_channels, length = self.windows.schema.shape
        return replace(self.windows.schema, shape=(n_channels, length // steps_per_average(length)))

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield transformed windows in batches, as ``Source.batches`` does."""
        return (batch._replace(x=self.transform(batch.x)) for batch in self.averaged_batches(size, seed, shard))

    def averaged_batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield averaged windows in their own units."""
        return (batch._replace(x=average_steps(batch.x)) for batch in self.windows.batches(size, seed, shard))

    def transform(self, x: Tensor) -> Tensor:
        """Transform averaged windows (n, n_channels, length) to the input of the nets."""
        if self.kind == "values":
            return x
        level, scale = self._level_and_scale(x)
        return (x - level) / scale

    def inverse_transform(self, output: Tensor, x: Tensor) -> Tensor:
        """Transform output of the nets to values, with the level and scale of the windows ``x``."""
        if self.kind == "values":
            return output
        level, scale = self._level_and_scale(x)
        return output * scale + level

    def _level_and_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        level = mean_of_known(x, keepdim=True)
        variance = mean_of_known((x - level).square(), keepdim=True)
        return level, (variance + self.noise.to(x.dtype).square()).sqrt()

    def typical(self, x: Tensor) -> Tensor:
        """Return first values for missing ones: the mean of the series, or of the window for its shape."""
        mean = self.mean.to(x.dtype).expand(len(x), -1, -1)
        level = mean if self.kind == "values" else mean_of_known(x, keepdim=True)
        return torch.where(level.isnan(), mean, level)


def average_steps(x: Tensor) -> Tensor:
    """Average windows over consecutive steps."""
    step = steps_per_average(x.shape[-1])
    return x if step == 1 else mean_of_known(x[..., : x.shape[-1] // step * step].unflatten(-1, (-1, step)))


def mean_of_known(x: Tensor, keepdim: bool = False) -> Tensor:
    """Average known values over the last axis; ``nanmean`` takes twice as long as ``mean``."""
    mean = x.mean(-1, keepdim=keepdim)
    return x.nanmean(-1, keepdim=keepdim) if mean.isnan().any() else mean


def steps_per_average(length: int) -> int:
    """Return how many steps of a window are averaged into one."""
    return -(-length // MAX_STEPS)


def choose_lengths(period: int, n_channels: int, n_timepoints: int) -> list[int]:
    """Return half a period, one period and two periods, as far as the data allow.

    A window holds at most ``MAX_VALUES`` values, because small nets cannot reconstruct more, and at most an eighth of
    the series, which is held out in blocks that are a window apart from the training windows.

    Raises
    ------
    ValueError
        If the series has fewer than ``MIN_WINDOWS`` time points.
    """
    period = min(period, max(MIN_STEPS, MAX_VALUES // (2 * n_channels)))
    longest = n_timepoints // MIN_WINDOWS
    if not longest:
        raise ValueError(f"the series has {pluralize(n_timepoints, 'time point')}, expected at least {MIN_WINDOWS}")
    return sorted({min(longest, max(MIN_STEPS, length)) for length in (period // 2, period, 2 * period)})
