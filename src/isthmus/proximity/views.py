"""Rows as points in a space: numbers on one scale, levels a coordinate each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from isthmus.data import Source
from isthmus.schema import Schema

Points = NDArray[np.float64]

# Levels of a column that get a coordinate each, the others sharing one; and rows that are read at once.
MAX_LEVELS, CHUNK = 32, 2**14
# Quantiles that describe a coordinate; and deviations beyond which tamed values are cut.
N_QUANTILES, FARTHEST = 1000, 20.0


def points_of(source: Source, schema: Schema) -> Points:
    """Lay rows out as points, NaN where a number is missing; a missing level is none of the levels."""
    rows = np.concatenate([batch.x.flatten(1).double().numpy() for batch in source.batches(CHUNK)])
    columns = [
        rows[:, i, None] if i not in schema.levelled else _one_column_a_level(rows[:, i], len(schema.used[i].levels))
        for i in range(rows.shape[1])
    ]
    return np.hstack(columns)


def _one_column_a_level(codes: Points, n_levels: int) -> Points:
    return (np.minimum(codes, MAX_LEVELS)[:, None] == np.arange(min(n_levels, MAX_LEVELS + 1))).astype(np.float64)


@dataclass(frozen=True)
class Scaling:
    """Centre and spread (n_coordinates,); coordinates that never vary keep a spread of 1."""

    centre: Points
    spread: Points

    @classmethod
    def of(cls, points: Points) -> "Scaling":
        """Take mean and standard deviation."""
        known = np.where(np.isnan(points).all(0), 0.0, points)
        centre, spread = np.nanmean(known, 0), np.nanstd(known, 0)
        return cls(centre, np.where(spread > 1e-9 * np.abs(centre), spread, 1.0))

    def __call__(self, points: Points) -> Points:
        """Scale points."""
        return (points - self.centre) / self.spread


@dataclass(frozen=True)
class Taming:
    """Halfway between values and their normal scores, so that heavy tails neither rule nor vanish.

    Parameters
    ----------
    plain, again : Scaling
        Of the values, and of the sum.
    quantiles : ndarray of shape (n_quantiles, n_coordinates)
    n_rows : int
        Normal scores end where so many rows end.

    References
    ----------
    Van der Waerden, Order tests for the two-sample problem, 1952: normal scores.
    """

    plain: Scaling
    quantiles: Points
    n_rows: int
    again: Scaling

    @classmethod
    def of(cls, points: Points) -> "Taming":
        """Learn from points."""
        known = np.where(np.isnan(points).all(0), 0.0, points)
        quantiles = np.nanquantile(known, np.linspace(0, 1, min(N_QUANTILES, len(points))), axis=0)
        plain, nothing = Scaling.of(points), Scaling(np.zeros(1), np.ones(1))
        return cls(plain, quantiles, len(points), Scaling.of(cls(plain, quantiles, len(points), nothing)(points)))

    def __call__(self, points: Points) -> Points:
        """Tame points."""
        scores = np.column_stack([self._normal_scores(*pair) for pair in zip(points.T, self.quantiles.T, strict=True)])
        return self.again(scores + np.clip(self.plain(points), -FARTHEST, FARTHEST))

    def _normal_scores(self, values: Points, quantiles: Points) -> Points:
        """Read ranks off the quantiles, tied values in the middle of their ranks, and turn them into normal scores."""
        shares = np.linspace(0, 1, len(quantiles)) if len(quantiles) > 1 else np.full(1, 0.5)
        upper = np.interp(values, quantiles, shares)
        lower = 1 - np.interp(-values, -quantiles[::-1], shares)
        edge = 0.5 / (self.n_rows + 1)
        scores: Points = ndtri(np.clip((upper + lower) / 2, edge, 1 - edge))
        return np.where(np.isnan(values), np.nan, scores)
