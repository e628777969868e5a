"""Errors of a model and of simple methods by column of a table."""

from typing import Any, NamedTuple

import numpy as np

from isthmus.baselines.comparison import N_SHOWN, Comparison
from isthmus.baselines.reconstruction import Values

# Name of the most frequent category as a method.
MODE = "most frequent"


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
    counts : ndarray of shape (n_columns,)
        Number of compared cells.
    """

    kind: str
    names: list[Any]
    are_categories: Values
    sums: dict[str, Values]
    counts: Values

    def join(self, other: "ColumnErrors") -> "ColumnErrors":
        """Return the errors in the rows of both."""
        sums = {name: values + other.sums[name] for name, values in self.sums.items()}
        return self._replace(sums=sums, counts=self.counts + other.counts)

    def figures(self, of_categories: bool) -> dict[str, dict[Any, float]]:
        """Return accuracies of columns of categories, or NRMSEs of columns of numbers, by method and by column.

        NRMSE is the root mean squared error in standard deviations of the column. The worst column comes first.
        """
        chosen = np.flatnonzero((self.counts > 0) & (self.are_categories == of_categories))
        means = {name: values[chosen] / self.counts[chosen] for name, values in self.sums.items()}
        figures = {name: 1 - mean if of_categories else np.sqrt(mean) for name, mean in means.items()}
        order = np.argsort(-means["model"], kind="stable")
        return {
            MODE if of_categories and name == "mean" else name: {self.names[chosen[i]]: float(each[i]) for i in order}
            for name, each in figures.items()
        }


def compare_columns(errors: ColumnErrors) -> list[Comparison]:
    """Compare the errors of columns of numbers, and of columns of categories, if there are some."""
    measures = {
        False: "root mean squared error in standard deviations of the column (NRMSE): lower is better",
        True: "share of right categories (accuracy): higher is better",
    }
    found = {measure: errors.figures(of_categories) for of_categories, measure in measures.items()}
    return [
        Comparison(f"{errors.kind} by column: {measure}", figures, _count_more(len(figures["model"])), "column")
        for measure, figures in found.items()
        if figures["model"]
    ]


def _count_more(n_columns: int) -> str:
    return f"and {n_columns - N_SHOWN:,} columns with smaller errors" if n_columns > N_SHOWN else ""
