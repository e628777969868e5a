"""Values of a column of a narwhals frame as numbers, dates or categories, and advice on unsupported types."""

import math
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from isthmus.schema import MICROSECONDS

Values = np.ndarray[Any, Any]

# Up to this integer, float64 represents every integer exactly.
MAX_EXACT = 2**53
# Names of the dtypes of object columns of Python's dates, without and with times.
DATES, TIMES = "Object(date)", "Object(datetime)"
# Advice on a column of an unsupported type, by the name of the type.
REMEDIES = {
    "list|array|ndarray|tuple|set|frozenset": "give each element a column of its own",
    "struct|dict": "give each field a column of its own",
    "duration|timedelta": "turn it into numbers, such as seconds",
    "timestamp|datetime|date": "turn it into a column of dates",
    "time": "turn it into numbers, such as seconds since midnight",
    "period": "turn it into dates, such as those on which periods start",
    "interval": "turn it into numbers, such as the left and the right ends",
    "complex": "turn it into numbers, such as the real and the imaginary parts",
    "binary|bytes|large_binary": "turn it into text",
}


def is_number(dtype: Any) -> bool:
    """Whether a dtype of narwhals holds numbers."""
    return bool(dtype.is_numeric())


def holds_dates(column: Any) -> bool:
    """Whether a column holds dates, with or without times, or such objects of Python."""
    if column.dtype != nw.Object:
        return column.dtype in (nw.Date, nw.Datetime)
    return all(isinstance(value, date) for value in column.drop_nulls().to_list())


def is_text(dtype: Any) -> bool:
    """Whether a dtype of narwhals holds categories other than numbers."""
    return dtype in (nw.String, nw.Categorical, nw.Enum, nw.Boolean, nw.Object)


def find_missing(column: Any) -> Any:
    """Return a column of truth values: whether each cell of a column is missing (null or NaN)."""
    missing = column.is_null()
    return missing | column.is_nan() if column.dtype.is_float() else missing


def missing_mask(column: Any) -> Values:
    """Return an array of truth values: whether each cell of a column is missing (null or NaN)."""
    return np.asarray(find_missing(column).to_numpy()).astype(bool)


def to_floats(column: Any) -> Values:
    """Return a column of numbers as float64, NaN where missing; integers beyond 2^53 are rounded."""
    try:
        numbers = column.cast(nw.Float64).to_numpy()
    except pa.ArrowInvalid:  # Arrow casts such integers only if rounding is allowed.
        numbers = column.to_arrow().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)


def to_exact_numbers(column: Any) -> list[Any]:
    """Return a column of numbers as numbers of Python: integers exactly, others as floats."""
    if column.dtype.is_integer():
        return list(column.to_list())
    if column.dtype == nw.Decimal:
        return [_integer_or_float(value) for value in column.to_list()]
    return list(to_floats(column).tolist())


def _integer_or_float(value: Any) -> Any:
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def to_days(column: Any, origin: float = 0.0) -> Values:
    """Return a column of dates as days since ``origin``, NaN where missing."""
    times = _read_times(column)
    if times is not None:
        return np.where(np.isnat(times), np.nan, times.astype(np.float64)) / MICROSECONDS - origin
    return to_floats(column.dt.timestamp("us")) / MICROSECONDS - origin


def name_dtype(column: Any) -> str:
    """Name the dtype of a column, as its library does where narwhals does not know it."""
    native = column.to_native()
    return str(getattr(native, "dtype", None) or native.type) if column.dtype == nw.Unknown else str(column.dtype)


def name_date_dtype(column: Any) -> str:
    """Name the dtype of a column of dates; for object columns, whether the dates have times."""
    if column.dtype != nw.Object:
        return str(column.dtype)
    return TIMES if any(isinstance(value, datetime) for value in column.drop_nulls().to_list()) else DATES


def find_distinct_microseconds(column: Any) -> Values:
    """Return the different dates of a column in order, as integer microseconds since 1970-01-01."""
    times = _read_times(column)
    if times is not None:
        return np.unique(times[~np.isnat(times)].astype(np.int64))
    return np.unique(np.array(column.drop_nulls().dt.timestamp("us").to_list(), dtype=np.int64))


def _read_times(column: Any) -> Values | None:
    """Return dates as datetime64[us] where NumPy holds them: without time zone, or as objects of Python; else None."""
    if column.dtype == nw.Object:
        return np.array([None if value is None or value != value else value for value in column.to_list()], "M8[us]")
    if column.dtype != nw.Datetime or column.dtype.time_zone is not None:
        return None
    times = np.asarray(column.to_numpy())
    return times.astype("M8[us]") if times.dtype.kind == "M" else None


def list_categories(present: Any) -> list[Any]:
    """List the different values of a column without nulls, sorted, or in the order of an enumeration.

    Raises
    ------
    ValueError
        If a value is not text, a number or a truth value.
    """
    distinct = present if present.dtype == nw.Object else present.unique()
    values = list({_to_plain(value, present.name) for value in distinct.to_list()})
    values = [value for value in values if value == value]
    if present.dtype == nw.Enum:
        order = {category: i for i, category in enumerate(present.dtype.categories)}
        return sorted(values, key=lambda value: order[value])
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def _to_plain(value: Any, name: str) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, str | bool | int | float):
        kind = type(value).__name__
        raise ValueError(
            f"column {name!r} holds a value of type {kind}, {value!r}; expected numbers, text, truth values, or dates "
            f"in a column of dates; {suggest_remedy(kind)}"
        )
    return value


def is_numeral(text: str) -> bool:
    """Whether a text is a finite number in the notation of Python."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def suggest_remedy(held: str) -> str:
    """Return advice on a column of an unsupported type, by the name of the type."""
    known = next((remedy for pattern, remedy in REMEDIES.items() if re.match(pattern, held, re.IGNORECASE)), "")
    return f"{known}, or leave it out" if known else "leave it out or turn it into one of these"
