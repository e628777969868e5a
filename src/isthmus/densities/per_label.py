"""A density for each label."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from isthmus.densities.sampling import draw

Values = np.ndarray[Any, Any]


class PerLabel(BaseEstimator):
    """Densities of codes, one for each label that a conditional model knows.

    Parameters
    ----------
    densities : list of fitted densities
        In the order of the labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> from isthmus.densities import PerLabel
    >>> low, high = (GaussianMixture().fit(np.random.default_rng(0).normal(at, 1, (50, 1))) for at in (0, 100))
    >>> PerLabel([low, high]).sample(np.array([0, 1, 0]), seed=0).round(-1).ravel().tolist()
    [0.0, 100.0, 0.0]
    """

    def __init__(self, densities: list[Any]) -> None:
        self.densities = densities

    def sample(self, labels: Values, seed: int) -> Values:
        """Draw a code for each number of a label (n,)."""
        found = [(np.flatnonzero(labels == label), self.densities[label]) for label in np.unique(labels)]
        codes = [draw(density, len(rows), seed + i) for i, (rows, density) in enumerate(found)]
        order = np.concatenate([rows for rows, _ in found])
        drawn: Values = np.concatenate(codes)[np.argsort(order)]
        return drawn
