"""Joining of many series to one, and replacement of missing values in containers."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.data.tables.cells import find_missing
from isthmus.data.tables.frames import is_frame
from isthmus.data.tables.native_dtypes import make_column_like

Values = np.ndarray[Any, Any]


def holds_many_series(X: Any) -> bool:
    """Whether ``X`` is an array of shape (n_series, n_channels, n_timepoints)."""
    return not is_frame(X) and np.ndim(X) == 3


def join_series(X: Any, length: int) -> Any:
    """Join many series to one, separated by missing values of the length of a window; return a single one unchanged."""
    if not holds_many_series(X):
        return X
    series = np.asarray(X, dtype=np.float64).transpose(0, 2, 1)
    separators = np.full((len(series), min(length, series.shape[1]), series.shape[2]), np.nan)
    return np.concatenate([series, separators], 1).reshape(-1, series.shape[2])


def fill_container(X: Any, filled: Values, channels: Sequence[str]) -> Any:
    """Replace missing values of a container by filled values (n_points, n_channels) of the joined series."""
    if is_frame(X):
        return _fill_frame(X, filled, channels)
    values = np.array(X, dtype=np.float64) if np.asarray(X).dtype.kind != "f" else np.array(X)
    if values.ndim == 3:
        n_series, n_channels, n_steps = values.shape
        filled = filled.reshape(n_series, -1, n_channels)[:, :n_steps].transpose(0, 2, 1)
    return np.where(np.isnan(values), filled.reshape(values.shape), values).astype(values.dtype)


def _fill_frame(X: Any, filled: Values, channels: Sequence[str]) -> Any:
    frame = nw.from_native(X, eager_only=True)
    values = dict(zip(channels, filled.T, strict=True))
    columns = [
        column.zip_with(~find_missing(column), make_column_like(column, values[str(column.name)]))
        for column in frame.iter_columns()
        if str(column.name) in values and find_missing(column).any()
    ]
    return frame.with_columns(*columns).to_native() if columns else X
