"""Windows with gaps, and the differences of hidden values from linear interpolation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data import Batch
from isthmus.data.base import WHOLE, Shard
from isthmus.data.series.transformed import TransformedWindows
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Fraction of the sampled gaps that hide all channels, as when a station fails; others hide one channel. Not tuned.
SHARED = 0.5


@dataclass(frozen=True)
class Gaps(TransformedWindows):
    """Windows in which a block of time is hidden: samples for a net that learns to predict the hidden values.

    A sample has three parts, each with all channels. The first has the values minus their mean, where missing and
    hidden values are interpolated linearly. The second is 1 for missing and hidden values and 0 for others. The third
    has the differences between hidden values and interpolation; it is NaN for other values.

    Parameters
    ----------
    windows : Windows
    scale : Tensor of shape (n_channels, 1)
        Standard deviation of the values.
    """

    scale: Tensor

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """Schema of one sample."""
        n_channels, length = self.windows.schema.shape
        return Schema((3 * n_channels, length), dtype="float32", shared_axes=(1,), missing=True)

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield batches of samples, with gaps that depend on the seed."""
        generator = torch.Generator().manual_seed(0 if seed is None else seed)
        for batch in self.windows.batches(size, seed, shard):
            yield Batch(self.sample(batch.x, sample_gaps(batch.x, generator)), None)

    def sample(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Make samples from windows and the values to hide."""
        context, missing, line = make_context(x.masked_fill(hidden, torch.nan), self.scale)
        difference = torch.where(hidden, (x - line) / self.scale, torch.nan)
        return torch.cat([context, missing, difference], 1).float()


def make_context(x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return interpolated windows minus their mean, in units of the scale; 1 for missing values; the interpolation."""
    line = interpolate_linearly(x)
    return (line - line.mean(-1, keepdim=True)) / scale, x.isnan().to(x.dtype), line


def interpolate_linearly(x: Tensor) -> Tensor:
    """Interpolate missing values (..., length) linearly, with constants at the ends; 0 if no value is known."""
    known, steps = ~x.isnan(), torch.arange(x.shape[-1])
    before = torch.where(known, steps, -1).cummax(-1).values
    after = torch.where(known, steps, x.shape[-1]).flip(-1).cummin(-1).values.flip(-1)
    before, after = torch.where(before < 0, after, before), torch.where(after == x.shape[-1], before, after)
    start, end = (x.nan_to_num().gather(-1, index.clamp(0, x.shape[-1] - 1)) for index in (before, after))
    share = (steps - before) / (after - before).clamp(min=1)
    return torch.lerp(start, end, share.to(x.dtype))


def sample_gaps(x: Tensor, generator: torch.Generator) -> Tensor:
    """Sample a block of time to hide in each window, in one channel or in all; the log of its size is uniform."""
    n, n_channels, length = x.shape
    draw = torch.rand((5, n, 1, 1), generator=generator)
    sizes = torch.exp(draw[0] * np.log(length / 2)).floor()
    starts = (draw[1] * (length - sizes + 1)).floor()
    steps = torch.arange(length)
    block = (steps >= starts) & (steps < starts + sizes)
    channel = (draw[2] * n_channels).floor() == torch.arange(n_channels)[:, None]
    return block & (channel | (draw[3] < SHARED))


def starts_with_missing(values: Tensor, length: int) -> Values:
    """Return whether the window that starts at each step has a missing value, (n_steps,)."""
    counts = np.concatenate([[0], np.cumsum(values.isnan().any(0).numpy())])
    ends = np.minimum(np.arange(values.shape[1]) + length, values.shape[1])
    return counts[ends] > counts[:-1]


def find_enclosed(x: Tensor) -> Tensor:
    """Return which missing values have known values before and after them in their window."""
    known = (~x.isnan()).int()
    before, after = known.cummax(-1).values, known.flip(-1).cummax(-1).values.flip(-1)
    return x.isnan() & (before > 0) & (after > 0)


def measure_gaps(missing: Values) -> Values:
    """Return the length of the gap that contains each missing value, (n_channels, n_steps); 1 for known values."""
    sizes = np.ones(missing.shape, dtype=int)
    for channel, row in enumerate(missing):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]])))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            sizes[channel, start:stop] = stop - start
    return sizes
