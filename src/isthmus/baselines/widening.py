"""Rows of mixed columns as plain matrices, for methods that know numbers only."""

from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]

# Columns of more categories than this would make the matrix too wide, and are left out.
MOST_CATEGORIES = 256


class Widening:
    """Standardises numbers and gives each category a column of 0 and 1.

    Parameters
    ----------
    typical, unit : ndarray of shape (n_values,)
        What is subtracted from numbers, and what numbers are divided by.
    categories : dict of int to int
        Number of categories by position of a column.
    """

    def __init__(self, typical: Values, unit: Values, categories: dict[int, int]) -> None:
        self.typical, self.unit = typical, unit
        self.numbers = [i for i in range(len(typical)) if i not in categories]
        self.sizes = {i: size for i, size in categories.items() if size <= MOST_CATEGORIES}

    def widen(self, rows: Values) -> Values:
        """Return rows (n, n_values) as a matrix (n, width); missing values are NaN in all columns of theirs."""
        hot = [_hot(rows[:, i], size) for i, size in self.sizes.items()]
        return np.hstack([((rows - self.typical) / self.unit)[:, self.numbers], *hot])

    def narrow(self, matrix: Values) -> Values:
        """Return a matrix as rows, categories by the largest of their columns; those left out are typical."""
        rows = np.tile(self.typical, (len(matrix), 1))
        rows[:, self.numbers] += matrix[:, : len(self.numbers)] * self.unit[self.numbers]
        starts = len(self.numbers) + np.cumsum([0, *self.sizes.values()])
        for start, (i, size) in zip(starts, self.sizes.items(), strict=False):
            rows[:, i] = matrix[:, start : start + size].argmax(1)
        return rows


def _hot(column: Values, size: int) -> Values:
    hot = np.equal.outer(column, np.arange(size)).astype(float)
    hot[np.isnan(column)] = np.nan
    return hot
