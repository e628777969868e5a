"""What each value is expected to be, given the rest of its row, and what it costs that it is another."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from isthmus.anomaly.neighbours import Neighbours
from isthmus.anomaly.row_scorer import Judge

Values = np.ndarray[Any, Any]

# A row is copied once a value; copies hold so many numbers at a time.
SIZE = 2**22
# Times that a value is replaced by its own reconstruction, where a net cannot have it hidden.
N_ROUNDS = 2
# Values of a row that are set right at most.
N_REPAIRS = 5
# Normal rows that say what setting right gains there, and how far expectations are off: as many copies allow, but at
# least the first number, which is enough for gains, and at most the second.
FEWEST, MOST, N_COPIES = 100, 400, 20_000
# Share of the normal rows in which no value is odd, and between which quantiles normal values lie.
USUAL, LIMITS = 0.95, (0.05, 0.95)
# Of normal rows, the share whose expectation is nearest counts for the limits, and so many at least.
NEAR, MIN_NEAR = 4, 50


@dataclass(frozen=True)
class Repairs:
    """Sets odd values right, one after the other, each time the one by which the row gains most.

    One odd value moves the code, and so spoils the reconstruction of others, which then share the blame. Setting it
    right heals them all, so its whole gain is its own. A value is odd if setting it right gains more than any does in
    95 % of normal rows.

    Parameters
    ----------
    judge : Judge
    neighbours : Neighbours
    kept : ndarray of shape (n_rows, n_values)
        Rows of fit in random order, from which limits are taken. Those that score lowest are among them: without them,
        limits would be too narrow for new normal rows, and the odd values of a few rows hardly move them.
    """

    judge: Judge
    neighbours: Neighbours
    kept: Values

    def expected(self, x: Values, themselves: bool = False) -> Values:
        """Return every value (n, n_values) as the rest of its row leads to expect it."""
        return self._in_pieces(lambda some: (self._candidates(some, themselves)[-1],), x)[0]

    def set_right(self, x: Values) -> tuple[Values, Values]:
        """Return rows whose odd values are set right, and what each of these cost, (n, n_values)."""
        x, cost, odd = x.copy(), np.zeros_like(x), np.arange(len(x))
        for _ in range(min(N_REPAIRS, x.shape[1])):
            gain, right = self._in_pieces(self._gains, x[odd])
            worst = gain.argmax(1)
            rows = np.flatnonzero(gain.max(1) > self._usual_gain)
            odd, worst = odd[rows], worst[rows]
            if not len(odd):
                break
            x[odd, worst] = right[rows, worst]
            cost[odd, worst] += gain[rows, worst]
        return x, cost

    def limits(self, expected: Values) -> tuple[Values, Values]:
        """Return between what limits normal values lie that are expected to be these, (n, n_values) each.

        The limits are quantiles of how far normal values lie from their own expectations, where these are alike. Levels
        have none: both limits are the expected level.
        """
        rows = self.kept[: self._n_rows]
        low, high = limits_around(expected, rows, self.expected(rows, themselves=True))
        is_level = self.judge.is_level
        return np.where(is_level, expected, low), np.where(is_level, expected, high)

    @property
    def _n_rows(self) -> int:
        return int(np.clip(N_COPIES // self.kept.shape[1], FEWEST, MOST))

    @cached_property
    def _usual_gain(self) -> float:
        """What setting right gains in all but few normal rows."""
        gain, _ = self._in_pieces(lambda some: self._gains(some, themselves=True), self.neighbours.rows[:FEWEST])
        return float(np.quantile(np.maximum(gain.max(1), 0.0), USUAL))

    def _candidates(self, x: Values, themselves: bool) -> list[Values]:
        """Return right values: those typical of like rows, then what the net makes of the row without each value."""
        typical = self.neighbours.typical(x, themselves)
        if self.judge.rebuild is None:
            return [typical]
        n_rounds, value = (1, np.full_like(x, np.nan)) if self.judge.hides else (N_ROUNDS, typical)
        for _ in range(n_rounds):
            # Whatever a net makes of an odd row, what is expected is a value that normal rows can have.
            value = np.clip(_own(self.judge.rebuild(_swapped(x, value)), x.shape[1]), *self.neighbours.limits)
        return [typical, value]

    def _gains(self, x: Values, themselves: bool = False) -> tuple[Values, Values]:
        """Return by how much the score rises if each value alone is set right, and the right values."""
        right = np.stack(self._candidates(x, themselves))
        after = np.stack([self.judge.score(_swapped(x, values)).reshape(x.shape) for values in right])
        gain = np.where(np.isnan(x), -np.inf, after - self.judge.score(x)[:, None])
        best = gain.argmax(0)[None]
        return np.take_along_axis(gain, best, 0)[0], np.take_along_axis(right, best, 0)[0]

    def _in_pieces(self, function: Callable[[Values], tuple[Values, ...]], x: Values) -> tuple[Values, ...]:
        """Apply a function to so many rows at a time that their copies fit in memory."""
        size = max(1, SIZE // x.shape[1] ** 2)
        pieces = [function(x[start : start + size]) for start in range(0, len(x), size)]
        return tuple(np.concatenate(each) for each in zip(*pieces, strict=True))


def limits_around(expected: Values, rows: Values, foretold: Values) -> tuple[Values, Values]:
    """Return limits around expected values, (n, n_values) each.

    Parameters
    ----------
    expected : ndarray of shape (n, n_values)
    rows, foretold : ndarray of shape (n_rows, n_values)
        Normal rows, and what was expected of their values.
    """
    limits = np.full((2, *expected.shape), np.nan)
    n_near = max(MIN_NEAR, len(rows) // NEAR)
    for j in range(expected.shape[1]):
        known = ~np.isnan(rows[:, j])
        values, guesses = rows[known, j], foretold[known, j]
        if not len(values):
            continue
        near = np.abs(guesses - expected[:, j, None]).argsort(1, kind="stable")[:, :n_near]
        # By the rank of a further value among n, (k + 1) / (n + 1): plain quantiles of 50 would hold 86 % and not 90.
        off = np.quantile((values - guesses)[near], LIMITS, axis=1, method="weibull")
        limits[:, :, j] = np.clip(expected[:, j] + off, values.min(), values.max())
    return limits[0], limits[1]


def _swapped(x: Values, values: Values) -> Values:
    """Copy each row once a value, and put another value there, (n * n_values, n_values)."""
    n_values = x.shape[1]
    copies = np.repeat(x[:, None], n_values, axis=1)
    own = np.arange(n_values)
    copies[:, own, own] = values
    return copies.reshape(-1, n_values)


def _own(copies: Values, n_values: int) -> Values:
    """Return of each copy the value that was swapped, (n, n_values)."""
    return np.diagonal(copies.reshape(-1, n_values, n_values), axis1=1, axis2=2).copy()
