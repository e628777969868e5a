"""Values of blocks as texts, which all writers show."""

import math
from collections.abc import Sequence
from typing import Any

from isthmus.formatting import (
    align_numbers,
    count_limit_digits,
    count_percent_digits,
    fix,
    format_number,
    format_percent,
    is_missing,
    join_limits,
)
from isthmus.reporting.blocks import Bars, Interval, Share


def is_number(cell: Any) -> bool:
    """Whether a cell is shown as a number."""
    return isinstance(cell, Interval) or (isinstance(cell, int | float) and not isinstance(cell, bool))


def show(cell: Any) -> str:
    """Return a cell as text.

    Examples
    --------
    >>> from isthmus.reporting.blocks import Interval, Share
    >>> from isthmus.reporting.texts import show
    >>> show(0.41234), show(1200), show(Share(0.034)), show(None), show(Interval(0.412, 0.38, 0.45))
    ('0.412', '1,200', '3.4 %', '–', '0.41 (0.38 to 0.45)')
    """
    if isinstance(cell, Bars):
        return ", ".join(map(str, cell))
    if isinstance(cell, Interval):
        return f"{show_value(cell)} ({join_limits(*show_limits(cell))})"
    if is_missing(cell):
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Share):
        return format_percent(cell)
    return f"{cell:,}" if isinstance(cell, int) else format_number(cell) if isinstance(cell, float) else str(cell)


def count_interval_digits(interval: Interval) -> int | None:
    """Return how many digits after the point an interval needs; None if it needs an exponent."""
    factor = 100 if isinstance(interval.value, Share) else 1
    return count_limit_digits(factor * interval.low, factor * interval.high)


def show_value(interval: Interval, n_digits: int | None = None) -> str:
    """Return the estimate of an interval, by default with the digits that the interval needs."""
    return _show_number(interval, interval.value, n_digits)


def show_limits(interval: Interval, n_digits: int | None = None) -> tuple[str, str]:
    """Return the limits of an interval, by default with the digits that the interval needs."""
    return _show_number(interval, interval.low, n_digits), _show_number(interval, interval.high, n_digits)


def _show_number(interval: Interval, number: float, n_digits: int | None) -> str:
    n_digits = count_interval_digits(interval) if n_digits is None else n_digits
    if isinstance(interval.value, Share):
        return format_percent(number, n_digits)
    return format_number(number, interval.high - interval.low) if n_digits is None else fix(number, n_digits)


def align(column: Sequence[Any]) -> list[str]:
    """Return the texts of a column, whose numbers have the same digits after the point.

    Examples
    --------
    >>> from isthmus.reporting.blocks import Share
    >>> from isthmus.reporting.texts import align
    >>> align([1.27, 10.5, 3.0]), align([Share(0.002), Share(0.4), "unknown"])
    (['1.3', '10.5', '3.0'], ['0.2 %', '40.0 %', 'unknown'])
    """
    n_digits, floats = count_column_digits(column), iter(align_numbers([cell for cell in column if _is_float(cell)]))
    return [next(floats) if _is_float(cell) else _show_estimate(cell, n_digits) for cell in column]


def show_column(column: Sequence[Any]) -> list[str]:
    """Return the texts of a column as ``align`` does, with the limits of intervals."""
    n_digits = count_column_digits(column)
    return [
        f"{text} ({join_limits(*show_limits(cell, n_digits))})" if isinstance(cell, Interval) else text
        for cell, text in zip(column, align(column), strict=True)
    ]


def is_numeric(column: Sequence[Any]) -> bool:
    """Whether all known cells of a column are shown as numbers."""
    known = [cell for cell in column if cell is not None]
    return bool(known) and all(map(is_number, known))


def count_column_digits(column: Sequence[Any]) -> int | None:
    """Return how many digits after the point the shares and intervals of a column need; None if there are none."""
    counts = [count_percent_digits(cell) for cell in column if isinstance(cell, Share)]
    counts += [n for cell in column if isinstance(cell, Interval) and (n := count_interval_digits(cell)) is not None]
    return max(counts, default=None)


def _is_float(cell: Any) -> bool:
    return type(cell) is float and math.isfinite(cell)


def _show_estimate(cell: Any, n_digits: int | None) -> str:
    """Return a cell as text, without the limits of an interval."""
    if isinstance(cell, Share):
        return format_percent(cell, n_digits)
    return show_value(cell, n_digits) if isinstance(cell, Interval) else show(cell)
