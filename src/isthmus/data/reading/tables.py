"""Readers of formats with typed columns: Parquet, Feather, Arrow, and JSON Lines."""

import json
import math
import re
import warnings
from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute, feather, parquet
from pyarrow import json as arrow_json

from isthmus.containers import as_numbers
from isthmus.data.reading.names import check_names
from isthmus.data.reading.options import Options
from isthmus.data.reading.packed import MAX_BLOCK, Content
from isthmus.data.tables.cells import MAX_EXACT

# Names of unnamed index columns of pandas.
INDEX = re.compile(r"__index_level_[0-9]+__")
# First bytes of Arrow files; Arrow streams have none.
ARROW_FILES = (b"ARROW1", b"FEA1")
# Number of bytes in which an array of JSON is detected, and bytes that can precede it.
HEAD, BLANKS = 2**12, BOM_UTF8 + b" \t\r\n"


def read_parquet(content: Content, options: Options, notes: list[str]) -> pa.Table:
    """Read a Parquet file, without the index of pandas."""
    source = pa.BufferReader(content.data) if content.packed else content.path
    with parquet.ParquetFile(source) as file:
        return drop_index(check_names(file.read()))


def read_arrow(content: Content, options: Options, notes: list[str]) -> pa.Table:
    """Read a Feather or Arrow file, or an Arrow stream, without the index of pandas."""
    source = pa.BufferReader(content.data)
    if content.data[:6].startswith(ARROW_FILES):
        with warnings.catch_warnings():
            # pyarrow warns of files of the first version, which it still reads.
            warnings.simplefilter("ignore", DeprecationWarning)
            table = feather.read_table(source, memory_map=False)
    else:
        with pa.ipc.open_stream(source) as stream:
            table = stream.read_all()
    table.validate(full=True)
    return drop_index(check_names(table))


def read_json_lines(content: Content, options: Options, notes: list[str]) -> pa.Table:
    """Read lines of JSON objects; keys that a line does not have are missing values.

    Raises
    ------
    ValueError
        If a line is not an object, or a value is an object or a list.
    """
    if bytes(content.data[:HEAD]).lstrip(BLANKS).startswith(b"["):
        raise ValueError("it holds one array, expected an object in each line; jq -c '.[]' makes lines of it")
    # In one block, so that the type of a column depends on all of its values.
    block = arrow_json.ReadOptions(block_size=min(MAX_BLOCK, len(content.data) + 1))
    table = arrow_json.read_json(pa.BufferReader(content.data), read_options=block)
    for field in table.schema:
        if pa.types.is_nested(field.type):
            what = "objects" if pa.types.is_struct(field.type) else "lists"
            raise ValueError(f"column {field.name!r} holds nested {what}, expected numbers, texts or truth values")
    return check_names(_restore_integers(table, content.data))


def _restore_integers(table: pa.Table, data: Any) -> pa.Table:
    """Replace float columns of integers that float64 rounds by unsigned integers, or by text where these overflow."""
    floats = [name for name, kind in zip(table.column_names, table.schema.types, strict=True) if kind == pa.float64()]
    wide = [name for name in floats if (compute.max(compute.abs(table[name])).as_py() or 0.0) >= MAX_EXACT]
    rows = [json.loads(line) for line in bytes(data).splitlines() if line.strip()] if wide else []
    for name in wide:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, int) and value != _round_to_float(value) for value in values):
            numbers = as_numbers(values)
            exact = numbers if numbers is not None and pa.types.is_integer(numbers.type) else _as_text(values)
            table = table.set_column(table.column_names.index(name), name, exact)
    return table


def _round_to_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _as_text(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def drop_index(table: pa.Table) -> pa.Table:
    """Drop unnamed index columns of pandas, which number the rows and are not features."""
    return table.select(drop_index_names(table.column_names)).replace_schema_metadata(None)


def drop_index_names(names: list[Any]) -> list[Any]:
    """Return the names of columns without unnamed index columns of pandas."""
    return [name for name in names if not INDEX.fullmatch(str(name))]
