"""Rules between two columns of a table that no training row breaks: a value of one implies a value of the other."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy import sparse

Values = np.ndarray[Any, Any]

# Rows that would break a rule if the columns were independent: with fewer, that no row breaks it says little.
MIN_EXPECTED = 20.0
# Chance of a rule between independent columns, over all pairs of a value and a column (Bonferroni, 1936).
ALPHA = 0.01
# Pairs of values that are counted: rows times columns times columns.
MAX_PAIRS = 2**28
# Values of all columns whose pairs fit into memory and take about as long as a short fit, measured on random tables.
MAX_VALUES = 5000
# Sweeps over all rules when rows are repaired: one repair can call for another.
N_SWEEPS = 10


@dataclass(frozen=True)
class Implication:
    """A rule that no training row breaks: a value of one column implies a value of another.

    Parameters
    ----------
    column, target : int
        Positions of the two columns in a sample.
    values : tuple of float
        Values of ``column``, ascending, as the model reads them: of a category, positions in its levels.
    implied : tuple of float
        The value of ``target`` that each of them implies.
    """

    column: int
    target: int
    values: tuple[float, ...]
    implied: tuple[float, ...]

    def fits(self, n_columns: int) -> bool:
        """Whether a table of ``n_columns`` columns can have this rule."""
        inside = min(self.column, self.target) >= 0 and max(self.column, self.target) < n_columns
        return inside and 0 < len(self.values) == len(self.implied)


def find_implications(
    batches: Iterable[Values], values: Sequence[Values], holes: tuple[int, ...] = ()
) -> tuple[Implication, ...]:
    """Find the rules that the first rows follow and that chance does not explain.

    Values that can be part of a rule are categories, and numbers that many rows share, such as 0 and 999. A rule is
    found if no row breaks it and at least MIN_EXPECTED rows would break it if the columns were independent. A column
    all of whose values imply a value of another column, such as a city and its country, is held to that as a whole, so
    that rare values are part of the rule. Tables with more than MAX_VALUES such values are not searched.

    Parameters
    ----------
    batches : iterable of ndarray of shape (n, n_columns)
        Rows of numbers as a model reads them, NaN where a value is missing. As many are read as MAX_PAIRS allows.
    values : sequence of ndarray
        Of each column those that can be part of a rule, ascending. The last columns say what is missing.
    holes : tuple of int
        Positions of the columns that the last say that of.
    """
    marks, n_rows = _Marks(values, holes), MAX_PAIRS // len(values) ** 2
    if marks.total > MAX_VALUES:
        return ()
    counts = [marks.counts(rows) for rows in _first(iter(batches), n_rows)]
    return _rules(marks, sparse.coo_array(sum(counts[1:], counts[0]))) if counts else ()


def drop_violated(rules: tuple[Implication, ...], batches: Iterable[Values]) -> tuple[Implication, ...]:
    """Return what is left of rules when the values that some row breaks them for are taken out."""
    for rows in batches if rules else ():
        rules = tuple(chain.from_iterable(_unbroken(rule, rows) for rule in rules))
    return rules


def intersect_rules(first: tuple[Implication, ...], second: tuple[Implication, ...]) -> tuple[Implication, ...]:
    """Return the rules that are among both."""
    known = {(rule.column, rule.target): dict(zip(rule.values, rule.implied, strict=True)) for rule in second}
    return tuple(
        chain.from_iterable(_only(rule, set(known.get((rule.column, rule.target), {}).items())) for rule in first)
    )


def order_columns(rules: Sequence[Implication], categories: Sequence[int]) -> list[int]:
    """Return the columns of rules, those first that decide: categories, and those of which most values imply others.

    A number that is drawn near 999 and not at it decides nothing.
    """
    n_values = {column: 0 for rule in rules for column in (rule.column, rule.target)}
    for rule in rules:
        n_values[rule.column] = max(n_values[rule.column], len(rule.values))
    return sorted(n_values, key=lambda column: (column not in categories, -n_values[column], column))


def violates(x: Values, rules: Sequence[Implication]) -> Values:
    """Tell which rows (n, n_columns) break a rule, (n,); missing values break none."""
    broken = np.zeros(len(x), dtype=bool)
    for rule in rules:
        broken |= _broken(rule, x)
    return broken


def apply_rules(x: Values, rules: Sequence[Implication], free: Values) -> Values:
    """Return rows in which ``free`` values (n, n_columns) are those that the others imply.

    Where the value that a rule starts from is free and the implied one is not, the rule stays broken.
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
    """Return the implied value of each row, (n,); NaN where the rule says nothing."""
    values, own = np.array(rule.values), x[:, rule.column]
    place = np.searchsorted(values, own).clip(max=len(values) - 1)
    return np.where(values[place] == own, np.array(rule.implied)[place], np.nan)


def _broken(rule: Implication, x: Values) -> Values:
    """Tell which rows break a rule, (n,)."""
    implied, found = _implied(rule, x), x[:, rule.target]
    return ~(np.isnan(implied) | np.isnan(found) | (implied == found))


