"""Rows that are read as they are needed: pieces fill a pool, the pool is shuffled and cut into batches.

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

# Numbers that are shuffled together. Three times as many are in memory at most: those in use, the next, and their copy.
POOL = 2**22
# Pieces of an even size that a pool is made of, so that several groups share each pool.
PIECES = 8
# With fewer groups than these for each process, all read all groups and take a part of each batch.
GROUPS_A_SHARE = 4
# Rows whose hashes are computed at once, and the leading bits that place a hash in a histogram.
INDICES, BITS = 2**20, 16


class Cut(NamedTuple):
    """Half of a split: the rows whose hash is below a threshold, or those whose hash is not."""

    seed: int
    threshold: np.uint64
    below: bool

    def holds(self, rows: Values) -> Values:
        """Tell which row numbers are in this half."""
        return (hash_rows(rows, self.seed) < self.threshold) == self.below


class Stream(Source):
    """Rows that come in groups, each of which can be read by itself, piece by piece.

    A stream says in ``starts`` the number of the first row of each group, counts its rows in ``count_rows`` and reads
    a group in ``read``; all else is done here. Shuffled, the groups come in the order that the seed decides, some of
    them side by side, and their rows are shuffled within pools of four million numbers. A thread makes the next pool
    while the net works on this one.

    Parameters
    ----------
    schema : Schema
    """

    starts: Sequence[int] = (0,)

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._cuts: tuple[Cut, ...] = ()
        self._n_kept: int | None = None
        self._shard = WHOLE

    @abstractmethod
    def count_rows(self) -> int:
        """Count the rows of all groups."""

    @abstractmethod
    def read(self, group: int) -> Iterator[Values]:
        """Read the rows of a group in order, in pieces (n, *shape)."""

    @property
    def groups_at_once(self) -> int:
        """How many groups are read side by side when rows are shuffled."""
        return 1

    def __len__(self) -> int:
        return self.count_rows() if self._n_kept is None else self._n_kept

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Hand over rows; see the base class. Each share has row groups of its own where there are enough of them."""
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

    def _divides(self, seed: int | None, n_shares: int) -> bool:
        """Whether no share of the groups would have less than half of the rows that are due to it."""
        if len(self.starts) < GROUPS_A_SHARE * n_shares:
            return False
        sizes = np.diff([*self.starts, self.count_rows()])[self.order(seed)]
        return 2 * n_shares * min(sizes[rank::n_shares].sum() for rank in range(n_shares)) >= sizes.sum()

    def _groupwise(self, size: int, seed: int | None, shard: Shard) -> Iterator[Batch]:
        """Spread the rows of one share's groups evenly over as many batches as all rows make."""
        mine = copy(self)
        mine._shard = shard
        n_batches, n_rows = len(batch_bounds(len(self), size, seed)), mine._count_shard(seed)
        ends = [n_rows * i // n_batches for i in range(n_batches + 1)]
        pools = prefetch(mine._pools(size, seed))
        rows, start = np.empty((0, *self.schema.shape), self.schema.dtype), 0  # in hand, and the number of the first
        for begin, end in pairwise(ends):
            while end > start + len(rows):
                rows, start = np.concatenate([rows[begin - start :], next(pools)]), begin
            yield Batch(torch.from_numpy(rows[begin - start : end - start]), None)

    def _count_shard(self, seed: int | None) -> int:
        stops = [*self.starts[1:], self.count_rows()]
        rows = (np.arange(self.starts[group], stops[group], dtype=np.uint64) for group in self.order(seed))
        return sum(int(self._holds(some).sum()) for some in rows)

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Set aside the ``n`` rows whose numbers have the smallest hashes; both halves read the same groups.

        Raises
        ------
        ValueError
            If ``n`` leaves no row on one of the sides.
        """
        if not 0 < n < len(self):
            raise ValueError(f"n must leave rows on both sides of {len(self)}, got {n!r}")
        threshold = self._threshold(n, seed)
        return (
            self._half(Cut(seed, threshold, below=False), len(self) - n),
            self._half(Cut(seed, threshold, below=True), n),
        )

    def to_container(self, values: Values) -> Any:
        """Give results back: a data frame of the library that the rows came in, or the array."""
        return label_columns(values, self.schema)

    def load(self) -> Array:
        """Read all rows into memory."""
        rows = next(self._pools(len(self), None))
        return Array(torch.from_numpy(rows), self.schema, container=self.to_container)

    def order(self, seed: int | None) -> list[int]:
        """Return the groups as they are read: as they come, or as the seed decides."""
        n, (rank, n_shares) = len(self.starts), self._shard
        order = list(range(n)) if seed is None else np.random.default_rng(mix(seed)).permutation(n).tolist()
        return order[rank::n_shares]

    def _half(self, cut: Cut, n: int) -> Self:
        half = copy(self)
        half._cuts, half._n_kept = (*self._cuts, cut), n
        return half

    def _threshold(self, n: int, seed: int) -> np.uint64:
        """Return the hash that those of exactly ``n`` rows are below, without holding the hashes of all rows."""
        shift = np.uint64(64 - BITS)
        counts = sum(np.bincount((some >> shift).astype(np.int64), minlength=2**BITS) for some in self._hashes(seed))
        totals = np.cumsum(counts)
        place = int(np.searchsorted(totals, n, side="right"))
        near = np.concatenate([some[some >> shift == place] for some in self._hashes(seed)])
        return np.sort(near)[n - (totals[place - 1] if place else 0)]

    def _hashes(self, seed: int) -> Iterator[Values]:
        """Yield the hashes of this stream's rows."""
        n_rows = self.count_rows()
        for start in range(0, n_rows, INDICES):
            rows = np.arange(start, min(start + INDICES, n_rows), dtype=np.uint64)
            yield hash_rows(rows[self._holds(rows)], seed)

    def _holds(self, rows: Values) -> Values:
        return (
            np.logical_and.reduce([cut.holds(rows) for cut in self._cuts]) if self._cuts else np.full(len(rows), True)
        )

    def _pools(self, size: int, seed: int | None) -> Iterator[Values]:
        """Collect pieces to pools, each of whole batches but the last."""
        limit = max(size + 2, count_rows_within(POOL, self.schema))
        rng = None if seed is None else np.random.default_rng(mix(seed, 1))
        pieces: list[Values] = []
        for piece in self._pieces(seed):
            pieces.append(piece)
            if sum(map(len, pieces)) >= limit:
                rows = _shuffled(pieces, rng)
                # The last pool shall have two rows or more: of one alone it could not make a batch to train on.
                whole = (len(rows) - 2) // size * size
                pieces = [rows[whole:].copy()]
                yield rows[:whole]
        if any(map(len, pieces)):
            yield _shuffled(pieces, rng)

    def _pieces(self, seed: int | None) -> Iterator[Values]:
        groups = (self._kept(group) for group in self.order(seed))
        return interleave(groups, 1 if seed is None else self.groups_at_once)

    def _kept(self, group: int) -> Iterator[Values]:
        """Read of a group the rows that no split took away."""
        start = self.starts[group]
        for piece in self.read(group):
            rows = np.arange(start, start + len(piece), dtype=np.uint64)
            yield piece[self._holds(rows)] if self._cuts else piece
            start += len(piece)


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """Hand over items while a thread makes the next one. The thread ends with the iteration, also if this is given up.

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
    """Take items of ``at_once`` iterators in turn; where one ends, the next begins.

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
    """Scatter row numbers (n,) over 64 bits, no two to one place: SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = rows * np.uint64(0x9E3779B97F4A7C15) + np.uint64(mix(seed, 2))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def count_rows_within(n_numbers: int, schema: Schema) -> int:
    """Count the rows that so many numbers make, at least one."""
    return max(1, n_numbers // int(np.prod(schema.shape)))


def _shuffled(pieces: list[Values], rng: np.random.Generator | None) -> Values:
    """Join pieces, which are given up, and shuffle their rows. By NumPy: torch would take the cores from the net."""
    rows = np.concatenate(pieces)
    pieces.clear()
    return rows if rng is None else rows.take(rng.permutation(len(rows)), axis=0)
