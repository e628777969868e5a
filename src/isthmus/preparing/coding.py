"""Columns of narwhals frames as codes of their distinct values, and replacement of values."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa

from isthmus.data.tables.cells import MAX_EXACT, missing_mask, to_floats

Values = np.ndarray[Any, Any]

TEXTS = (nw.String, nw.Object, nw.Categorical, nw.Enum)


class Coded(NamedTuple):
    """A column as codes of its distinct values in order of appearance; -1 means missing."""

    codes: Values
    distinct: list[Any]

    @property
    def counts(self) -> Values:
        """Number of rows of each distinct value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.distinct))

    def rows_of(self, chosen: Sequence[int]) -> Values:
        """Return the positions of the rows with any of some distinct values."""
        return np.flatnonzero(np.isin(self.codes, np.asarray(chosen, dtype=np.int64)))

    def firsts(self) -> Values:
        """Return the position of the first row of each distinct value."""
        return first_rows(self.codes, len(self.distinct))


def is_text(series: Any) -> bool:
    """Whether a column holds text, categories or objects."""
    return series.dtype in TEXTS


def encode(series: Any) -> Coded:
    """Encode the distinct values of a column of any type."""
    if series.dtype == nw.Object:
        return _encode_objects(series)
    try:
        values = _as_arrow(series)
        encoded = values.dictionary_encode()
    except pa.ArrowException:
        # Types that arrow cannot encode, such as lists and intervals.
        return _encode_objects(series)
    if pa.types.is_null(values.type):
        return Coded(np.full(len(values), -1), [])
    return Coded(np.asarray(encoded.indices.fill_null(-1)).astype(np.int64), encoded.dictionary.to_pylist())


def _as_arrow(series: Any) -> pa.Array:
    if series.dtype.is_float():
        # Adding 0 makes -0 and 0 one value.
        return pa.array(to_floats(series) + 0.0, from_pandas=True)
    values = series.to_arrow()
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _encode_objects(series: Any) -> Coded:
    """Encode objects; values of different types, such as 1 and "1", are different."""
    places: dict[Any, int] = {}
    distinct: list[Any] = []
    codes = np.full(len(series), -1)
    values = series.to_list()
    for row in np.flatnonzero(~missing_mask(series)):
        value = values[row]
        key = (type(value), value if _is_hashable(value) else repr(value))
        if key not in places:
            places[key] = len(distinct)
            distinct.append(value)
        codes[row] = places[key]
    return Coded(codes, distinct)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def encode_rows(frame: Any) -> Values:
    """Return a number for each row, equal for rows that are equal in all columns; missing values are equal."""
    keys = np.zeros(len(frame), dtype=np.int64)
    for name in frame.columns:
        if keys.max(initial=0) == len(keys) - 1:
            # All rows are different.
            break
        codes, distinct = encode(frame.get_column(name))
        # Renumbering after each column keeps the keys below the number of rows, so that they cannot overflow.
        keys = np.asarray(pa.array(keys * (len(distinct) + 1) + codes + 1).dictionary_encode().indices).astype(np.int64)
    return keys


def first_rows(codes: Values, n: int) -> Values:
    """Return the position of the first row of each code from 0 to n."""
    first = np.zeros(n, dtype=np.int64)
    known = np.flatnonzero(codes >= 0)[::-1]
    # Assignment keeps the last of several rows, which is the first in reverse order.
    first[codes[known]] = known
    return first


def make_series(series: Any, values: Sequence[Any], dtype: Any) -> Any:
    """Make a column of the name and library of another from values of Python; None means missing."""
    missing = np.array([value is None for value in values], dtype=bool)
    if dtype == nw.Int64 and missing.any():
        # Not all libraries accept None among integers: use 0, and make it missing afterwards.
        filled = [0 if value is None else value for value in values]
        return blank(make_series(series, filled, dtype), missing)
    return nw.new_series(series.name, values, dtype=dtype, backend=series.implementation)


def make_numbers(series: Any, values: Values) -> Any:
    """Make a column of the name and library of another from numbers in float64; NaN means missing."""
    numbers, missing = nw.new_series(series.name, values, backend=series.implementation), np.isnan(values)
    return blank(numbers, missing) if missing.any() else numbers


def blank(series: Any, where: Values) -> Any:
    """Make some values of a column missing."""
    if series.dtype.is_integer() and np.abs(to_floats(series)[~where]).max(initial=0) >= MAX_EXACT:
        # pandas would convert the column to float64, which rounds these integers.
        series = nw.maybe_convert_dtypes(series)
    keep = nw.new_series("keep", ~where, backend=series.implementation)
    return series.to_frame().select(nw.when(keep).then(nw.col(series.name)).alias(series.name)).get_column(series.name)
