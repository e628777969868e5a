"""Series of different lengths: padded with missing values in arrays, and lists in results."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.data.images.layout import UNSIGNED
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]


def read_ragged_rows(X: Any) -> list[Values] | None:
    """Return a list of series (time,) or (channels, time) as arrays, or None if ``X`` is anything else.

    Two-dimensional arrays of unsigned integers are grey images and not series.
    """
    rows = X.tolist() if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1 else X
    if (
        not isinstance(rows, list | tuple)
        or not rows
        or not all(isinstance(row, Sequence | np.ndarray) for row in rows)
    ):
        return None
    if any(isinstance(row, str | bytes) for row in rows):
        return None
    try:
        arrays = [np.asarray(row) for row in rows]
    except ValueError:
        return None
    known = all(row.ndim in (1, 2) and row.dtype.kind in "biuf" for row in arrays)
    images = all(row.ndim == 2 and row.dtype.name in UNSIGNED for row in arrays)
    return arrays if known and not images else None


def is_ragged(rows: list[Values]) -> bool:
    """Whether series differ in length only."""
    return len({row.shape[:-1] for row in rows}) == 1 and len({row.shape[-1] for row in rows}) > 1


def pad_series(rows: list[Values], length: int) -> Values:
    """Pad series with NaN to one array (n, ..., length).

    Raises
    ------
    ValueError
        If a series is empty, longer than ``length``, or has other channels than the first.
    """
    kind = np.result_type(np.float32, *{row.dtype for row in rows})
    values = np.full((len(rows), *rows[0].shape[:-1], length), np.nan, kind)
    for i, (value, row) in enumerate(zip(values, rows, strict=True)):
        if row.shape[:-1] != value.shape[:-1]:
            raise ValueError(
                f"row {i} is of shape {row.shape}, but row 0 of {rows[0].shape}: channels must be the same"
            )
        if not 0 < row.shape[-1] <= length:
            raise ValueError(f"row {i} has {row.shape[-1]} steps, expected 1 to {length}")
        value[..., : row.shape[-1]] = row
    return values


def infer_ragged_schema(rows: list[Values]) -> Schema:
    """Infer the schema of series of different lengths, whose steps have one unit."""
    shape = (*rows[0].shape[:-1], max(row.shape[-1] for row in rows))
    dtype = np.result_type(*{row.dtype for row in rows}).name
    return Schema(shape, dtype=dtype, missing=True, shared_axes=(len(shape) - 1,), ragged=True)


def unpad_series(values: Values, schema: Schema, lengths: Sequence[int] | None = None) -> list[Values]:
    """Split an array into a list of series, each up to its last value, or to its original length if it has no end."""
    rows = []
    for i, row in enumerate(values):
        known = np.flatnonzero(~np.isnan(row).reshape(-1, row.shape[-1]).all(0))
        n_steps = known[-1] + 1 if len(known) else 0
        if lengths is not None and n_steps == row.shape[-1]:
            n_steps = lengths[i]
        rows.append(_in_dtype(row[..., :n_steps], schema.dtype))
    return rows


def _in_dtype(row: Values, dtype: str) -> Values:
    """Convert a row to its original integer dtype if all values are integers."""
    whole = np.dtype(dtype).kind in "biu" and bool((row == np.rint(row)).all())
    return row.astype(dtype) if whole else row
