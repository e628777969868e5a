"""Expected values given the rest of a row, and the effect on the score of replacing unexpected ones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from isthmus.anomaly.row_scorer import RowScorer

Values = np.ndarray[Any, Any]

# Largest difference between two numbers, in standard deviations: larger ones are clipped, so that one anomalous value
# does not determine which rows are similar.
MAX_DIFFERENCE = 1.0
# The typical value is the median or the most frequent category of N_TYPICAL similar rows, which are searched among
# N_SEARCHED rows. Not tuned.
N_TYPICAL, N_SEARCHED = 10, 2000
# Largest number of values of copied rows in memory: a row is copied once per value.
SIZE = 2**22
# If a net does not accept missing values, a value is replaced by its reconstruction N_ROUNDS times. Not tuned.
N_ROUNDS = 2
# Largest number of values of a row that are repaired. Not tuned.
N_REPAIRS = 5
# Largest number of copies of a row with different replacements. In rows of more values, as many blocks of values are
# reconstructed together, and the values farthest from their typical values are tested. Bounds the time; not tuned.
MAX_COPIES = 200
# Usual gains are estimated from MIN_USUAL to MIN_ROWS normal rows, and limits from MIN_ROWS to MAX_ROWS rows, such that
# there are about N_COPIES copies of rows. 20 rows are the fewest with a quantile of 95 %. Not tuned.
MIN_USUAL, MIN_ROWS, MAX_ROWS, N_COPIES = 20, 100, 400, 20_000
# A gain is unusual above this quantile of normal rows. Limits are these quantiles of normal values.
USUAL, LIMITS = 0.95, (0.05, 0.95)
# Limits use the nearest quarter of the normal rows, and at least MIN_NEAR.
NEAR, MIN_NEAR = 4, 50


@dataclass(frozen=True)
class SimilarRows:
    """Finds the normal rows that are most similar to a row.

    The distance is that of Gower with a cap: differences of numbers in standard deviations, at most ``MAX_DIFFERENCE``;
    different categories have that distance. Codes are not compared, since one anomalous value can change a whole code.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_values)
        Normal rows in random order.
    is_category : ndarray of bool of shape (n_values,)

    References
    ----------
    Gower, A general coefficient of similarity and some of its properties, Biometrics 27, 1971.
    """

    rows: Values
    is_category: Values

    @cached_property
    def deviation(self) -> Values:
        """Standard deviation of every column; 1 for constant ones."""
        known = ~np.isnan(self.rows)
        n_known = np.maximum(known.sum(0), 1)
        mean = np.where(known, self.rows, 0.0).sum(0) / n_known
        deviation = np.sqrt((np.where(known, self.rows - mean, 0.0) ** 2).sum(0) / n_known)
        return np.where(deviation > 0, deviation, 1.0)

    @cached_property
    def limits(self) -> tuple[Values, Values]:
        """The smallest and the largest value of every column; infinite if all are missing."""
        missing = np.isnan(self.rows)
        return np.where(missing, np.inf, self.rows).min(0), np.where(missing, -np.inf, self.rows).max(0)

    def nearest(self, x: Values, n: int, n_rows: int | None = None) -> Values:
        """Return positions (n_x, n) of the most similar of all rows, or of the first ``n_rows``; the nearest first."""
        rows, found = self.rows[:n_rows], np.empty((len(x), n), dtype=np.intp)
        for i, row in enumerate(x):
            distance = self._distance(rows, row)
            first = np.argpartition(distance, n - 1)[:n]
            found[i] = first[np.lexsort((first, distance[first]))]
        return found

    def typical(self, x: Values, exclude_self: bool = False) -> Values:
        """Return the typical values (n_x, n_values) of the most similar rows; each occurs in one of them.

        Parameters
        ----------
        x : ndarray of shape (n_x, n_values)
        exclude_self : bool, default=False
            Whether ``x`` are some of the rows, which do not count as similar to themselves.
        """
        n_rows = min(N_SEARCHED, len(self.rows))
        n = min(N_TYPICAL + exclude_self, n_rows)
        # The nearest row is the row itself, or an equal one.
        near = self.rows[self.nearest(x, n, n_rows)[:, int(exclude_self and n > 1) :]]
        typical = _lower_median(near)
        categories = np.flatnonzero(self.is_category)
        typical[:, categories] = _most_frequent(near[:, :, categories])
        return np.where(np.isnan(typical), _lower_median(self.rows[None]), typical)

    def _distance(self, rows: Values, row: Values) -> Values:
        with np.errstate(over="ignore"):  # an infinite difference counts as MAX_DIFFERENCE
            difference = np.abs(rows - row) / self.deviation
        is_other = self.is_category & (difference > 0)
        difference = np.where(is_other, MAX_DIFFERENCE, np.minimum(difference, MAX_DIFFERENCE))
        one_missing = np.isnan(rows) != np.isnan(row)
        return np.where(one_missing, MAX_DIFFERENCE, np.nan_to_num(difference)).sum(1)


def _lower_median(near: Values) -> Values:
    """Return the lower median of the known values over axis 1; NaN if all are missing."""
    ordered = np.sort(near, axis=1)  # NaN comes last
    place = np.maximum((~np.isnan(near)).sum(1) - 1, 0) // 2
    middle: Values = np.take_along_axis(ordered, place[:, None], 1)[:, 0]
    return middle


def _most_frequent(near: Values) -> Values:
    """Return the most frequent value along axis 1; if there are several, that of the nearest row."""
    counts = (near[:, :, None] == near[:, None]).sum(2)
    frequent: Values = np.take_along_axis(near, counts.argmax(1)[:, None], 1)[:, 0]
    return frequent


@dataclass(frozen=True)
class Repairs:
    """Replaces anomalous values by expected values, one at a time: always the value with the largest gain.

    One anomalous value changes the code, and therefore the reconstruction and the contribution of other values.
    Replacing it restores the others, so that the whole gain of the score is attributed to this value. A value is
    anomalous if its gain exceeds the largest gain of 95 % of the normal rows.

    Parameters
    ----------
    scorer : RowScorer
    similar : SimilarRows
    reference : ndarray of shape (n_rows, n_values)
        Training rows in random order, from which limits are estimated. They include the rows with the lowest scores.
        Without these, limits would be too narrow for new normal rows; a few anomalous values hardly change limits.
    """

    scorer: RowScorer
    similar: SimilarRows
    reference: Values

    def expected(self, x: Values, exclude_self: bool = False) -> Values:
        """Return the expected value (n, n_values) of each value, given the rest of its row."""
        return self._in_chunks(lambda chunk: (self._candidates(chunk, exclude_self)[-1],), x)[0]

    def repair(self, x: Values) -> tuple[Values, Values]:
        """Return rows in which anomalous values are replaced, and the gain of each replacement, (n, n_values)."""
        x, gains, active = x.copy(), np.zeros_like(x), np.arange(len(x))
        for _ in range(min(N_REPAIRS, x.shape[1])):
            gain, replacement = self._in_chunks(self._gains, x[active])
            worst = gain.argmax(1)
            rows = np.flatnonzero(gain.max(1) > self._usual_gain)
            active, worst = active[rows], worst[rows]
            if not len(active):
                break
            x[active, worst] = replacement[rows, worst]
            gains[active, worst] += gain[rows, worst]
        return x, gains

    def limits(self, expected: Values) -> tuple[Values, Values]:
        """Return the limits of normal values with these expected values, (n, n_values) each.

        Limits are quantiles of the differences between normal values and their expected values, in rows with similar
        expected values.
        """
        rows = self.reference[: self._n_rows]
        return limits_around(expected, rows, self.expected(rows, exclude_self=True))

    @property
    def _n_rows(self) -> int:
        return int(np.clip(N_COPIES // self.reference.shape[1], MIN_ROWS, MAX_ROWS))

    @property
    def _n_copies(self) -> int:
        return min(MAX_COPIES, self.reference.shape[1])

    @property
    def _block_of(self) -> Values:
        """Block of each value, (n_values,): the values of a block are reconstructed together from the others."""
        return np.arange(self.reference.shape[1]) % self._n_copies

    @cached_property
    def _usual_gain(self) -> float:
        """Upper bound of the largest gain of a row in 95 % of the normal rows."""
        n_rows = int(np.clip(N_COPIES // self.reference.shape[1], MIN_USUAL, MIN_ROWS))
        gain, _ = self._in_chunks(lambda chunk: self._gains(chunk, exclude_self=True), self.similar.rows[:n_rows])
        return float(np.quantile(np.maximum(gain.max(1), 0.0), USUAL))

    def _candidates(self, x: Values, exclude_self: bool) -> list[Values]:
        """Return replacements: typical values of similar rows, then reconstructions of each value from the others."""
        typical = self.similar.typical(x, exclude_self)
        if self.scorer.reconstruct is None:
            return [typical]
        n_rounds, value = (1, np.full_like(x, np.nan)) if self.scorer.takes_missing else (N_ROUNDS, typical)
        for _ in range(n_rounds):
            # Reconstructions of an anomalous row can be out of range; they are clipped to the range of normal rows.
            copies = self.scorer.reconstruct(_replace_blocks(x, value, self._block_of))
            rebuilt = copies.reshape(len(x), -1, x.shape[1])[:, self._block_of, np.arange(x.shape[1])]
            value = np.clip(rebuilt, *self.similar.limits)
        # A reconstructed text may end before the position of a token.
        return [typical, np.where(np.isnan(value), typical, value)]

    def _gains(self, x: Values, exclude_self: bool = False) -> tuple[Values, Values]:
        """Return the gain of the score if each value alone is replaced, and the best replacements."""
        candidates = np.stack(self._candidates(x, exclude_self))
        columns = self._list_unusual(x, candidates[0])
        after = np.full(candidates.shape, -np.inf)
        for values, scores in zip(candidates, after, strict=True):
            copies = _replace_each(x, values, columns)
            np.put_along_axis(scores, columns, self.scorer.score(copies).reshape(columns.shape), 1)
        gain = np.where(np.isnan(x), -np.inf, after - self.scorer.score(x)[:, None])
        best = gain.argmax(0)[None]
        return np.take_along_axis(gain, best, 0)[0], np.take_along_axis(candidates, best, 0)[0]

    def _list_unusual(self, x: Values, typical: Values) -> Values:
        """Return the positions of the values of each row that are farthest from typical values, (n, n_copies)."""
        with np.errstate(over="ignore"):  # an infinite distance is the largest
            distance = np.nan_to_num(np.abs(x - typical) / self.similar.deviation)
        return np.argsort(-distance, axis=1, kind="stable")[:, : self._n_copies]

    def _in_chunks(self, function: Callable[[Values], tuple[Values, ...]], x: Values) -> tuple[Values, ...]:
        """Apply a function to chunks of rows whose copies fit in memory."""
        size = max(1, SIZE // (self._n_copies * x.shape[1]))
        results = [function(x[start : start + size]) for start in range(0, len(x), size)]
        return tuple(np.concatenate(each) for each in zip(*results, strict=True))


def limits_around(expected: Values, rows: Values, rows_expected: Values) -> tuple[Values, Values]:
    """Return limits around expected values (n, n_values), from normal rows and their expected values."""
    limits = np.full((2, *expected.shape), np.nan)
    n_near = max(MIN_NEAR, len(rows) // NEAR)
    for j in range(expected.shape[1]):
        known = ~np.isnan(rows[:, j])
        values, guesses = rows[known, j], rows_expected[known, j]
        if not len(values):
            continue
        near = np.abs(guesses - expected[:, j, None]).argsort(1, kind="stable")[:, :n_near]
        # Weibull plotting positions k / (n + 1) are correct for a new value; other quantiles of 50 values are narrower.
        errors = np.quantile((values - guesses)[near], LIMITS, axis=1, method="weibull")
        limits[:, :, j] = np.clip(expected[:, j] + errors, values.min(), values.max())
    return limits[0], limits[1]


def _replace_each(x: Values, values: Values, columns: Values) -> Values:
    """Copy each row once for each of its columns (n, n_copies), and replace this value, (n * n_copies, n_values)."""
    copies = np.repeat(x[:, None], columns.shape[1], axis=1)
    np.put_along_axis(copies, columns[..., None], np.take_along_axis(values, columns, 1)[..., None], 2)
    return copies.reshape(-1, x.shape[1])


def _replace_blocks(x: Values, values: Values, block_of: Values) -> Values:
    """Copy each row once for each block of values, and replace these values, (n * n_blocks, n_values)."""
    is_replaced = block_of == np.arange(block_of.max() + 1)[:, None]
    return np.where(is_replaced, values[:, None], x[:, None]).reshape(-1, x.shape[1])
