"""How strongly two columns of any kinds go together, from 0 to 1."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from isthmus.doctor.rows import Values
from isthmus.metrics.encoding import encode
from isthmus.metrics.fidelity import rank_correlations
from isthmus.schema import Field

# Columns past which all pairs are too many, categories past which a table of counts is too thin, rows that tell enough
# of a pair, and rows without which a pair tells nothing.
WIDE, MANY_CATEGORIES, N_ROWS, FEW_ROWS = 200, 50, 10_000, 20
# The weakest association that is worth a line, and the number of lines.
NOTABLE, N_PAIRS = 0.5, 10


class Association(NamedTuple):
    """How strongly two columns go together.

    Attributes
    ----------
    first, second : str
    strength : float
        From 0 to 1; of two columns of numbers or dates from -1 to 1.
    measure : str
        Of two columns of numbers or dates Spearman's rank correlation; of a number and a category the correlation
        ratio of the ranks; of two categories Cramér's V, corrected for chance (Bergsma, 2013).
    """

    first: Any
    second: Any
    strength: float
    measure: str

    def __str__(self) -> str:
        return f"{self.first}, {self.second}: {self.strength:.2f} ({self.measure})"


def strongest(frame: Any, fields: Sequence[Field]) -> list[Association]:
    """Return the strongest associations between columns of a narwhals frame.

    None if there are too few rows, or too many columns to compare. Of many rows, some are looked at.
    """
    used = [field for field in fields if field.used]
    if len(frame) < FEW_ROWS or not 1 < len(used) <= WIDE:
        return []
    some = frame.gather_every(-(-len(frame) // N_ROWS)).select([field.name for field in used])
    notable = [
        pair for pair in _associations(used, encode({"X": some.to_native()}).tables[0]) if abs(pair.strength) >= NOTABLE
    ]
    return sorted(notable, key=lambda pair: -abs(pair.strength))[:N_PAIRS]


def correlation_ratio(categories: Values, numbers: Values) -> float:
    """Return eta of the ranks of numbers (n,) between categories (n,): 1 where the category decides the rank."""
    known = ~(np.isnan(categories) | np.isnan(numbers))
    if known.sum() < FEW_ROWS:
        return 0.0
    ranks = rankdata(numbers[known])
    ranks = ranks - ranks.mean()
    _, groups, counts = np.unique(categories[known], return_inverse=True, return_counts=True)
    n, k = len(ranks), len(counts)
    total = float(ranks @ ranks)
    if not total or k < 2 or n <= k:
        return 0.0
    between = float(np.sum(np.bincount(groups, ranks) ** 2 / counts))
    # Epsilon squared: eta squared less what independent columns reach by chance.
    return float(np.sqrt(max(0.0, 1 - (1 - between / total) * (n - 1) / (n - k))))


def cramers_v(first: Values, second: Values) -> float:
    """Return Cramér's V of two columns of categories (n,), with the bias correction of Bergsma (2013)."""
    known = ~(np.isnan(first) | np.isnan(second))
    if known.sum() < FEW_ROWS:
        return 0.0
    table = _contingency_table(first[known], second[known])
    n, (r, k) = table.sum(), table.shape
    if min(r, k) < 2:
        return 0.0
    expected = np.outer(table.sum(1), table.sum(0)) / n
    phi2 = float(((table - expected) ** 2 / expected).sum() / n)
    corrected = max(0.0, phi2 - (k - 1) * (r - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(corrected / smaller)) if smaller > 0 else 0.0


def _associations(fields: Sequence[Field], values: Values) -> Iterator[Association]:
    names = [field.name for field in fields]
    numbers = [i for i, field in enumerate(fields) if not field.is_categorical]
    categories = [i for i, field in enumerate(fields) if _is_compact(field)]
    correlations = rank_correlations(values[:, numbers])
    for a, b in combinations(range(len(numbers)), 2):
        yield Association(names[numbers[a]], names[numbers[b]], float(correlations[a, b]), "rank correlation")
    for i in categories:
        for j in numbers:
            yield Association(names[i], names[j], correlation_ratio(values[:, i], values[:, j]), "correlation ratio")
    for i, j in combinations(categories, 2):
        yield Association(names[i], names[j], cramers_v(values[:, i], values[:, j]), "Cramér's V")


def _is_compact(field: Field) -> bool:
    return field.is_categorical and len(field.categories) <= MANY_CATEGORIES


def _contingency_table(first: Values, second: Values) -> Values:
    (_, rows), (_, columns) = (np.unique(values, return_inverse=True) for values in (first, second))
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    return table
