"""Rows of fit that are kept, to say what is normal beside an odd row."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from isthmus.anomaly.row_scorer import numbers_of, source_of
from isthmus.anomaly.rows import ANOMALY, Values, take
from isthmus.data import Source
from isthmus.data.streams.stream import Stream

# Rows that are kept at most, and values.
N_ROWS, SIZE = 10_000, 2**21


@dataclass(frozen=True)
class Background:
    """Some rows of fit, in random order.

    Parameters
    ----------
    rows : array, data frame or Source of shape (n_rows, ...)
        A copy.
    positions : ndarray of int of shape (n_rows,)
        Where they were in fit; -1 of rows of a stream, which are not counted.
    """

    rows: Any
    positions: Values

    @classmethod
    def of(cls, X: Any, labels: Values, seed: int) -> "Background":
        """Draw rows that are not known anomalies, as many as memory is spared for."""
        generator = np.random.default_rng(seed)
        n = min(N_ROWS, max(1, SIZE // _width(X)))
        if isinstance(X, Stream):
            some = X.split(min(n, len(X) - 1), seed)[1].load()
            rows = take(some, generator.permutation(len(some)))
            return cls(_copied(rows), np.full(len(rows), -1))
        positions = generator.permutation(np.flatnonzero(labels != ANOMALY))[:n]
        return cls(_copied(take(X, positions)), positions)


def _width(X: Any) -> int:
    """Count the values of a row."""
    if isinstance(X, Source):
        return prod(X.schema.shape)
    shape = getattr(X, "shape", None)
    return prod((np.asarray(X).shape if shape is None else shape)[1:])


def _copied(rows: Any) -> Any:
    """Let go of what rows of a source are views of."""
    return source_of(numbers_of(rows), rows.schema) if isinstance(rows, Source) else rows
