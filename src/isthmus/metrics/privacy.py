"""Privacy: whether synthetic rows lie closer to the rows of training than rows that were never seen."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from isthmus.metrics.encoding import Values, encode, number_distinct_rows, sample_rows
from isthmus.randomness import seed_of

# Distances held at once.
CHUNK = 2**22


@dataclass(frozen=True)
class Comparison:
    """A figure of synthetic rows, and the same of rows that set the standard.

    Attributes
    ----------
    synthetic : float
    baseline : float
        Of real rows that the synthesiser never saw, unless said otherwise.
    """

    synthetic: float
    baseline: float


@dataclass(frozen=True)
class ClosestRecord:
    """How near synthetic rows, and those of the holdout, lie to rows of training.

    Attributes
    ----------
    median, percentile_5 : Comparison
        Of the distance to the closest training row. Synthetic rows that repeat training rows are closer than the
        holdout is.
    copies : Comparison
        Share of rows that equal a training row in all columns.
    closer_to_train : float
        Share of synthetic rows that are closer to training rows than to as many rows of the holdout, equally close
        ones counting half: 0.5 is ideal.
    """

    median: Comparison
    percentile_5: Comparison
    copies: Comparison
    closer_to_train: float


def closest_record(
    train: Any, synthetic: Any, holdout: Any, max_rows: int = 5_000, random_state: Any = None
) -> ClosestRecord:
    """Distances of synthetic rows to the closest row of training, beside those of held-out rows.

    The distance of two rows is the mean over their columns: of numbers and dates the difference in units of four
    standard deviations of ``train``, of all else 0 for equal and 1 for different levels. A missing number stands at
    the mean, one more away from known ones; of a column that is constant in ``train``, any other value is 1 away.

    Parameters
    ----------
    train, synthetic, holdout : data frame
        Of any library that narwhals knows, with the same columns.
    max_rows : int
        Of each table; distances are those of as many rows, drawn at random. Copies are counted among all.
    random_state : int, RandomState or None
        Decides which rows are drawn.

    Raises
    ------
    ValueError
        If columns differ, hold what is neither number, boolean, text, category nor date, or there are no rows.

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
    """What distances are measured in: columns whose differences have a unit, their means, and four deviations each."""

    measured: Values
    mean: Values
    unit: Values


def _space(train: Values, categorical: Values) -> Space:
    known = np.ma.masked_invalid(train)
    measured = ~categorical & (np.ma.ptp(known, axis=0).filled(0) > 0)
    known = known[:, measured]
    return Space(measured, known.mean(axis=0).filled(0), 4 * known.std(axis=0).filled(0))


def _distances(rows: Values, others: Values, space: Space) -> Values:
    """Distance of each row to the closest of the others (n,)."""
    (numbers, levels), (other_numbers, other_levels) = _parts(rows, space), _parts(others, space)
    step = max(1, CHUNK // len(others))
    chunks = [slice(start, start + step) for start in range(0, len(rows), step)]
    closest = [
        (cdist(numbers[some], other_numbers, "cityblock") + _mismatches(levels[some], other_levels)).min(axis=1)
        for some in chunks
    ]
    return np.concatenate(closest) / rows.shape[1]


def _parts(rows: Values, space: Space) -> tuple[Values, Values]:
    """What differs by degrees, and what is equal or not: levels, and whether a number is missing."""
    missing = np.isnan(rows)
    levels = np.where(missing, -1, rows)[:, ~space.measured]
    numbers = np.nan_to_num((rows[:, space.measured] - space.mean) / space.unit)
    return numbers, np.column_stack([levels, missing[:, space.measured]])


def _mismatches(levels: Values, others: Values) -> Values:
    return cdist(levels, others, "hamming") * levels.shape[1]
