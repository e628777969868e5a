"""Measures of association between two columns."""

import numpy as np
from scipy.stats import rankdata

from isthmus.metrics.encoding import Values

# Smallest number of rows with both values known; with fewer rows, the association is reported as 0.
MIN_ROWS = 20


def correlation_ratio(categories: Values, numbers: Values) -> float:
    """Return the correlation ratio of the ranks of numbers (n,) and categories (n,), corrected for chance.

    It is 1 if the category determines the rank.
    """
    known = ~(np.isnan(categories) | np.isnan(numbers))
    if known.sum() < MIN_ROWS:
        return 0.0
    ranks = rankdata(numbers[known])
    ranks = ranks - ranks.mean()
    _, groups, counts = np.unique(categories[known], return_inverse=True, return_counts=True)
    n, k = len(ranks), len(counts)
    total = float(ranks @ ranks)
    if not total or k < 2 or n <= k:
        return 0.0
    between = float(np.sum(np.bincount(groups, ranks) ** 2 / counts))
    # Epsilon squared (Kelley, 1935): eta squared minus its expectation for independent columns.
    return float(np.sqrt(max(0.0, 1 - (1 - between / total) * (n - 1) / (n - k))))


def cramers_v(first: Values, second: Values) -> float:
    """Return Cramér's V of two categorical columns (n,), with the bias correction of Bergsma (2013)."""
    known = ~(np.isnan(first) | np.isnan(second))
    if known.sum() < MIN_ROWS:
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


def _contingency_table(first: Values, second: Values) -> Values:
    (_, rows), (_, columns) = (np.unique(values, return_inverse=True) for values in (first, second))
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    return table
