"""Dates outside the range of the training rows: a row is not an anomaly because it is later than all training rows."""

import warnings
from typing import Any

import numpy as np

from isthmus.containers import open_frame
from isthmus.data.tables.cells import holds_dates, to_days
from isthmus.data.tables.decoding import decode_column
from isthmus.data.tables.frames import is_frame
from isthmus.schema import Field, Schema

Values = np.ndarray[Any, Any]

# Periods in days: of weekday and time of day together, and of the time of day alone.
WEEK, DAY = 7.0, 1.0


def replace_unknown_dates(estimator: Any, X: Any) -> Any:
    """Replace dates outside the range of ``fit`` by similar dates within it, with a warning.

    Parameters
    ----------
    estimator : object
        Fitted. If it has no ``schema_`` of columns, rows are returned as they are.
    X : data frame
        Other containers are returned as they are.
    """
    schema = getattr(estimator, "schema_", None)
    if not (is_frame(X) and isinstance(schema, Schema)):
        return X
    frame, moved, notes = open_frame(X), [], []
    for field in _date_fields(schema, frame):
        column = frame.get_column(field.name)
        days = to_days(column, field.origin)
        known = move_into_range(days, field)
        outside = (known != days) & ~np.isnan(days)
        if outside.any():
            moved.append(decode_column(known, field, column))
            notes.append(f"{int(outside.sum())} of {len(days)} in column {field.name!r}")
    if notes:
        warnings.warn(f"dates outside the range of fit are not scored: {', '.join(notes)}", stacklevel=3)
    return frame.with_columns(*moved).to_native() if moved else X


def replace_unknown_days(numbers: Values, schema: Schema) -> Values:
    """Replace dates outside the range of ``fit`` in rows of numbers (n, n_used), without a warning."""
    known = numbers.copy()
    for i, field in enumerate(schema.used):
        if field.kind == "date" and field.low is not None:
            known[:, i] = move_into_range(numbers[:, i], field)
    return known


def move_into_range(days: Values, field: Field) -> Values:
    """Move days into the range of ``fit`` by whole weeks, which keeps weekday and time of day. Open ends stay.

    If the range is shorter than a week, days are moved by whole days, which keep the time of day. In a
    range shorter than a day, they are clipped to the range.
    """
    low, high = float(field.low or 0.0), float(field.high or 0.0)
    period = WEEK if high - low >= WEEK else DAY
    late, early = (np.ceil(np.maximum(excess, 0.0) / period) for excess in (days - high, low - days))
    moved = np.clip(days + period * (early - late), low, high)
    return np.where(np.isin(days, field.ends), days, moved)


def _date_fields(schema: Schema, frame: Any) -> list[Field]:
    fields = [field for field in schema.used if field.kind == "date" and field.name in frame.columns]
    return [field for field in fields if holds_dates(frame.get_column(field.name))]
