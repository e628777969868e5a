"""Data frames of any columns: rows of numbers in, the same data frame out."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import torch

from isthmus.containers import check_name_types, open_frame, select_columns
from isthmus.data.arrays import Array, as_tensor
from isthmus.data.tables.cells import (
    DATES,
    TIMES,
    holds_dates,
    is_number,
    is_text,
    to_days,
    to_exact_numbers,
    to_floats,
)
from isthmus.data.tables.kinds import infer_fields
from isthmus.data.tables.native_dtypes import (
    find_fitted_column,
    make_column_like,
    make_frame,
    read_template,
    write_template,
)
from isthmus.formatting import pluralize
from isthmus.schema import MICROSECONDS, Field, Schema

Values = np.ndarray[Any, Any]

# Levels that fit has not seen that a warning names, of each column.
N_NAMED = 3
NARROW = {nw.Float32, nw.Boolean, nw.Int8, nw.Int16, nw.UInt8, nw.UInt16}


def learn_table(X: Any, kinds: Mapping[str, str]) -> Array:
    """Read a data frame, and say what its columns are; ``kinds`` are those that the caller knows.

    Raises
    ------
    ValueError
        If a name comes twice, a column holds what cannot be learned, or no column is left to learn from.
    """
    frame = open_frame(X)
    if not all(frame.shape):
        return Array(torch.empty(frame.shape, device="cpu"), Schema(frame.shape[1:]))  # of which nothing can be told
    check_name_types(frame.columns)
    template = write_template(frame)
    fields = infer_fields(frame, kinds)
    used = [field for field in fields if field.used]
    if not used:
        notes = "; ".join(f"column {field.name!r}: {field.note or field.kind}" for field in fields[:5])
        raise ValueError(f"there is no column to learn from ({notes})")
    # float32 columns without nulls stay as they are; all else is widened, so that no digit is lost.
    dtypes = frame.schema  # narwhals builds the schema anew at every access
    narrow = {dtypes[field.name] for field in used} <= NARROW
    schema = Schema(
        (len(used),),
        dtype="float32" if narrow else "float64",
        fields=fields,
        container=frame.implementation.value,
        template=template,
    )
    return read_table(X, schema)


def read_table(X: Any, schema: Schema) -> Array:
    """Read a data frame whose columns are those of a schema.

    Levels that the schema does not have are missing, with one warning.

    Raises
    ------
    ValueError
        If a column is lacking, or holds no numbers where there were some.
    """
    frame = open_frame(X)
    check_columns(frame, schema)
    values = np.empty((len(frame), *schema.shape), dtype=schema.dtype)
    unseen: list[str] = []
    for i, field in enumerate(schema.used):
        values[:, i] = _encode(frame.get_column(field.name), field, unseen)
    if unseen:
        warnings.warn(f"treated as missing, for fit has not seen them: {'; '.join(unseen)}", stacklevel=2)
    return Array(as_tensor(values), schema, container=partial(restored, frame=frame, schema=schema))


def check_columns(frame: Any, schema: Schema) -> None:
    """Raise ``ValueError`` if a narwhals frame lacks a column of a schema."""
    present = set(frame.columns)
    lacking = [name for name in schema.names if name not in present]
    if lacking:
        known = set(schema.names)
        extra = [repr(name) for name in frame.columns if name not in known]
        others = f"; feature names that fit has not seen: {', '.join(extra)}" if extra else ""
        raise ValueError(f"X lacks columns that fit saw: {', '.join(map(repr, lacking))}{others}")


def restored(values: Values, frame: Any, schema: Schema) -> Any:
    """Put expected values (n, n_used) in the place of a frame's; columns that are left out stay as they are."""
    columns = [
        make_column_like(_to_fill(frame.get_column(field.name), schema), _decode(values[:, i], field, rounded=False))
        for i, field in enumerate(schema.used)
    ]
    return frame.with_columns(*columns).to_native()


