"""Formatting of names, counts, numbers, shares and intervals in messages, tables and reports."""

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

# Absolute values outside this range are written with an exponent.
SMALL, LARGE = 1e-3, 1e6
# Significant digits of a number without an interval, and the largest number of digits after the point.
N_DIGITS, MAX_DIGITS = 3, 8
# Half of the last digit of a percentage: smaller shares would be shown as 0 %.
HALF_PERCENT_DIGIT = 0.5e-4
# Smallest width of an interval in units of its last digit: rounding moves a limit by a twelfth of the width at most.
N_UNITS = 6
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


def format_shape(shape: Sequence[int]) -> str:
    """Describe the shape of a row in words.

    Examples
    --------
    >>> from isthmus.formatting import format_shape
    >>> format_shape((11,)), format_shape((1,)), format_shape((28, 20)), format_shape(())
    ('11 columns', '1 column', '28 x 20 values', '1 value')
    """
    if len(shape) == 1:
        return pluralize(shape[0], "column")
    return f"{' x '.join(map(str, shape))} values" if shape else "1 value"


def format_percent(share: float, n_digits: int | None = None) -> str:
    """Format a share as a percentage, with digits after the point if 0.04 % or 99.96 % would otherwise be rounded away.

    Examples
    --------
    >>> from isthmus.formatting import format_percent
    >>> [format_percent(share) for share in (0.432, 0.0312, 0.02, 0.0004, 1e-6, 0.9996, 1.0)]
    ['43 %', '3.1 %', '2 %', '0.04 %', '<0.01 %', '99.96 %', '100 %']
    """
    if n_digits is not None:
        return f"{fix(100 * share, n_digits)} %"
    if 0 < share < HALF_PERCENT_DIGIT:
        return "<0.01 %"
    if 1 - HALF_PERCENT_DIGIT < share < 1:
        return ">99.99 %"
    return f"{_trim(fix(100 * share, count_percent_digits(share)))} %"


def count_percent_digits(share: float) -> int:
    """Return how many digits after the point a percentage needs."""
    size = abs(share)
    if 0.995 <= size < 1:
        return 1 if 1 - size >= 0.001 else 2
    return 0 if size >= 0.05 or size == 0 or math.isnan(size) else 1 if size >= 0.001 else 2


def fix(number: float, n_digits: int) -> str:
    """Format a number with a number of digits after the point, and 0 without a sign."""
    return f"{number:z.{n_digits}f}"


def count_digits(*numbers: float) -> int | None:
    """Return how many digits after the point give the largest number three digits; None if it needs an exponent."""
    largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    return max(0, N_DIGITS - 1 - _exponent(largest)) if SMALL <= largest < LARGE else None


def count_limit_digits(low: float, high: float) -> int | None:
    """Return how many digits after the point the limits of an interval need; None if they need an exponent.

    A limit of an interval without 0 is not rounded to 0, if two more digits suffice.
    """
    width, smallest = high - low, min(abs(low), abs(high))
    if count_digits(low, high) is None or not width > 0:
        return None
    n_digits = max(-_exponent(width / N_UNITS), 0)
    if low * high > 0:
        n_digits = max(n_digits, min(-_exponent(smallest), n_digits + 2))
    return min(n_digits, MAX_DIGITS)


def format_estimate(value: float, low: float, high: float) -> str:
    """Format an estimate and the limits of its interval, all with the same digits after the point.

    Examples
    --------
    >>> from isthmus.formatting import format_estimate
    >>> format_estimate(0.8213, 0.7891, 0.8512), format_estimate(-152.34, -154.2, -149.8)
    ('0.82 (0.79 to 0.85)', '-152.3 (-154.2 to -149.8)')
    """
    n_digits = count_limit_digits(low, high)
    value_text, *limits = (
        format_number(each, high - low) if n_digits is None else fix(each, n_digits) for each in (value, low, high)
    )
    return f"{value_text} ({join_limits(*limits)})"


def align_numbers(numbers: Sequence[float]) -> list[str]:
    """Format the numbers of a column with the same digits after the point.

    Examples
    --------
    >>> from isthmus.formatting import align_numbers
    >>> align_numbers([1.27, 10.5, 3.0]), align_numbers([0.9, 0.25])
    (['1.3', '10.5', '3.0'], ['0.900', '0.250'])
    """
    n_digits = count_digits(*numbers)
    return [
        format_number(number) if n_digits is None or not math.isfinite(number) else fix(number, n_digits)
        for number in numbers
    ]


def format_interval(expected: Any, low: Any, high: Any) -> str:
    """Format an expected interval of numbers or dates, or an expected category."""
    if is_missing(low) or is_missing(high):
        return format_value(expected)
    return format_range(low, high)


def format_range(low: Any, high: Any) -> str:
    """Format the limits of numbers, dates or times; equal ones are one value.

    Examples
    --------
    >>> from isthmus.formatting import format_range
    >>> format_range(-1.1, 1013.24), format_range(4.0, 4.0)
    ('-1.1 to 1013', '4')
    """
    low, high = format_value(low, low, high), format_value(high, low, high)
    return low if low == high else join_limits(low, high)


def join_limits(low: str, high: str) -> str:
    """Join formatted limits: ``"14 to 32"``."""
    return f"{low} to {high}"


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
    if getattr(getattr(value, "dtype", None), "kind", None) == "M":
        from numpy import datetime_as_string  # commands without a net start without NumPy

        return str(datetime_as_string(value, unit="auto")).replace("T", " ")
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
    if value == 0 or not math.isfinite(value):
        return f"{value:zg}"
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
