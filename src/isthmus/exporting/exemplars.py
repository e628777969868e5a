"""The scores of ``ExemplarDistance`` as a torch module: its distances are NumPy's, and programs need torch's."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.anomaly import ExemplarDistance
from isthmus.anomaly.coordinates import CLIP, MAX_CATEGORIES, RankGaussian, Standardisation
from isthmus.anomaly.distances import View, ViewScorer
from isthmus.exporting.operations import NORMAL_QUANTILE, normal_quantile, search_sorted
from isthmus.functional import compress_tails
from isthmus.likelihoods.base import MAX_DEVIATIONS
from isthmus.schema import Schema

# Distance, in standard deviations, up to which a row equals a kept training row: programs round otherwise than NumPy.
EQUAL = 1e-6
# Kept rows whose distances are in memory at once: 8 kB for each row of a call.
BLOCK = 1000


class ExemplarScore(nn.Module):
    """Scores rows (n, *shape) as a fitted ``ExemplarDistance`` does, (n,)."""

    center: Tensor
    scale: Tensor

    def __init__(self, estimator: ExemplarDistance) -> None:
        super().__init__()
        self.points, self.ranks = Points(estimator.schema_), NormalScores(estimator._ranks)
        self.views = nn.ModuleList(map(ViewDistances, estimator._view_scorers))
        _store(self, center=estimator._scale.center, scale=estimator._scale.scale)
        self.weight = float(estimator.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores."""
        points = self.points(x)
        ranks = self.ranks(points)
        tails = ranks.square().sum(1)
        distances = torch.stack([torch.cat([tails[:, None], view(points, ranks)], 1) for view in self.views], 1)
        standardised = (distances - self.center) / self.scale
        coarse, fine = standardised[..., :-1].mean(-1), standardised[..., -1]
        return -torch.maximum(coarse, self.weight * fine).mean(1)


class Points(nn.Module):
    """Rows as points, see ``isthmus.anomaly.coordinates.to_points``."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.sizes = [0] * int(np.prod(schema.shape))
        for i in schema.categorical:
            self.sizes[i] = min(len(schema.used[i].categories), MAX_CATEGORIES + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return points (n, n_coordinates)."""
        rows = x.flatten(1).double()
        if not any(self.sizes):
            return rows
        columns = zip(rows.split(1, 1), self.sizes, strict=True)
        return torch.cat([_one_hot(column, size) if size else column for column, size in columns], 1)


def _one_hot(codes: Tensor, size: int) -> Tensor:
    return (codes.clamp(max=MAX_CATEGORIES) == torch.arange(size)).double()


class ViewDistances(nn.Module):
    """Distances in one view, see ``isthmus.anomaly.distances.ViewScorer``."""

    kept: Tensor

    def __init__(self, scorer: ViewScorer) -> None:
        super().__init__()
        self.view = _make_view(scorer.view)
        self.groups = [group.shape[:-1] for group in scorer.exemplars.groups]
        for i, group in enumerate(scorer.exemplars.groups):
            _store(self, **{f"centres_{i}": group.reshape(-1, group.shape[-1])})
        _store(self, kept=scorer.nearest.points)

    def forward(self, points: Tensor, ranks: Tensor) -> Tensor:
        """Return distances (n, n_sizes + 1) from points and their normal scores: to exemplars, and to kept rows."""
        viewed = self.view(points, ranks)
        viewed = torch.where(viewed.isnan(), 0.0, viewed)
        coarse = [self._to_groups(viewed, i) for i in range(len(self.groups))]
        return torch.stack([*coarse, self._to_nearest(viewed)], 1)

    def _to_groups(self, points: Tensor, i: int) -> Tensor:
        squares = _squared_distances(points, cast(Tensor, getattr(self, f"centres_{i}")))
        nearest = squares.unflatten(1, self.groups[i]).amin(-1)
        return nearest.clamp(min=0).sqrt().flatten(1).mean(1)

    def _to_nearest(self, points: Tensor) -> Tensor:
        """Return the distance to the nearest kept row, or to the next one if a row equals it."""
        two = (
            torch.cat([_nearest_two(points, some) for some in self.kept.split(BLOCK)], 1).topk(2, largest=False).values
        )
        return torch.where(two[:, 0] <= EQUAL, two[:, 1], two[:, 0])


