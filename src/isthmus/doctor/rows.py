"""Rows as the doctor reads them: also such as fit would refuse, with a key by which equal rows are found."""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
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
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Numbers that are looked at column by column: more tell little else, and this many take an eighth of a gigabyte.
SIZE = 2**24
# Numbers that are looked at row by row, at once.
CHUNK = 2**20


@dataclass(frozen=True)
class Rows:
    """Rows in memory.

    Parameters
    ----------
    source : Array
        As fit would read them, infinite values made missing.
    infinite : dict
        How many infinite values there were, by label of the column.
    frame : narwhals.DataFrame or None
        Where the rows came as a data frame, and not as a source made of one.
    """

    source: Array
    infinite: dict[Any, int]
    frame: Any = None

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def keys(self) -> Values:
        """One number a row, equal for rows that agree in all that is learned and in free text."""
        extra, unseen, start, keys = self.texts, self._unseen(), 0, list[int]()
        for batch in self.source.batches(max(1, CHUNK // n_values(self.source.schema))):
            stop = start + len(batch.x)
            values = _plain(batch.x)
            for position, rows in unseen.items():
                values[rows[start:stop], position] = np.inf  # a level of its own, which no known row has
            values = np.column_stack([values, *(column[start:stop] for column in extra)])
            keys += [hash(row.tobytes()) for row in values]
            start = stop
        return np.array(keys)

    @cached_property
    def values(self) -> Values:
        """All rows, or as many as there is room for, evenly spaced: float64 of shape (n, n_values)."""
        stride = -(-len(self) * n_values(self.source.schema) // SIZE)
        index = torch.arange(len(self), device="cpu") if self.source.rows is None else self.source.rows
        thinned = self.source if stride == 1 else replace(self.source, rows=index[::stride])
        return _plain(next(thinned.batches(len(thinned))).x)

    @cached_property
    def texts(self) -> list[Values]:
        """Columns of free text, each text a number."""
        fields = [] if self.frame is None else self.source.schema.fields
        columns = [self.frame.get_column(field.name).to_list() for field in fields if field.kind == "text"]
        return [np.array([hash(value) for value in column], dtype=np.float64) for column in columns]

    def _unseen(self) -> dict[int, Values]:
        """Which rows hold levels that the schema lacks, by position of the column."""
        used, frame = self.source.schema.used, self.frame
        fields = {} if frame is None else {position: used[position] for position in self.source.schema.categorical}
        return {
            position: _outside(frame.get_column(field.name), field.categories) for position, field in fields.items()
        }


def read_rows(X: Any, schema: Any) -> Rows:
    """Read whatever fit takes in memory.

    Raises
    ------
    TypeError
        If the rows are a stream.
    ValueError
        If they are nothing that fit could read.
    """
    if is_frame(X):
        frame, infinite = finite_frame(open_frame(X))
        with warnings.catch_warnings():
            # Levels that the first rows lack are told from missing values here.
            warnings.filterwarnings("ignore", message="treated as missing")
            source = as_source(frame.to_native(), schema)
        return Rows(_in_memory(source), infinite, frame)
    return Rows(*_finite_array(_in_memory(as_source(X))))


def _in_memory(source: Source) -> Array:
    source = source.load() if isinstance(source, ImageFolder) else source
    if not isinstance(source, Array):
        raise InputTypeError(
            f"rows must be in memory to be examined, got {type(source).__name__}; load some of them first"
        )
    return source


def label(schema: Schema, position: int) -> Any:
    """Return the name of a column of a data frame, and the position of a value of an array."""
    if schema.fields:
        return schema.used[position].name
    if len(schema.shape) == 1:
        return position
    return tuple(int(i) for i in np.unravel_index(position, schema.shape))


def n_values(schema: Schema) -> int:
    """Count the values of one sample."""
    return int(np.prod(schema.shape))


def _plain(x: Tensor) -> Values:
    """Flatten rows to float64, of which equal ones have equal bytes."""
    values: Values = x.flatten(1).double().numpy() + 0.0  # -0.0 becomes 0.0, and the copy is ours
    values[np.isnan(values)] = np.nan
    return values


def finite_frame(frame: Any) -> tuple[Any, dict[Any, int]]:
    """Make infinite values missing, and count them by column."""
    infinite, columns = {}, []
    for name in [name for name, dtype in frame.schema.items() if is_number(dtype) and dtype.is_float()]:
        column = frame.get_column(name)
        numbers = to_floats(column)
        holes = np.isinf(numbers)
        if holes.any():
            infinite[name] = int(holes.sum())
            columns.append(make_column_like(column, np.where(holes, np.nan, numbers)).alias(name))
    return (frame.with_columns(*columns) if columns else frame), infinite


def _finite_array(source: Array) -> tuple[Array, dict[Any, int]]:
    values = source.values
    if sparse.issparse(values):
        holes = np.isinf(values.data)
        counts = np.bincount(values.indices[holes], minlength=values.shape[1])
        values = type(values)((np.where(holes, np.nan, values.data), values.indices, values.indptr), values.shape)
    else:
        holes = values.isinf()
        counts = holes.flatten(1).sum(0).numpy()
        values = values.masked_fill(holes, torch.nan) if counts.any() else values
    infinite = {label(source.schema, i): int(counts[i]) for i in np.flatnonzero(counts).tolist()}
    return (replace(source, values=values) if infinite else source), infinite


def _outside(column: Any, levels: tuple[Any, ...]) -> Values:
    """Tell which cells of a column are neither missing nor one of some levels."""
    known = set(levels)
    unknown = np.array([value not in known for value in column.to_list()], dtype=bool)
    return unknown & ~missing_mask(column)
