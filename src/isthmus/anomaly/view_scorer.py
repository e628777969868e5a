"""What is measured in one view of the rows."""

from dataclasses import dataclass

import numpy as np

from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.coordinates import Points, Scaling, Taming
from isthmus.anomaly.distances import N_KEPT, Exemplars, Neighbours
from isthmus.randomness import mix

View = Scaling | Taming


@dataclass(frozen=True)
class Side:
    """One view of the rows, and the distances in it."""

    view: View
    exemplars: Exemplars
    neighbours: Neighbours

    @classmethod
    def of(cls, view: View, points: Points, ensemble: BaggedAutoencoders, seed: int) -> tuple["Side", Points]:
        """Fit nets and neighbours in a view; and measure the training rows by what has not seen them."""
        rng = np.random.default_rng(seed)
        seen = view(points)
        ensemble.set_params(random_state=mix(seed, 1))._fit_nets(seen)
        filled = np.nan_to_num(seen)
        kept = np.zeros(len(points), dtype=bool)
        kept[rng.permutation(len(points))[:N_KEPT]] = True
        side = cls(view, Exemplars.of(ensemble, seen, rng), Neighbours.of(filled[kept]))
        unseen = ensemble.left_out_.T[:, None].astype(float)
        coarse = (side.exemplars.distances(filled) * unseen).sum(2) / unseen.sum(2)
        return side, np.column_stack([coarse, side.neighbours.distances(filled, kept)])

    def measure(self, points: Points) -> Points:
        """Measure new rows, (n, n_sizes + 1): coarsely, by groups of each size, and finely."""
        # What is missing is typical.
        filled = np.nan_to_num(self.view(points))
        return np.column_stack([self.exemplars.distances(filled).mean(2), self.neighbours.distances(filled)])


@dataclass(frozen=True)
class Units:
    """What distances are on rows that were not seen: the median, and from there to the upper quartile.

    Parameters
    ----------
    centre, spread : ndarray of shape (n_sides, n_scales)
    """

    centre: Points
    spread: Points

    @classmethod
    def of(cls, measured: Points) -> "Units":
        """Learn from distances (n, n_sides, n_scales); those that hardly scatter are told by their deviation."""
        centre, upper = np.quantile(measured, [0.5, 0.75], axis=0)
        rounding = 1e-9 * centre
        spread = np.where(upper - centre > rounding, upper - centre, measured.std(0))
        return cls(centre, np.where(spread > rounding, spread, 1.0))

    def __call__(self, measured: Points) -> Points:
        """Express distances in units."""
        return (measured - self.centre) / self.spread