def _nearest_two(points: Tensor, kept: Tensor) -> Tensor:
    """Return the distances of points to the two nearest of some kept rows, (n, 2)."""
    places = _squared_distances(points, kept).topk(min(2, len(kept)), largest=False).indices
    return (points[:, None] - kept[places]).square().sum(2).sqrt()


def _squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Return squared distances (n, n_centres) from products of matrices, up to rounding."""
    return points.square().sum(1, keepdim=True) + centres.square().sum(1) - 2 * points @ centres.T


def _make_view(view: View) -> nn.Module:
    return RankGaussianView(view) if isinstance(view, RankGaussian) else StandardisedView(view)


class StandardisedView(nn.Module):
    """Standardises points."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, view: Standardisation) -> None:
        super().__init__()
        _store(self, mean=view.mean, deviation=view.deviation)

    def forward(self, points: Tensor, ranks: Tensor) -> Tensor:
        """Return standardised points."""
        near = compress_tails(points, self.mean, MAX_DEVIATIONS * self.deviation)
        return (near - self.mean) / self.deviation


class RankGaussianView(nn.Module):
    """Adds normal scores to standardised points, see ``isthmus.anomaly.coordinates.RankGaussian``."""

    def __init__(self, view: RankGaussian) -> None:
        super().__init__()
        self.first, self.final = StandardisedView(view.standardisation), StandardisedView(view.final)

    def forward(self, points: Tensor, ranks: Tensor) -> Tensor:
        """Return transformed points."""
        return self.final(ranks + self.first(points, ranks).clamp(-CLIP, CLIP), ranks)


class NormalScores(nn.Module):
    """Normal quantiles of the ranks of values among the training rows; 0 for missing values."""

    quantiles: Tensor
    ends: Tensor
    constants: Tensor

    def __init__(self, view: RankGaussian) -> None:
        super().__init__()
        edge = 0.5 / (view.n_rows + 1)
        _store(self, quantiles=view.quantiles.T, ends=np.array([edge, 1 - edge]), constants=np.array(NORMAL_QUANTILE))

    def forward(self, points: Tensor) -> Tensor:
        """Return scores (n, n_coordinates)."""
        low, high = self.ends
        ranks = torch.maximum(low, torch.minimum(self._middle_ranks(points.T).T, high))
        return torch.where(points.isnan(), 0.0, normal_quantile(ranks, self.constants))

    def _middle_ranks(self, values: Tensor) -> Tensor:
        """Return the share of rows below each value (n_coordinates, n), plus half the share of rows equal to it."""
        above, first = (search_sorted(self.quantiles, values, right=right) for right in (True, False))
        return (self._interpolate(values, above) + self._interpolate(values, first)) / 2

    def _interpolate(self, values: Tensor, after: Tensor) -> Tensor:
        """Return shares between the quantiles before and at position ``after``; 0 and 1 outside all quantiles."""
        last = self.quantiles.shape[1] - 1
        high = after.clamp(1, last) if last else after.clamp(0, 0)
        low = (high - 1).clamp(min=0)
        start, end = self.quantiles.gather(1, low), self.quantiles.gather(1, high)
        rise = torch.where(end > start, (values - start) / torch.where(end > start, end - start, 1.0), 0.0)
        shares = (low + rise) / max(last, 1)
        return torch.where(after == 0, 0.0, torch.where(after > last, 1.0, shares))


def _store(module: nn.Module, **arrays: np.ndarray) -> None:
    """Store arrays as buffers in float64."""
    for name, array in arrays.items():
        module.register_buffer(name, torch.from_numpy(np.array(array, dtype=np.float64, order="C")))
