"""Samples in memory or in a memory map, dense or sparse."""

import warnings
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.data.base import WHOLE, Batch, Plan, Shard, Source, batch_bounds, shard_bounds, shuffle_positions
from isthmus.schema import Schema

# Bytes of rows that are gathered at once: few large gathers are faster than many small ones, and a shuffled copy of all
# rows would double the memory.
BLOCK = 2**21
# Dtypes that torch stores but cannot compute with, and the narrowest dtype for computing that holds their values.
WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.float64, np.dtype(np.longdouble).name: np.float64}
COMPUTABLE = {
    torch.bool: torch.uint8,
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.float64,
    torch.bfloat16: torch.float32,
}


@dataclass(frozen=True)
class Array(Source):
    """Rows with random access.

    Parameters
    ----------
    values : Tensor or scipy.sparse.csr_array of shape (n, ...)
        Or any object with ``shape``, ``dtype`` and indexing by rows, whose ``toarray`` returns a dense array.
    schema : Schema
        Description of one row.
    y : Tensor of shape (n, width) or None, default=None
        Encoded labels.
    weight : Tensor of float64 of shape (n,) or None, default=None
        Positive weights of the rows of ``values``; their scale has no effect.
    rows : Tensor or None, default=None
        Positions of the selected rows in ``values``, in order; None selects all.
    container : callable or None, default=None
        Converts results to the container of the data.

    Examples
    --------
    >>> import torch
    >>> from isthmus.data import Array
    >>> from isthmus.schema import Schema
    >>> rows = Array(torch.arange(12.0).reshape(4, 3), Schema((3,)))
    >>> [len(batch.x) for batch in rows.batches(3)]
    [3, 1]
    """

    values: Any
    schema: Schema
    y: Tensor | None = None
    weight: Tensor | None = None
    rows: Tensor | None = None
    container: Callable[[np.ndarray[Any, Any]], Any] | None = None

    def __len__(self) -> int:
        return self.values.shape[0] if self.rows is None else len(self.rows)

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield rows in batches, in order or in a random order, as ``Source.batches`` does."""
        if seed is None and shard == WHOLE:
            return self._views(self.rows, batch_bounds(len(self), size, seed), size)
        positions, bounds = self.plan(size, seed, shard)
        return self._views(positions if self.rows is None else self.rows[positions], bounds, size)

    def plan(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Plan:
        """Return the positions of the rows of each batch, or None without random access, as ``Source.plan`` does."""
        order = torch.arange(len(self), device="cpu") if seed is None else shuffle_positions(len(self), seed)
        bounds = batch_bounds(len(self), size, seed)
        if shard == WHOLE:
            return Plan(order, bounds)
        parts = [shard_bounds(start, stop, shard) for start, stop in bounds]
        index = torch.cat([torch.arange(*part, device="cpu") for part in parts])
        ends = accumulate((stop - start for start, stop in parts), initial=0)
        return Plan(order[index], list(pairwise(ends)))

    def _views(self, order: Tensor | None, batch_bounds: list[tuple[int, int]], size: int) -> Iterator[Batch]:
        weight = self._relative_weight()
        per_block = max(1, BLOCK // max(1, size * self._row_bytes()))
        for first in range(0, len(batch_bounds), per_block):
            block = batch_bounds[first : first + per_block]
            start, stop = block[0][0], block[-1][1]
            index = slice(start, stop) if order is None else order[start:stop]
            beside = (None if values is None else values[index] for values in (self.y, weight))
            gathered = Batch(self._take(index), *beside)
            for a, b in block:
                yield gathered.part(slice(a - start, b - start))

    def _relative_weight(self) -> Tensor | None:
        """Return weights of all rows of ``values``, scaled to a mean of 1 over the selected rows."""
        if self.weight is None:
            return None
        return self.weight / (self.weight if self.rows is None else self.weight[self.rows]).mean()

    def _row_bytes(self) -> int:
        itemsize = self.values.dtype.itemsize
        return int(np.prod(self.values.shape[1:])) * itemsize

    def _take(self, index: slice | Tensor) -> Tensor:
        if isinstance(self.values, Tensor):
            return self.values[index] if isinstance(index, slice) else self.values.index_select(0, index)
        dense = self.values[index if isinstance(index, slice) else index.numpy()].toarray()
        return torch.from_numpy(dense)

    def take(self, index: np.ndarray[Any, Any]) -> Self:
        """Return the rows at some positions, without a copy."""
        rows = torch.from_numpy(index)
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def with_labels(self, y: Tensor) -> Self:
        """Return the same rows with encoded labels.

        Parameters
        ----------
        y : Tensor of shape (n, width)
            Encoded labels of the selected rows.

        Returns
        -------
        Array
            A view of the same values.
        """
        return replace(self, y=self._scatter(y))

    def with_weights(self, weight: np.ndarray[Any, Any]) -> Self:
        """Return the same rows with positive weights (n,)."""
        return replace(self, weight=self._scatter(torch.from_numpy(weight)))

    def _scatter(self, values: Tensor) -> Tensor:
        """Scatter values of the selected rows (len(self), ...) to the positions of these rows in ``values``."""
        if self.rows is None:
            return values
        return values.new_zeros((self.values.shape[0], *values.shape[1:])).index_copy(0, self.rows, values)

    def resample(self, seed: int) -> Self:
        """Draw rows with replacement in proportion to their weights; return the source itself if it has none."""
        weight = self._relative_weight()
        if weight is None:
            return self
        weight = weight if self.rows is None else weight[self.rows]
        drawn = np.random.default_rng(seed).choice(len(self), len(self), p=(weight / weight.sum()).numpy())
        return replace(self.take(drawn), weight=None)

    def split(self, n: int, seed: int) -> tuple["Array", "Array"]:
        """Split into the other rows and ``n`` random rows."""
        order = shuffle_positions(len(self), seed)
        rows = order if self.rows is None else self.rows[order]
        kept, held_out = rows[n:].sort().values, rows[:n].sort().values
        return replace(self, rows=kept), replace(self, rows=held_out)

    def to_container(self, values: np.ndarray[Any, Any]) -> Any:
        """Convert values (n, *shape) to the container of the data."""
        return values if self.container is None else self.container(values)


class ArraySource(Source):
    """A source whose rows are those of an ``Array`` that it makes."""

    _rows: Array

    @property
    def array(self) -> Array:
        """The rows as an array."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield rows in batches, in order or in a random order, as ``Source.batches`` does."""
        return self._rows.batches(size, seed, shard)

    def plan(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Plan | None:
        """Return the positions of the rows of each batch, or None without random access, as ``Source.plan`` does."""
        return self._rows.plan(size, seed, shard)

    def take(self, index: np.ndarray[Any, Any]) -> Self:
        """Return the rows at some positions, without a copy."""
        return self._with(self._rows.take(index))

    def with_labels(self, y: Tensor) -> Self:
        """Return the same rows with encoded labels.

        Parameters
        ----------
        y : Tensor of shape (n, width)
            Encoded labels.

        Returns
        -------
        Source
            A view of the same rows.
        """
        return self._with(self._rows.with_labels(y))

    def with_weights(self, weight: np.ndarray[Any, Any]) -> Self:
        """Return the same rows with positive weights (n,)."""
        return self._with(self._rows.with_weights(weight))

    def resample(self, seed: int) -> Self:
        """Draw rows with replacement in proportion to their weights; return the source itself if it has none."""
        return self._with(self._rows.resample(seed))

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Split into the other rows and ``n`` random rows."""
        kept, held_out = self._rows.split(n, seed)
        return self._with(kept), self._with(held_out)

    def _with(self, rows: Array) -> Self:
        chosen = copy(self)
        chosen._rows = rows
        return chosen


def as_tensor(values: np.ndarray[Any, Any]) -> Tensor:
    """Return an array as a tensor: without a copy where torch has its dtype, in a wider dtype elsewhere."""
    if values.dtype.kind not in "biuf":
        kind = {"M": "dates", "m": "durations"}.get(values.dtype.kind, "objects")
        remedy = "; make a data frame of it, whose columns may be dates" if values.dtype.kind == "M" else ""
        raise ValueError(f"the array holds {kind} ({values.dtype}), expected numbers{remedy}")
    values = np.ascontiguousarray(in_computable_dtype(values))
    with warnings.catch_warnings():
        # Tensors of a source are only read, so read-only arrays and memory maps are not copied.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(values)


def in_computable_dtype(values: Any) -> Any:
    """Return an array or sparse rows in a dtype that torch computes with, without a copy where possible."""
    if values.dtype == bool:
        return values.view(np.uint8) if isinstance(values, np.ndarray) else values.astype(np.uint8)
    return values.astype(WIDER.get(values.dtype.name, values.dtype.newbyteorder("=")), copy=False)
