"""Repair of text columns: surrounding spaces, markers of missing values, and numbers and dates stored as text."""

from collections.abc import Collection, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.data.parsing.dates import read_dates
from isthmus.data.parsing.missing_words import fold_case
from isthmus.data.parsing.numbers import read_numbers
from isthmus.data.parsing.parsed import Parsed
from isthmus.finding import N_EXAMPLES
from isthmus.formatting import pluralize
from isthmus.preparing.coding import Coded, encode, is_text
from isthmus.preparing.draft import Draft
from isthmus.preparing.options import Options

# A column is reported as numbers or dates with errors if at least this share of its values can be read; a rule of
# thumb.
MOSTLY = 0.95


def repair(draft: Draft, options: Options) -> None:
    """Repair all columns of text."""
    markers = fold_case(options.missing)
    for name in draft.frame.columns:
        if is_text(draft.column(name)):
            coded = _blank_markers(draft, name, encode(draft.column(name)), markers)
            if options.repair:
                _repair_types(draft, name, _strip(draft, name, coded), options.day_first)


def _blank_markers(draft: Draft, name: Any, coded: Coded, markers: Collection[str]) -> Coded:
    """Replace markers of missing values by missing values."""
    marked = [
        i for i, value in enumerate(coded.distinct) if isinstance(value, str) and value.strip().casefold() in markers
    ]
    where = coded.rows_of(marked)
    draft.note("changed", "marker of a missing value made missing", name, where, _examples(draft, coded, marked))
    draft.blank(name, where)
    return encode(draft.column(name)) if marked else coded


def _strip(draft: Draft, name: Any, coded: Coded) -> Coded:
    """Remove spaces around texts."""
    stripped = [value.strip() if isinstance(value, str) else value for value in coded.distinct]
    padded = [i for i, value in enumerate(coded.distinct) if isinstance(value, str) and value != stripped[i]]
    if not padded:
        return coded
    examples = _examples(draft, coded, padded, stripped)
    draft.note("changed", "spaces around text removed", name, coded.rows_of(padded), examples)
    dtype = draft.column(name).dtype
    # An Enum does not accept new texts.
    _put(draft, name, coded, stripped, nw.Categorical if dtype == nw.Enum else dtype)
    return Coded(coded.codes, stripped)


def _repair_types(draft: Draft, name: Any, coded: Coded, day_first: bool | None) -> None:
    """Convert text to numbers or dates if all of it is readable and unambiguous; report columns that mostly are."""
    if not coded.distinct:
        return
    for reading in (read_numbers(coded.distinct), read_dates(coded.distinct, day_first)):
        unreadable = [i for i, value in enumerate(reading.values) if value is None]
        share = 1 - coded.counts[unreadable].sum() / coded.counts.sum()
        if share < MOSTLY:
            continue
        if unreadable:
            _report_unreadable(draft, name, coded, unreadable, reading)
        elif reading.doubt:
            _report_doubt(draft, name, coded, reading)
        else:
            _convert(draft, name, coded, reading)
        return


def _report_unreadable(draft: Draft, name: Any, coded: Coded, unreadable: Sequence[int], reading: Parsed) -> None:
    readable = pluralize(coded.counts.sum() - coded.counts[unreadable].sum(), reading.what)
    advice = (
        f"all other {readable} can be read: correct these values, or name them in missing, "
        f"and the column is converted to {reading.what}s"
    )
    what = f"not a {reading.what} in a column of {reading.what}s, left as text"
    draft.note("reported", what, name, coded.rows_of(unreadable), _examples(draft, coded, unreadable), advice)


def _report_doubt(draft: Draft, name: Any, coded: Coded, reading: Parsed) -> None:
    examples = _examples(draft, coded, range(len(coded.distinct)))
    draft.note("reported", reading.doubt, name, np.flatnonzero(coded.codes >= 0), examples, reading.remedy)


def _convert(draft: Draft, name: Any, coded: Coded, reading: Parsed) -> None:
    examples = _examples(draft, coded, range(len(coded.distinct)), reading.values)
    where, what = np.flatnonzero(coded.codes >= 0), f"text or object converted to a {reading.what}"
    draft.note("changed", what, name, where, examples, reading.how)
    _put(draft, name, coded, reading.values, reading.dtype)


def _put(draft: Draft, name: Any, coded: Coded, distinct: Sequence[Any], dtype: Any) -> None:
    draft.put(name, [None if code < 0 else distinct[code] for code in coded.codes.tolist()], dtype)


def _examples(draft: Draft, coded: Coded, chosen: Sequence[int], becomes: Sequence[Any] | None = None) -> list[str]:
    """Return the first of some distinct values as examples, with their new values, first rows and counts."""
    firsts, counts = coded.firsts(), coded.counts
    return [
        f"{coded.distinct[i]!r}{'' if becomes is None else f' -> {_shown(becomes[i])}'} (row {draft.rows[firsts[i]]}"
        f"{f', {counts[i]:,} times' if counts[i] > 1 else ''})"
        for i in chosen[:N_EXAMPLES]
    ]


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float) else str(value)
