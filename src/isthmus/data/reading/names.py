"""Names of columns: completed where a file lacks some, and refused where they do not tell columns apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa


def name_columns(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Name columns; those without a name are called after their position, or left out where they hold nothing.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.data.reading.names import name_columns
    >>> name_columns(pa.table({"0": ["a"], "1": ["b"], "2": pa.nulls(1, pa.string())}), ["", " y", ""]).column_names
    ['x0', 'y']
    """
    names = [name.strip() for name in names]
    # A line may end with a delimiter; in a table without names, columns between others keep their position.
    kept = [i for i, name in enumerate(names) if name or not _is_blank(table.column(i)) or _is_inner(i, names)]
    columns, names = [table.column(i) for i in kept], [names[i] or f"x{i}" for i in kept]
    check_unique(names)
    return pa.table(columns, names)


def check_names(table: pa.Table) -> pa.Table:
    """Refuse repeated names, and make columns without any value columns of missing numbers."""
    check_unique(table.column_names)
    types = [pa.float64() if pa.types.is_null(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def check_unique(names: Sequence[str]) -> None:
    """Raise ``ValueError`` if names do not tell columns apart."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{count} columns are named {name!r}")


def _is_blank(column: Any) -> bool:
    return bool(column.null_count == len(column))


def _is_inner(position: int, names: Sequence[str]) -> bool:
    return not any(names) and position < len(names) - 1
