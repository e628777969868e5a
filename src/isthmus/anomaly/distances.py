"""Distances to others: to a few rows as nets rebuild them, and to the nearest of all rows."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.coordinates import Points

# Rows of a group of exemplars, few and some, and groups of each size that a net gets.
GROUP_SIZES, N_GROUPS = (4, 16), 8
# Rows that can be the nearest, at most; and distances that are in memory at once.
N_KEPT, SIZE = 10_000, 2**22


@dataclass(frozen=True)
class Exemplars:
    """Groups of training rows as nets rebuild them: how far off typical rows a row lies.

    Groups are small, so that anomalies among the training rows are in few of them.

    Parameters
    ----------
    groups : tuple of ndarray of shape (n_nets, n_groups, group_size, n_coordinates)
        For each size of a group.
    """

    groups: tuple[Points, ...]

    @classmethod
    def of(cls, ensemble: BaggedAutoencoders, points: Points, rng: np.random.Generator) -> "Exemplars":
        """Draw groups from the rows that each net may know, and let it rebuild them."""
        known = [np.flatnonzero(~left_out) for left_out in ensemble.left_out_]
        return cls(tuple(_rebuilt_groups(ensemble, points, known, size, rng) for size in GROUP_SIZES))

    def distances(self, points: Points) -> Points:
        """Distance to the nearest of each group, (n, n_sizes, n_nets): means over the groups of a size."""
        return np.stack([_nearest(points, groups).mean(2) for groups in self.groups], 1)


def _rebuilt_groups(
    ensemble: BaggedAutoencoders, points: Points, known: list[NDArray[np.int64]], size: int, rng: np.random.Generator
) -> Points:
    size = min(size, *map(len, known))
    drawn = [rng.choice(rows, (N_GROUPS, size)) for rows in known]
    rebuilt = [ensemble.reconstruct_each(points[rows.ravel()])[:, i] for i, rows in enumerate(drawn)]
    return np.stack(rebuilt).reshape(len(known), N_GROUPS, size, -1).astype(np.float64)


def _nearest(points: Points, groups: Points) -> Points:
    """Distance to the nearest member of each group, (n, n_nets, n_groups)."""
    centres = torch.from_numpy(groups.reshape(-1, groups.shape[-1]))
    chunks = torch.from_numpy(points).split(max(1, SIZE // len(centres)))
    # By one method, whatever the number of rows: a row must score the same alone and among others.
    parts = [torch.cdist(chunk, centres, compute_mode="use_mm_for_euclid_dist") for chunk in chunks]
    return torch.cat([part.unflatten(1, groups.shape[:-1]).amin(-1) for part in parts]).numpy()


@dataclass(frozen=True)
class Neighbours:
    """Training rows: how far the nearest lies.

    Parameters
    ----------
    points : ndarray of shape (n_kept, n_coordinates)
    index : NearestNeighbors
        Fitted on them.
    """

    points: Points
    index: NearestNeighbors

    @classmethod
    def of(cls, points: Points) -> "Neighbours":
        """Keep points."""
        return cls(points, NearestNeighbors().fit(points))

    def distances(self, points: Points, themselves: NDArray[np.bool_] | None = None) -> Points:
        """Distance to the nearest, (n,); of rows that are kept ``themselves``, to the nearest other.

        Where nobody says which these are, a row that equals one that is kept is taken for it: training rows get the
        scores of rows that were held out, and are not found normal for being there.
        """
        nearest = np.sort(self._to_nearest(points, 2))
        themselves = nearest[:, 0] == 0 if themselves is None else themselves
        return np.where(themselves, nearest[:, 1], nearest[:, 0])

    def _to_nearest(self, points: Points, n: int) -> Points:
        # Measured anew: the index finds by products, of which equal rows come out as nearly equal only.
        nearest = self.index.kneighbors(points, n, return_distance=False)
        parts = [np.linalg.norm(points - self.points[rows], axis=1) for rows in nearest.T]
        return np.column_stack(parts)
