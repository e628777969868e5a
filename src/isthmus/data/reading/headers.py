"""Detection of names of columns, and of titles above them, in the first rows of a text table."""

from collections.abc import Sequence
from itertools import takewhile

from isthmus.data.parsing.dates import FORMATS
from isthmus.data.parsing.missing_words import MISSING, fold_case
from isthmus.data.parsing.numbers import NUMBER

Row = list[str]

WORDS = fold_case(MISSING)
# Integers that can be years as names of columns.
YEARS = range(1800, 2200)


def is_header(rows: Sequence[Row]) -> bool | None:
    """Return whether the first row of a table has the names of the columns.

    A column of numbers or dates has a name if its first cell is of another kind. A first cell of the same kind is a
    value, unless the numbers of the first row count from 0 or are years. A text that is repeated in its column is a
    value.

    Returns
    -------
    bool or None
        None if it is undecided.
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
    if any(infer_kind(cell) != kind for cell, kind in above) or (not first[0] and _are_consecutive(columns[0][:3])):
        return True
    if above:
        return _are_names([cell for cell, _ in above], columns)
    again = [cell in column for cell, column in zip(first, columns, strict=True) if cell]
    return False if len(first) > 1 and 2 * sum(again) > len(again) else None


def count_titles(rows: Sequence[Row]) -> int:
    """Count the rows above the names of a table with one cell, such as the title of a report, or only blank ones.

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
    """Describe the titles that were skipped."""
    return (
        [f"left out above the table: {', '.join(repr(title[0]) for title in titles if title[0].strip())}"]
        if titles
        else []
    )


def infer_kind(cell: str) -> str:
    """Return ``"date"``, ``"number"`` or, for any other text, an empty text."""
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
    """Whether numbers above columns of numbers are names: positions from 0, or years that are not among the values."""
    if not _are_consecutive(cells):
        return False
    if int(cells[0]) == 0:
        return len(cells) > 1 and not _are_consecutive([column[0] for column in columns if column])
    return int(cells[0]) in YEARS and not set(cells) & {cell for column in columns for cell in column}


def _are_consecutive(cells: Sequence[str]) -> bool:
    """Whether cells are consecutive integers."""
    if not cells or not all(cell.isascii() and cell.isdigit() for cell in cells):
        return False
    return [int(cell) - int(cells[0]) for cell in cells] == list(range(len(cells)))
