"""Tables of mixed columns as numeric matrices, in which equal cells of different tables are equal numbers."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from isthmus.containers import is_frame, open_frame, suggest_conversion
from isthmus.errors import InputTypeError
from isthmus.formatting import list_names

Values = np.ndarray[Any, Any]


class Encoded(NamedTuple):
    """Several tables of the same columns, each a float64 matrix (n, n_columns).

    Numbers are unchanged, dates become microseconds, and booleans, text and categories become codes, where code 0 is
    the most frequent category of the first table. NaN is missing. ``categorical`` marks the columns of categories.
    """

    names: list[Any]
    categorical: Values
    tables: list[Values]


def encode(frames: Mapping[str, Any]) -> Encoded:
    """Encode data frames of the same columns together.

    Parameters
    ----------
    frames : mapping of str to data frame
        By the name of the parameter; columns are in the order of the first frame.

    Raises
    ------
    TypeError
        If one is not a data frame.
    ValueError
        If one has no rows or lacks a column, or a column has different kinds of values in different frames, or an
        unknown kind.
    """
    known = {role: as_frame(role, frame) for role, frame in frames.items()}
    names = _common_columns(known)
    columns = {name: [_as_arrow(name, frame) for frame in known.values()] for name in names}
    kinds = {name: _kind_of(name, arrays) for name, arrays in columns.items()}
    values = np.column_stack([READERS[kinds[name]](arrays) for name, arrays in columns.items()])
    for name in np.array(names, dtype=object)[np.isinf(values).any(axis=0)]:
        raise ValueError(f"column {name!r} holds infinite numbers, expected finite or missing ones")
    # One bit pattern for NaN and for zero, so that equal rows have equal bytes.
    values = np.where(np.isnan(values), np.nan, values) + 0.0
    ends = np.cumsum([len(frame) for frame in known.values()])
    return Encoded(names, np.array([kinds[name] == "categories" for name in names]), np.split(values, ends[:-1]))


def as_frame(role: str, frame: Any) -> Any:
    """Return a narwhals view of a data frame that has rows and columns.

    Raises
    ------
    TypeError
        If it is not a data frame.
    ValueError
        If it has no rows or no columns.
    """
    if not is_frame(frame):
        remedy = suggest_conversion(frame)
        raise InputTypeError(
            f"{role} must be a data frame (pandas, polars, pyarrow), got {type(frame).__name__}"
            f"{remedy and '; '}{remedy}"
        )
    view = open_frame(frame)
    for size, what in zip(view.shape, ("rows", "columns"), strict=True):
        if not size:
            raise ValueError(f"{role} has no {what}")
    return view


def number_distinct_rows(*tables: Values) -> list[Values]:
    """Number the distinct rows of all tables: equal rows, including missing cells, have the same number."""
    numbers: dict[bytes, int] = {}
    return [np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in table]) for table in tables]


def sample_rows(rows: Any, n: int, generator: np.random.Generator) -> Any:
    """Draw n rows of a table without replacement, or return all if there are no more."""
    return rows if len(rows) <= n else rows[generator.choice(len(rows), n, replace=False)]


def category_codes(values: Values) -> Values:
    """Return the codes of categories as integers from 1, and 0 for missing values."""
    return np.nan_to_num(values + 1).astype(np.int64)


def _common_columns(frames: Mapping[str, Any]) -> list[Any]:
    first, *others = frames
    names = list(frames[first].columns)
    for role in others:
        for here, there in ((first, role), (role, first)):
            present = set(frames[there].columns)
            extra = [name for name in frames[here].columns if name not in present]
            if extra:
                raise ValueError(f"{there} lacks columns that {here} has: {list_names(extra)}")
    return names


def _as_arrow(name: Any, frame: Any) -> pa.Array:
    try:
        array = frame.get_column(name).to_arrow()
    except pa.ArrowException as error:
        raise ValueError(f"column {name!r} holds values of several kinds: {error}") from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _kind_of(name: Any, arrays: list[pa.Array]) -> str:
    """Return the kind of a column, ignoring tables in which all its values are missing."""
    kinds = {_kind(name, array.type) for array in arrays if array.null_count < len(array)} or {"numbers"}
    if len(kinds) > 1:
        raise ValueError(f"column {name!r} holds {' and '.join(sorted(kinds))}, expected one kind in all tables")
    return kinds.pop()


def _kind(name: Any, dtype: pa.DataType) -> str:
    kinds = [kind for kind, tests in KINDS.items() if any(test(dtype) for test in tests)]
    if not kinds:
        raise ValueError(f"column {name!r} holds {dtype}, expected numbers, booleans, text, categories or dates")
    return kinds[0]


def _join(arrays: list[pa.Array], read: Callable[[pa.Array], pa.Array], dtype: pa.DataType) -> pa.Array:
    """Read and concatenate arrays; those that are all missing may have another type."""
    return pa.concat_arrays(
        [read(array) if array.null_count < len(array) else pa.nulls(len(array), dtype) for array in arrays]
    )


def _numbers(arrays: list[pa.Array]) -> Values:
    # A float64 number and its float32 copy must be equal: all tables use the narrower type.
    width = pa.float32() if any(pa.types.is_float32(array.type) for array in arrays) else pa.float64()
    joined = _join(arrays, lambda array: array.cast(width, safe=False), width)
    return joined.to_numpy(zero_copy_only=False).astype(np.float64)


def _dates(arrays: list[pa.Array]) -> Values:
    joined = _join(arrays, lambda array: array.cast(_microseconds(array.type), safe=False).cast(pa.int64()), pa.int64())
    return joined.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _microseconds(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_duration(dtype):
        return pa.duration("us")
    return pa.time64("us") if pa.types.is_time(dtype) else pa.timestamp("us")


def _categories(arrays: list[pa.Array]) -> Values:
    """Return codes sorted by frequency in the first table, so that clipping the codes merges the rarest categories."""
    encoded = _join(arrays, _as_text, pa.large_string()).dictionary_encode()
    categories, codes = encoded.dictionary.to_pylist(), encoded.indices.fill_null(-1).to_numpy()
    counts = np.bincount(codes[: len(arrays[0])] + 1, minlength=len(categories) + 1)[1:]
    order = sorted(range(len(categories)), key=lambda code: (-counts[code], categories[code]))
    # Code -1, a missing value, indexes the last entry.
    return np.append(np.argsort(order), np.nan)[codes]


def _as_text(array: pa.Array) -> pa.Array:
    plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    return plain.cast(pa.large_string())


KINDS: dict[str, list[Callable[[pa.DataType], bool]]] = {
    "numbers": [pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal],
    "categories": [pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary],
    "dates": [pa.types.is_date, pa.types.is_timestamp, pa.types.is_time, pa.types.is_duration],
}
READERS: dict[str, Callable[[list[pa.Array]], Values]] = {
    "numbers": _numbers,
    "categories": _categories,
    "dates": _dates,
}
