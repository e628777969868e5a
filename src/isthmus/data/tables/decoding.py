"""Columns of a data frame from the numbers of a model."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.data.tables.blocks import find_plain, iterate_numbers, make_numbers_like, split_columns
from isthmus.data.tables.cells import find_missing
from isthmus.data.tables.native_dtypes import make_column_like
from isthmus.data.tables.values import decode_values, make_unlearned_values, round_numbers
from isthmus.schema import NUMBERS, Field, Schema

Values = np.ndarray[Any, Any]


def decode_used(
    values: Values, schema: Schema, frame: Any, fitted: Mapping[Any, Any] = MappingProxyType({}), rounded: bool = False
) -> list[Any]:
    """Make narwhals frames and series that together are the used columns, from rows of numbers (n, n_used).

    Dtypes are those of a frame, or those of the columns in ``fitted``.
    """
    plain = {name: dtype for name, dtype in find_plain(frame).items() if name not in fitted}
    with_gaps = {*np.flatnonzero(np.isnan(values).any(0)).tolist()}
    numbers = [
        i for i, field in enumerate(schema.used) if i not in with_gaps and field.kind in NUMBERS and field.name in plain
    ]
    parts = list[Any]()
    for chosen in split_columns(numbers, len(values)):
        fields = [schema.used[i] for i in chosen]
        block = round_numbers(values[:, chosen].astype(np.float64), fields, rounded)
        parts += make_numbers_like(frame, [field.name for field in fields], block, plain)
    for i in sorted({*range(len(schema.used))} - {*numbers}):
        name = schema.used[i].name
        model = fitted.get(name) if name in fitted else frame.get_column(name)
        parts.append(decode_column(values[:, i], schema.used[i], model, rounded))
    return parts


def fill_floats(frame: Any, fields: Sequence[Field], values: Values, plain: Mapping[Any, Any]) -> Iterator[Any]:
    """Yield frames of the columns with missing values, filled with rows of numbers (n, n_fields)."""
    names = [field.name for field in fields]
    known = np.column_stack([*iterate_numbers(frame, names)])
    missing = np.isnan(known)
    some = np.flatnonzero(missing.any(0))
    filled = np.where(missing, round_numbers(values.astype(np.float64), fields), known)[:, some]
    return make_numbers_like(frame, [names[i] for i in some], filled, plain)


def fill_column(column: Any, field: Field, numbers: Values | None, fitted: Mapping[Any, Any]) -> Iterator[Any]:
    """Yield a column whose missing cells are filled, if it has any."""
    known = ~find_missing(column)
    if known.all():
        return
    model = fitted.get(field.name, column)
    if numbers is None:
        filled = make_column_like(model, make_unlearned_values(field, len(column), model))
    else:
        filled = decode_column(numbers, field, model, rounded=True)
    yield column.zip_with(known, filled) if known.any() else filled


def decode_column(numbers: Values, field: Field, model: Any, rounded: bool = False) -> Any:
    """Make a column from numbers (n,), NaN where missing, with the name, library and dtype of a model column."""
    missing = np.isnan(numbers)
    column = make_column_like(model, decode_values(np.where(missing, 0.0, numbers), field, rounded))
    if not missing.any():
        return column
    nothing = make_column_like(model, np.full(len(numbers), None, dtype=object))
    return column.zip_with(nw.new_series("known", ~missing, backend=model.implementation), nothing)
