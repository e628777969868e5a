"""Values of blocks as texts, which all writers show."""

import math
from collections.abc import Sequence
from typing import Any

from isthmus.formatting import format_number, format_value, is_missing
from isthmus.reporting.blocks import Bars, Interval, Share

# Spaces as wide as a digit and as a point, which align numbers at their decimal points.
DIGIT, POINT = "\u2007", "\u2008"
# Range of the largest number of a column whose numbers all get the same digits after the point.
SMALLEST, LARGE = 1e-5, 1e5


def is_number(cell: Any) -> bool:
    """Whether a cell is shown as a number."""
    return isinstance(cell, Interval) or (isinstance(cell, int | float) and not isinstance(cell, bool))


def show(cell: Any) -> str:
    """Return a cell as text.

    Examples
    --------
    >>> from isthmus.reporting.blocks import Interval, Share
    >>> from isthmus.reporting.texts import show
    >>> show(0.41234), show(1200), show(Share(0.034)), show(None), show(Interval(0.412, 0.38, 0.44))
    ('0.412', '1,200', '3.4 %', '–', '0.412 (0.38 to 0.44)')
    """
    if isinstance(cell, Bars):
        return ", ".join(map(str, cell))
    if isinstance(cell, Interval):
        low, high = show_limits(cell)
        return f"{show_value(cell)} ({low} to {high})"
    if is_missing(cell):
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Share):
        return show_share(cell)
    return f"{cell:,}" if isinstance(cell, int) else format_number(cell) if isinstance(cell, float) else str(cell)


def show_share(share: float) -> str:
    """Return a share as a percentage, with more digits near 0 % and 100 %.

    Examples
    --------
    >>> from isthmus.reporting.texts import show_share
    >>> show_share(0.432), show_share(0.0312), show_share(0.0004), show_share(0.9996), show_share(1.0)
    ('43 %', '3.1 %', '0.04 %', '99.96 %', '100 %')
    """
    return f"{100 * share:.{_count_digits(share)}f} %"


def _count_digits(share: float) -> int:
    size = abs(share)
    if 0.995 <= size < 1:
        return 1 if 1 - size >= 0.001 else 2
    return 0 if size >= 0.05 or size == 0 or math.isnan(size) else 1 if size >= 0.001 else 2


def show_value(interval: Interval) -> str:
    """Return the estimate of an interval."""
    if isinstance(interval.value, Share):
        return show_share(interval.value)
    return format_value(interval.value, interval.low, interval.high)


def show_limits(interval: Interval) -> tuple[str, str]:
    """Return the limits of an interval."""
    if isinstance(interval.value, Share):
        return show_share(interval.low), show_share(interval.high)
    low, high = (format_value(limit, interval.low, interval.high) for limit in interval[1:])
    return low, high


def _is_float(cell: Any) -> bool:
    return type(cell) is float and math.isfinite(cell)


def _align_shares(column: Sequence[Any]) -> list[str]:
    """Return shares with the digits that the one with most digits has."""
    n_digits = max(_count_digits(cell) for cell in column if isinstance(cell, Share))
    return [f"{100 * cell:.{n_digits}f} %" if isinstance(cell, Share) else _show_estimate(cell) for cell in column]


def align(column: Sequence[Any]) -> list[str]:
    """Return the texts of a column, of which numbers are aligned at the decimal point if they end at the right.

    Examples
    --------
    >>> from isthmus.reporting.texts import align
    >>> align([1.27, 10.5, 3.0])
    ['1.3', '10.5', '3.0']
    """
    if any(isinstance(cell, Share) for cell in column):
        return _align_shares(column)
    largest = max((abs(cell) for cell in column if _is_float(cell)), default=0.0)
    if SMALLEST <= largest < LARGE:
        n_digits = max(0, min(2 - math.floor(math.log10(largest)), 3 if largest >= 0.01 else 4))
        return [f"{cell:,.{n_digits}f}" if _is_float(cell) else _show_estimate(cell) for cell in column]
    texts = [_show_estimate(cell) for cell in column]
    if not all(is_number(cell) or is_missing(cell) for cell in column):
        return texts
    ends = [len(text.partition(".")[2]) for text in texts]
    return [
        text + (POINT if not end and max(ends) else "") + DIGIT * (max(ends) - end)
        for text, end in zip(texts, ends, strict=True)
    ]


def _show_estimate(cell: Any) -> str:
    """Return a cell as text, without the limits of an interval."""
    return show_value(cell) if isinstance(cell, Interval) else show(cell)
