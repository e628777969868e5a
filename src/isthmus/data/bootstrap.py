"""Rows for many nets that are trained at once."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.data.base import WHOLE, Batch, Batches, Shard, Source, shard_bounds
from isthmus.randomness import mix

Positions = np.ndarray[Any, Any]

# Parts that a fold is made of: where parts are blocks of time, two make folds of one turn differ from those of another.
PARTS = 2


@dataclass(frozen=True)
class BootstrapBatches(Batches):
    """A bag of rows for each net; batches take one row of each bag in turn, so that row i is for net i % n.

    Parameters
    ----------
    bags : sequence of Source
        Of equal size, or the rows too many of the larger ones sit out.
    left_out : Tensor of bool, (n_bags, n_rows)
        Which of all rows no net of the bag can know.
    """

    bags: Sequence[Source]
    left_out: Tensor

    def __len__(self) -> int:
        return len(self.bags) * min(map(len, self.bags))

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Hand over about ``size`` rows at a time, as many of each bag; see the base class."""
        n_each = max(1, size // len(self.bags))
        passes = [bag.batches(n_each, None if seed is None else mix(seed, i)) for i, bag in enumerate(self.bags)]
        for batches in zip(*passes, strict=False):
            part = slice(*shard_bounds(0, min(len(batch.x) for batch in batches), shard))
            yield Batch(*(_in_turn(values, part) for values in zip(*batches, strict=True)))  # type: ignore[arg-type]

    def resample(self, seed: int) -> Self:
        """Draw rows of each bag in proportion to their weights; see the base class."""
        return replace(self, bags=[bag.resample(mix(seed, i)) for i, bag in enumerate(self.bags)])


def _in_turn(values: Sequence[Tensor | None], part: slice) -> Tensor | None:
    """Take some rows of each bag, one of each bag in turn."""
    known = [each[part] for each in values if each is not None]
    return torch.stack(known, 1).flatten(0, 1) if known else None


def make_bootstrap(source: Source, n_bags: int, max_samples: float, seed: int) -> BootstrapBatches:
    """Put a share of the rows, or a number of them, into each bag, so that every row is left out of a bag.

    The rows are cut into parts and the parts dealt to folds, each of which is left out of one bag; when there are more
    bags than folds, the parts are dealt anew.

    Raises
    ------
    ValueError
        If there are too few bags to leave every row out of one, or too few rows.
    TypeError
        If the rows are a stream.
    """
    n_each, n_folds = _sizes(len(source), n_bags, max_samples)
    n_turns = math.ceil(n_bags / n_folds)
    held_out = [fold for turn in range(n_turns) for fold in _deal(source, n_folds, mix(seed, turn))][:n_bags]
    left_out = torch.zeros((n_bags, len(source)), dtype=torch.bool, device="cpu")
    for i, fold in enumerate(held_out):
        left_out[i, fold] = True
    return BootstrapBatches([_bag(source, fold, n_each, mix(seed, i, 1)) for i, fold in enumerate(held_out)], left_out)


def _deal(source: Source, n_folds: int, seed: int) -> list[Positions]:
    """Deal all rows to folds, none of which is empty."""
    parts = source.blocks(max(n_folds, min(PARTS * n_folds, len(source))), seed)
    order = np.random.default_rng(seed).permutation(len(parts))
    return [np.concatenate([parts[j] for j in order[fold::n_folds]]) for fold in range(n_folds)]


def _bag(source: Source, held_out: Positions, n_rows: int, seed: int) -> Source:
    """Take random rows that know nothing of those held out."""
    known = source.disjoint_from(held_out)
    if not len(known):
        raise ValueError(f"{len(source)} rows are too few: nothing is left to learn from beside those held out")
    return source.take(np.sort(np.random.default_rng(seed).permutation(known)[:n_rows]))


def _sizes(n_rows: int, n_bags: int, max_samples: float) -> tuple[int, int]:
    """Rows of each bag, and how many folds leave a fold for it to be without."""
    n_each = max(1, int(max_samples * n_rows) if max_samples < 1 else min(int(max_samples), n_rows // 2))
    n_folds = max(2, math.ceil(n_rows / max(1, n_rows - n_each)))
    if n_bags < n_folds:
        raise ValueError(
            f"max_samples={max_samples!r} leaves every row out of a net "
            f"only from n_estimators={n_folds} on, got {n_bags}"
        )
    return n_each, n_folds
