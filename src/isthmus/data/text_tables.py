"""Writing of text tables: CSV and TSV."""

from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv


def write_text(file: BinaryIO, table: pa.Table, delimiter: str, decimal: str, encoding: str) -> None:
    """Write a table as text.

    Parameters
    ----------
    file : binary file
    table : pyarrow.Table
    delimiter : str
    decimal : str
        Decimal mark.
    encoding : str
        Encoding, if it has all characters of the table; otherwise the encoding is UTF-8.
    """
    if table.num_columns == 1 and table.column(0).null_count:
        # Readers ignore blank lines at the end of a file: write missing values as "".
        table = table.set_column(0, table.column_names[0], table.column(0).cast(pa.string()).fill_null(""))
    if decimal != ".":
        table = _replace_points(table, decimal)
    if encoding == "utf-8":
        csv.write_csv(_shorten_times(table), file, csv.WriteOptions(delimiter=delimiter))
    else:
        content = BytesIO()
        write_text(content, table, delimiter, ".", "utf-8")
        file.write(_encode(content.getvalue(), encoding))


def _encode(content: bytes, encoding: str) -> bytes:
    """Convert UTF-8 to another encoding, if that has all characters."""
    try:
        return content.decode().encode(encoding)
    except UnicodeEncodeError:
        return content


def _replace_points(table: pa.Table, decimal: str) -> pa.Table:
    """Turn numbers with fractions into texts with another decimal mark."""
    for i, field in enumerate(table.schema):
        if pa.types.is_floating(field.type) or pa.types.is_decimal(field.type):
            texts = pc.replace_substring(table.column(i).cast(pa.string()), ".", decimal)
            table = table.set_column(i, field.name, texts)
    return table


def _shorten_times(table: pa.Table) -> pa.Table:
    """Store times of whole seconds as such, because text shows all digits of a unit: 12:30:00.000000000."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit != "s":
            with suppress(pa.ArrowInvalid):  # fractions of a second would be lost
                table = table.set_column(i, field.name, table.column(i).cast(pa.timestamp("s", field.type.tz)))
    return table
