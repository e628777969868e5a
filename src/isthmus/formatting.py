"""Formatting of names, counts, shares and values in messages."""

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

# Absolute values outside this range are written with an exponent.
SMALL, LARGE = 1e-3, 1e5
# Significant digits of a number without an interval, and the largest number of digits after the point.
N_DIGITS, MAX_DIGITS = 3, 8
# Number of names that a message lists; it counts the others.
N_NAMED = 5


def list_names(names: Sequence[Any]) -> str:
    """List names in a message: ``'age', 'sex' and 3 others``."""
    return list_texts([repr(name) for name in names])


def list_texts(texts: Sequence[str], separator: str = ", ") -> str:
    """List texts in a message, as ``list_names`` lists names, but without quotes."""
    listed, n_others = separator.join(texts[:N_NAMED]), len(texts) - N_NAMED
    return f"{listed} and {n_others} other{'s' * (n_others > 1)}" if n_others > 0 else listed


def pluralize(count: int, unit: str) -> str:
    """Return a count and its unit, as in "1 value", "1,024 values" and "2 series"."""
    return f"{count:,} {unit}{'' if count == 1 or unit.endswith('s') else 's'}"


def format_percent(share: float) -> str:
    """Format a share as a percentage, with decimals below 10 % and above 90 %, so that 0.04 % is not shown as 0 %."""
    digits = 0 if 0.1 <= share <= 0.9 or share in (0, 1) else 2
    return f"{100 * share:.{digits}f} %"


def format_interval(expected: Any, low: Any, high: Any) -> str:
    """Format an expected interval of numbers or dates, or an expected category."""
    if is_missing(low) or is_missing(high):
        return format_value(expected)
    low, high = format_value(low, low, high), format_value(high, low, high)
    return low if low == high else f"{low} .. {high}"


def format_value(value: Any, low: Any = None, high: Any = None) -> str:
    """Format a value; a number gets enough digits to distinguish it from others between the limits.

    Examples
    --------
    >>> from isthmus.formatting import format_value
    >>> format_value(9.1e6), format_value(1013.24, 1013.1, 1013.4), format_value(float("nan")), format_value("tcp")
    ('9.1e6', '1013.24', 'missing', 'tcp')
    """
    if is_missing(value):
        return "missing"
    if isinstance(value, np.datetime64):
        return str(np.datetime_as_string(value, unit="auto")).replace("T", " ")
    if isinstance(value, date):  # includes datetime
        text = value.isoformat(" ", "minutes") if isinstance(value, datetime) else str(value)
        return text.removesuffix(" 00:00")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return format_number(float(value), _width(low, high))


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN or NaT."""
    return value is None or value != value


def format_number(value: float, width: float = 0.0) -> str:
    """Format a number with about three significant digits, or with two digits of ``width``."""
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    size = _exponent(value)
    n_digits = N_DIGITS if width <= 0 else max(2, size - _exponent(width) + 2)
    if SMALL <= abs(value) < LARGE:
        return _trim(f"{value:.{min(max(n_digits - 1 - size, 0), MAX_DIGITS)}f}")
    mantissa, exponent = f"{value:.{min(n_digits - 1, MAX_DIGITS)}e}".split("e")
    return f"{_trim(mantissa)}e{int(exponent)}"


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _width(low: Any, high: Any) -> float:
    numbers = isinstance(low, int | float) and isinstance(high, int | float)
    return 0.0 if not numbers or is_missing(low) or is_missing(high) else abs(float(high - low))


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
