"""Columns of text that is written for something else: numbers, dates."""

import re
from numbers import Real
from typing import Any

import narwhals as nw

# Share of the different texts that must read as numbers or dates, how many there must be, and how many are looked at.
READABLE, FEW, SOME = 0.9, 3, 1000
NUMBER = re.compile(
    r"\s*[-+]?\s*[$€£]?\s*(\d{1,3}([,' ]\d{3})+|\d+)?([.,]\d+)?(?<=\d)(e[-+]?\d+)?\s*[%$€£]?\s*", re.IGNORECASE
)
DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})\s*")
# What starts with a zero is a name, such as a postal code, whatever it looks like.
CODE = re.compile(r"\s*0\d+\s*")


def readable(column: Any) -> str:
    """Return an example of the numbers or dates that a column of narwhals holds as text, or "" if it does not."""
    if column.dtype not in (nw.String, nw.Categorical, nw.Object):
        return ""
    values = column.drop_nulls().unique().to_list()
    if any(isinstance(value, bool) or not isinstance(value, str | Real) for value in values):
        return ""
    some = sorted(map(str, values))[:SOME]
    found = [text for text in some if NUMBER.fullmatch(text) or DATE.fullmatch(text)]
    enough = len(found) >= max(FEW, READABLE * len(some)) and not any(map(CODE.fullmatch, some))
    return found[0] if enough else ""