def _unbroken(rule: Implication, x: Values) -> Iterator[Implication]:
    """Give back what rows leave of a rule: the values that imply the same in all of them."""
    wrong = set(x[_broken(rule, x), rule.column].tolist())
    yield from _only(rule, {pair for pair in zip(rule.values, rule.implied, strict=True) if pair[0] not in wrong})


def _only(rule: Implication, pairs: set[tuple[float, float]]) -> Iterator[Implication]:
    """Give back a rule for some of its pairs of values, if it has any of them."""
    kept = [pair for pair in zip(rule.values, rule.implied, strict=True) if pair in pairs]
    if kept:
        values, implied = zip(*kept, strict=True)
        yield Implication(rule.column, rule.target, values, implied)


def _first(batches: Iterator[Values], n_rows: int) -> Iterator[Values]:
    """Hand over the first batches, of about so many rows together."""
    while n_rows > 0 and (rows := next(batches, None)) is not None:
        yield rows
        n_rows -= len(rows)


class _Marks:
    """Values that can be part of a rule, of all columns in one row; each column ends with a mark for all others.

    Parameters
    ----------
    values : sequence of ndarray
        Of each column, ascending.
    holes : tuple of int
        Columns of which the last columns say what is missing.
    """

    def __init__(self, values: Sequence[Values], holes: tuple[int, ...]) -> None:
        self.values = values
        # A column, and the one that says where it is missing, are about the same.
        self.subject = np.r_[np.arange(len(values) - len(holes)), np.array(holes, dtype=int)]
        sizes = np.array([len(each) + 1 for each in values])
        self.starts, self.total = np.cumsum(sizes) - sizes, int(sizes.sum())
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        self.number = np.concatenate([[*each, math.nan] for each in values])

    def counts(self, x: Values) -> Any:
        """Count the rows that have each pair of marks, sparse, (total, total)."""
        place = np.stack([self._places(x[:, j], j) for j in range(x.shape[1])], 1)
        known = place >= 0
        row = np.repeat(np.arange(len(x)), known.sum(1))
        hot = sparse.csr_array((np.ones(len(row)), (row, place[known])), shape=(len(x), self.total))
        return hot.T @ hot

    def _places(self, numbers: Values, column: int) -> Values:
        """Return the mark of each number of a column; -1 where it is missing."""
        values = self.values[column]
        place = np.searchsorted(values, numbers)
        found = place < len(values)
        found[found] = values[place[found]] == numbers[found]
        return np.where(np.isnan(numbers), -1, self.starts[column] + np.where(found, place, len(values)))


def _rules(marks: _Marks, counts: sparse.coo_array) -> tuple[Implication, ...]:
    """Choose the rules that chance does not explain, by the counts of all pairs of marks."""
    n_columns, frequency = len(marks.values), counts.diagonal()
    share = frequency / np.maximum(np.bincount(marks.owner, frequency), 1)[marks.owner]
    mark, other, n_rows, single = _pairs(marks, counts)
    rule = single & ~np.isnan(marks.number[mark]) & ~np.isnan(marks.number[other])
    column, target = marks.owner[mark], marks.owner[other]
    least = max(MIN_EXPECTED, math.log(marks.total * n_columns / ALPHA))
    # Rows that would break a rule if columns were independent, and how unlikely it is that none does, in nats.
    expected, surprise = n_rows * (1 - share[other]), -n_rows * np.log(np.maximum(share[other], 1e-300))
    kept = rule & (expected >= MIN_EXPECTED) & (surprise >= least)
    # A column that implies another as a whole, by the rows beyond the first of each value.
    both = column * n_columns + target
    equal = np.bincount(marks.owner, share**2)
    pooled = np.bincount(both, rule * (n_rows - 1) * (1 - equal[target]), minlength=n_columns**2)
    whole = np.bincount(both, ~rule, minlength=n_columns**2) == 0
    kept |= (whole & (pooled >= least))[both]
    order = np.lexsort((mark[kept], both[kept]))
    return tuple(_gathered(marks, mark[kept][order], other[kept][order]))


def _pairs(marks: _Marks, counts: sparse.coo_array) -> tuple[Values, Values, Values, Values]:
    """Return the pairs of marks of two columns that rows have, their counts, and which are the only one of a mark."""
    mark, other = counts.coords
    apart = marks.subject[marks.owner[mark]] != marks.subject[marks.owner[other]]
    mark, other, n_rows = mark[apart], other[apart], counts.data[apart]
    _, inverse, n_others = np.unique(
        mark * len(marks.values) + marks.owner[other], return_inverse=True, return_counts=True
    )
    return mark, other, n_rows, n_others[inverse] == 1


def _gathered(marks: _Marks, mark: Values, other: Values) -> Iterator[Implication]:
    """Make one rule of all pairs of the same two columns, which come one after the other."""
    columns = np.stack([marks.owner[mark], marks.owner[other]], 1)
    starts = np.flatnonzero((columns[1:] != columns[:-1]).any(1)) + 1
    for pairs in np.split(np.arange(len(mark)), starts) if len(mark) else ():
        column, target = columns[pairs[0]].tolist()
        values, implied = (tuple(marks.number[each[pairs]].tolist()) for each in (mark, other))
        yield Implication(column, target, values, implied)
