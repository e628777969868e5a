"""Subsets of the rows for several models that are trained at once (bagging without replacement)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from isthmus.data.base import WHOLE, Batch, Batches, Plan, Shard, Source, shard_bounds
from isthmus.randomness import mix

Positions = np.ndarray[Any, Any]

# Blocks per fold. Blocks of time are always the same, so folds differ between rounds only with two blocks or more.
PARTS = 2


@dataclass(frozen=True)
class BootstrapBatches(Batches):
    """A subset of the rows for each model; batches interleave them, so that row i is for model i % n.

    Parameters
    ----------
    subsets : sequence of Source
        The subset of each model, all of the same size.
    left_out : Tensor of bool, (n_models, n_rows)
        Whether a row shares no values with the subset of a model.
    """

    subsets: Sequence[Source]
    left_out: Tensor

    def __len__(self) -> int:
        return len(self.subsets) * len(self.subsets[0])

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield batches of about ``size`` rows, with the same number of rows of each subset."""
        n_each = max(1, size // len(self.subsets))
        passes = [
            subset.batches(n_each, None if seed is None else mix(seed, i)) for i, subset in enumerate(self.subsets)
        ]
        for batches in zip(*passes, strict=True):
            part = slice(*shard_bounds(0, len(batches[0].x), shard))
            yield Batch(*(_interleave(values, part) for values in zip(*batches, strict=True)))  # type: ignore[arg-type]

    def plan(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Plan | None:
        """Return the positions of the rows of each batch, or None without random access, as ``Source.plan`` does."""
        n_models, n_each = len(self.subsets), max(1, size // len(self.subsets))
        plans = [subset.plan(n_each, None if seed is None else mix(seed, i)) for i, subset in enumerate(self.subsets)]
        known = [plan for plan in plans if plan is not None]
        if shard != WHOLE or len(known) < n_models:
            return None
        positions = torch.stack([plan.positions * n_models + i for i, plan in enumerate(known)], 1).flatten()
        return Plan(positions, [(start * n_models, stop * n_models) for start, stop in known[0].bounds])

    def resample(self, seed: int) -> Self:
        """Draw rows of each subset with replacement in proportion to their weights."""
        return replace(self, subsets=[subset.resample(mix(seed, i)) for i, subset in enumerate(self.subsets)])


def _interleave(values: Sequence[Tensor | None], part: slice) -> Tensor | None:
    """Interleave a slice of the rows of each subset."""
    known = [each[part] for each in values if each is not None]
    return torch.stack(known, 1).flatten(0, 1) if known else None


def make_bootstrap(source: Source, n_models: int, max_samples: float, seed: int) -> BootstrapBatches:
    """Draw a subset of the rows for each model, so that every row is left out of at least one subset.

    The blocks of the rows are assigned to folds at random, and each fold is left out of one subset. If there are more
    models than folds, the blocks are assigned again in further rounds.

    Raises
    ------
    ValueError
        If there are too few models to leave every row out of one, or too few rows.
    TypeError
        If the rows are a stream.
    """
    n_each, n_folds = _sizes(len(source), n_models, max_samples)
    n_rounds = math.ceil(n_models / n_folds)
    rounds = [_make_folds(source, n_folds, mix(seed, i)) for i in range(n_rounds)]
    held_out = list(chain.from_iterable(rounds))[:n_models]
    left_out = torch.zeros((n_models, len(source)), dtype=torch.bool, device="cpu")
    for i, fold in enumerate(held_out):
        left_out[i, fold] = True
    return BootstrapBatches(_draw_subsets(source, held_out, n_each, seed), left_out)


def _make_folds(source: Source, n_folds: int, seed: int) -> list[Positions]:
    """Assign all rows to folds, none of which is empty."""
    parts = source.blocks(max(n_folds, min(PARTS * n_folds, len(source))), seed)
    order = np.random.default_rng(seed).permutation(len(parts))
    return [np.concatenate([parts[j] for j in order[fold::n_folds]]) for fold in range(n_folds)]


def _draw_subsets(source: Source, held_out: Sequence[Positions], n_each: int, seed: int) -> list[Source]:
    """Draw at most ``n_each`` rows for each model, the same number for all, that share no values with held-out rows."""
    known = [source.disjoint_from(fold) for fold in held_out]
    n_rows = min(n_each, *map(len, known))
    if not n_rows:
        raise ValueError(f"{len(source)} rows are too few: nothing is left to learn from beside those held out")
    drawn = [np.random.default_rng(mix(seed, i, 1)).permutation(each)[:n_rows] for i, each in enumerate(known)]
    return [source.take(np.sort(each)) for each in drawn]


def _sizes(n_rows: int, n_models: int, max_samples: float) -> tuple[int, int]:
    """Return the number of rows per subset, and the number of folds of which a subset can leave one out."""
    n_each = max(1, int(max_samples * n_rows) if max_samples < 1 else min(int(max_samples), n_rows // 2))
    n_folds = max(2, math.ceil(n_rows / max(1, n_rows - n_each)))
    if n_models < n_folds:
        raise ValueError(
            f"max_samples={max_samples!r} leaves every row out of a net "
            f"only from n_estimators={n_folds} on, got {n_models}"
        )
    return n_each, n_folds
