"""How much of a difference between two scores each value makes, for estimators that cannot say it themselves."""

from collections.abc import Callable
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]

# Random orders, each of which is taken backwards too: what comes early in the one comes late in the other.
N_ORDERS = 4
# Numbers of rows that are scored together.
SIZE = 2**22


def shares(score: Callable[[Values], Values], start: Values, end: Values, seed: int) -> Values:
    """Return addends (n, n_values) of ``score(end) - score(start)``.

    Values of ``start`` are replaced by those of ``end``, one after another, and each is given the step that the score
    makes: the mean over random orders, which estimates Shapley values. The steps of an order add up to the difference.

    Parameters
    ----------
    score : callable
        Rows to scores (n,).
    start, end : ndarray of shape (n, n_values)
    seed : int
        Of the orders, which are the same for all rows.

    References
    ----------
    Strumbelj and Kononenko, Explaining prediction models and individual predictions with feature contributions,
    Knowledge and Information Systems 41, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.shapley import shares
    >>> shares(lambda rows: rows[:, 0] * rows[:, 1], np.zeros((1, 2)), np.array([[2.0, 3.0]]), seed=0)
    array([[3., 3.]])
    """
    generator = np.random.default_rng(seed)
    forwards = [generator.permutation(start.shape[1]) for _ in range(N_ORDERS)]
    steps = [_steps(score, start, end, order) for one in forwards for order in (one, one[::-1])]
    return np.mean(steps, axis=0)


def _steps(score: Callable[[Values], Values], start: Values, end: Values, order: Values) -> Values:
    """Return the step of each value, (n, n_values), when they are replaced in this order."""
    n, n_values = start.shape
    at_once, rank = max(1, SIZE // n_values**2), np.argsort(order)
    if n > at_once:
        pieces = [slice(first, first + at_once) for first in range(0, n, at_once)]
        return np.concatenate([_steps(score, start[some], end[some], order) for some in pieces])
    # (n_values + 1, n, n_values): after as many values as the first axis counts.
    path = np.where(rank < np.arange(n_values + 1)[:, None, None], end, start)
    scores = score(path.reshape(-1, n_values)).reshape(n_values + 1, n)
    return np.diff(scores, axis=0)[rank].T
