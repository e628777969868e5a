"""Columns that repeat others."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata

from isthmus.doctor.check_input import CheckInput, Column
from isthmus.doctor.data_checks import FEW_ROWS, NEARLY_ALL
from isthmus.doctor.rows import Values
from isthmus.finding import Finding

# Columns past which all pairs are too many, and rows that tell enough of a pair.
WIDE, N_ROWS = 4096, 2000
# Rank correlation from which on one column is a function of the other but for rounding, and share of one value past
# which ranks cannot tell: those of the few other values differ little.
SAME, TIED = 0.99999, 0.95


def copies(case: CheckInput) -> Iterator[Finding]:
    """Columns that are functions of each other."""
    columns = [c for c in case.columns if len(c.present) >= FEW_ROWS and c.mode_share < NEARLY_ALL]
    if not 1 < len(columns) <= WIDE:
        return
    pairs = [*_one_to_one(columns), *_correlated(columns)]
    for group in _joined(pairs, len(columns)):
        labels = tuple(columns[i].label for i in group)
        others = "other" if len(labels) == 2 else "others"
        advice = f"keep {labels[0]!r} and leave out the {others}"
        detail = f"each follows from the {others}, but for rounding"
        yield Finding("columns that repeat each other", labels, detail, advice)


def _one_to_one(columns: Sequence[Column]) -> Iterator[tuple[int, int]]:
    """Pairs of columns, of any kind, whose values stand for each other."""
    first: dict[bytes, int] = {}
    for i, column in enumerate(columns):
        # Values that come up once each go with anything.
        if 2 * (len(column.levels) - 1) <= len(column.present) - column.counts.max():
            yield first.setdefault(_pattern(column), i), i


def _pattern(column: Column) -> bytes:
    """Number the values in the order in which they first appear: what they are called is gone, where they are stays."""
    _, first, codes = np.unique(column.values, return_index=True, return_inverse=True)
    return first.argsort().argsort().astype(np.int32)[codes].tobytes()


def _correlated(columns: Sequence[Column]) -> Iterator[tuple[int, int]]:
    """Pairs of columns of numbers that have the same order of rows, or the opposite."""
    numbers = [i for i, column in enumerate(columns) if column.is_number and column.mode_share < TIED]
    ranks = np.column_stack([_ranks(columns[i]) for i in numbers]) if numbers else np.empty((0, 0))
    for a, b in np.argwhere(np.triu(np.abs(ranks.T @ ranks) > SAME, 1)).tolist():
        yield numbers[a], numbers[b]


def _ranks(column: Column) -> Values:
    """Ranks of some rows, centred and of length 1, those of missing values in the middle."""
    values = column.values[:: -(-len(column.values) // N_ROWS)]
    ranks = rankdata(values, nan_policy="omit")
    ranks = np.nan_to_num(ranks - np.nanmean(ranks))
    return ranks / (np.linalg.norm(ranks) or 1.0)


def _joined(pairs: Sequence[tuple[int, int]], n: int) -> list[list[int]]:
    """Join pairs to groups of two or more."""
    a, b = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    _, group_of = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    groups = [np.flatnonzero(group_of == group).tolist() for group in dict.fromkeys(group_of.tolist())]
    return [group for group in groups if len(group) > 1]
