"""Columns of text whose values are numbers or dates."""

from collections.abc import Collection
from numbers import Real
from typing import Any

import narwhals as nw

from isthmus.data.parsing.dates import read_dates
from isthmus.data.parsing.numbers import LEADING_ZERO, read_numbers

# Dtypes of text; columns of objects may hold other values too.
TEXTS = (nw.String, nw.Categorical, nw.Object)
# Text holds numbers or dates if at least this share of its distinct values, and at least this number, can be parsed; of
# many distinct values, the first N_PARSED are parsed. Rules of thumb.
MIN_PARSED_SHARE, MIN_PARSED, N_PARSED = 0.9, 3, 1000


def find_parseable_columns(frame: Any, explained: Collection[str]) -> list[str]:
    """List the columns of text that hold numbers or dates, with an example, for messages: ``'income' (such as '$3')``.

    ``frame`` is a narwhals frame or None; columns in ``explained`` are left out.
    """
    dtypes = {} if frame is None else frame.schema
    # A categorical dtype states that the values are categories.
    texts = [name for name, dtype in dtypes.items() if dtype in TEXTS and dtype != nw.Categorical]
    names = [name for name in texts if name not in explained]
    examples = {name: find_parseable_text(frame.get_column(name)) for name in names}
    return [f"{name!r} (such as {text!r})" for name, text in examples.items() if text]


def find_parseable_text(column: Any) -> str:
    """Return an example of the numbers or dates that a narwhals column holds as text, or "" if it holds none."""
    if column.dtype not in TEXTS:
        return ""
    values = column.drop_nulls().unique().to_list()
    if any(isinstance(value, bool) or not isinstance(value, str | Real) for value in values):
        return ""
    texts = sorted(str(value).strip() for value in values)[:N_PARSED]
    if any(map(LEADING_ZERO.fullmatch, texts)):  # codes, such as postal codes
        return ""
    for reading in (read_numbers(texts), read_dates(texts)):
        parsed = [text for text, value in zip(texts, reading.values, strict=True) if value is not None]
        if len(parsed) >= max(MIN_PARSED, MIN_PARSED_SHARE * len(texts)):
            return parsed[0]
    return ""
