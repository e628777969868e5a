"""Distances of rows to normal rows: to a few reconstructed rows, and to the nearest of all training rows."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.coordinates import Points, RankGaussian, Standardisation
from isthmus.randomness import mix

View = Standardisation | RankGaussian

# Rows per group of exemplars, and groups of each size per net. Groups are so small that they rarely include an
# anomaly. Not tuned.
GROUP_SIZES, N_GROUPS = (4, 16), 8
# Largest number of training rows that are kept for the nearest one, and of distances in memory.
MAX_ROWS, SIZE = 10_000, 2**22


@dataclass(frozen=True)
class Exemplars:
    """Small groups of training rows, reconstructed by nets. The distance to the nearest member is a coarse measure.

    Parameters
    ----------
    groups : tuple of ndarray of shape (n_nets, n_groups, group_size, n_coordinates)
        For each size of a group.
    """

    groups: tuple[Points, ...]

    @classmethod
    def sample(cls, ensemble: BaggedAutoencoders, points: Points, rng: np.random.Generator) -> "Exemplars":
        """Sample groups from the most normal half of the training rows of each net, and reconstruct them.

        These rows have the lowest distances to preliminary groups, which are sampled from all rows of each net.
        """
        in_bag = [np.flatnonzero(~left_out) for left_out in ensemble.left_out_]
        preliminary = cls(_sample_groups(ensemble, points, in_bag, rng))
        distances = preliminary.held_out_distances(np.nan_to_num(points), ensemble.left_out_).sum(1)
        return cls(_sample_groups(ensemble, points, [_lowest_half(rows, distances) for rows in in_bag], rng))

    def distances(self, points: Points) -> Points:
        """Return the mean distance to the nearest member of the groups of each size, (n, n_sizes, n_nets)."""
        return np.stack([_distances_to_nearest(points, groups).mean(2) for groups in self.groups], 1)

    def held_out_distances(self, points: Points, left_out: NDArray[np.bool_]) -> Points:
        """Return for training rows the mean distance over the nets that have not seen them, (n, n_sizes)."""
        weights = left_out.T[:, None].astype(float)
        means: Points = (self.distances(points) * weights).sum(2) / weights.sum(2)
        return means


def _lowest_half(rows: NDArray[np.int64], distances: Points) -> NDArray[np.int64]:
    return rows[np.argsort(distances[rows], kind="stable")[: ceil(len(rows) / 2)]]


def _sample_groups(
    ensemble: BaggedAutoencoders, points: Points, rows: list[NDArray[np.int64]], rng: np.random.Generator
) -> tuple[Points, ...]:
    """Sample groups of each size from the rows of each net, and reconstruct them."""
    return tuple(_reconstruct_groups(ensemble, points, rows, size, rng) for size in GROUP_SIZES)


def _reconstruct_groups(
    ensemble: BaggedAutoencoders, points: Points, rows: list[NDArray[np.int64]], size: int, rng: np.random.Generator
) -> Points:
    size = min(size, *map(len, rows))
    samples = [rng.choice(each, (N_GROUPS, size)) for each in rows]
    rebuilt = [ensemble.reconstruct_each(points[sample.ravel()])[:, i] for i, sample in enumerate(samples)]
    return np.stack(rebuilt).reshape(len(rows), N_GROUPS, size, -1).astype(np.float64)


def _distances_to_nearest(points: Points, groups: Points) -> Points:
    """Return the distance to the nearest member of each group, (n, n_nets, n_groups)."""
    centres = torch.from_numpy(groups.reshape(-1, groups.shape[-1]))
    chunks = torch.from_numpy(points).split(max(1, SIZE // len(centres)))
    # One method for any number of rows, because the score of a row must not depend on the other rows.
    parts = [torch.cdist(chunk, centres, compute_mode="use_mm_for_euclid_dist") for chunk in chunks]
    return torch.cat([part.unflatten(1, groups.shape[:-1]).amin(-1) for part in parts]).numpy()


@dataclass(frozen=True)
class NearestRow:
    """Distance to the nearest training row.

    Parameters
    ----------
    points : ndarray of shape (n_kept, n_coordinates)
    index : NearestNeighbors
        Fitted on the points.
    """

    points: Points
    index: NearestNeighbors

    @classmethod
    def fit(cls, points: Points) -> "NearestRow":
        """Make an index of points."""
        return cls(points, NearestNeighbors().fit(points))

    def distances(self, points: Points, is_kept: NDArray[np.bool_] | None = None) -> Points:
        """Return the distance to the nearest kept row, (n,), or to the second nearest if the row itself is kept.

        If ``is_kept`` is None, rows that equal a kept row count as kept: the scores of training rows are then those of
        held-out rows.
        """
        nearest = np.sort(self._two_distances(points))
        is_kept = nearest[:, 0] == 0 if is_kept is None else is_kept
        return np.where(is_kept, nearest[:, 1], nearest[:, 0])

    def _two_distances(self, points: Points) -> Points:
        # The index computes distances from dot products: because of rounding, equal rows do not have distance 0.
        nearest = self.index.kneighbors(points, 2, return_distance=False)
        return np.column_stack([np.linalg.norm(points - self.points[rows], axis=1) for rows in nearest.T])


@dataclass(frozen=True)
class ViewScorer:
    """Distances in one view, that is, after one transformation of the coordinates."""

    view: View
    exemplars: Exemplars
    nearest: NearestRow

    @classmethod
    def fit(cls, view: View, points: Points, ensemble: BaggedAutoencoders, seed: int) -> tuple["ViewScorer", Points]:
        """Fit nets in a view. Return the scorer, and the held-out distances of the training rows."""
        rng = np.random.default_rng(seed)
        viewed = view(points)
        ensemble.set_params(random_state=mix(seed, 1))._fit_nets(viewed)
        complete = np.nan_to_num(viewed)
        is_kept = np.zeros(len(points), dtype=bool)
        is_kept[rng.permutation(len(points))[:MAX_ROWS]] = True
        scorer = cls(view, Exemplars.sample(ensemble, viewed, rng), NearestRow.fit(complete[is_kept]))
        coarse = scorer.exemplars.held_out_distances(complete, ensemble.left_out_)
        return scorer, np.column_stack([coarse, scorer.nearest.distances(complete, is_kept)])

    def distances(self, points: Points) -> Points:
        """Return distances of new rows, (n, n_sizes + 1): coarse ones for each size of groups, then the fine one."""
        complete = np.nan_to_num(self.view(points))  # 0 is the typical value
        return np.column_stack([self.exemplars.distances(complete).mean(2), self.nearest.distances(complete)])
