"""Whether the first row of a text table has names or values, and whether a title stands above it."""

import re
from collections.abc import Sequence
from itertools import takewhile

from isthmus.data.parsing.dates import FORMATS
from isthmus.data.parsing.missing_words import MISSING, fold_case

Row = list[str]

NUMBER = re.compile(r"[+-]?([0-9][0-9.,'’ \u00a0\u202f]*|[.,][0-9]+)([eE][+-]?[0-9]+)?")
WORDS = fold_case(MISSING)
# Numbers that are years when they stand above a column.
YEARS = range(1800, 2200)


def is_header(rows: Sequence[Row]) -> bool | None:
    """Say whether the first row of a table has names.

    A column of numbers or dates has a name if anything else stands above it. It has none if its like stands above it,
    unless the numbers of the first row count from 0 or are years. A text that occurs again in its column is a value.

    Returns
    -------
    bool or None
        None if nothing shows it.
    """
    if not rows:
        return None
    first = [cell.strip() for cell in rows[0]]
    columns = [_values(rows[1:], i) for i in range(len(first))]
    kinds = [
        _common_kind(column) if column or len(rows) > 1 else infer_kind(cell)
        for cell, column in zip(first, columns, strict=True)
    ]
    above = [(cell, kind) for cell, kind in zip(first, kinds, strict=True) if kind and cell.casefold() not in WORDS]
    if any(infer_kind(cell) != kind for cell, kind in above) or (not first[0] and _counts(columns[0][:3])):
        return True
    if above:
        return _are_names([cell for cell, _ in above], columns)
    again = [cell in column for cell, column in zip(first, columns, strict=True) if cell]
    return False if len(first) > 1 and 2 * sum(again) > len(again) else None


def count_titles(rows: Sequence[Row]) -> int:
    """Count the rows above the names of a table that have one cell, as the title of a report, or only blank ones.

    Examples
    --------
    >>> from isthmus.data.reading.headers import count_titles
    >>> count_titles([["Sales of 2024"], ["city", "price"], ["Oslo", "1.5"], ["Rome", "2"]])
    1
    """
    if not rows or not rows[0][0].strip():
        return 0
    titles = list(takewhile(lambda row: not any(cell.strip() for cell in row[1:]), rows))
    names, *others = rows[len(titles) :] or [[]]
    if len(names) < 2 or not others or all(map(infer_kind, names)):
        return 0
    has_names = is_header([names, *others])
    return len(titles) if has_names or (has_names is None and len(names) > 2) else 0


def describe_titles(titles: Sequence[Row]) -> list[str]:
    """Say what was left out above a table."""
    return (
        [f"left out above the table: {', '.join(repr(title[0]) for title in titles if title[0].strip())}"]
        if titles
        else []
    )


def infer_kind(cell: str) -> str:
    """Return ``"date"``, ``"number"`` or, for any other text, nothing."""
    if NUMBER.fullmatch(cell) and cell.count(".") != 2:
        return "number"
    return "date" if any(pattern.fullmatch(cell) for pattern in FORMATS) else ""


def _values(rows: Sequence[Row], position: int) -> list[str]:
    """Return the cells of a column that are not missing."""
    cells = [row[position].strip() for row in rows if position < len(row)]
    return [cell for cell in cells if cell.casefold() not in WORDS]


def _common_kind(cells: Sequence[str]) -> str:
    kind = infer_kind(cells[0]) if cells else ""
    return kind if kind and all(infer_kind(cell) == kind for cell in cells) else ""


def _are_names(cells: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether numbers above columns of numbers are their names: positions from 0, or years that are no values."""
    if not _counts(cells):
        return False
    if int(cells[0]) == 0:
        return len(cells) > 1 and not _counts([column[0] for column in columns if column])
    return int(cells[0]) in YEARS and not set(cells) & {cell for column in columns for cell in column}


def _counts(cells: Sequence[str]) -> bool:
    """Whether cells are whole numbers, each one more than the one before it."""
    if not cells or not all(cell.isascii() and cell.isdigit() for cell in cells):
        return False
    return [int(cell) - int(cells[0]) for cell in cells] == list(range(len(cells)))
