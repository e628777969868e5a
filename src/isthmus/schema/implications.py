"""Rules between two columns of a table that no training row violates: a value of one implies a value of the other."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy import sparse

Values = np.ndarray[Any, Any]

# Smallest expected number of rows that violate a rule between independent columns: with 20, the probability that none
# does is below exp(-20) = 2e-9.
MIN_EXPECTED = 20.0
# Probability of finding any rule between independent columns, corrected for all pairs of a value and a column
# (Bonferroni, 1936).
ALPHA = 0.01
# Largest number of counted pairs of values: rows times columns times columns. Takes some seconds.
MAX_PAIRS = 2**28
# Largest number of values of all columns. Counting the pairs of as many values fits into memory and takes about as long
# as a short fit (measured on random tables).
MAX_VALUES = 5000
# Largest number of passes over all rules when rows are repaired: one repair can require another.
N_SWEEPS = 10


@dataclass(frozen=True)
class Implication:
    """A rule that no training row violates: a value of one column implies a value of another.

    Parameters
    ----------
    column, target : int
        Positions of the two columns in a sample.
    values : tuple of float
        Values of ``column`` in ascending order, as numbers of the model; for categories, their positions.
    implied : tuple of float
        The implied value of ``target`` for each of ``values``.
    """

    column: int
    target: int
    values: tuple[float, ...]
    implied: tuple[float, ...]

    def fits(self, n_columns: int) -> bool:
        """Whether the rule is valid for a table of ``n_columns`` columns."""
        inside = min(self.column, self.target) >= 0 and max(self.column, self.target) < n_columns
        return inside and 0 < len(self.values) == len(self.implied)


def find_implications(
    batches: Iterable[Values], values: Sequence[Values], missing_columns: tuple[int, ...] = ()
) -> tuple[Implication, ...]:
    """Find the rules that the first rows satisfy, and that are statistically significant.

    Values that can be part of a rule are categories, and numbers that many rows share, such as 0 and 999. A rule is
    found if no row violates it and at least MIN_EXPECTED rows would violate it if the columns were independent. Where
    all values of a column imply a value of another column, as a city implies a country, the test is on the column as a
    whole, so that rare values are included. Tables with more than MAX_VALUES such values are not searched.

    Parameters
    ----------
    batches : iterable of ndarray of shape (n, n_columns)
        Rows of numbers of the model; NaN is missing. MAX_PAIRS limits their number.
    values : sequence of ndarray
        For each column, the values that can be part of a rule, in ascending order. The last columns are indicators of
        missing values.
    missing_columns : tuple of int
        Positions of the columns that the indicators belong to.
    """
    numbering = _Values(values, missing_columns)
    n_columns = len(numbering.columns)
    if n_columns < 2 or numbering.total > MAX_VALUES:
        return ()
    counts = [numbering.counts(rows) for rows in _take_first(iter(batches), MAX_PAIRS // n_columns**2)]
    return _rules(numbering, sparse.coo_array(sum(counts[1:], counts[0]))) if counts else ()


def drop_violated(rules: tuple[Implication, ...], batches: Iterable[Values]) -> tuple[Implication, ...]:
    """Remove from rules the values for which any row violates them; remove rules without values."""
    for rows in batches if rules else ():
        rules = tuple(chain.from_iterable(_keep_satisfied(rule, rows) for rule in rules))
    return rules


def intersect_rules(first: tuple[Implication, ...], second: tuple[Implication, ...]) -> tuple[Implication, ...]:
    """Return the part of the first rules that is also in the second."""
    known = {(rule.column, rule.target): dict(zip(rule.values, rule.implied, strict=True)) for rule in second}
    return tuple(
        chain.from_iterable(_restrict(rule, set(known.get((rule.column, rule.target), {}).items())) for rule in first)
    )


def order_columns(rules: Sequence[Implication], categories: Sequence[int]) -> list[int]:
    """Order the columns of rules by how much they determine others: categories first, then by the number of values.

    Numbers are last, because a drawn number near 999 implies nothing if it is not equal to 999.
    """
    n_values = {column: 0 for rule in rules for column in (rule.column, rule.target)}
    for rule in rules:
        n_values[rule.column] = max(n_values[rule.column], len(rule.values))
    return sorted(n_values, key=lambda column: (column not in categories, -n_values[column], column))


def violates(x: Values, rules: Sequence[Implication]) -> Values:
    """Return which rows (n, n_columns) violate a rule, (n,); missing values violate no rule."""
    violated = np.zeros(len(x), dtype=bool)
    for rule in rules:
        violated |= _violates(rule, x)
    return violated


def apply_rules(x: Values, rules: Sequence[Implication], free: Values) -> Values:
    """Replace ``free`` values (n, n_columns) by those that other values imply.

    A rule stays violated where its implied value is not free.
    """
    x = x.copy()
    for _ in range(N_SWEEPS):
        before = x.copy()
        for rule in rules:
            implied = _implied(rule, x)
            change = ~np.isnan(implied) & free[:, rule.target]
            x[change, rule.target] = implied[change]
        if np.array_equal(x, before, equal_nan=True):
            break
    return x


def _implied(rule: Implication, x: Values) -> Values:
    """Return the implied value of each row, (n,); NaN where the rule does not apply."""
    values, own = np.array(rule.values), x[:, rule.column]
    place = np.searchsorted(values, own).clip(max=len(values) - 1)
    return np.where(values[place] == own, np.array(rule.implied)[place], np.nan)


def _violates(rule: Implication, x: Values) -> Values:
    """Return which rows violate a rule, (n,)."""
    implied, found = _implied(rule, x), x[:, rule.target]
    return ~(np.isnan(implied) | np.isnan(found) | (implied == found))


def _keep_satisfied(rule: Implication, x: Values) -> Iterator[Implication]:
    """Yield the part of a rule that all rows satisfy, if any."""
    wrong = set(x[_violates(rule, x), rule.column].tolist())
    yield from _restrict(rule, {pair for pair in zip(rule.values, rule.implied, strict=True) if pair[0] not in wrong})


def _restrict(rule: Implication, pairs: set[tuple[float, float]]) -> Iterator[Implication]:
    """Yield the part of a rule for some pairs of values, if the rule has any of these pairs."""
    kept = [pair for pair in zip(rule.values, rule.implied, strict=True) if pair in pairs]
    if kept:
        values, implied = zip(*kept, strict=True)
        yield Implication(rule.column, rule.target, values, implied)


def _take_first(batches: Iterator[Values], n_rows: int) -> Iterator[Values]:
    """Yield the first batches, with about ``n_rows`` rows in total."""
    while n_rows > 0 and (rows := next(batches, None)) is not None:
        yield rows
        n_rows -= len(rows)


class _Values:
    """Numbering of all values that can be part of a rule; the last number of each column stands for all other values.

    Columns without such values are left out: a table of thousands of continuous columns has none to count.

    Parameters
    ----------
    values : sequence of ndarray
        For each column, in ascending order.
    missing_columns : tuple of int
        Columns whose indicators of missing values are the last columns.
    """

    def __init__(self, values: Sequence[Values], missing_columns: tuple[int, ...]) -> None:
        self.columns = np.array([j for j, each in enumerate(values) if len(each)], dtype=int)
        self.values = [values[j] for j in self.columns]
        # A column and its indicator of missing values have the same subject: rules between them are trivial.
        subject = np.r_[np.arange(len(values) - len(missing_columns)), np.array(missing_columns, dtype=int)]
        self.subject = subject[self.columns]
        sizes = np.array([len(each) + 1 for each in self.values], dtype=int)
        self.starts, self.total = np.cumsum(sizes) - sizes, int(sizes.sum())
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        self.number = np.concatenate([np.empty(0), *([*each, math.nan] for each in self.values)])

    def counts(self, x: Values) -> Any:
        """Count the rows with each pair of values, as a sparse matrix (total, total)."""
        place = np.stack([self._positions(x[:, column], j) for j, column in enumerate(self.columns)], 1)
        known = place >= 0
        row = np.repeat(np.arange(len(x)), known.sum(1))
        hot = sparse.csr_array((np.ones(len(row)), (row, place[known])), shape=(len(x), self.total))
        return hot.T @ hot

    def _positions(self, numbers: Values, j: int) -> Values:
        """Return the position of each number of the j-th column with values in the numbering; -1 where missing."""
        values = self.values[j]
        place = np.searchsorted(values, numbers)
        found = place < len(values)
        found[found] = values[place[found]] == numbers[found]
        return np.where(np.isnan(numbers), -1, self.starts[j] + np.where(found, place, len(values)))


def _rules(numbering: _Values, counts: sparse.coo_array) -> tuple[Implication, ...]:
    """Select the significant rules from the counts of all pairs of values."""
    n_columns, frequency = len(numbering.values), counts.diagonal()
    share = frequency / np.maximum(np.bincount(numbering.owner, frequency), 1)[numbering.owner]
    value, other, n_rows, single = _pairs(numbering, counts)
    rule = single & ~np.isnan(numbering.number[value]) & ~np.isnan(numbering.number[other])
    column, target = numbering.owner[value], numbering.owner[other]
    least = max(MIN_EXPECTED, math.log(numbering.total * n_columns / ALPHA))
    # Expected number of violations if columns were independent, and -log P(no violation), in nats.
    expected, surprise = n_rows * (1 - share[other]), -n_rows * np.log(np.maximum(share[other], 1e-300))
    kept = rule & (expected >= MIN_EXPECTED) & (surprise >= least)
    # Columns all of whose values imply values of another column. The first row of each value is left out of the test.
    both = column * n_columns + target
    equal = np.bincount(numbering.owner, share**2)
    pooled = np.bincount(both, rule * (n_rows - 1) * (1 - equal[target]), minlength=n_columns**2)
    whole = np.bincount(both, ~rule, minlength=n_columns**2) == 0
    kept |= (whole & (pooled >= least))[both]
    order = np.lexsort((value[kept], both[kept]))
    return tuple(_group_pairs(numbering, value[kept][order], other[kept][order]))


def _pairs(numbering: _Values, counts: sparse.coo_array) -> tuple[Values, Values, Values, Values]:
    """Return the observed pairs of values of two columns, their counts, and whether the first implies the second."""
    value, other = counts.row, counts.col
    apart = numbering.subject[numbering.owner[value]] != numbering.subject[numbering.owner[other]]
    value, other, n_rows = value[apart], other[apart], counts.data[apart]
    _, inverse, n_others = np.unique(
        value * len(numbering.values) + numbering.owner[other], return_inverse=True, return_counts=True
    )
    return value, other, n_rows, n_others[inverse] == 1


def _group_pairs(numbering: _Values, value: Values, other: Values) -> Iterator[Implication]:
    """Yield a rule for each run of pairs of the same two columns."""
    columns = np.stack([numbering.owner[value], numbering.owner[other]], 1)
    starts = np.flatnonzero((columns[1:] != columns[:-1]).any(1)) + 1
    for pairs in np.split(np.arange(len(value)), starts) if len(value) else ():
        column, target = numbering.columns[columns[pairs[0]]].tolist()
        values, implied = (tuple(numbering.number[each[pairs]].tolist()) for each in (value, other))
        yield Implication(column, target, values, implied)
