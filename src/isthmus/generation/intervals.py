"""Intervals of random imputations, which show how certain a filled cell is."""

from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]

# Random imputations of a cell, and the share of the true values that an interval of them is to contain. Not tuned.
N_DRAWS, CONTAINED = 39, 0.9


def find_limits(draws: Values) -> tuple[Values, Values]:
    """Return the limits of the drawn numbers or dates of each cell, (n_draws, ...).

    The interval from the k-th smallest to the k-th largest of m draws contains one more draw with the probability
    1 - 2k / (m + 1) (Wilks, Determination of sample sizes for setting tolerance limits, Annals of Mathematical
    Statistics 12, 1941). This is ``CONTAINED`` for ``N_DRAWS`` draws.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.generation.intervals import find_limits
    >>> [int(limit) for limit in find_limits(np.arange(1, 40))]
    [2, 38]
    """
    ordered = np.sort(draws, axis=0)
    rank = max(1, round((1 - CONTAINED) / 2 * (len(draws) + 1)))
    return ordered[rank - 1], ordered[-rank]
