"""Figures of a model and of simple methods as a table."""

from typing import NamedTuple

from isthmus.formatting import align_numbers, format_percent
from isthmus.metrics.text_table import format_table

# Name of the share of the variance around the mean image that a method explains: 0 for the mean, 1 without errors.
EXPLAINED = "explained"
# Heading of the names of the methods that are better.
BETTER = "clearly better"
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
    note : str, default=""
        A remark for the user, or "".
    per : str, default="method"
        What a figure is of: "method", or "column" if figures are given by method and by column, the column with the
        largest error relative to that of the mean or the most frequent category first.
    better : dict of str to str, default={}
        By column, which of the model and the best other method is better; "neither" if the difference can be chance.

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
    better: dict[str, str] = {}

    @property
    def table(self) -> list[list[str]]:
        """The figures as texts: a header, and a line for each method or for each of the worst columns."""
        keys = [*next(iter(self.figures.values()), {})][:N_SHOWN]
        columns = {name: format_figures(name, [figures[key] for key in keys]) for name, figures in self.figures.items()}
        columns |= {BETTER: [self.better[key] for key in keys]} if self.better else {}
        return [[self.per, *columns], *map(list, zip(map(str, keys), *columns.values(), strict=True))]

    def __str__(self) -> str:
        """Return a table with one line for each method or column."""
        left = (0, len(self.table[0]) - 1) if self.better else (0,)
        return "\n".join(filter(None, (self.title, format_table(self.table, left=left), self.note)))


def format_figures(name: str, figures: list[float]) -> list[str]:
    """Write the figures of a column of a table as texts."""
    if name in ("wrong", EXPLAINED):
        return [format_percent(figure, 1) for figure in figures]
    return align_numbers(figures)
