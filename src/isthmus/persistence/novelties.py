"""What a detector saw in fit, as plain values."""

from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

import numpy as np

from isthmus.anomaly.novelty import Novelty, SeenColumn

# Letters of a date without a time of day in ISO 8601.
DATE = 10


def novelty_to_plain(novelty: Novelty) -> dict[str, Any]:
    """Turn what fit saw into plain values; surprises of the rows of fit have done their part."""
    return {"n_rows": novelty.n_rows, "columns": [_column_to_plain(column) for column in novelty.columns]}


def novelty_from_plain(document: dict[str, Any]) -> Novelty:
    """Turn plain values back."""
    return Novelty(tuple(map(_column_from_plain, document["columns"])), document["n_rows"])


def _column_to_plain(column: SeenColumn) -> dict[str, Any]:
    levels = None if column.levels is None else [_plain(level) for level in column.levels]
    return {**asdict(column), "name": _plain(column.name), "levels": levels, "typical": _plain(column.typical)}


def _column_from_plain(document: dict[str, Any]) -> SeenColumn:
    column = SeenColumn(**document)
    if any(isinstance(value, list | dict) for value in (column.name, *(column.levels or ()))):
        raise ValueError(f"a column seen in fit must have a name and single values, got {document!r}")
    levels = None if column.levels is None else tuple(column.levels)
    is_date = column.kind == "date" and column.typical is not None
    return replace(column, levels=levels, typical=_to_date(column.typical) if is_date else column.typical)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _to_date(text: str) -> date:
    return date.fromisoformat(text) if len(text) == DATE else datetime.fromisoformat(text)
