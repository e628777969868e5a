"""Values that columns of data frames can hold, from the numbers of a model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.data.tables.cells import DATES, TIMES
from isthmus.schema import MICROSECONDS, Field, Schema

Values = np.ndarray[Any, Any]


def drop_ranges(schema: Schema) -> Schema:
    """Return a schema without ranges of numbers, so that values outside them are not clipped."""
    return replace(schema, fields=tuple(replace(field, low=None, high=None) for field in schema.fields))


def decode_values(numbers: Values, field: Field, rounded: bool) -> Values:
    """Turn numbers (n,) into values of the kind and within the range of a column."""
    if field.is_categorical:
        categories = np.empty(len(field.categories), dtype=object)
        categories[:] = field.categories
        return categories[np.clip(np.round(numbers), 0, len(categories) - 1).astype(np.intp)]
    numbers = round_numbers(numbers.astype(np.float64)[:, None], [field], rounded)[:, 0]
    return _to_times(numbers, field) if field.kind == "date" else numbers


def round_to_valid(values: Values, schema: Schema) -> Values:
    """Round rows (n, n_used) to the nearest values that the columns can hold, in float64; categories stay unchanged."""
    is_category = np.array([field.is_categorical for field in schema.used])
    return np.where(is_category, values, round_numbers(values.astype(np.float64), schema.used))


def round_numbers(given: Values, fields: Sequence[Field], rounded: bool = True) -> Values:
    """Return the nearest valid numbers (n, n_fields): open ends, or inside the range.

    Numbers in the range get the decimals of fit if ``rounded``; dates always do.
    """
    low = [-np.inf if field.low is None else field.low for field in fields]
    inside = np.clip(given, low, [np.inf if field.high is None else field.high for field in fields])
    # Division of integers is exact to rounding: 3 / 10 is the float64 nearest to 0.3, but 3 * 0.1 is not.
    scales = np.array(
        [round(1 / field.step) if field.step and (rounded or field.kind == "date") else 0 for field in fields]
    )
    numbers = np.where(scales > 0, np.round(inside * scales) / np.maximum(scales, 1), inside)
    for i, end in ((i, end) for i, field in enumerate(fields) for end in field.ends):
        is_end = np.abs(given[:, i] - end) <= np.abs(given[:, i] - inside[:, i])
        numbers[is_end, i] = end
    return numbers


def _to_times(days: Values, field: Field) -> Values:
    """Convert days to times; open ends are exact to the microsecond."""
    times = np.round((days + field.origin) * MICROSECONDS).astype("datetime64[us]")
    for end, microseconds in zip(field.ends, field.open_ends, strict=True):
        times[days == end] = np.datetime64(microseconds, "us")
    if field.dtype in (DATES, TIMES):
        return times.astype("datetime64[D]" if field.dtype == DATES else times.dtype).astype(object)
    return times


def make_unlearned_values(field: Field, n: int, column: Any) -> Values:
    """Make values of a column that is left out: its constant, numbered identifiers, or missing values."""
    if field.kind == "constant" and field.categories:
        return np.full(n, field.categories[0], dtype=object)
    if field.kind == "identifier" and column.dtype.is_numeric():
        return np.arange(1, n + 1)
    if field.kind == "identifier" and column.dtype == nw.String:
        return np.array([f"{field.name}-{i}" for i in range(1, n + 1)], dtype=object)
    return np.full(n, None, dtype=object)
