"""Text tables: CSV and TSV in any dialect and encoding."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from isthmus.data.reading.dialect import (
    COMMENT,
    HEAD,
    N_ROWS,
    SPACE,
    Dialect,
    collapse_spaces,
    describe,
    find_decimal,
    find_dialect,
)
from isthmus.data.reading.encodings import find_encoding, first_invalid
from isthmus.data.reading.names import name_columns
from isthmus.data.reading.options import Notation, Options
from isthmus.data.reading.packed import MAX_BLOCK, Content
from isthmus.data.reading.typed_columns import read_columns

# Number of bytes that are parsed at once.
BLOCK = 2**23


def read_text(content: Content, options: Options, notes: list[str], usual: str) -> pa.Table:
    """Read a text table.

    Parameters
    ----------
    content : Content
    options : Options
    notes : list of str
        Notes are appended.
    usual : str
        Usual delimiter of files with this suffix.

    Raises
    ------
    ValueError
        If the file is not text, or the number of cells of a row differs from that of the names.
    """
    encoding = options.encoding or find_encoding(content.data)
    table, dialect = _read_texts(content, encoding, options, usual)
    notes += describe(dialect, encoding, usual, options)
    table, more = read_columns(name_columns(table, dialect.names), options, dialect.decimal)
    notes += more
    return table


def find_text_notation(content: Content, options: Options, usual: str) -> Notation:
    """Find how a text table is written; see ``read_text`` for parameters and errors."""
    encoding = options.encoding or find_encoding(content.data)
    _, dialect = _read_texts(content, encoding, options, usual)
    is_usual = len(dialect.names) == 1 or dialect.delimiter in (usual, SPACE)
    return Notation(None if is_usual else dialect.delimiter, dialect.decimal or ".", encoding)


def _read_texts(content: Content, encoding: str, options: Options, usual: str) -> tuple[pa.Table, Dialect]:
    """Return the cells of a table as texts, and its dialect."""
    data = _as_utf8(content.data, encoding)
    if data.find(b"\0") >= 0:
        raise ValueError("it holds NUL bytes, so it is not a text file")
    dialect = find_dialect(_head(data), options, usual)
    if dialect.delimiter == SPACE:
        data = collapse_spaces(bytes(data[:]).decode()).encode()
        dialect = find_dialect(_head(data), options, usual)
    table = _split(data, dialect)
    if dialect.decimal is None:
        dialect = replace(dialect, decimal=find_decimal(_some_cells(table)))
    return table, dialect


def _as_utf8(data: Any, encoding: str) -> Any:
    """Convert a text to UTF-8 without a byte order mark.

    Raises
    ------
    ValueError
        If the encoding is unknown, or the bytes are invalid in it.
    """
    if encoding in ("utf-8", "utf-8-sig"):
        data = data[len(BOM_UTF8) :] if data[: len(BOM_UTF8)] == BOM_UTF8 else data
        position = first_invalid(data)
        if position is not None:
            raise ValueError(f"byte 0x{data[position]:02x} at position {position} is not UTF-8")
        return data
    try:
        return bytes(data[:]).decode(encoding).encode()
    except LookupError as error:
        raise ValueError(f"there is no encoding {encoding!r}; known are utf-8, latin-1, cp1252, utf-16, ...") from error


def _head(data: Any) -> str:
    """Return the first lines of a text."""
    head = bytes(data[:HEAD])
    if len(data) > HEAD:
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    return head.decode(errors="ignore")


def _some_cells(table: pa.Table) -> Iterator[list[str]]:
    """Yield the cells of evenly spaced rows of a table of texts that are not missing, column by column."""
    positions = np.unique(np.linspace(0, max(len(table) - 1, 0), N_ROWS).astype(np.int64))
    chosen = table.take(positions) if len(table) else table
    return (column.drop_null().to_pylist() for column in chosen.columns)


def _split(data: Any, dialect: Dialect) -> pa.Table:
    """Split rows into columns of texts, null where a cell is empty."""
    start = len(_head(data)[: dialect.start].encode())
    # In a table of one column, blank lines are missing values, except those at the end.
    end = len(data) if len(dialect.names) > 1 else start + len(data[start:].rstrip(b"\r\n"))
    body = pa.py_buffer(data).slice(start, end - start)
    names = [str(i) for i in range(len(dialect.names))]
    if not body.size:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    invalid: list[Any] = []
    parse = csv.ParseOptions(
        delimiter=dialect.delimiter,
        newlines_in_values=data.find(b'"') >= 0,
        ignore_empty_lines=len(names) > 1,
        invalid_row_handler=lambda row: _skip_comment(row, invalid),
    )
    try:
        return _parse(body, names, parse)
    except pa.ArrowInvalid as error:
        raise ValueError(_ragged(invalid[0], data, dialect.delimiter) if invalid else str(error)) from error


def _parse(body: Any, names: list[str], parse: csv.ParseOptions) -> pa.Table:
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    for size in (BLOCK, min(MAX_BLOCK, body.size + 1)):
        try:
            read = csv.ReadOptions(block_size=size, column_names=names)
            return csv.read_csv(pa.BufferReader(body), read, parse, convert)
        except pa.ArrowInvalid as error:
            # A row is longer than a block.
            if "straddl" not in str(error) or size != BLOCK:
                raise
    raise AssertionError


def _skip_comment(row: Any, invalid: list[Any]) -> str:
    if row.text.startswith(COMMENT):
        return "skip"
    invalid.append(row)
    return "error"


def _ragged(row: Any, data: Any, delimiter: str) -> str:
    position = data.find(row.text.encode())
    line = f"line {bytes(data[:position]).count(bytes([10])) + 1}" if position >= 0 else "a line"
    return (
        f"{line} has {row.actual_columns} of {row.expected_columns} cells, {row.text[:60]!r}; "
        f"if cells are not separated by {delimiter!r}, state the delimiter (--delimiter)"
    )
