"""Numbers of a model as the values that users know: names of columns, categories and dates."""

from typing import Any

import numpy as np

from isthmus.formatting import format_value
from isthmus.schema import Field, Schema


def name_columns(schema: Schema) -> list[str]:
    """Return the names of the values of a row; columns of arrays are numbered."""
    if schema.fields:
        return [str(field.name) for field in schema.used]
    return [schema.column(i).removeprefix("column ") for i in range(int(np.prod(schema.shape)))]


def show_number(number: float, field: Field | None, low: float | None = None, high: float | None = None) -> str:
    """Return a number of a model as text: a category, a date, or a number with the digits that its column needs."""
    if field is None or np.isnan(number):
        return format_value(float(number), low, high)
    if field.is_categorical:
        position = min(max(int(round(number)), 0), len(field.categories) - 1)
        return format_value(field.categories[position])
    if field.kind == "date":
        return str(np.datetime64(int(np.floor(number + field.origin)), "D"))
    return format_value(float(number), low, high)


def get_fields(schema: Schema) -> list[Any]:
    """Return the field of each value of a row; None for arrays."""
    return list(schema.used) if schema.fields else [None] * int(np.prod(schema.shape))
