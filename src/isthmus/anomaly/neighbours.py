"""Which normal rows are like a row, a few odd values aside."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]

# Deviations from which on values are as different as can be: one odd value must not choose other neighbours.
CAP = 1.0
# Neighbours of which the middle, or the most frequent level, is typical for a row.
N_TYPICAL = 10
# Rows among which those are looked for.
N_LOOKED_AT = 2000


@dataclass(frozen=True)
class Neighbours:
    """Normal rows, among which rows have their nearest ones.

    The distance is that of Gower, capped: numbers differ by their deviations, at most ``CAP`` of them, and levels by
    that much or not at all. In code space an odd value would have moved the row as a whole.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_values)
        In random order.
    is_level : ndarray of bool of shape (n_values,)

    References
    ----------
    Gower, A general coefficient of similarity and some of its properties, Biometrics 27, 1971.
    """

    rows: Values
    is_level: Values

    @cached_property
    def spread(self) -> Values:
        """Deviation of every column; 1 of constant ones."""
        known = ~np.isnan(self.rows)
        n_known = np.maximum(known.sum(0), 1)
        mean = np.where(known, self.rows, 0.0).sum(0) / n_known
        deviation = np.sqrt((np.where(known, self.rows - mean, 0.0) ** 2).sum(0) / n_known)
        return np.where(deviation > 0, deviation, 1.0)

    @cached_property
    def limits(self) -> tuple[Values, Values]:
        """The smallest and the largest value of every column; no limits where all are missing."""
        missing = np.isnan(self.rows)
        return np.where(missing, np.inf, self.rows).min(0), np.where(missing, -np.inf, self.rows).max(0)

    def nearest(self, x: Values, n: int, n_rows: int | None = None) -> Values:
        """Return positions (n_x, n) of the nearest of all rows, or of the first ``n_rows``; nearest first."""
        rows, found = self.rows[:n_rows], np.empty((len(x), n), dtype=np.intp)
        for i, row in enumerate(x):
            distance = self._distance(rows, row)
            first = np.argpartition(distance, n - 1)[:n]
            found[i] = first[np.lexsort((first, distance[first]))]
        return found

    def typical(self, x: Values, themselves: bool = False) -> Values:
        """Return the typical values (n_x, n_values) of the nearest rows: values that rows have, and none between.

        Parameters
        ----------
        x : ndarray of shape (n_x, n_values)
        themselves : bool, default=False
            Whether ``x`` are some of the rows, which do not count among their own neighbours.
        """
        n_rows = min(N_LOOKED_AT, len(self.rows))
        n = min(N_TYPICAL + themselves, n_rows)
        # A row itself is nearest, or one that equals it.
        near = self.rows[self.nearest(x, n, n_rows)[:, int(themselves and n > 1) :]]
        middle = _middle(near)
        levels = np.flatnonzero(self.is_level)
        middle[:, levels] = _most_frequent(near[:, :, levels])
        return np.where(np.isnan(middle), _middle(self.rows[None]), middle)

    def _distance(self, rows: Values, row: Values) -> Values:
        with np.errstate(over="ignore"):  # infinitely far is as far as CAP
            apart = np.abs(rows - row) / self.spread
        apart = np.where(self.is_level & (apart > 0), CAP, np.minimum(apart, CAP))
        unlike = np.isnan(rows) != np.isnan(row)
        return np.where(unlike, CAP, np.nan_to_num(apart)).sum(1)


def _middle(near: Values) -> Values:
    """Return the lower median over axis 1, of what is not missing; NaN where all is."""
    ordered = np.sort(near, axis=1)  # NaN comes last
    place = np.maximum((~np.isnan(near)).sum(1) - 1, 0) // 2
    middle: Values = np.take_along_axis(ordered, place[:, None], 1)[:, 0]
    return middle


def _most_frequent(near: Values) -> Values:
    """Return the value that comes up most often along axis 1; of several, that of the nearest row."""
    counts = (near[:, :, None] == near[:, None]).sum(2)
    place = counts.argmax(1)
    frequent: Values = np.take_along_axis(near, place[:, None], 1)[:, 0]
    return frequent
