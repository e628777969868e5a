"""Draws from fitted densities, whose ``sample`` scikit-learn has in two forms."""

from copy import copy
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]


def draw(density: Any, n: int, seed: int) -> Values:
    """Draw codes (n, n_components) from a fitted density, in no order."""
    if "random_state" in density.get_params(deep=False):
        drawn = copy(density).set_params(random_state=seed).sample(n)
    else:
        drawn = density.sample(n, random_state=seed)
    # Mixtures return their clusters beside the codes, and the codes cluster by cluster.
    codes: Values = drawn[0] if isinstance(drawn, tuple) else drawn
    return np.random.default_rng(seed).permutation(codes)
