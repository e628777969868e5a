"""Cells of tables: columns of data frames and matrices as values, and back."""

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import torch

from isthmus.containers import is_frame, open_frame
from isthmus.data import Source
from isthmus.data.sources import to_computable_rows
from isthmus.data.tables.cells import find_missing, holds_dates, is_number, is_text, to_floats

Values = np.ndarray[Any, Any]


class Cells(NamedTuple):
    """A column: its values (n,), which of them are missing (n,), and their kind: "number", "category" or "date"."""

    values: Values
    missing: Values
    kind: str


def read_cells(X: Any) -> dict[Any, Cells]:
    """Read the columns of a data frame by name, or of a matrix by position; other containers have no columns."""
    if is_frame(X):
        frame = open_frame(X)
        cells = {name: _read_column(frame.get_column(name)) for name in frame.columns}
        return {name: each for name, each in cells.items() if each is not None}
    matrix = _as_matrix(X)
    if matrix is None:
        return {}
    columns = (np.asarray(matrix[:, i], dtype=np.float64) for i in range(matrix.shape[1]))
    return {i: Cells(column, np.isnan(column), "number") for i, column in enumerate(columns)}


def replace_cells(X: Any, masks: Mapping[Any, Values], replacements: Mapping[Any, Any]) -> Any:
    """Return rows in which the marked cells (n,) of each column hold the replacement of that column."""
    if is_frame(X):
        return _replace_in_frame(open_frame(X), masks, replacements)
    rows = X.clone() if isinstance(X, torch.Tensor) else np.array(X)
    for name, mask in masks.items():
        rows[mask, name] = math.nan if replacements[name] is None else replacements[name]
    return rows


def _read_column(column: Any) -> Cells | None:
    """Read a column of numbers, categories or dates; None for columns of other types."""
    missing = find_missing(column).to_numpy().astype(bool)
    if missing.all():
        return Cells(np.full(len(missing), math.nan), missing, "number")
    if is_number(column.dtype):
        return Cells(to_floats(column), missing, "number")
    if holds_dates(column):
        return Cells(_as_objects(column.to_list()), missing, "date")
    if not is_text(column.dtype):
        return None
    values = column.to_list()
    if column.dtype == nw.Object:
        values = [value if isinstance(value, str | bool | int | float) else str(value) for value in values]
    return Cells(_as_objects(values), missing, "category")


def _as_objects(values: list[Any]) -> Values:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _as_matrix(X: Any) -> Any:
    """Return rows of numbers as an array or tensor with two axes; None for anything else."""
    X = to_computable_rows(X)
    if isinstance(X, Source):
        return None
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of different lengths
            return None
    if isinstance(X, torch.Tensor):
        return X if X.ndim == 2 and not (X.is_sparse or X.is_complex()) else None
    return X if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "biuf" else None


def _convert_date(value: Any, column: Values) -> Any:
    """Convert a date or time to the type of those in a column, because libraries do not mix types in a column."""
    like = next((each for each in column if isinstance(each, date) and each == each), None)
    if like is None or not isinstance(value, date):
        return value
    if not isinstance(like, datetime):
        return value.date() if isinstance(value, datetime) else value
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return moment if moment.tzinfo and like.tzinfo else moment.replace(tzinfo=like.tzinfo)


def _replace_in_frame(frame: Any, masks: Mapping[Any, Values], replacements: Mapping[Any, Any]) -> Any:
    columns = []
    for name, mask in masks.items():
        column = frame.get_column(name)
        values = _as_objects(to_floats(column).tolist() if is_number(column.dtype) else column.to_list())
        values[mask] = _convert_date(replacements[name], values)
        # The dtype is inferred again, because the replacement may not be a category of a categorical dtype.
        columns.append(nw.new_series(name, values.tolist(), backend=frame.implementation))
    index = nw.maybe_get_index(frame)
    if index is not None:
        columns = [nw.maybe_set_index(column, index=index) for column in columns]
    return frame.with_columns(*columns).to_native()
