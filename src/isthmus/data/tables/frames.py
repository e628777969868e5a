"""Data frames of numbers from any library that narwhals supports."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from numbers import Number
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.containers import is_frame as is_frame
from isthmus.containers import open_frame
from isthmus.data.arrays import Array, as_tensor
from isthmus.data.tables.blocks import iterate_numbers
from isthmus.data.tables.cells import name_dtype
from isthmus.schema import Field, Schema

Values = np.ndarray[Any, Any]

# Dtypes whose values float32 holds exactly.
NARROW = {nw.Float32, nw.Boolean, nw.Int8, nw.Int16, nw.UInt8, nw.UInt16}


def list_row_labels(X: Any) -> list[Any] | None:
    """Return the index of a data frame of pandas as a list; None if there is no index."""
    index = nw.maybe_get_index(open_frame(X)) if is_frame(X) else None
    return None if index is None else list(index)


def read_frame(X: Any) -> Array:
    """Read a data frame of numbers; nulls become NaN.

    Raises
    ------
    ValueError
        If a column does not hold numbers.
    """
    frame = open_frame(X)
    schema = infer_schema(frame)
    index = nw.maybe_get_index(frame)
    values = as_tensor(read_values(frame, schema.dtype))
    return Array(values, schema, container=partial(label_columns, schema=schema, index=index))


def infer_schema(frame: Any) -> Schema:
    """Infer the schema of a narwhals frame of numbers.

    Raises
    ------
    ValueError
        If a column does not hold numbers.
    """
    dtypes = frame.schema  # narwhals rebuilds the schema at every access
    for name, dtype in dtypes.items():
        if not (dtype.is_numeric() or dtype == nw.Boolean):
            raise ValueError(_not_numbers(frame, name))
    fields = tuple(Field(name, str(dtype)) for name, dtype in dtypes.items())
    return Schema(
        (len(fields),), dtype=narrowest_dtype(dtypes.values()), fields=fields, container=frame.implementation.value
    )


def read_values(frame: Any, dtype: str) -> Values:
    """Return the values of a narwhals frame (n, n_columns), NaN where missing."""
    values = np.empty(frame.shape, dtype)
    for i, numbers in enumerate(iterate_numbers(frame, frame.columns)):
        values[:, i] = numbers
    return values


def narrowest_dtype(dtypes: Iterable[Any]) -> str:
    """Name the narrowest float dtype that holds all values of columns of some narwhals dtypes."""
    return "float32" if set(dtypes) <= NARROW else "float64"


def label_columns(values: Values, schema: Schema, extra: Sequence[str] = (), index: Any = None) -> Any:
    """Make a data frame of numbers (n, n_used), in the library of a schema; values of arrays are returned as they are.

    Parameters
    ----------
    values : ndarray of shape (n, n_used + len(extra))
    schema : Schema
    extra : sequence of str
        Names of further columns; underscores are added to names that the schema has already.
    index : pandas.Index or None
    """
    if not schema.fields:
        return values
    names = [field.name for field in schema.used]
    names += [unused_name(name, names) for name in extra]
    columns = {name: column.copy() for name, column in zip(names, np.asarray(values).T, strict=True)}
    frame = nw.from_dict(columns, backend=schema.container).to_native()  # type: ignore[arg-type]
    if index is not None:
        frame.index = index
    return frame


def make_empty(schema: Schema) -> Any:
    """Return a container of this schema without rows, with all columns."""
    if not schema.fields:
        return np.empty((0, *schema.shape))
    return nw.from_dict({name: np.empty(0) for name in schema.names}, backend=schema.container).to_native()  # type: ignore[arg-type]


def unused_name(name: str, names: Collection[str]) -> str:
    """Append underscores to a name until it differs from some names."""
    return unused_name(f"{name}_", names) if name in names else name


def _not_numbers(frame: Any, name: str) -> str:
    present = frame.get_column(name).drop_nulls().to_list()
    odd = [value for value in present if not isinstance(value, Number)] or present
    example = f", such as {odd[0]!r}" if odd else ""
    held = name_dtype(frame.get_column(name))
    return f"column {name!r} holds {held}{example}, expected numbers; leave it out or turn it into numbers"
