"""Conversion of rows with categories to matrices of numbers, for methods that need numbers."""

from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]

# Largest number of categories of a column; columns with more are left out, because the matrix would be too wide.
MAX_CATEGORIES = 256


class OneHotScaler:
    """Standardizes numbers, and encodes each category as a column of 0 and 1.

    Parameters
    ----------
    typical, unit : ndarray of shape (n_values,)
        Numbers are replaced by ``(number - typical) / unit``.
    categories : dict of int to int
        Number of categories by position of a column.
    """

    def __init__(self, typical: Values, unit: Values, categories: dict[int, int]) -> None:
        self.typical, self.unit = typical, unit
        self.numbers = [i for i in range(len(typical)) if i not in categories]
        self.n_categories = {i: n for i, n in categories.items() if n <= MAX_CATEGORIES}

    def transform(self, rows: Values) -> Values:
        """Return rows (n, n_values) as a matrix (n, width); a missing value is NaN in all its columns."""
        one_hot = [_one_hot(rows[:, i], n) for i, n in self.n_categories.items()]
        return np.hstack([((rows - self.typical) / self.unit)[:, self.numbers], *one_hot])

    def inverse_transform(self, matrix: Values) -> Values:
        """Return the rows of a matrix, with the category of the largest value; columns left out get typical values."""
        rows = np.tile(self.typical, (len(matrix), 1))
        rows[:, self.numbers] += matrix[:, : len(self.numbers)] * self.unit[self.numbers]
        starts = len(self.numbers) + np.cumsum([0, *self.n_categories.values()])
        for start, (i, n) in zip(starts, self.n_categories.items(), strict=False):
            rows[:, i] = matrix[:, start : start + n].argmax(1)
        return rows


def _one_hot(column: Values, n: int) -> Values:
    indicators = np.equal.outer(column, np.arange(n)).astype(float)
    indicators[np.isnan(column)] = np.nan
    return indicators
