"""Reader of Excel workbooks: the first sheet is read like a text table."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zipfile import ZipFile

import pyarrow as pa

from isthmus.data.reading.dialect import N_ROWS
from isthmus.data.reading.headers import count_titles, describe_titles, is_header
from isthmus.data.reading.names import name_columns
from isthmus.data.reading.options import Options
from isthmus.data.reading.packed import Content, check_growth
from isthmus.data.reading.typed_columns import read_columns


def read_sheet(content: Content, options: Options, notes: list[str]) -> pa.Table:
    """Read the first sheet of a workbook; cells with formulas have the values that were last computed.

    Raises
    ------
    ImportError
        If openpyxl is not installed.
    ValueError
        If its decompressed size exceeds the limit.
    """
    rows = _read_rows(content, notes)
    n_titles = count_titles(rows[:N_ROWS]) if options.header is None else 0
    notes += describe_titles(rows[:n_titles])
    rows = rows[n_titles:]
    header = options.header if options.header is not None else is_header(rows[:N_ROWS]) is not False
    names, body = (rows[0], rows[1:]) if header and rows else ([""] * len(rows[0] if rows else ()), rows)
    if not header and options.header is None:
        notes.append("no header, columns are named x0, x1, ...")
    columns = [pa.array([row[i] or None for row in body], pa.string()) for i in range(len(names))]
    texts = pa.table(columns, [str(i) for i in range(len(names))])
    table, more = read_columns(name_columns(texts, names), options, options.decimal)
    notes += more
    return table


def _read_rows(content: Content, notes: list[str]) -> list[list[str]]:
    """Return the cells of all rows that are not empty, as rows of equal length."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise ImportError("Excel files need openpyxl: pip install 'isthmus[excel]'") from error
    with ZipFile(io.BytesIO(content.data)) as archive:
        for member in archive.infolist():
            check_growth(member.file_size, member.compress_size)
    try:
        workbook = load_workbook(io.BytesIO(content.data), read_only=True, data_only=True)
        sheet = workbook.worksheets[0]
        rows = [[_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    except MemoryError:
        raise
    except Exception as error:
        # openpyxl raises exceptions of any type for damaged files.
        raise ValueError(str(error) or type(error).__name__) from error
    if len(workbook.worksheets) > 1:
        notes.append(f"sheet {sheet.title!r} is read, the first of {len(workbook.worksheets)}")
    return _trim([row for row in rows if any(row)])


def _trim(rows: Sequence[list[str]]) -> list[list[str]]:
    """Pad or cut rows to the width of the cells that are not empty."""
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell), default=0)
    return [[*row, *[""] * width][:width] for row in rows]


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == value.min.time() else value.isoformat(" ")
    return "" if value is None else str(value)
