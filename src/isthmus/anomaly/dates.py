"""Dates beyond those of fit: rows of next month are not odd for being of next month."""

import warnings
from typing import Any

import numpy as np

from isthmus.containers import open_frame
from isthmus.data.tables.cells import holds_dates, to_days
from isthmus.data.tables.codec import decode_column
from isthmus.data.tables.frames import is_frame
from isthmus.schema import Field, Schema

Values = np.ndarray[Any, Any]

# Days after which weekday and time of day, or the time of day alone, come again.
WEEK, DAY = 7.0, 1.0


def with_known_dates(estimator: Any, X: Any) -> Any:
    """Put dates of fit in the place of dates beyond them, so that they do not count, and say so in a warning.

    Parameters
    ----------
    estimator : object
        Fitted; one without a ``schema_`` of columns is asked about rows as they are.
    X : data frame
        Any other container is returned as it is.
    """
    schema = getattr(estimator, "schema_", None)
    if not (is_frame(X) and isinstance(schema, Schema)):
        return X
    frame, moved, notes = open_frame(X), [], []
    for field in _dates(schema, frame):
        column = frame.get_column(field.name)
        days = to_days(column, field.origin)
        known = nearest_known(days, field)
        beyond = (known != days) & ~np.isnan(days)
        if beyond.any():
            moved.append(decode_column(known, field, column))
            notes.append(f"{int(beyond.sum())} of {len(days)} in column {field.name!r}")
    if notes:
        warnings.warn(f"dates beyond those of fit are left out of the decision: {', '.join(notes)}", stacklevel=3)
    return frame.with_columns(*moved).to_native() if moved else X


def known_dates(numbers: Values, schema: Schema) -> Values:
    """Move dates beyond those of fit in rows of numbers (n, n_used), without a warning."""
    known = numbers.copy()
    for i, field in enumerate(schema.used):
        if field.kind == "date" and field.low is not None:
            known[:, i] = nearest_known(numbers[:, i], field)
    return known


def nearest_known(days: Values, field: Field) -> Values:
    """Move days into the range of fit by whole weeks, so that weekday and time of day stay, and leave open ends alone.

    A range that is shorter than a week keeps the time of day alone; one shorter than a day, nothing.
    """
    low, high = float(field.low or 0.0), float(field.high or 0.0)
    period = WEEK if high - low >= WEEK else DAY
    late, early = (np.ceil(np.maximum(excess, 0.0) / period) for excess in (days - high, low - days))
    moved = np.clip(days + period * (early - late), low, high)
    return np.where(np.isin(days, field.ends), days, moved)


def _dates(schema: Schema, frame: Any) -> list[Field]:
    fields = [field for field in schema.used if field.kind == "date" and field.name in frame.columns]
    return [field for field in fields if holds_dates(frame.get_column(field.name))]
