"""The contract of a source of samples."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import InputTypeError
from isthmus.schema import Schema

# Which part, and of how many.
Shard = tuple[int, int]
WHOLE: Shard = (0, 1)
# Rows that are read at once to fill their missing values.
N_FILLED = 2**16


class Batch(NamedTuple):
    """Raw values (n, *shape) in the dtype they came in, encoded labels (n, width), and weights (n,).

    Weights have a mean of 1 over all rows of a source. Labels and weights are None where there are none.
    """

    x: Tensor
    y: Tensor | None = None
    weight: Tensor | None = None

    def part(self, rows: slice) -> "Batch":
        """Cut out some rows."""
        return Batch(*(None if values is None else values[rows] for values in self))  # type: ignore[arg-type]


class Batches(ABC):
    """What training asks of data: how many rows there are, and passes over them."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the rows of a pass."""

    @abstractmethod
    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Hand over every row once: in order, or in the order that the seed alone decides.

        Parameters
        ----------
        size : int
            Rows a batch.
        seed : int or None
        share : (int, int)
            ``(rank, n)`` hands over one of ``n`` parts of every batch: ``n`` processes see every row once, in equally
            many batches, of which some may be empty.
        """

    def resample(self, seed: int) -> Self:
        """Draw as many rows in proportion to their weights; return the source itself if all weights are equal.

        This is for what cannot weigh rows.
        """
        return self


class Source(Batches):
    """Knows where samples come from, how to hand them over as tensors, and how to give results back in kind.

    ``schema`` says what one sample looks like. Processes that train together all have the same rows, and each takes its
    share of them.
    """

    schema: Schema

    @abstractmethod
    def split(self, n: int, seed: int) -> tuple["Source", "Source"]:
        """Set ``n`` random rows aside: the rest, and these. Rows are chosen by index, not copied."""

    def take(self, index: np.ndarray[Any, Any]) -> Self:
        """Choose rows by their positions, in this order. They are not copied.

        Raises
        ------
        TypeError
            If rows cannot be taken by position, as those of a stream.
        """
        raise InputTypeError(f"rows of {type(self).__name__} cannot be taken by position; load them first")

    def with_weights(self, weight: np.ndarray[Any, Any]) -> Self:
        """Give each row a positive weight, (n,).

        Raises
        ------
        TypeError
            If the rows are not in memory, as those of a stream.
        """
        raise InputTypeError(f"sample_weight goes with rows in memory, got {type(self).__name__}; load its rows first")

    def blocks(self, n: int, seed: int) -> list[np.ndarray[Any, Any]]:
        """Cut the positions of all rows into ``n`` parts of about equal size that are held out in turn."""
        return [np.sort(part) for part in np.array_split(shuffle_positions(len(self), seed).numpy(), n)]

    def disjoint_from(self, index: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Find the positions of the rows that know nothing of those given: all others, if rows share no values."""
        others = np.ones(len(self), dtype=bool)
        others[index] = False
        return np.flatnonzero(others)

    def folds(self, n: int, seed: int) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Hold each of ``n`` parts out in turn: positions to learn from, and positions held out."""
        return ((self.disjoint_from(held_out), held_out) for held_out in self.blocks(n, seed))

    def fill_missing(self, values: np.ndarray[Any, Any]) -> Any:
        """Replace missing values by those of an array (len(self), *shape), in the container of the data."""
        known = np.concatenate([batch.x.numpy() for batch in self.batches(N_FILLED)])
        return self.to_container(np.where(np.isnan(known), values, known))

    @abstractmethod
    def to_container(self, values: np.ndarray[Any, Any]) -> Any:
        """Give values (len(self), *shape) the container of the data."""


def shuffle_positions(n: int, seed: int) -> Tensor:
    """Shuffle the positions of ``n`` rows, on the processor whatever the default device is."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed), device="cpu")


def batch_bounds(n: int, size: int, seed: int | None) -> list[tuple[int, int]]:
    """Where batches of ``n`` rows start and stop.

    A last batch of a single row would leave batch normalisation nothing to normalise: where rows are shuffled, which is
    to train, it joins the one before.
    """
    last = n - 1 if seed is not None and n % size == 1 and n > 1 else n
    starts = range(0, last, size)
    return list(zip(starts, [*starts[1:], n], strict=True))


def shard_bounds(start: int, stop: int, shard: Shard) -> tuple[int, int]:
    """Cut a batch into parts of equal size; one too small for two rows each, which normalisation needs, stays whole."""
    rank, n_parts = shard
    n = stop - start
    if n < 2 * n_parts:
        return (start, stop) if rank == 0 else (stop, stop)
    return start + n * rank // n_parts, start + n * (rank + 1) // n_parts


def skip_empty(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Leave out batches of which other processes have all rows."""
    return (batch for batch in batches if len(batch.x))


def shard_batches(batches: Iterator[Batch], shard: Shard) -> Iterator[Batch]:
    """Cut a part out of every batch."""
    for batch in batches:
        yield batch.part(slice(*shard_bounds(0, len(batch.x), shard)))
