"""Rows as points in a space: numbers on one scale, levels a coordinate each."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from isthmus.data import Source
from isthmus.data.validation import require_finite
from isthmus.functional import compress_tails
from isthmus.likelihoods.base import MAX_DEVIATIONS
from isthmus.schema import Schema

Points = NDArray[np.float64]

# Levels of a column that get a coordinate each, the others sharing one; and rows that are read at once.
MAX_LEVELS, CHUNK = 32, 2**14
# Quantiles that describe a coordinate; and deviations beyond which tamed values are cut.
N_QUANTILES, FARTHEST = 1000, 20.0
# A coordinate whose deviation is a smaller share of its mean never varies, but for rounding.
ROUNDING = 1e-9


def points_of(source: Source, schema: Schema) -> Points:
    """Lay rows out as points, NaN where a number is missing; a missing level is none of the levels.

    Raises
    ------
    ValueError
        If a value is infinite.
    """
    rows = np.concatenate(
        [require_finite(batch.x, schema).flatten(1).double().numpy() for batch in source.batches(CHUNK)]
    )
    columns = [
        rows[:, i, None]
        if i not in schema.categorical
        else _one_column_a_level(rows[:, i], len(schema.used[i].categories))
        for i in range(rows.shape[1])
    ]
    return np.hstack(columns)


def _one_column_a_level(codes: Points, n_categories: int) -> Points:
    return (np.minimum(codes, MAX_LEVELS)[:, None] == np.arange(min(n_categories, MAX_LEVELS + 1))).astype(np.float64)


@dataclass(frozen=True)
class Scaling:
    """Centre and spread (n_coordinates,); coordinates that never vary keep a spread of 1."""

    centre: Points
    spread: Points

    @classmethod
    def of(cls, points: Points) -> "Scaling":
        """Take mean and standard deviation."""
        centre, spread = np.nanmean(points, 0), np.nanstd(points, 0)
        return cls(centre, np.where(spread > ROUNDING * np.abs(centre), spread, 1.0))

    def __call__(self, points: Points) -> Points:
        """Scale points; those very far off come nearer, in their order, so that distances stay finite."""
        near = compress_tails(*map(torch.from_numpy, (points, self.centre, MAX_DEVIATIONS * self.spread)))
        return (near.numpy() - self.centre) / self.spread


@dataclass(frozen=True)
class Taming:
    """Halfway between values and their normal scores, so that heavy tails neither rule nor vanish.

    Parameters
    ----------
    plain : Scaling
        Of the values.
    quantiles : ndarray of shape (n_quantiles, n_coordinates)
    n_rows : int
        Normal scores end where so many rows end.
    again : Scaling
        Of the sum.

    References
    ----------
    Van der Waerden, Order tests for the two-sample problem, 1952: normal scores.
    """

    plain: Scaling
    quantiles: Points
    n_rows: int
    again: Scaling

    @classmethod
    def of(cls, points: Points, plain: Scaling) -> "Taming":
        """Learn from points, and from the scaling of their values."""
        take = np.nanquantile if np.isnan(points).any() else np.quantile
        quantiles = take(points, np.linspace(0, 1, min(N_QUANTILES, len(points))), axis=0)
        unscaled = cls(plain, quantiles, len(points), Scaling(np.zeros(1), np.ones(1)))
        return replace(unscaled, again=Scaling.of(unscaled(points)))

    def __call__(self, points: Points) -> Points:
        """Tame points."""
        return self.again(self.normal_scores(points) + np.clip(self.plain(points), -FARTHEST, FARTHEST))

    def normal_scores(self, points: Points) -> Points:
        """Read ranks off the quantiles, tied values in the middle of their ranks, and turn them into normal scores."""
        pairs, shares = zip(points.T, self.quantiles.T, strict=True), np.linspace(0, 1, len(self.quantiles))
        ranks = np.column_stack([_middle_share(values, quantiles, shares) for values, quantiles in pairs])
        edge = 0.5 / (self.n_rows + 1)
        scores: Points = np.where(np.isnan(points), np.nan, ndtri(np.clip(ranks, edge, 1 - edge)))
        return scores


def _middle_share(values: Points, quantiles: Points, shares: Points) -> Points:
    """Say what share of the rows is below values, counting half of those that are equal."""
    upper = np.interp(values, quantiles, shares)
    lower = 1 - np.interp(-values, -quantiles[::-1], shares)
    middle: Points = (upper + lower) / 2
    return middle
