"""Rows as points in a Euclidean space: numbers on one scale, one coordinate per category or frequent token."""

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
NO_TOKENS: NDArray[np.float64] = np.zeros(0)

# The first MAX_CATEGORIES categories of a column have a coordinate each, and all others share one, which bounds the
# width of the points. Not tuned.
MAX_CATEGORIES = 32
# A token in at least MIN_TEXTS training texts has a coordinate, its count in a text; at most MAX_TOKENS tokens have
# one. All others share one, so that names and numbers, which are rare, are not surprising. MIN_TEXTS was chosen on
# simulated log lines; MAX_TOKENS is not tuned.
MIN_TEXTS, MAX_TOKENS = 25, 256
# Rows that are converted at once.
CHUNK = 2**14
# Number of quantiles of a coordinate from which ranks are interpolated. Not tuned.
N_QUANTILES = 1000
# Values are clipped at CLIP standard deviations before they are added to normal scores. Not tuned.
CLIP = 20.0
# A coordinate is constant, up to rounding, if its standard deviation divided by its mean is smaller.
ROUNDING = 1e-9


def to_points(source: Source, schema: Schema, tokens: NDArray[np.float64] = NO_TOKENS) -> Points:
    """Convert rows to points (n, n_coordinates); NaN for missing numbers, all zeros for missing categories.

    Texts become counts of the given tokens and of all others, (n, n_tokens + 1).

    Raises
    ------
    ValueError
        If a value is infinite.
    """
    rows = _read_rows(source, schema)
    if schema.n_categories:
        return _count_tokens(rows, tokens)
    columns = [
        rows[:, i, None] if i not in schema.categorical else _one_hot(rows[:, i], len(schema.used[i].categories))
        for i in range(rows.shape[1])
    ]
    return np.hstack(columns)


def find_frequent_tokens(source: Source, schema: Schema) -> NDArray[np.float64]:
    """Return the tokens that have a coordinate; none if the rows are not texts."""
    if not schema.n_categories:
        return NO_TOKENS
    rows = _read_rows(source, schema)
    n_texts = np.array([(rows == token).any(1).sum() for token in range(schema.n_categories)])
    most_frequent = np.argsort(-n_texts, kind="stable")[:MAX_TOKENS]
    return np.sort(most_frequent[n_texts[most_frequent] >= MIN_TEXTS]).astype(np.float64)


def _read_rows(source: Source, schema: Schema) -> Points:
    batches = (require_finite(batch.x, schema).flatten(1).double().numpy() for batch in source.batches(CHUNK))
    return np.concatenate(list(batches))


def _count_tokens(rows: Points, tokens: NDArray[np.float64]) -> Points:
    counts = [(rows == token).sum(1) for token in tokens]
    return np.column_stack([*counts, (~np.isnan(rows)).sum(1) - sum(counts)]).astype(np.float64)


def _one_hot(codes: Points, n_categories: int) -> Points:
    columns = np.arange(min(n_categories, MAX_CATEGORIES + 1))
    return (np.minimum(codes, MAX_CATEGORIES)[:, None] == columns).astype(np.float64)


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of each coordinate (n_coordinates,); a deviation of 1 for constant coordinates."""

    mean: Points
    deviation: Points

    @classmethod
    def fit(cls, points: Points) -> "Standardisation":
        """Learn from points."""
        mean, deviation = np.nanmean(points, 0), np.nanstd(points, 0)
        return cls(mean, np.where(deviation > ROUNDING * np.abs(mean), deviation, 1.0))

    def __call__(self, points: Points) -> Points:
        """Standardise points. Extreme values are compressed, in their order, so that distances stay finite."""
        near = compress_tails(*map(torch.from_numpy, (points, self.mean, MAX_DEVIATIONS * self.deviation)))
        return (near.numpy() - self.mean) / self.deviation


@dataclass(frozen=True)
class RankGaussian:
    """The mean of standardised values and their normal scores: the result has lighter tails.

    Parameters
    ----------
    standardisation : Standardisation
        Of the values.
    quantiles : ndarray of shape (n_quantiles, n_coordinates)
    n_rows : int
        Number of training rows, which bounds the normal scores.
    final : Standardisation
        Of the sum of standardised values and normal scores.

    References
    ----------
    Van der Waerden, Order tests for the two-sample problem, 1952: normal scores.
    """

    standardisation: Standardisation
    quantiles: Points
    n_rows: int
    final: Standardisation

    @classmethod
    def fit(cls, points: Points, standardisation: Standardisation) -> "RankGaussian":
        """Learn from points, and from the standardisation of their values."""
        quantile = np.nanquantile if np.isnan(points).any() else np.quantile
        quantiles = quantile(points, np.linspace(0, 1, min(N_QUANTILES, len(points))), axis=0)
        identity = Standardisation(np.zeros(1), np.ones(1))
        unscaled = cls(standardisation, quantiles, len(points), identity)
        return replace(unscaled, final=Standardisation.fit(unscaled(points)))

    def __call__(self, points: Points) -> Points:
        """Transform points."""
        values = np.clip(self.standardisation(points), -CLIP, CLIP)
        return self.final(self.normal_scores(points) + values)

    def normal_scores(self, points: Points) -> Points:
        """Return normal quantiles of the ranks among the training rows; equal values have their middle rank."""
        pairs, shares = zip(points.T, self.quantiles.T, strict=True), np.linspace(0, 1, len(self.quantiles))
        ranks = np.column_stack([_middle_rank(values, quantiles, shares) for values, quantiles in pairs])
        edge = 0.5 / (self.n_rows + 1)
        scores: Points = np.where(np.isnan(points), np.nan, ndtri(np.clip(ranks, edge, 1 - edge)))
        return scores

    def tail_distances(self, points: Points) -> Points:
        """Return the sum of squared normal scores of each point, (n,); missing values have the typical score 0.

        It grows as minus the logarithm of the tail probabilities of independent coordinates, whatever
        their distributions are. This is similar to ECOD (Li et al., 2022, arXiv:2201.00382).
        """
        distances: Points = (np.nan_to_num(self.normal_scores(points)) ** 2).sum(1)
        return distances


def _middle_rank(values: Points, quantiles: Points, shares: Points) -> Points:
    """Return the share of rows below each value, plus half the share of rows equal to it."""
    upper = np.interp(values, quantiles, shares)
    lower = 1 - np.interp(-values, -quantiles[::-1], shares)
    middle: Points = (upper + lower) / 2
    return middle
