"""Models of sequences that count: how often a token comes, and after which other (Jelinek and Mercer, 1980)."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

Values = np.ndarray[Any, Any]
Row = Sequence[int]


class Bigrams:
    """Share of a token after another, mixed with its share anywhere and with that of all tokens alike.

    The weights of the mixture are those that explain other rows best, found by expectation-maximisation.

    Parameters
    ----------
    n_categories : int
        Tokens that there are.
    order : {1, 2}
        1 leaves out what comes before.
    """

    def __init__(self, n_categories: int, order: int = 2) -> None:
        self.n_categories, self.order = n_categories, order

    def fit(self, rows: Sequence[Row], valid: Sequence[Row]) -> Self:
        """Count tokens in rows, and find weights by others."""
        before, after = pairs(rows, self.n_categories)
        self.counts = np.zeros((self.n_categories + 1, self.n_categories))
        np.add.at(self.counts, (before, after), 1)
        self.weights = np.full(1 + self.order, 1 / (1 + self.order))
        each = self._each(valid)
        for _ in range(100):
            parts = self.weights * each
            self.weights = (parts / parts.sum(1, keepdims=True)).mean(0)
        return self

    def log_prob(self, rows: Sequence[Row]) -> Values:
        """Log probability of every token of all rows."""
        return np.log(self._each(rows) @ self.weights)

    def _each(self, rows: Sequence[Row]) -> Values:
        """Probability of every token by each order, (n_tokens, 1 + order)."""
        before, after = pairs(rows, self.n_categories)
        anywhere = self.counts.sum(0)[after] / self.counts.sum()
        times = self.counts.sum(1)[before]
        here = np.divide(self.counts[before, after], times, out=anywhere.copy(), where=times > 0)
        return np.stack([np.full(len(after), 1 / self.n_categories), anywhere, here], 1)[:, : 1 + self.order]


def pairs(rows: Sequence[Row], start: int) -> tuple[Values, Values]:
    """Return every token and the one before; before the first comes ``start``."""
    before = np.concatenate([[start, *row[:-1]] for row in rows])
    return before, np.concatenate([list(row) for row in rows])


def perplexity(model: Bigrams, rows: Sequence[Row]) -> float:
    """Return how many tokens a fair die would need to be as hard to guess."""
    return float(np.exp(-model.log_prob(rows).mean()))
