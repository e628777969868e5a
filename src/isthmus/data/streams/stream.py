"""Streaming: pieces fill a pool, and the pool is shuffled and cut into batches.

groups --read--> pieces --pool--> shuffled rows --cut--> batches
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from itertools import islice, pairwise
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import torch

from isthmus.data.arrays import Array
from isthmus.data.base import WHOLE, Batch, Shard, Source, batch_bounds, shard_batches
from isthmus.data.tables.frames import label_columns
from isthmus.randomness import mix
from isthmus.schema import Schema

Item = TypeVar("Item")
Values = np.ndarray[Any, Any]

# Number of values that are shuffled together. Memory holds up to three pools: the current one, the next, and its copy.
POOL = 2**22
# Number of equal pieces in a pool, so that rows of several groups are shuffled together.
PIECES = 8
# Smallest number of groups per process. With fewer, every process reads all groups and takes a shard of each batch.
MIN_GROUPS_PER_SHARD = 4
# Number of rows that are hashed at once, and number of leading bits in the histogram of hashes.
N_HASHED, BITS = 2**20, 16


class Cut(NamedTuple):
    """One side of a split: the rows whose hash is below a threshold, or the others."""

    seed: int
    threshold: np.uint64
    below: bool

    def holds(self, rows: Values) -> Values:
        """Return which row numbers are on this side."""
        return (hash_rows(rows, self.seed) < self.threshold) == self.below


class Stream(Source):
    """Rows in groups, each of which can be read on its own, piece by piece.

    Subclasses set ``starts``, the number of the first row of each group, and implement ``count_rows`` and ``read``.
    When rows are shuffled, the seed decides the order of the groups, several groups are read alternately, and rows are
    shuffled within pools of four million numbers. A thread prepares the next pool while the model uses the current one.

    Parameters
    ----------
    schema : Schema
        Description of one row.
    """

    starts: Sequence[int] = (0,)

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._cuts: tuple[Cut, ...] = ()
        self._n_kept: int | None = None
        self._shard = WHOLE

    @abstractmethod
    def count_rows(self) -> int:
        """Return the number of rows of all groups."""

    @abstractmethod
    def read(self, group: int) -> Iterator[Values]:
        """Read the rows of a group in order, in pieces.

        Parameters
        ----------
        group : int
            Number of the group.

        Returns
        -------
        iterator of ndarray of shape (n, *shape)
            The pieces.
        """

    @property
    def groups_at_once(self) -> int:
        """Number of groups that are read alternately when rows are shuffled."""
        return 1

    def __len__(self) -> int:
        return self.count_rows() if self._n_kept is None else self._n_kept

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield rows in batches. Each shard has its own row groups if there are enough groups."""
        if shard == WHOLE:
            return self._whole(size, seed)
        return (
            self._groupwise(size, seed, shard)
            if self._divides(seed, shard[1])
            else shard_batches(self._whole(size, seed), shard)
        )

    def _whole(self, size: int, seed: int | None) -> Iterator[Batch]:
        for pool in prefetch(self._pools(size, seed)):
            rows = torch.from_numpy(pool)
            yield from (Batch(rows[start:stop], None) for start, stop in batch_bounds(len(rows), size, seed))

    def _divides(self, seed: int | None, n_shards: int) -> bool:
        """Whether every shard of the groups has at least half of an equal share of the rows."""
        if len(self.starts) < MIN_GROUPS_PER_SHARD * n_shards:
            return False
        sizes = np.diff([*self.starts, self.count_rows()])[self.order(seed)]
        return 2 * n_shards * min(sizes[rank::n_shards].sum() for rank in range(n_shards)) >= sizes.sum()

    def _groupwise(self, size: int, seed: int | None, shard: Shard) -> Iterator[Batch]:
        """Divide the rows of a shard's groups evenly into the number of batches that all rows make."""
        mine = copy(self)
        mine._shard = shard
        n_batches, n_rows = len(batch_bounds(len(self), size, seed)), mine._count_shard(seed)
        ends = [n_rows * i // n_batches for i in range(n_batches + 1)]
        pools = prefetch(mine._pools(size, seed))
        # The rows that are not yet in a batch, and the number of the first of them.
        rows, start = np.empty((0, *self.schema.shape), self.schema.dtype), 0
        for begin, end in pairwise(ends):
            while end > start + len(rows):
                rows, start = np.concatenate([rows[begin - start :], next(pools)]), begin
            yield Batch(torch.from_numpy(rows[begin - start : end - start]), None)

    def _count_shard(self, seed: int | None) -> int:
        stops = [*self.starts[1:], self.count_rows()]
        rows = (np.arange(self.starts[group], stops[group], dtype=np.uint64) for group in self.order(seed))
        return sum(int(self._holds(some).sum()) for some in rows)

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Split off the ``n`` rows whose numbers have the smallest hashes; both sides read the same groups.

        Raises
        ------
        ValueError
            If a side would be empty.
        """
        if not 0 < n < len(self):
            raise ValueError(f"n must leave rows on both sides of {len(self)}, got {n!r}")
        threshold = self._threshold(n, seed)
        return (
            self._half(Cut(seed, threshold, below=False), len(self) - n),
            self._half(Cut(seed, threshold, below=True), n),
        )

    def to_container(self, values: Values) -> Any:
        """Convert results: to a data frame of the library of the rows, or no conversion for arrays."""
        return label_columns(values, self.schema)

    def load(self) -> Array:
        """Read all rows into memory.

        Returns
        -------
        Array
            The rows in memory.
        """
        rows = next(self._pools(len(self), None))
        return Array(torch.from_numpy(rows), self.schema, container=self.to_container)

    def order(self, seed: int | None) -> list[int]:
        """Return the order of the groups: as stored, or as the seed decides.

        Parameters
        ----------
        seed : int or None
            Seed of the order; None keeps it.

        Returns
        -------
        list of int
            Numbers of the groups of this process.
        """
        n, (rank, n_shards) = len(self.starts), self._shard
        order = list(range(n)) if seed is None else np.random.default_rng(mix(seed)).permutation(n).tolist()
        return order[rank::n_shards]

    def _half(self, cut: Cut, n: int) -> Self:
        half = copy(self)
        half._cuts, half._n_kept = (*self._cuts, cut), n
        return half

    def _threshold(self, n: int, seed: int) -> np.uint64:
        """Return the hash that exactly ``n`` rows are below, without all hashes in memory."""
        shift = np.uint64(64 - BITS)
        counts = sum(np.bincount((some >> shift).astype(np.int64), minlength=2**BITS) for some in self._hashes(seed))
        totals = np.cumsum(counts)
        place = int(np.searchsorted(totals, n, side="right"))
        near = np.concatenate([some[some >> shift == place] for some in self._hashes(seed)])
        return np.sort(near)[n - (totals[place - 1] if place else 0)]

    def _hashes(self, seed: int) -> Iterator[Values]:
        """Yield the hashes of this stream's rows."""
        n_rows = self.count_rows()
        for start in range(0, n_rows, N_HASHED):
            rows = np.arange(start, min(start + N_HASHED, n_rows), dtype=np.uint64)
            yield hash_rows(rows[self._holds(rows)], seed)

    def _holds(self, rows: Values) -> Values:
        return (
            np.logical_and.reduce([cut.holds(rows) for cut in self._cuts]) if self._cuts else np.full(len(rows), True)
        )

    def _pools(self, size: int, seed: int | None) -> Iterator[Values]:
        """Join pieces to pools; all pools except the last consist of whole batches."""
        limit = max(size + 2, count_rows_within(POOL, self.schema))
        rng = None if seed is None else np.random.default_rng(mix(seed, 1))
        pieces: list[Values] = []
        for piece in self._pieces(seed):
            pieces.append(piece)
            if sum(map(len, pieces)) >= limit:
                rows = _join(pieces, rng)
                # Leave at least two rows for the last pool: a batch of one row cannot be trained on.
                whole = (len(rows) - 2) // size * size
                pieces = [rows[whole:].copy()]
                yield rows[:whole]
        if any(map(len, pieces)):
            yield _join(pieces, rng)

    def _pieces(self, seed: int | None) -> Iterator[Values]:
        groups = (self._kept(group) for group in self.order(seed))
        return interleave(groups, 1 if seed is None else self.groups_at_once)

    def _kept(self, group: int) -> Iterator[Values]:
        """Read the rows of a group that are on this side of all splits."""
        start = self.starts[group]
        for piece in self.read(group):
            rows = np.arange(start, start + len(piece), dtype=np.uint64)
            yield piece[self._holds(rows)] if self._cuts else piece
            start += len(piece)


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items while a thread computes the next one. The thread ends with the iteration, even an incomplete one.

    Examples
    --------
    >>> from isthmus.data.streams.stream import prefetch
    >>> list(prefetch(iter("abc")))
    ['a', 'b', 'c']
    """
    end: Any = object()
    with ThreadPoolExecutor(1, thread_name_prefix="isthmus-read") as worker:
        coming = worker.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = worker.submit(next, items, end)
            yield item


def interleave(iterators: Iterator[Iterator[Item]], at_once: int) -> Iterator[Item]:
    """Yield items of ``at_once`` iterators alternately; the next iterator replaces one that ends.

    Examples
    --------
    >>> from isthmus.data.streams.stream import interleave
    >>> "".join(interleave(map(iter, ["aaa", "b", "cc"]), at_once=2))
    'abaacc'
    """
    turns = deque(islice(iterators, at_once))
    while turns:
        current = turns.popleft()
        try:
            item = next(current)
        except StopIteration:
            turns.extend(islice(iterators, 1))
        else:
            yield item
            turns.append(current)


def hash_rows(rows: Values, seed: int) -> Values:
    """Hash row numbers (n,) to 64 bits without collisions: SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = rows * np.uint64(0x9E3779B97F4A7C15) + np.uint64(mix(seed, 2))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def count_rows_within(n_numbers: int, schema: Schema) -> int:
    """Return the number of rows that ``n_numbers`` values make, at least one."""
    return max(1, n_numbers // int(np.prod(schema.shape)))


def _join(pieces: list[Values], rng: np.random.Generator | None) -> Values:
    """Join pieces, empty their list, and shuffle the rows. With NumPy: threads of torch would slow the training."""
    rows = np.concatenate(pieces)
    pieces.clear()
    return rows if rng is None else rows.take(rng.permutation(len(rows)), axis=0)