def filled(values: Values, X: Any, schema: Schema) -> Any:
    """Put new values (n, n_used) where those of a data frame are missing, and return the columns of the schema."""
    frame, columns = select_columns(open_frame(X), schema.names), []
    positions = {field.name: i for i, field in enumerate(schema.used)}
    for field in schema.fields:
        column = frame.get_column(field.name)
        known = ~find_missing(column)
        constant = field.kind == "constant" and field.categories
        if known.all() or not (field.used or constant):
            continue
        like = _to_fill(column, schema)
        new = _invent(field, len(values), like) if constant else _decode(values[:, positions[field.name]], field, True)
        whole = make_column_like(like, new)
        columns.append(column.zip_with(known, whole) if known.any() else whole)
    return frame.with_columns(*columns).to_native()


def _to_fill(column: Any, schema: Schema) -> Any:
    """Return a column like which values are filled in: that of fit where a column has no value that tells its dtype."""
    return find_fitted_column(column, schema) if find_missing(column).all() else column


def find_missing(column: Any) -> Any:
    """Tell, as a column of truth values, which cells of a column are missing: null, or NaN."""
    missing = column.is_null()
    return missing | column.is_nan() if column.dtype.is_float() else missing


def new_table(values: Values, schema: Schema, rounded: bool) -> Any:
    """Make a data frame like that of fit out of rows (n, n_used).

    Identifiers count the rows, constants are what they were, and free text is missing. ``rounded`` numbers have no more
    digits than those of fit; expected values have.
    """
    empty = read_template(schema)
    positions = {field.name: i for i, field in enumerate(schema.used)}
    columns = {}
    for field in schema.fields:
        column = empty.get_column(field.name)
        if field.used:
            columns[field.name] = _column(values[:, positions[field.name]], field, column, rounded)
        else:
            columns[field.name] = make_column_like(column, _invent(field, len(values), column))
    return make_frame(columns, schema)


def _column(numbers: Values, field: Field, like: Any, rounded: bool) -> Any:
    """Make a column like another out of numbers, of which some are missing."""
    missing = np.isnan(numbers)
    column = make_column_like(like, _decode(np.where(missing, 0.0, numbers), field, rounded))
    if not missing.any():
        return column
    nothing = make_column_like(like, np.full(len(numbers), None, dtype=object))
    return column.zip_with(nw.new_series("known", ~missing, backend=like.implementation), nothing)


def plain_table(values: Values, schema: Schema) -> Any:
    """Make a data frame of the used columns alone, out of rows (n, n_used), whatever their values: odd ones too."""
    plain = {field.name: _plain(values[:, i], field) for i, field in enumerate(drop_ranges(schema).used)}
    columns = {name: column.tolist() if column.dtype == object else column for name, column in plain.items()}
    return nw.from_dict(columns, backend=schema.container).to_native()  # type: ignore[arg-type]


def column_of(numbers: Values, column: Any, field: Field) -> Any:
    """Make a column like another one out of numbers (n,), NaN where missing."""
    return make_column_like(column, _plain(numbers, field))


def _plain(numbers: Values, field: Field) -> Values:
    """Turn numbers into values, missing ones into what stands for them."""
    known = ~np.isnan(numbers)
    values = _decode(np.where(known, numbers, 0.0), field, rounded=False)
    if values.dtype == object:
        values[~known] = None
    else:
        values[~known] = np.datetime64("NaT") if values.dtype.kind == "M" else np.nan
    return values


def drop_ranges(schema: Schema) -> Schema:
    """Return a schema whose numbers know no range, so that odd ones are not drawn into it."""
    return replace(schema, fields=tuple(replace(field, low=None, high=None) for field in schema.fields))


