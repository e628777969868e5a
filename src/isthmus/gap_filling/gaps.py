"""Windows with gaps: what lies on the line between their ends, and what is added to it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.data import Batch, Source, Windows
from isthmus.data.base import WHOLE, Shard
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Share of the gaps that all channels have in common, as when a station is off.
SHARED = 0.5


@dataclass(frozen=True)
class Gaps(Source):
    """Windows in which a block of time is hidden, as samples for a net that learns what was there.

    A sample has three parts, each of all channels: values with straight lines over missing and hidden ones, less the
    level of their window; 1 where a value is missing or hidden, else 0; and by how much hidden values lie off the
    lines, NaN elsewhere.

    Parameters
    ----------
    windows : Windows
    scale : Tensor of shape (n_channels, 1)
        Unit of the values.
    """

    windows: Windows
    scale: Tensor

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """What a sample looks like."""
        n_channels, length = self.windows.schema.shape
        return Schema((3 * n_channels, length), dtype="float32", shared_axes=(1,), missing=True)

    def __len__(self) -> int:
        return len(self.windows)

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Hand over samples, whose gaps the seed decides; see the base class."""
        generator = torch.Generator().manual_seed(0 if seed is None else seed)
        for batch in self.windows.batches(size, seed, shard):
            yield Batch(self.sample(batch.x, draw_gaps(batch.x, generator)), None)

    def sample(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Make samples of windows and of which values to hide."""
        context, missing, line = look(x.masked_fill(hidden, torch.nan), self.scale)
        off = torch.where(hidden, (x - line) / self.scale, torch.nan)
        return torch.cat([context, missing, off], 1).float()

    def take(self, index: Values) -> Self:
        """Choose windows; see the base class."""
        return replace(self, windows=self.windows.take(index))

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Set the last windows aside; see the base class."""
        kept, aside = self.windows.split(n, seed)
        return replace(self, windows=kept), replace(self, windows=aside)

    def to_container(self, values: Values) -> Values:
        """Return values of samples as they are."""
        return values


def look(x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return windows with lines over missing values, less their level; which values are missing; and the lines."""
    line = bridge(x)
    return (line - line.mean(-1, keepdim=True)) / scale, x.isnan().to(x.dtype), line


def bridge(x: Tensor) -> Tensor:
    """Draw straight lines over missing values (..., length), level ones at the ends; 0 where nothing is known."""
    known, steps = ~x.isnan(), torch.arange(x.shape[-1])
    before = torch.where(known, steps, -1).cummax(-1).values
    after = torch.where(known, steps, x.shape[-1]).flip(-1).cummin(-1).values.flip(-1)
    before, after = torch.where(before < 0, after, before), torch.where(after == x.shape[-1], before, after)
    start, end = (x.nan_to_num().gather(-1, index.clamp(0, x.shape[-1] - 1)) for index in (before, after))
    share = (steps - before) / (after - before).clamp(min=1)
    return torch.lerp(start, end, share.to(x.dtype))


def draw_gaps(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a block of time to hide in each window, in one channel or in all; short ones are as likely as long ones."""
    n, n_channels, length = x.shape
    draw = torch.rand((5, n, 1, 1), generator=generator)
    sizes = torch.exp(draw[0] * np.log(length / 2)).floor()
    starts = (draw[1] * (length - sizes + 1)).floor()
    steps = torch.arange(length)
    block = (steps >= starts) & (steps < starts + sizes)
    channel = (draw[2] * n_channels).floor() == torch.arange(n_channels)[:, None]
    return block & (channel | (draw[3] < SHARED))
