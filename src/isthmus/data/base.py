"""The contract of a source of samples."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from isthmus.schema import Schema


class Batch(NamedTuple):
    """Raw values (n, *shape) in the dtype they came in, and encoded labels (n, width) or None."""

    x: Tensor
    y: Tensor | None


class Source(ABC):
    """Knows where samples come from, how to hand them over as tensors, and how to give results back in kind.

    ``schema`` says what one sample looks like.
    """

    schema: Schema

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abstractmethod
    def batches(self, size: int, seed: int | None = None) -> Iterator[Batch]:
        """Hand over every row once: in order, or in the order that the seed alone decides."""

    @abstractmethod
    def split(self, n: int, seed: int) -> tuple["Source", "Source"]:
        """Set ``n`` random rows aside: the rest, and these. Rows are chosen by index, not copied."""

    @abstractmethod
    def restore(self, values: np.ndarray[Any, Any]) -> Any:
        """Give values (len(self), *shape) the container of the data."""


def spans(n: int, size: int, seed: int | None) -> list[tuple[int, int]]:
    """Where batches of ``n`` rows start and stop.

    A last batch of a single row would leave batch normalisation nothing to normalise: where rows are shuffled, which is
    to train, it joins the one before.
    """
    last = n - 1 if seed is not None and n % size == 1 and n > 1 else n
    starts = range(0, last, size)
    return list(zip(starts, [*starts[1:], n], strict=True))
