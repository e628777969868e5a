"""Samples that are made of the windows of a series."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from isthmus.data.base import Source
from isthmus.data.series.windows import Windows

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TransformedWindows(Source):
    """Samples that are functions of windows; they are selected and split as the windows are.

    Parameters
    ----------
    windows : Windows
    """

    windows: Windows

    def __len__(self) -> int:
        return len(self.windows)

    def take(self, index: Values) -> Self:
        """Return the samples at some positions."""
        return replace(self, windows=self.windows.take(index))

    def blocks(self, n: int, seed: int) -> list[Values]:
        """Split the positions of all samples into ``n`` blocks of time."""
        return self.windows.blocks(n, seed)

    def disjoint_from(self, index: Values) -> Values:
        """Return the positions of the samples whose windows overlap none of the given ones."""
        return self.windows.disjoint_from(index)

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Split off the last ``n`` windows; return the other ones first."""
        kept, held_out = self.windows.split(n, seed)
        return replace(self, windows=kept), replace(self, windows=held_out)

    def to_container(self, values: Values) -> Values:
        """Return values unchanged."""
        return values
