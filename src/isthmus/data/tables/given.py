"""Encoding of the values that ``given`` fixes in new rows."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from isthmus.data.tables.native_dtypes import find_time_zone
from isthmus.part import did_you_mean
from isthmus.schema import MICROSECONDS, Field, Schema

Values = np.ndarray[Any, Any]


def encode_given(given: Mapping[Any, Any], schema: Schema) -> Values:
    """Encode the fixed values of a row (n_used,); NaN for the other columns.

    Dates without a time zone are in that of the column, if it has one.

    Raises
    ------
    ValueError
        If the model has no such column, fit has not seen the category, or a value is missing or infinite.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"given must be a dict of columns and their values, got {type(given).__name__}")
    fields = schema.used or [Field(i, schema.dtype) for i in range(schema.shape[0])]
    row = np.full(schema.shape, np.nan)
    known = {field.name: i for i, field in enumerate(fields)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"given has a column {name!r} that the model does not have{did_you_mean(name, known)}")
        field = fields[known[name]]
        if field.is_categorical and value not in field.categories:
            raise ValueError(f"given[{name!r}] must be one of {list(field.categories)[:10]}, got {value!r}")
        row[known[name]] = field.categories.index(value) if field.is_categorical else _number(value, field)
    return row


def _number(value: Any, field: Field) -> float:
    """Convert a number or a date to the number that a model reads."""
    try:
        number = _days(value, field) if field.kind == "date" else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        expected = "a date" if field.kind == "date" else "a finite number"
        raise ValueError(f"given[{field.name!r}] must be {expected}, got {value!r}; leave it out where any will do")
    return number


def _days(date: Any, field: Field) -> float:
    """Convert a date to days since the origin of a column; NaN if it is missing."""
    time = np.datetime64(_in_utc(date, find_time_zone(field.dtype)), "us")
    return math.nan if np.isnat(time) else float(time.astype(np.int64) / MICROSECONDS - field.origin)


def _in_utc(date: Any, zone: str | None) -> Any:
    """Return a date without a time zone, converted to UTC if it, or the column, has a time zone."""
    if zone and not isinstance(date, datetime):
        date = np.datetime64(date, "us").item()
    if not isinstance(date, datetime) or not (date.tzinfo or zone):
        return date
    return (
        (date if date.tzinfo or zone is None else date.replace(tzinfo=ZoneInfo(zone)))
        .astimezone(UTC)
        .replace(tzinfo=None)
    )
