"""Containers that users pass: opening data frames of any library, and errors for objects without rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

# Dtypes of pandas for columns without and with missing values; decimals are columns of arrow.
PANDAS = {pa.int64(): "int64", pa.uint64(): "uint64", pa.float64(): "float64"}
PANDAS_NULLABLE = {pa.int64(): "Int64", pa.uint64(): "UInt64", pa.float64(): "float64"}


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a data frame of a supported library."""
    # Skips the test of narwhals, which takes a tenth of the time of scoring a row.
    if isinstance(X, np.ndarray):
        return False
    return isinstance(X, pa.RecordBatch) or bool(nw.dependencies.is_into_dataframe(X))


def open_frame(X: Any) -> Any:
    """Wrap a data frame of any library as a narwhals frame.

    Object columns that hold only numbers become columns of numbers, sparse columns of pandas become dense, record
    batches of pyarrow become tables, and a categorical index of columns becomes plain names.

    Raises
    ------
    TypeError
        If it is not a data frame.
    ValueError
        If two columns have the same name.
    """
    table = pa.Table.from_batches([X]) if isinstance(X, pa.RecordBatch) else nw.to_native(X, pass_through=True)
    if nw.dependencies.is_pandas_like_dataframe(table) and type(table.columns).__name__ == "CategoricalIndex":
        table = table.set_axis(list(table.columns), axis=1)
    _check_names(table)
    frame = nw.from_native(table, eager_only=True)
    untyped = [name for name, dtype in frame.schema.items() if dtype in (nw.Object, nw.Unknown)]
    columns = [_infer_type(frame.get_column(name)).alias(name) for name in untyped]
    return frame.with_columns(*columns) if columns else frame


def check_name_types(names: Iterable[Any]) -> None:
    """Raise ``ValueError`` for names of columns that model files or scikit-learn cannot store."""
    names = list(names)
    kinds = {type(name).__name__ for name in names}
    plain = all(isinstance(name, str | Integral | Real | tuple) for name in names)
    if not plain or ("str" in kinds and len(kinds) > 1):
        raise ValueError(
            f"names of columns have types {', '.join(sorted(kinds))}, expected strings only; "
            "convert them, for example by X.columns = X.columns.map(str)"
        )


def select_columns(frame: Any, names: Sequence[Any]) -> Any:
    """Select columns of a narwhals frame, in this order; names may be of any type."""
    positions = {name: i for i, name in enumerate(frame.columns)}
    return frame if frame.columns == names else frame[:, [positions[name] for name in names]]


def _check_names(table: Any) -> None:
    if nw.dependencies.is_pandas_like_dataframe(table):
        names = [str(name) for name in table.columns]
    else:
        names = table.column_names if isinstance(table, pa.Table) else []
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(
                f"{count} columns are named {name!r}; rename them, because names of columns must be different"
            )


def _infer_type(column: Any) -> Any:
    """Convert an object column of numbers to numbers and a sparse column to a dense one; return others unchanged."""
    if column.dtype == nw.Unknown:
        return nw.from_native(_to_common_type(column.to_native()), series_only=True)
    missing = column.is_null().to_list()
    values = [None if null else value for value, null in zip(column.to_list(), missing, strict=True)]
    array = as_numbers(values)
    return column if array is None else _make_column(column, array)


def _to_common_type(native: Any) -> Any:
    """Convert a sparse column of pandas, or a column of a rare type of pyarrow, to a type that narwhals supports."""
    if isinstance(native, pa.ChunkedArray):
        native = pc.run_end_decode(native) if pa.types.is_run_end_encoded(native.type) else native
        common = {pa.types.is_date64: pa.date32(), pa.types.is_decimal256: pa.float64()}
        return native.cast(next((dtype for test, dtype in common.items() if test(native.type)), native.type))
    accessor = getattr(native, "sparse", None)
    return native if accessor is None else accessor.to_dense()


def as_numbers(values: Sequence[Any]) -> pa.Array | None:
    """Convert numbers of Python and None to an array of integers, decimals or floats; return None for other values."""
    known = [value for value in values if value is not None]
    if not known or not all(isinstance(value, Real | Decimal) and not isinstance(value, bool) for value in known):
        return None
    if all(isinstance(value, Integral) for value in known):
        return _convert_to_first(values, int, [pa.int64(), pa.uint64()])
    if all(isinstance(value, Decimal | Integral) for value in known):
        decimals = _convert_to_first(values, lambda value: value if isinstance(value, Decimal) else int(value), [None])
        if decimals is not None and not pa.types.is_decimal256(decimals.type):
            return decimals
    return _convert_to_first(values, float, [pa.float64()])


def _convert_to_first(values: Sequence[Any], read: Callable[[Any], Any], dtypes: Sequence[Any]) -> pa.Array | None:
    """Convert values to the first of some dtypes that represents all of them; return None if none does."""
    for dtype in dtypes:
        try:
            return pa.array([None if value is None else read(value) for value in values], dtype, from_pandas=True)
        except (pa.ArrowException, ArithmeticError, TypeError):
            continue
    return None


def _make_column(column: Any, array: pa.Array) -> Any:
    """Make a column from an array, with the name, library and index of another column."""
    if not column.implementation.is_pandas_like():
        return nw.DataFrame.from_arrow(pa.table({column.name: array}), backend=column.implementation)[column.name]
    native, pandas = column.to_native(), column.implementation.to_native_namespace()
    dtypes = PANDAS_NULLABLE if array.null_count else PANDAS
    dtype = dtypes.get(array.type) or pandas.ArrowDtype(array.type)
    return nw.from_native(pandas.Series(array.to_pylist(), native.index, dtype, native.name), series_only=True)


def suggest_conversion(X: Any) -> str:
    """Return how to convert a container to an array or a data frame, or an empty string for other objects."""
    if isinstance(X, Mapping) and not sparse.issparse(X):
        return "convert it to a data frame, for example by pandas.DataFrame(X)"
    if isinstance(X, list | tuple) and X and isinstance(X[0], Mapping):
        return "convert its mappings to a data frame, for example by pandas.DataFrame(X)"
    if isinstance(X, np.ndarray) and X.dtype.names:
        return "convert its named fields to a data frame, for example by pandas.DataFrame(X)"
    if isinstance(X, pa.RecordBatchReader):
        return "read its rows into memory by X.read_all()"
    if isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame):
        return "read its rows into memory by narwhals.from_native(X).collect().to_native()"
    return ""


def refuse_container(X: Any) -> None:
    """Raise an error for a container that must be converted first.

    Raises
    ------
    ValueError
        If ``X`` is a mapping, a list of mappings or a structured array, or its rows are not in memory.
    """
    remedy = suggest_conversion(X)
    if remedy:
        raise ValueError(f"X is of type {type(X).__name__}, expected an array or a data frame; {remedy}")
