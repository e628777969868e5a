"""Treatment of impossible values, duplicate rows and constant columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from isthmus.data.tables.cells import is_number, missing_mask, to_floats
from isthmus.finding import show_rows
from isthmus.preparing.coding import encode, encode_rows, first_rows
from isthmus.preparing.draft import Draft

Bound = float | None

# Number of first rows in which most columns are found not to be constant.
N_FIRST = 1000


def blank_impossible(draft: Draft, limits: Mapping[Any, tuple[Bound, Bound]]) -> None:
    """Make values missing that are infinite or outside the limits of their column.

    Raises
    ------
    ValueError
        If a column with limits does not hold numbers.
    """
    for name in draft.frame.columns:
        series = draft.column(name)
        if is_number(series.dtype):
            _blank_outside(draft, name, *limits.get(name, (None, None)))
        elif name in limits and not missing_mask(series).all():
            raise ValueError(f"limits are given for column {name!r}, which holds {series.dtype}, expected numbers")


def _blank_outside(draft: Draft, name: Any, lowest: Bound, highest: Bound) -> None:
    values = to_floats(draft.column(name))
    low, high = -np.inf if lowest is None else lowest, np.inf if highest is None else highest
    infinite, outside = np.isinf(values), (values < low) | (values > high)
    for what, chosen in (("infinite", infinite), (f"outside {low:g} to {high:g}", outside & ~infinite)):
        where = np.flatnonzero(chosen)
        examples = show_rows((f"{value:g}" for value in values[where]), draft.rows[where])
        draft.note("changed", f"{what}, made missing", name, where, examples)
        draft.blank(name, where)


def treat_duplicates(draft: Draft, action: str) -> None:
    """Report or remove rows that equal an earlier one in all columns."""
    keys = encode_rows(draft.frame)
    firsts = first_rows(keys, int(keys.max(initial=-1)) + 1)[keys]
    where = np.flatnonzero(firsts != np.arange(len(keys)))
    examples = show_rows([f"repeats row {row}" for row in draft.rows[firsts[where[:10]]]], draft.rows[where])
    if action == "report":
        advice = "rows in both the training and the test part bias the test result"
        draft.note("reported", "repeats an earlier row", None, where, examples, advice, unit="row")
    else:
        draft.note("removed", "repeats an earlier row", None, where, examples, unit="row")
        draft.remove_rows(where)


def treat_constants(draft: Draft, action: str) -> None:
    """Report or remove columns with one value, or none, in all rows; tables of one row are skipped.

    Raises
    ------
    ValueError
        If no column would remain.
    """
    if len(draft.frame) < 2:
        return
    constant = {name: value for name in draft.frame.columns if (value := _only_value(draft.column(name))) is not None}
    removes = action == "remove"
    if removes and len(constant) == len(draft.frame.columns):
        raise ValueError("all columns are constant and would be removed; constants='keep' keeps them")
    for name, value in constant.items():
        advice = "" if removes else "a model learns nothing from it"
        draft.note("removed" if removes else "reported", "the same in all rows", name, None, [value], advice)
    draft.frame = draft.frame.drop(list(constant) if removes else [])


def _only_value(series: Any) -> str | None:
    """Return the only value of a column as text, or None if there are several."""
    if len(series) > N_FIRST and _only_value(series.head(N_FIRST)) is None:
        return None
    codes, distinct = encode(series)
    if not distinct:
        return "missing"
    return repr(distinct[0]) if len(distinct) == 1 and codes.min() == 0 else None