def _encode(column: Any, field: Field, unseen: list[str]) -> Values:
    """Turn a column into numbers, missing ones NaN, and note the levels that nobody has seen."""
    if find_missing(column).all():
        return np.full(len(column), np.nan)
    if field.is_categorical:
        return _positions(column, field, unseen)
    if field.kind == "date":
        if not holds_dates(column):
            raise ValueError(f"column {field.name!r} holds {column.dtype}, but held dates in fit")
        return to_days(column, field.origin)
    if is_text(column.dtype) and column.dtype != nw.Boolean:
        raise ValueError(f"column {field.name!r} holds {column.dtype}, but held numbers in fit")
    return to_floats(column)


def _positions(column: Any, field: Field, unseen: list[str]) -> Values:
    """Turn levels into their positions among those of the field."""
    values = to_exact_numbers(column) if is_number(column.dtype) else column.to_list()
    positions = {level: float(i) for i, level in enumerate(field.categories)}
    numbers = np.array([positions.get(value, np.nan) for value in values])
    strange = np.flatnonzero(np.isnan(numbers) & ~find_missing(column).to_numpy().astype(bool))
    if len(strange):
        unseen.append(f"{_counted([values[row] for row in strange])} in column {field.name!r}")
    return numbers


def _counted(levels: list[Any]) -> str:
    """Name the most frequent levels with their numbers of rows, and count the rows of all others."""
    counts = Counter(levels).most_common()
    named = [f"{level!r} ({pluralize(n, 'row')})" for level, n in counts[:N_NAMED]]
    others = [n for _, n in counts[N_NAMED:]]
    if others:
        named.append(f"{pluralize(len(others), 'other')} ({pluralize(sum(others), 'row')})")
    return ", ".join(named)


def _decode(numbers: Values, field: Field, rounded: bool) -> Values:
    """Turn numbers back into values of the column's kind, within its range."""
    if field.is_categorical:
        levels = np.empty(len(field.categories), dtype=object)
        levels[:] = field.categories
        return levels[np.clip(np.round(numbers), 0, len(levels) - 1).astype(np.intp)]
    numbers = _nearest(numbers.astype(np.float64), field, rounded)
    return _times_of(numbers, field) if field.kind == "date" else numbers


def round_to_valid(values: Values, schema: Schema) -> Values:
    """Return the nearest values (n, n_used) that columns can hold, in float64; positions in levels stay."""
    columns = zip(values.T.astype(np.float64), schema.used, strict=True)
    return np.stack([own if field.is_categorical else _nearest(own, field) for own, field in columns], 1)


def _nearest(given: Values, field: Field, rounded: bool = True) -> Values:
    """Return the nearest numbers that a column can hold: in its range, with its digits if ``rounded``, or open ends."""
    inside = given if field.low is None else np.clip(given, field.low, field.high)
    numbers = inside
    if field.step and (rounded or field.kind == "date"):
        # By way of whole numbers: 3 * 0.1 is not 0.3, but 3 / 10 is.
        scale = round(1 / field.step)
        numbers = np.round(numbers * scale) / scale
    for end in field.ends:
        numbers = np.where(np.abs(given - end) <= np.abs(given - inside), end, numbers)
    return numbers


def _times_of(days: Values, field: Field) -> Values:
    """Turn days into times, and those of open ends into these to the microsecond."""
    times = np.round((days + field.origin) * MICROSECONDS).astype("datetime64[us]")
    for end, microseconds in zip(field.ends, field.categories, strict=True):
        times[days == end] = np.datetime64(microseconds, "us")
    if field.dtype in (DATES, TIMES):
        return times.astype("datetime64[D]" if field.dtype == DATES else times.dtype).astype(object)
    return times


def _invent(field: Field, n: int, column: Any) -> Values:
    """Make values of a column that no code is learned of: its constant, a count, or nothing."""
    if field.kind == "constant" and field.categories:
        return np.full(n, field.categories[0], dtype=object)
    if field.kind == "identifier" and column.dtype.is_numeric():
        return np.arange(1, n + 1)
    if field.kind == "identifier" and column.dtype == nw.String:
        return np.array([f"{field.name}-{i}" for i in range(1, n + 1)], dtype=object)
    return np.full(n, None, dtype=object)
