"""The interface of a source of samples."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import InputTypeError
from isthmus.schema import Schema

# The rank of a process and the number of processes.
Shard = tuple[int, int]
WHOLE: Shard = (0, 1)
# Number of rows that are read at once to fill their missing values.
N_FILLED = 2**16


class Batch(NamedTuple):
    """Raw values of some rows, with their encoded labels and their weights.

    Weights have a mean of 1 over all rows of a source. Labels and weights are None if the source has none.

    Parameters
    ----------
    x : Tensor of shape (n, *shape)
        Raw values, in the dtype of the data.
    y : Tensor of shape (n, width) or None, default=None
        Encoded labels.
    weight : Tensor of shape (n,) or None, default=None
        Weights of rows, with a mean of 1 over all rows of a source.

    Examples
    --------
    >>> import torch
    >>> from isthmus.data import Batch
    >>> Batch(torch.zeros(4, 2)).part(slice(1, 3)).x.shape
    torch.Size([2, 2])
    """

    x: Tensor
    y: Tensor | None = None
    weight: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        """Apply a function to the values, the labels and the weights.

        Parameters
        ----------
        function : callable
            Takes and returns a tensor.

        Returns
        -------
        Batch
            The results.
        """
        return Batch(*(None if values is None else function(values) for values in self))  # type: ignore[arg-type]

    def part(self, rows: slice) -> "Batch":
        """Select a slice of the rows.

        Parameters
        ----------
        rows : slice
            Rows to select.

        Returns
        -------
        Batch
            Views of the selected rows.
        """
        return self.map(lambda values: values[rows])

    def to(self, device: torch.device) -> "Batch":
        """Copy the rows to a device. Apple's accelerators have no float64, so such values become float32.

        Parameters
        ----------
        device : torch.device
            Where the rows are needed.

        Returns
        -------
        Batch
            The rows on the device.
        """
        is_narrow = device.type == "mps"
        each = self.map(lambda values: values.float() if is_narrow and values.dtype == torch.float64 else values)
        return each.map(lambda values: values.to(device, non_blocking=True))


class Plan(NamedTuple):
    """Positions of rows in the order of a pass, and the bounds of each batch in that order."""

    positions: Tensor
    bounds: list[tuple[int, int]]


class Batches(ABC):
    """The data that training needs: a number of rows, and passes over them in batches."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows of a pass."""

    @abstractmethod
    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield every row once, in order, or in a random order that depends on the seed only.

        Parameters
        ----------
        size : int
            Number of rows per batch.
        seed : int or None, default=None
            None keeps the order of the rows.
        shard : (int, int), default=(0, 1)
            ``(rank, n)`` yields one of ``n`` parts of every batch: together, ``n`` processes see every row once. All
            get the same number of batches, some of which may be empty.
        """

    def plan(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Plan | None:
        """Return what ``batches`` will yield, as positions of rows.

        Position i is that of the i-th row of ``batches(size)``, without a seed and for one process.

        Parameters
        ----------
        size : int
            Number of rows per batch.
        seed : int or None, default=None
            None keeps the order of the rows.
        shard : (int, int), default=(0, 1)
            Rank and number of the parts of every batch.

        Returns
        -------
        Plan or None
            Positions and bounds of the batches; None for rows without random access.
        """
        return None

    def resample(self, seed: int) -> Self:
        """Draw rows with replacement in proportion to their weights.

        For methods that do not support weights.

        Parameters
        ----------
        seed : int
            Seed of the draws.

        Returns
        -------
        Batches
            The drawn rows; without weights, the source itself.
        """
        return self


class Source(Batches):
    """Reads samples as tensors, and converts results back to the container of the data.

    ``schema`` describes one sample. Processes that train together have the same source, and each reads its shard.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.data import as_source
    >>> rows = as_source(np.arange(20.0).reshape(10, 2))
    >>> rest, held_out = rows.split(3, seed=0)
    >>> len(rest), len(held_out), rows.schema.shape
    (7, 3, (2,))
    """

    schema: Schema

    @abstractmethod
    def split(self, n: int, seed: int) -> tuple["Source", "Source"]:
        """Split into the other rows and ``n`` random rows. Rows are selected by index, not copied.

        Parameters
        ----------
        n : int
            Number of rows of the second part.
        seed : int
            Seed that determines which rows are selected.

        Returns
        -------
        tuple of two Source
            The other rows, and the ``n`` selected rows.
        """

    def take(self, index: np.ndarray[Any, Any]) -> Self:
        """Select rows by their positions, in this order, without a copy.

        Parameters
        ----------
        index : ndarray of int of shape (n,)
            Positions, from 0.

        Returns
        -------
        Source
            The selected rows.

        Raises
        ------
        TypeError
            If the rows are a stream, which has no random access.
        """
        raise InputTypeError(f"rows of {type(self).__name__} cannot be taken by position; load them first")

    def with_weights(self, weight: np.ndarray[Any, Any]) -> Self:
        """Give each row a positive weight.

        Parameters
        ----------
        weight : ndarray of shape (n,)
            Weights; only their ratios matter.

        Returns
        -------
        Source
            The same rows, with weights.

        Raises
        ------
        TypeError
            If the rows are not in memory.
        """
        raise InputTypeError(f"sample_weight goes with rows in memory, got {type(self).__name__}; load its rows first")

    def blocks(self, n: int, seed: int) -> list[np.ndarray[Any, Any]]:
        """Split the positions of all rows into ``n`` blocks of about equal size, for cross-validation.

        Parameters
        ----------
        n : int
            Number of blocks.
        seed : int
            Seed of the random order.

        Returns
        -------
        list of ndarray of int
            Sorted positions of the rows of each block.
        """
        return [np.sort(part) for part in np.array_split(shuffle_positions(len(self), seed).numpy(), n)]

    def disjoint_from(self, index: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the positions of rows that share no values with some rows: by default, of all others.

        Parameters
        ----------
        index : ndarray of int
            Positions of these rows.

        Returns
        -------
        ndarray of int
            Sorted positions.
        """
        others = np.ones(len(self), dtype=bool)
        others[index] = False
        return np.flatnonzero(others)

    def folds(self, n: int, seed: int) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Return the positions of training rows and of held-out rows for each of ``n`` folds.

        Parameters
        ----------
        n : int
            Number of folds.
        seed : int
            Seed of the random order.

        Returns
        -------
        iterator of tuples of two ndarray of int
            Positions of the training rows and of the held-out rows of each fold.
        """
        return ((self.disjoint_from(held_out), held_out) for held_out in self.blocks(n, seed))

    def fill_missing(self, values: np.ndarray[Any, Any]) -> Any:
        """Replace missing values.

        Parameters
        ----------
        values : ndarray of shape (len(self), *shape)
            Values for the missing cells; others are not used.

        Returns
        -------
        array or data frame
            The rows without missing values, in the container of the data.
        """
        known = np.concatenate([batch.x.numpy() for batch in self.batches(N_FILLED)])
        return self.to_container(np.where(np.isnan(known), values, known))

    def to_container(self, values: np.ndarray[Any, Any]) -> Any:
        """Convert values to the container of the data: by default, keep the array.

        Parameters
        ----------
        values : ndarray of shape (n, *shape)
            Values of rows.

        Returns
        -------
        array or data frame
            The same values.
        """
        return values


def shuffle_positions(n: int, seed: int) -> Tensor:
    """Return a random permutation of ``n`` positions, on the CPU even if the default device is another one."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed), device="cpu")


def batch_bounds(n: int, size: int, seed: int | None) -> list[tuple[int, int]]:
    """Return the first position of each batch of ``n`` rows, and the position after its last.

    Batch normalisation needs at least two rows. In training, where rows are shuffled, a last batch of a single row is
    therefore merged with the batch before it.
    """
    last = n - 1 if seed is not None and n % size == 1 and n > 1 else n
    starts = range(0, last, size)
    return list(zip(starts, [*starts[1:], n], strict=True))


def shard_bounds(start: int, stop: int, shard: Shard) -> tuple[int, int]:
    """Return the bounds of a shard of a batch; a batch of fewer than two rows per shard belongs to rank 0."""
    rank, n_parts = shard
    n = stop - start
    if n < 2 * n_parts:
        return (start, stop) if rank == 0 else (stop, stop)
    return start + n * rank // n_parts, start + n * (rank + 1) // n_parts


def skip_empty(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Skip batches all of whose rows belong to other processes."""
    return (batch for batch in batches if len(batch.x))


def shard_batches(batches: Iterator[Batch], shard: Shard) -> Iterator[Batch]:
    """Yield one shard of every batch."""
    for batch in batches:
        yield batch.part(slice(*shard_bounds(0, len(batch.x), shard)))
