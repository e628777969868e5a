"""Checks of other rows against the given ones: columns in another unit, or with other values."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from isthmus.anomaly.rows import to_numbers
from isthmus.autoencoder import Autoencoder
from isthmus.data import Source, decode
from isthmus.doctor.check_input import CheckInput, Column
from isthmus.doctor.data_checks import is_identifier
from isthmus.doctor.rows import Values, read_rows, read_split
from isthmus.finding import Finding
from isthmus.formatting import format_number, format_percent

# Fewest values of a column that are compared, and quantiles whose values are compared: outliers are left out. Rules of
# thumb, as the others.
MIN_VALUES, QUANTILES = 20, np.linspace(0.05, 0.95, 19)
# Share of the values outside the range of the given rows above which they have another distribution.
MAX_OUTSIDE = 0.5
# Smallest squared correlation of quantiles that are linear functions of those of the given rows, as after a change of
# the unit; the largest offset of a mere factor, as a share of the spread of the quantiles; and the smallest factor
# (or 1 / factor) that is reported of values within the range.
MIN_FIT, MAX_OFFSET, MIN_FACTOR = 0.95, 0.1, 10.0
# Relative distance from a power of ten at which a factor is shown as one.
NEAR_POWER = 0.25


def find_shifted_columns(data: CheckInput) -> Iterator[Finding]:
    """Find columns of numbers of other rows that have another unit than in the given rows, or other values."""
    for name, split in data.splits.items():
        for position, column in enumerate(data.columns):
            if data.are_pixels or not _has_unit(column):
                continue
            other = split.values[:, position]
            change = _describe_change(column.present, other[~np.isnan(other)])
            if change:
                detail = f"in {name}, {change}"
                yield Finding(
                    "shifted columns", (column.label,), detail, f"check the unit of {column.label!r} in {name}"
                )


def _has_unit(column: Column) -> bool:
    """Whether a column has numbers other than dates and identifiers, which grow from file to file."""
    is_date = column.field is not None and column.field.kind == "date"
    return column.is_number and not is_date and not is_identifier(column)


def compare_rows(known: Any, X: Any, name: str = "the other rows") -> list[Finding]:
    """Find columns of rows that have another unit, or other values, than in known rows.

    Parameters
    ----------
    known, X : array, data frame or Source of shape (n_samples, ...)
        ``X`` has the columns of ``known``.
    name : str, default="the other rows"
        What ``X`` is called.

    Returns
    -------
    list of Finding
        One for each such column.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.doctor import compare_rows
    >>> metres = np.random.default_rng(0).uniform(1, 9, size=(100, 2))
    >>> print(compare_rows(metres, metres * [1, 1000])[0].detail)
    in the other rows, values are about 1000 times those of X
    """
    known = decode(to_numbers(known), known.schema) if isinstance(known, Source) else known
    rows = read_rows(known, None)
    return list(find_shifted_columns(CheckInput(rows, {name: read_split(name, X, rows)}, Autoencoder())))


def _describe_change(known: Values, values: Values) -> str:
    """Describe a change of the unit, or a share of values outside the known range; "" if there is neither.

    Zeros are left out: they are often a large share of the values, and have the same value in many units.
    """
    known, values = known[known != 0], values[values != 0]
    if min(len(known), len(values)) < MIN_VALUES:
        return ""
    outside = float(np.mean((values < known.min()) | (values > known.max())))
    before, after = np.quantile(known, QUANTILES), np.quantile(values, QUANTILES)
    if min(np.ptp(before), np.ptp(after)) > 0 and np.corrcoef(before, after)[0, 1] ** 2 >= MIN_FIT:
        factor = _round_to_power(float(np.polyfit(before, after, 1)[0]))
        offset = float(np.median(after) - factor * np.median(before))
        is_factor = abs(offset) <= MAX_OFFSET * np.ptp(after)
        if outside > MAX_OUTSIDE or (is_factor and max(factor, 1 / factor) >= MIN_FACTOR):
            return f"values are about {_show_unit(factor, 0.0 if is_factor else offset)}"
    return f"{format_percent(outside)} of the values are outside the range of X" if outside > MAX_OUTSIDE else ""


def _round_to_power(factor: float) -> float:
    """Return the power of ten near a factor, or the factor if there is none."""
    power = float(10.0 ** round(np.log10(factor)))
    return power if abs(factor / power - 1) < NEAR_POWER else factor


def _show_unit(factor: float, offset: float) -> str:
    """Return ``"1000 times those of X"``, or ``"1.8 times those of X plus 32"``."""
    times = "those of X" if factor == 1 else f"{format_number(factor)} times those of X"
    return times if not offset else f"{times} {'plus' if offset > 0 else 'minus'} {format_number(abs(offset))}"
