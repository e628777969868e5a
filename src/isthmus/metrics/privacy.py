"""Privacy: whether synthetic rows are closer to training rows than held-out rows are."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from isthmus.metrics.encoding import Values, encode, number_distinct_rows, sample_rows
from isthmus.randomness import seed_of

# Largest number of distances in memory: 32 MiB of float64.
CHUNK = 2**22


@dataclass(frozen=True)
class Comparison:
    """A measure of synthetic rows, and the same measure of the rows they are compared with.

    Parameters
    ----------
    synthetic : float
        For the synthetic rows.
    baseline : float
        For held-out real rows, unless stated otherwise.

    Examples
    --------
    >>> from isthmus.metrics import Comparison
    >>> Comparison(synthetic=0.93, baseline=0.97)
    Comparison(synthetic=0.93, baseline=0.97)
    """

    synthetic: float
    baseline: float


@dataclass(frozen=True)
class ClosestRecord:
    """Distances of synthetic and of held-out rows to the closest training rows.

    Parameters
    ----------
    median, percentile_5 : Comparison
        Quantiles of the distance to the closest training row. Synthetic rows that repeat training rows are closer than
        held-out rows.
    copies : Comparison
        Share of rows that equal a training row in all columns.
    closer_to_train : float
        Share of synthetic rows that are closer to training rows than to the same number of held-out rows; ties count
        half, and 0.5 is ideal.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.metrics import closest_record
    >>> train, holdout = pa.table({"x": [0.0, 2.0, 4.0]}), pa.table({"x": [1.0, 3.0, 5.0]})
    >>> closest_record(train, train, holdout).closer_to_train
    1.0
    """

    median: Comparison
    percentile_5: Comparison
    copies: Comparison
    closer_to_train: float


def closest_record(
    train: Any, synthetic: Any, holdout: Any, max_rows: int = 5_000, random_state: Any = None
) -> ClosestRecord:
    """Compare distances of synthetic and of held-out rows to the closest training rows.

    The distance of two rows is the mean over their columns: for numbers and dates the difference divided by four
    standard deviations of ``train``, for other columns 0 if the values are equal and 1 if not. A missing number counts
    as the mean, at an additional distance of 1 from known numbers; in a column that is constant in ``train``, all other
    values have the distance 1.

    Parameters
    ----------
    train, synthetic, holdout : data frame
        Of any library that narwhals supports, with the same columns.
    max_rows : int, default=5000
        Largest number of rows of each table for distances; of more, a random sample is used. Copies are counted in all
        rows.
    random_state : int, RandomState or None, default=None
        Seed of the random samples.

    Returns
    -------
    ClosestRecord
        Distances, copies, and the share that is closer to training rows.

    Raises
    ------
    ValueError
        If columns differ or have values other than numbers, booleans, text, categories or dates, or there are no rows.

    References
    ----------
    M. Platzer, T. Reutterer. Holdout-Based Empirical Assessment of Mixed-Type Synthetic Data. Frontiers in Big Data,
    2021, arXiv:2104.00635. The distance: D. Wilson, T. Martinez. Improved Heterogeneous Distance Functions. JAIR, 1997,
    arXiv:cs/9701101.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.metrics import closest_record
    >>> train, holdout = pa.table({"x": [0.0, 2.0, 4.0]}), pa.table({"x": [1.0, 3.0, 5.0]})
    >>> closest_record(train, train, holdout).copies
    Comparison(synthetic=1.0, baseline=0.0)
    """
    _, categorical, tables = encode({"train": train, "synthetic": synthetic, "holdout": holdout})
    numbers = number_distinct_rows(*tables)
    copies = Comparison(*(float(np.isin(rows, numbers[0]).mean()) for rows in numbers[1:]))
    generator = np.random.default_rng(seed_of(random_state))
    space = _space(tables[0], categorical)
    seen, made, unseen = (sample_rows(table, max_rows, generator) for table in tables)
    quantiles = [np.quantile(_distances(rows, seen, space), [0.5, 0.05]).tolist() for rows in (made, unseen)]
    median, percentile_5 = (Comparison(*pair) for pair in zip(*quantiles, strict=True))
    n = min(len(seen), len(unseen))
    rivals = [_distances(made, sample_rows(rows, n, generator), space) for rows in (seen, unseen)]
    closer = float(np.mean(np.sign(rivals[1] - rivals[0]) + 1) / 2)
    return ClosestRecord(median, percentile_5, copies, closer)


class Space(NamedTuple):
    """Columns with numeric distances, their means, and their units: four standard deviations."""

    measured: Values
    mean: Values
    unit: Values


def _space(train: Values, categorical: Values) -> Space:
    known = np.ma.masked_invalid(train)
    measured = ~categorical & (np.ma.ptp(known, axis=0).filled(0) > 0)
    known = known[:, measured]
    return Space(measured, known.mean(axis=0).filled(0), 4 * known.std(axis=0).filled(0))


def _distances(rows: Values, others: Values, space: Space) -> Values:
    """Return the distance of each row to the closest of the others, (n,)."""
    (numbers, categories), (other_numbers, other_categories) = (
        _split_columns(rows, space),
        _split_columns(others, space),
    )
    step = max(1, CHUNK // len(others))
    chunks = [slice(start, start + step) for start in range(0, len(rows), step)]
    closest = [
        (cdist(numbers[some], other_numbers, "cityblock") + _mismatches(categories[some], other_categories)).min(axis=1)
        for some in chunks
    ]
    return np.concatenate(closest) / rows.shape[1]


def _split_columns(rows: Values, space: Space) -> tuple[Values, Values]:
    """Return scaled numbers, and values that are equal or not: categories, and whether a number is missing."""
    missing = np.isnan(rows)
    categories = np.where(missing, -1, rows)[:, ~space.measured]
    numbers = np.nan_to_num((rows[:, space.measured] - space.mean) / space.unit)
    return numbers, np.column_stack([categories, missing[:, space.measured]])


def _mismatches(categories: Values, others: Values) -> Values:
    return cdist(categories, others, "hamming") * categories.shape[1]
