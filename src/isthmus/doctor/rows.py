"""Rows as the doctor reads them, which fit may not accept, and keys that are equal for equal rows."""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from isthmus.containers import open_frame
from isthmus.data import Array, ImageFolder, Source, as_source
from isthmus.data.tables.cells import is_number, missing_mask, to_floats
from isthmus.data.tables.frames import is_frame
from isthmus.data.tables.native_dtypes import make_column_like
from isthmus.errors import InputTypeError
from isthmus.formatting import format_shape
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Largest number of values that are checked: 128 MiB of float64. Of larger data, evenly spaced rows are checked.
SIZE = 2**24
# Values whose rows are hashed at once: 8 MiB of float64.
CHUNK = 2**20


@dataclass(frozen=True)
class Rows:
    """Rows in memory.

    Parameters
    ----------
    source : Array
        The rows as fit reads them, with infinite values made missing.
    infinite : dict
        Number of infinite values by label of the column.
    frame : narwhals.DataFrame or None
        The data frame, if the rows were given as one.
    """

    source: Array
    infinite: dict[Any, int]
    frame: Any = None

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def keys(self) -> Values:
        """One hash per row, equal for rows with equal values and texts."""
        extra, unseen, start, keys = self.texts, self._unseen(), 0, list[int]()
        for batch in self.source.batches(max(1, CHUNK // prod(self.source.schema.shape))):
            stop = start + len(batch.x)
            values = _plain(batch.x)
            for position, rows in unseen.items():
                values[rows[start:stop], position] = np.inf  # a category that the schema does not know
            values = np.column_stack([values, *(column[start:stop] for column in extra)])
            keys += [hash(row.tobytes()) for row in values]
            start = stop
        return np.array(keys)

    @cached_property
    def values(self) -> Values:
        """Values of all rows, or of evenly spaced ones if there are too many: float64 of shape (n, n_values)."""
        stride = -(-len(self) * prod(self.source.schema.shape) // SIZE)
        index = torch.arange(len(self), device="cpu") if self.source.rows is None else self.source.rows
        thinned = self.source if stride == 1 else replace(self.source, rows=index[::stride])
        return _plain(next(thinned.batches(len(thinned))).x)

    @cached_property
    def texts(self) -> list[Values]:
        """Columns of free text, each text hashed to a number."""
        fields = [] if self.frame is None else self.source.schema.fields
        columns = [self.frame.get_column(field.name).to_list() for field in fields if field.kind == "text"]
        return [np.array([hash(value) for value in column], dtype=np.float64) for column in columns]

    def _unseen(self) -> dict[int, Values]:
        """Return which rows hold categories that the schema does not know, by position of the column."""
        used, frame = self.source.schema.used, self.frame
        fields = {} if frame is None else {position: used[position] for position in self.source.schema.categorical}
        return {
            position: _is_unknown(frame.get_column(field.name), field.categories) for position, field in fields.items()
        }


def read_rows(X: Any, schema: Any) -> Rows:
    """Read rows in any container that fit accepts and that fits in memory.

    Raises
    ------
    TypeError
        If the rows are a stream.
    ValueError
        If the container is not supported.
    """
    if is_frame(X):
        frame, infinite = finite_frame(open_frame(X))
        with warnings.catch_warnings():
            # Unknown categories are not missing values here; see ``Rows.keys``.
            warnings.filterwarnings("ignore", message="treated as missing")
            source = as_source(frame.to_native(), schema)
        return Rows(_in_memory(source), infinite, frame)
    return Rows(*_finite_array(_in_memory(as_source(X))))


def read_split(name: str, X: Any, rows: Rows) -> Rows:
    """Read other rows with the schema of given ones; raise ``ValueError`` if they have another form."""
    split = read_rows(X, rows.source.schema)
    if (split.frame is None) != (rows.frame is None):
        raise ValueError(f"{name} must be a data frame if X is one, and an array if X is one")
    if split.source.schema.shape != rows.source.schema.shape:
        found, expected = format_shape(split.source.schema.shape), format_shape(rows.source.schema.shape)
        raise ValueError(f"{name} has rows of {found}, expected {expected} as in X")
    return split


def _in_memory(source: Source) -> Array:
    source = source.load() if isinstance(source, ImageFolder) else source
    if not isinstance(source, Array):
        raise InputTypeError(f"rows must be in memory, got {type(source).__name__}; load some of them first")
    return source


def get_label(schema: Schema, position: int) -> Any:
    """Return the name of a column of a data frame, or the index of a value of an array."""
    if schema.fields:
        return schema.used[position].name
    if len(schema.shape) == 1:
        return position
    return tuple(int(i) for i in np.unravel_index(position, schema.shape))


def _plain(x: Tensor) -> Values:
    """Flatten rows to float64, with equal bytes for equal rows."""
    values: Values = x.flatten(1).double().numpy() + 0.0  # -0.0 becomes 0.0, and values are copied
    values[np.isnan(values)] = np.nan
    return values


def finite_frame(frame: Any) -> tuple[Any, dict[Any, int]]:
    """Make infinite values missing, and count them by column."""
    infinite, columns = {}, []
    for name in [name for name, dtype in frame.schema.items() if is_number(dtype) and dtype.is_float()]:
        column = frame.get_column(name)
        numbers = to_floats(column)
        infinities = np.isinf(numbers)
        if infinities.any():
            infinite[name] = int(infinities.sum())
            columns.append(make_column_like(column, np.where(infinities, np.nan, numbers)).alias(name))
    return (frame.with_columns(*columns) if columns else frame), infinite


def _finite_array(source: Array) -> tuple[Array, dict[Any, int]]:
    values = source.values
    if sparse.issparse(values):
        infinities = np.isinf(values.data)
        counts = np.bincount(values.indices[infinities], minlength=values.shape[1])
        values = type(values)((np.where(infinities, np.nan, values.data), values.indices, values.indptr), values.shape)
    else:
        infinities = values.isinf()
        counts = infinities.flatten(1).sum(0).numpy()
        values = values.masked_fill(infinities, torch.nan) if counts.any() else values
    infinite = {get_label(source.schema, i): int(counts[i]) for i in np.flatnonzero(counts).tolist()}
    return (replace(source, values=values) if infinite else source), infinite


def _is_unknown(column: Any, categories: tuple[Any, ...]) -> Values:
    """Return which cells of a column are neither missing nor a known category."""
    known = set(categories)
    unknown = np.array([value not in known for value in column.to_list()], dtype=bool)
    return unknown & ~missing_mask(column)
