"""Figures of a model and of simple methods as a table."""

from typing import NamedTuple

from isthmus.metrics.text_table import format_table

# Name of the share of the variance around the mean image that a method explains: 0 for the mean, 1 without errors.
EXPLAINED = "explained"
# Columns that a table of errors by column shows.
N_SHOWN = 20


class Comparison(NamedTuple):
    """Figures of a model and of simple methods on the same rows.

    Parameters
    ----------
    title : str
        Name and unit of the measure.
    figures : dict of str to dict of str to float
        Figures by name, such as "error", "wrong" (a fraction) and "bound", and by method; "model" is the first method.
    note : str
        A remark for the user, or "".
    per : str
        What a figure is of: "method", or "column" if figures are given by method and by column, the worst column first.

    Examples
    --------
    >>> from isthmus.baselines import Comparison
    >>> found = Comparison("error of numbers", {"error": {"model": 0.3, "PCA": 0.5}}, "")
    >>> min(found.figures["error"], key=found.figures["error"].get)
    'model'
    """

    title: str
    figures: dict[str, dict[str, float]]
    note: str = ""
    per: str = "method"

    @property
    def table(self) -> list[list[str]]:
        """The figures as texts: a header, and a line for each method or for each of the worst columns."""
        keys = [*next(iter(self.figures.values()), {})][:N_SHOWN]
        lines = [[str(key), *(format_figure(name, self.figures[name][key]) for name in self.figures)] for key in keys]
        return [[self.per, *self.figures], *lines]

    def __str__(self) -> str:
        """Return a table with one line for each method or column."""
        return "\n".join(filter(None, (self.title, format_table(self.table), self.note)))


def format_figure(name: str, figure: float) -> str:
    """Write a figure of a comparison as text."""
    return f"{figure:.1%}" if name in ("wrong", EXPLAINED) else f"{figure:.4g}"
