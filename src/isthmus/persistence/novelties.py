"""Known values of the columns of a detector, converted to plain values and back."""

from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

import numpy as np

from isthmus.anomaly.novelty import Novelty, SeenColumn

# Number of characters of a date without a time of day in ISO 8601.
DATE_LENGTH = 10


def novelty_to_plain(novelty: Novelty) -> dict[str, Any]:
    """Convert to plain values, without the surprises of the training rows, which are used in ``fit`` only."""
    return {"n_rows": novelty.n_rows, "columns": [_column_to_plain(column) for column in novelty.columns]}


def novelty_from_plain(document: dict[str, Any]) -> Novelty:
    """Convert from plain values."""
    return Novelty(tuple(map(_column_from_plain, document["columns"])), document["n_rows"])


def _column_to_plain(column: SeenColumn) -> dict[str, Any]:
    known = None if column.known is None else [_plain(value) for value in column.known]
    return {**asdict(column), "name": _plain(column.name), "known": known, "typical": _plain(column.typical)}


def _column_from_plain(document: dict[str, Any]) -> SeenColumn:
    column = SeenColumn(**document)
    if any(isinstance(value, list | dict) for value in (column.name, *(column.known or ()))):
        raise ValueError(f"a column seen in fit must have a name and single values, got {document!r}")
    known = None if column.known is None else tuple(column.known)
    is_date = column.kind == "date" and column.typical is not None
    return replace(column, known=known, typical=_to_date(column.typical) if is_date else column.typical)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _to_date(text: str) -> date:
    return date.fromisoformat(text) if len(text) == DATE_LENGTH else datetime.fromisoformat(text)
