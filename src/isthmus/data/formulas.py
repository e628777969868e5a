"""Escaping of text that spreadsheets would evaluate as formulas."""

import pyarrow as pa
from pyarrow import compute

# Start of a cell that spreadsheets evaluate (OWASP, CSV injection); some ignore leading spaces.
FORMULA = "^(?:\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"


def escape_cells(table: pa.Table) -> pa.Table:
    """Put an apostrophe before texts and names that spreadsheets would evaluate."""
    columns = [_escape(column) for column in table.columns]
    names = _escape(pa.chunked_array([pa.array(table.column_names, pa.string())])).to_pylist()
    return pa.Table.from_arrays(columns, names)


def _escape(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    return compute.replace_substring_regex(column, FORMULA, r"'\0")
