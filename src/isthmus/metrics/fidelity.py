"""Fidelity: similarity of the distributions of columns and pairs of columns to those of real rows."""

from itertools import combinations
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import rankdata

from isthmus.metrics.encoding import Values, category_codes, encode

# Number of categories in a contingency table: the most frequent ones of the real rows; others are merged.
N_CATEGORIES = 20
DECILES = np.arange(1, 10) / 10


def column_fidelity(real: Any, synthetic: Any) -> dict[Any, float]:
    """Return the similarity of the distributions of each column in two tables, from 0 to 1 (equal).

    For numbers and dates, one minus the Kolmogorov-Smirnov statistic, where missing cells count as one value above all
    numbers. For booleans, text and categories, one minus the total variation distance, where missing is a category.

    Parameters
    ----------
    real, synthetic : data frame
        Of any library that narwhals supports, with the same columns.

    Returns
    -------
    dict of str to float
        Fidelity of each column, from 0 to 1.

    Raises
    ------
    ValueError
        If columns differ or have values other than numbers, booleans, text, categories or dates, or there are no rows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.metrics import column_fidelity
    >>> real = pa.table({"age": [20, 30, 40, 50], "town": ["Rome", "Rome", "Oslo", None]})
    >>> synthetic = pa.table({"age": [20, 30, 40, 40], "town": ["Rome", "Rome", "Rome", None]})
    >>> column_fidelity(real, synthetic)
    {'age': 0.75, 'town': 0.75}
    """
    names, categorical, (ours, theirs) = encode({"real": real, "synthetic": synthetic})
    distances = [_total_variation if levels else _kolmogorov_smirnov for levels in categorical]
    columns = zip(names, distances, ours.T, theirs.T, strict=True)
    return {name: float(1 - distance(x, y)) for name, distance, x, y in columns}


def pair_fidelity(real: Any, synthetic: Any) -> dict[tuple[Any, Any], float]:
    """Return the similarity of the association of each pair of columns in two tables, from 0 to 1 (equal).

    For two columns of numbers or dates, one minus half the difference of their rank correlations, over rows with both
    values known; constant columns have the correlation 0. For other pairs, one minus the total variation distance of
    their contingency tables: numbers are binned at the deciles of the real column, categories beyond the 20 most
    frequent real ones are merged, and missing is a category.

    Parameters
    ----------
    real, synthetic : data frame
        Of any library that narwhals supports, with the same columns.

    Returns
    -------
    dict of tuple to float
        By pairs of names, in the order of the real columns.

    Raises
    ------
    ValueError
        If columns differ or have values other than numbers, booleans, text, categories or dates, or there are no rows.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.metrics import pair_fidelity
    >>> real = pa.table({"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]})
    >>> pair_fidelity(real, pa.table({"a": [1, 2, 3, 4], "b": [4, 3, 2, 1]}))
    {('a', 'b'): 0.0}
    """
    names, categorical, (ours, theirs) = encode({"real": real, "synthetic": synthetic})
    fidelity = 1 - _contingency_distances(ours, theirs, categorical)
    numbers = ~categorical
    difference = rank_correlations(ours[:, numbers]) - rank_correlations(theirs[:, numbers])
    fidelity[np.ix_(numbers, numbers)] = 1 - np.abs(difference) / 2
    return {(names[i], names[j]): float(fidelity[i, j]) for i, j in combinations(range(len(names)), 2)}


def _kolmogorov_smirnov(x: Values, y: Values) -> Any:
    # NaN is sorted after all numbers, so missing values count as one value above them.
    x, y = np.sort(x), np.sort(y)
    points = np.concatenate([x, y])
    return np.abs(_distribution(x, points) - _distribution(y, points)).max()


def _distribution(ordered: Values, points: Values) -> Values:
    return np.searchsorted(ordered, points, side="right") / len(ordered)


def _total_variation(x: Values, y: Values) -> Any:
    x, y = category_codes(x), category_codes(y)
    size = max(x.max(), y.max()) + 1
    return np.abs(np.bincount(x, minlength=size) / len(x) - np.bincount(y, minlength=size) / len(y)).sum() / 2


def _contingency_distances(ours: Values, theirs: Values, categorical: Values) -> Values:
    """Return total variation distances (n_columns, n_columns) of all contingency tables, by one matrix product."""
    cuts = [None if levels else _deciles(column) for levels, column in zip(categorical, ours.T, strict=True)]
    ours, theirs = _cells(ours, cuts), _cells(theirs, cuts)
    sizes = np.maximum(ours.max(axis=0), theirs.max(axis=0)) + 1
    starts = np.cumsum(sizes) - sizes
    difference = abs(_joint_shares(ours + starts, sizes.sum()) - _joint_shares(theirs + starts, sizes.sum()))
    columns = _one_hot(np.repeat(np.arange(len(sizes)), sizes)[:, None], len(sizes))  # (n_cells, n_columns)
    return np.clip((columns.T @ difference @ columns).toarray() / 2, 0, 1)


def _deciles(column: Values) -> Values:
    known = column[~np.isnan(column)]
    return np.unique(np.quantile(known, DECILES)) if len(known) else known


def _cells(values: Values, cuts: list[Values | None]) -> Values:
    """Return the category or interval of each cell (n, n_columns) as integers; 0 is missing."""
    codes = [
        np.minimum(column, N_CATEGORIES)
        if cut is None
        else np.where(np.isnan(column), column, np.searchsorted(cut, column))
        for column, cut in zip(values.T, cuts, strict=True)
    ]
    return category_codes(np.column_stack(codes))


def _joint_shares(cells: Values, n_cells: int) -> csr_array:
    """Return the share of rows in both cells, for each pair of cells (n_cells, n_cells)."""
    rows = _one_hot(cells, n_cells)
    return (rows.T @ rows).tocsr() / len(cells)


def _one_hot(cells: Values, n_cells: int) -> csr_array:
    n, width = cells.shape
    return csr_array((np.ones(cells.size), cells.ravel(), np.arange(n + 1) * width), shape=(n, n_cells))


def rank_correlations(values: Values) -> Values:
    """Return rank correlations (n_columns, n_columns) over rows with both values known, with ranks by column."""
    known = (~np.isnan(values)).astype(float)
    ranks = np.apply_along_axis(_centred_ranks, 0, values) if values.size else values
    with np.errstate(invalid="ignore", divide="ignore"):
        counts, sums, squares = known.T @ known, ranks.T @ known, ranks.T**2 @ known
        covariance = ranks.T @ ranks - sums * sums.T / counts
        variance = squares - sums**2 / counts
        correlations = covariance / np.sqrt(variance * variance.T)
    # Variances that are only rounding errors are 0.
    varies = variance > 1e-12 * squares
    return np.where(varies & varies.T, np.clip(correlations, -1, 1), 0.0)


def _centred_ranks(column: Values) -> Values:
    known = ~np.isnan(column)
    ranks = np.zeros(len(column))
    ranks[known] = rankdata(column[known]) - (known.sum() + 1) / 2
    return ranks
