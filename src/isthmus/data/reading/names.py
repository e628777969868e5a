"""Names of columns: completed where they are missing, and checked for duplicates."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa


def name_columns(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Name columns; those without a name are named by their position, or left out if they are empty.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.data.reading.names import name_columns
    >>> name_columns(pa.table({"0": ["a"], "1": ["b"], "2": pa.nulls(1, pa.string())}), ["", " y", ""]).column_names
    ['x0', 'y']
    """
    names = [name.strip() for name in names]
    # Lines can end with a delimiter. In a table without names, empty columns between others are kept.
    kept = [i for i, name in enumerate(names) if name or not _is_blank(table.column(i)) or _is_inner(i, names)]
    columns, names = [table.column(i) for i in kept], [names[i] or f"x{i}" for i in kept]
    check_unique(names)
    return pa.table(columns, names)


def check_names(table: pa.Table) -> pa.Table:
    """Check for duplicate names, and convert columns of type null to columns of missing numbers."""
    check_unique(table.column_names)
    types = [pa.float64() if pa.types.is_null(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def check_unique(names: Sequence[str]) -> None:
    """Raise ``ValueError`` for a duplicate name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{count} columns are named {name!r}")


def _is_blank(column: Any) -> bool:
    return bool(column.null_count == len(column))


def _is_inner(position: int, names: Sequence[str]) -> bool:
    return not any(names) and position < len(names) - 1
