"""What an autoencoder trains on, and a sample of what it has seen."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.data.arrays import Array
from isthmus.data.base import Batches
from isthmus.training import Group, TrainSettings, TrainState

# Most rows of a sample, as many as scores are averaged over after training, and the most bytes that it takes.
N_KEPT, MAX_BYTES = 10_000, 2**28


class Problem(NamedTuple):
    """A model with its optimizer, the rows that it trains on, and how.

    Parameters
    ----------
    state : TrainState
        Changed by training.
    rows, valid : Batches, Batches or None
        Rows to train on, and to watch.
    settings : TrainSettings
    group : Group
        Processes that train together.
    names_from : object
        What names and number of the columns are read from.
    finalize_rows : Batches or None
        Rows that scores and the prior are fitted to after training; None leaves these as they are.
    """

    state: TrainState
    rows: Batches
    valid: Batches | None
    settings: TrainSettings
    group: Group
    names_from: Any
    finalize_rows: Batches | None


class Reservoir:
    """Random sample of all rows that a model has seen in several calls, in proportion to their weights.

    Each row gets an exponential random number divided by its weight; the rows with the smallest numbers are kept
    (Efraimidis and Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97, 2006).
    """

    def __init__(self) -> None:
        self.keys, self.rows = np.empty(0), list[tuple[Tensor, Tensor | None]]()

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, rows: Batches, size: int, seed: int) -> None:
        """Take rows in, ``size`` at a time."""
        generator = np.random.default_rng(seed)
        for x, y, weight in rows.batches(size):
            keys = generator.exponential(size=len(x)) / (1.0 if weight is None else weight.numpy())
            self.keys = np.concatenate([self.keys, keys])
            self._keep([*self.rows, (x, y)], max(1, min(N_KEPT, MAX_BYTES // max(1, x[0].nbytes))))

    def as_batches(self, schema: Any) -> Array:
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
