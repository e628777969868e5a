"""Checks of rows: equal ones, within the data and across splits, and empty ones."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy.stats import poisson

from isthmus.doctor.check_input import CheckInput
from isthmus.finding import Finding
from isthmus.formatting import format_percent

# Columns that depend on each other agree more often than independent ones: by how much is taken for chance,
FOR_DEPENDENCE = 10
# and below which probability it is chance no longer.
SIGNIFICANT = 1e-3


def duplicates(case: CheckInput) -> Iterator[Finding]:
    """Rows that come again."""
    n = len(case.rows)
    n_repeats = n - len(np.unique(case.rows.keys))
    expected = n * (n - 1) / 2 * case.match_probability
    if _is_no_chance(n_repeats, expected):
        detail = f"{n_repeats:,} of {n:,} rows ({format_percent(n_repeats / n)}) equal an earlier one"
        yield Finding("duplicate rows", (), detail, "unless each is a case of its own, remove them: isthmus prepare")


def leaks(case: CheckInput) -> Iterator[Finding]:
    """Rows of one split that are also in another."""
    for (name, rows), (other, others) in combinations({"X": case.rows, **case.splits}.items(), 2):
        n_common = int(np.isin(others.keys, rows.keys).sum())
        if _is_no_chance(n_common, len(rows) * len(others) * case.match_probability):
            share = format_percent(n_common / len(others))
            detail = f"{n_common:,} of {len(others):,} rows of {other} ({share}) are in {name}"
            advice = f"take them out of {other}, or remove duplicates and split anew: isthmus prepare"
            yield Finding("leak between splits", (), detail, advice, "error")


def empty_rows(case: CheckInput) -> Iterator[Finding]:
    """Rows without a single value."""
    n_rows, n_empty = len(case.rows.values), int(np.isnan(case.rows.values).all(1).sum())
    if n_empty:
        detail = f"{n_empty:,} of {n_rows:,} rows have no value at all"
        yield Finding("empty rows", (), detail, "leave them out: there is nothing to learn from them")


def _is_no_chance(n: int, expected: float) -> bool:
    return n > 0 and bool(poisson.sf(n - 1, FOR_DEPENDENCE * expected) < SIGNIFICANT)
