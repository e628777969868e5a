"""The input of training, and a random sample of the rows of all calls of ``partial_fit``."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.data.arrays import Array
from isthmus.data.base import Batches
from isthmus.schema import Schema
from isthmus.training import Group, TrainSettings, TrainState

# Largest size of the sample: rows, as many as mean scores use after training, and bytes. Both bound memory; not tuned.
N_KEPT, MAX_BYTES = 10_000, 2**28


class Problem(NamedTuple):
    """The input of training: model, optimizer, rows and settings.

    Parameters
    ----------
    state : TrainState
        Model and optimizer, which training changes.
    rows, valid : Batches, Batches or None
        Rows for training and for validation.
    settings : TrainSettings
    group : Group
        Processes of distributed training.
    X, y, sample_weight : object
        The arguments of ``fit``, for the names of columns and for callbacks.
    finalize_rows : Batches or None
        Rows for the steps after training: mean scores, prior and missingness. None skips these steps.
    """

    state: TrainState
    rows: Batches
    valid: Batches | None
    settings: TrainSettings
    group: Group
    X: Any
    y: Any
    sample_weight: Any
    finalize_rows: Batches | None


class Reservoir:
    """Weighted random sample of the rows of several calls.

    Each row gets an exponential random number divided by its weight; the rows with the smallest numbers are kept
    (Efraimidis and Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97, 2006).
    """

    def __init__(self) -> None:
        self.keys, self.rows = np.empty(0), list[tuple[Tensor, Tensor | None]]()

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, rows: Batches, schema: Schema, seed: int) -> None:
        """Add rows in batches as large as the sample, because each batch copies the sample."""
        generator, limit = np.random.default_rng(seed), max(1, min(N_KEPT, MAX_BYTES // (8 * math.prod(schema.shape))))
        for x, y, weight in rows.batches(limit):
            keys = generator.exponential(size=len(x)) / (1.0 if weight is None else weight.numpy())
            self.keys = np.concatenate([self.keys, keys])
            self._keep([*self.rows, (x, y)], limit)

    def as_batches(self, schema: Schema) -> Array:
        """Return the rows of the sample."""
        ((x, y),) = self.rows
        return Array(x, schema, y)

    def _keep(self, rows: list[tuple[Tensor, Tensor | None]], limit: int) -> None:
        x, labels = torch.cat([x for x, _ in rows]), [y for _, y in rows if y is not None]
        y = torch.cat(labels) if labels else None
        if len(x) > limit:
            kept = np.sort(np.argpartition(self.keys, limit)[:limit])
            self.keys, x, y = self.keys[kept], x[kept], None if y is None else y[kept]
        self.rows = [(x, y)]
