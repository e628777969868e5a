"""Sentinels: numbers with a special meaning, such as 0 or -999 for "not measured"."""

from typing import Any

import numpy as np

from isthmus.data.tables.cells import is_number, to_floats
from isthmus.finding import N_EXAMPLES
from isthmus.preparing.coding import Values
from isthmus.preparing.draft import Draft

# Numbers that are often used as codes: 0, -1 and numbers of nines.
CODES = (0.0, -1.0, *(sign * (10.0**n - 1) for n in range(1, 6) for sign in (-1, 1)))
# Number of neighbouring values whose mean distance is compared with the distance of the code, and smallest ratio of
# the two. Rules of thumb.
N_NEIGHBOURS = 5
MIN_RATIO = 5.0
# Smallest number of other values: columns with fewer hold categories or small counts.
MIN_VALUES = 10
# Smallest number of rows of a sentinel. A rule of thumb.
MIN_COUNT = 3
# Largest share of rows of a sentinel. A more frequent value is the usual one, such as a capital gain of 0.
MOST = 0.5


def treat_sentinels(draft: Draft, action: str) -> None:
    """Report probable sentinels in columns of numbers, or make them missing."""
    for name in draft.frame.columns:
        if is_number(draft.column(name).dtype):
            values = to_floats(draft.column(name))
            for code in find_sentinels(values):
                _treat(draft, name, np.flatnonzero(values == code), code, action)


def find_sentinels(values: Values) -> list[float]:
    """Return the probable sentinels of a column.

    A sentinel is 0, -1 or a number of nines, and the smallest or largest value of the column. It occurs at least three
    times, in at most half of the rows, and at least as often as the median of the five values next to it. Its distance
    from the next value is at least five times the mean distance between these values, or it is the only negative
    number.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN means missing.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.preparing.sentinels import find_sentinels
    >>> find_sentinels(np.array([-999.0] * 3 + [0.0] * 5 + list(range(20, 60))))
    [-999.0, 0.0]
    """
    known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    found: list[float] = []
    for side in (1, -1):
        known, counts = known[::side], counts[::side]
        while len(known) > MIN_VALUES and known[0] in CODES and _stands_apart(known, counts):
            found.append(float(known[0]))
            known, counts = known[1:], counts[1:]
        known, counts = known[::side], counts[::side]
    return found


def _stands_apart(known: Values, counts: Values) -> bool:
    """Whether the first of some sorted values is far from the second, and frequent, but in at most half the rows."""
    often = max(MIN_COUNT, np.median(counts[1 : N_NEIGHBOURS + 1])) <= counts[0] <= MOST * counts.sum()
    steps = np.abs(np.diff(known[: N_NEIGHBOURS + 2]))
    far = steps[0] >= MIN_RATIO * steps[1:].mean() or known[0] < 0 <= known[1]
    return bool(often and far)


def _treat(draft: Draft, name: Any, where: Values, code: float, action: str) -> None:
    examples = [f"row {row}" for row in draft.rows[where[:N_EXAMPLES]]]
    if action == "missing":
        draft.note("changed", f"code {code:g} far from all other values, made missing", name, where, examples)
        draft.blank(name, where)
    else:
        advice = (
            f"if {code:g} means that nothing was measured, use sentinels='missing'; if it was measured, ignore this"
        )
        draft.note("reported", f"perhaps a code: {code:g} far from all other values", name, where, examples, advice)
