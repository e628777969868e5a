"""Interpolated n-gram models of sequences of tokens (Jelinek and Mercer, 1980)."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

Values = np.ndarray[Any, Any]
Row = Sequence[int]


class Bigrams:
    """Mixture of the frequency of a token after another, its overall frequency, and a uniform distribution.

    The weights of the mixture maximize the likelihood of other rows, by expectation-maximisation.

    Parameters
    ----------
    n_categories : int
        Number of tokens of the vocabulary.
    order : {1, 2}
        1 ignores the previous token.
    """

    def __init__(self, n_categories: int, order: int = 2) -> None:
        self.n_categories, self.order = n_categories, order

    def fit(self, rows: Sequence[Row], valid: Sequence[Row]) -> Self:
        """Count tokens in rows, and estimate the weights from other rows."""
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
        """Return the log probability of every token of all rows."""
        return np.log(self._each(rows) @ self.weights)

    def _each(self, rows: Sequence[Row]) -> Values:
        """Return the probability of every token for each order, (n_tokens, 1 + order)."""
        before, after = pairs(rows, self.n_categories)
        anywhere = self.counts.sum(0)[after] / self.counts.sum()
        times = self.counts.sum(1)[before]
        here = np.divide(self.counts[before, after], times, out=anywhere.copy(), where=times > 0)
        return np.stack([np.full(len(after), 1 / self.n_categories), anywhere, here], 1)[:, : 1 + self.order]


def pairs(rows: Sequence[Row], start: int) -> tuple[Values, Values]:
    """Return every token and the previous one; the first follows ``start``."""
    before = np.concatenate([[start, *row[:-1]] for row in rows])
    return before, np.concatenate([list(row) for row in rows])


def perplexity(model: Bigrams, rows: Sequence[Row]) -> float:
    """Return the perplexity: the number of equally likely tokens with the same entropy."""
    return float(np.exp(-model.log_prob(rows).mean()))
