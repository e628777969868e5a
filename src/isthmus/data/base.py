"""The contract of a source of samples."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from isthmus.schema import Schema


# Which part, and of how many.
Share = tuple[int, int]
WHOLE: Share = (0, 1)


class Batch(NamedTuple):
    """Raw values (n, *shape) in the dtype they came in, and encoded labels (n, width) or None."""

    x: Tensor
    y: Tensor | None


class Source(ABC):
    """Knows where samples come from, how to hand them over as tensors, and how to give results back in kind.

    ``schema`` says what one sample looks like. ``partial`` says whether each process of a group that trains together has
    rows of its own; otherwise all have the same, and each takes its share of them.
    """

    schema: Schema
    partial: bool = False

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abstractmethod
    def batches(self, size: int, seed: int | None = None, share: Share = WHOLE) -> Iterator[Batch]:
        """Hand over every row once: in order, or in the order that the seed alone decides.

        Parameters
        ----------
        size : int
            Rows a batch.
        seed : int or None
        share : (int, int)
            ``(rank, n)`` hands over one of ``n`` parts of every batch, so that ``n`` processes see every row once, in as
            many batches each.
        """

    @abstractmethod
    def split(self, n: int, seed: int) -> tuple["Source", "Source"]:
        """Set ``n`` random rows aside: the rest, and these. Rows are chosen by index, not copied."""

    @abstractmethod
    def restore(self, values: np.ndarray[Any, Any]) -> Any:
        """Give values (len(self), *shape) the container of the data."""
