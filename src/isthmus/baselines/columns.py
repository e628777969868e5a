"""Errors of a model and of simple methods by column of a table."""

from typing import Any, NamedTuple

import numpy as np

from isthmus.baselines.comparison import N_SHOWN, Comparison
from isthmus.baselines.differences import find_signs
from isthmus.baselines.reconstruction import Values

# The simplest method, and its name in columns of categories.
MEAN, MODE = "mean", "most frequent"
# What is measured in columns of numbers and in columns of categories, and whether the columns have categories.
MEASURES = {
    "root mean squared error in standard deviations of the column (NRMSE); lower is better": False,
    "share of right categories (accuracy); higher is better": True,
}
# Smallest divisor of a relative error.
TINY = 1e-12


class ColumnErrors(NamedTuple):
    """Errors of a model and of simple methods by column of a table.

    Parameters
    ----------
    kind : str
        Which cells are compared.
    names : list
        Names of the columns, or their positions in an array.
    are_categories : ndarray of bool of shape (n_columns,)
    sums : dict of str to ndarray of shape (n_columns,)
        Sums of the errors of cells, by method: squared errors of numbers in variances, and wrong categories.
    squares : dict of str to ndarray of shape (n_columns,)
        Sums of the squared differences from the errors of the model, by method.
    absolute : ndarray of shape (n_columns,)
        Sums of the absolute errors of numbers of the model, in the unit of the column.
    counts : ndarray of shape (n_columns,)
        Number of compared cells.
    """

    kind: str
    names: list[Any]
    are_categories: Values
    sums: dict[str, Values]
    squares: dict[str, Values]
    absolute: Values
    counts: Values

    @classmethod
    def of(
        cls, kind: str, names: list[Any], are_categories: Values, cells: dict[str, Values], deviations: Values
    ) -> "ColumnErrors":
        """Sum the errors of cells (n, n_columns), NaN where none is compared; the first method is the model.

        ``deviations`` (n_columns,) are the square roots of the variances that are the unit of errors of numbers.
        """
        model = next(iter(cells.values()))
        sums = {name: np.nansum(errors, axis=0) for name, errors in cells.items()}
        squares = {name: np.nansum(np.square(errors - model), axis=0) for name, errors in cells.items()}
        absolute = deviations * np.nansum(np.sqrt(model), axis=0)
        return cls(kind, names, are_categories, sums, squares, absolute, np.sum(~np.isnan(model), axis=0))

    def join(self, other: "ColumnErrors") -> "ColumnErrors":
        """Return the errors in the rows of both."""
        sums = {name: values + other.sums[name] for name, values in self.sums.items()}
        squares = {name: values + other.squares[name] for name, values in self.squares.items()}
        absolute, counts = self.absolute + other.absolute, self.counts + other.counts
        return self._replace(sums=sums, squares=squares, absolute=absolute, counts=counts)

    def find_better(self) -> dict[Any, str]:
        """Return for each column the better one of the model and the best other method; "neither" if it is not clear.

        The differences of the errors of cells must clearly differ from 0, as in the paired t test at 5 %.
        """
        others = [name for name in self.sums if name != "model"]
        best = np.argmin([self.sums[name] for name in others], axis=0)
        sums, squares = (np.choose(best, [values[name] for name in others]) for values in (self.sums, self.squares))
        signs = find_signs(self.sums["model"] - sums, squares, self.counts)
        return {
            name: "neither" if not sign else "model" if sign < 0 else self._rename(others[i], of_categories)
            for name, sign, i, of_categories in zip(self.names, signs, best, self.are_categories, strict=True)
        }

    def average_absolute(self) -> dict[Any, float]:
        """Return the mean absolute error of the model in columns of numbers, in the unit of the column."""
        chosen = np.flatnonzero((self.counts > 0) & ~self.are_categories)
        return {self.names[i]: float(self.absolute[i] / self.counts[i]) for i in chosen}

    @staticmethod
    def _rename(method: str, of_categories: bool) -> str:
        return MODE if of_categories and method == MEAN else method

    def find_no_better(self) -> list[Any]:
        """Return columns in which the model errs and is not clearly better than the mean or the most frequent category.

        "Clearly" is defined as in ``find_better``.
        """
        model = self.sums["model"]
        signs = find_signs(model - self.sums[MEAN], self.squares[MEAN], self.counts)
        return self._choose((signs >= 0) & (model > 0))

    def find_mostly_wrong(self) -> list[Any]:
        """Return columns of categories in which more than half of the categories of the model are wrong."""
        return self._choose(self.are_categories & (2 * self.sums["model"] > self.counts))

    def _choose(self, are_chosen: Values) -> list[Any]:
        return [self.names[i] for i in np.flatnonzero(are_chosen)]

    def figures(self, of_categories: bool) -> dict[str, dict[Any, float]]:
        """Return accuracies of columns of categories, or NRMSEs of columns of numbers, by method and by column.

        NRMSE is the root mean squared error in standard deviations of the column. The column with the largest error
        relative to that of the mean or the most frequent category comes first.
        """
        chosen = np.flatnonzero((self.counts > 0) & (self.are_categories == of_categories))
        means = {name: values[chosen] / self.counts[chosen] for name, values in self.sums.items()}
        figures = {name: 1 - mean if of_categories else np.sqrt(mean) for name, mean in means.items()}
        order = np.argsort(-means["model"] / np.maximum(means[MEAN], TINY), kind="stable")
        return {
            self._rename(name, of_categories): {self.names[chosen[i]]: float(each[i]) for i in order}
            for name, each in figures.items()
        }


def compare_columns(errors: ColumnErrors) -> list[Comparison]:
    """Compare the errors of columns of numbers, and of columns of categories, if there are some."""
    found = {measure: errors.figures(of_categories) for measure, of_categories in MEASURES.items()}
    better = errors.find_better()
    return [
        Comparison(f"{errors.kind} by column: {measure}", figures, _count_more(len(figures["model"])), "column", better)
        for measure, figures in found.items()
        if figures["model"]
    ]


def _count_more(n_columns: int) -> str:
    return f"and {n_columns - N_SHOWN:,} columns with smaller relative errors" if n_columns > N_SHOWN else ""
