"""The codec of data frames: rows of numbers for the model, and data frames with the original dtypes back."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import torch

from isthmus.containers import check_name_types, open_frame
from isthmus.data.arrays import Array, as_tensor
from isthmus.data.tables.blocks import (
    find_plain,
    iterate_numbers,
    join_columns,
    replace_columns,
    split_columns,
)
from isthmus.data.tables.cells import (
    DATES,
    MAX_EXACT,
    TIMES,
    find_missing,
    holds_dates,
    is_number,
    missing_mask,
    name_dtype,
    to_days,
    to_exact_numbers,
    to_floats,
)
from isthmus.data.tables.decoding import decode_used, fill_column, fill_floats
from isthmus.data.tables.frames import label_columns, narrowest_dtype
from isthmus.data.tables.kinds import infer_fields
from isthmus.data.tables.native_dtypes import (
    find_fitted_column,
    find_time_zone,
    make_column_like,
    make_frame,
    read_template,
    write_template,
)
from isthmus.data.tables.values import decode_values, drop_ranges, make_unlearned_values
from isthmus.formatting import list_names, list_texts, pluralize
from isthmus.schema import NUMBERS, Field, Schema

Values = np.ndarray[Any, Any]

# Unseen categories that a warning names for each column.
N_NAMED = 3


@dataclass(frozen=True)
class Table(Array):
    """Rows of a data frame as numbers (n, n_used), with the data frame that they came from.

    Parameters
    ----------
    values, schema, y, weight, rows, container
        See ``Array``.
    frame : narwhals.DataFrame
        Has the columns of the schema, and a row for each row of ``values``.
    """

    frame: Any = None

    def to_container(self, values: Values) -> Any:
        """Replace the used columns of the data frame; the other columns stay as they are."""
        frame = self._chosen_frame()
        return replace_columns(frame, decode_used(values, self.schema, frame, self._find_fitted(frame))).to_native()

    def fill_missing(self, values: Values) -> Any:
        """Replace the missing cells of the data frame, and those of its constant columns."""
        frame = self._chosen_frame()
        fitted, plain, parts = self._find_fitted(frame), find_plain(frame), list[Any]()
        floats = {name for name, dtype in plain.items() if dtype.is_float()} & {f.name for f in self.schema.used}
        floats -= set(fitted)
        places = [i for i, field in enumerate(self.schema.used) if field.name in floats]
        for chosen in split_columns(places, len(frame)):
            parts += fill_floats(frame, [self.schema.used[i] for i in chosen], values[:, chosen], plain)
        columns = _split_columns(values, self.schema)
        for field in self.schema.fields:
            if field.name not in floats and (field.used or (field.kind == "constant" and field.categories)):
                parts += fill_column(frame.get_column(field.name), field, columns.get(field.name), fitted)
        return replace_columns(frame, parts).to_native()

    def _chosen_frame(self) -> Any:
        return self.frame if self.rows is None else self.frame[self.rows.numpy()]

    def _find_fitted(self, frame: Any) -> dict[Any, Any]:
        """Return, for each column without a value in these rows, the column of fit, which shows the dtype."""
        # Only a column without numbers can be empty, and only few columns of a wide table are.
        x = self.values if self.rows is None else self.values[self.rows]
        known = {field.name for field, is_known in zip(self.schema.used, ~x.isnan().all(0), strict=True) if is_known}
        names = [name for name in self.schema.names if name not in known and find_missing(frame.get_column(name)).all()]
        return {name: find_fitted_column(frame.get_column(name), self.schema) for name in names}


def learn_table(X: Any, kinds: Mapping[str, str]) -> Array:
    """Read a data frame and infer its schema; ``kinds`` gives the kinds of columns that the caller knows.

    Raises
    ------
    ValueError
        If a name occurs twice, a column holds values of an unsupported type, or no column is left to learn from.
    """
    frame = open_frame(X)
    if not all(frame.shape):
        # Without cells there is nothing to infer.
        return Array(torch.empty(frame.shape, device="cpu"), Schema(frame.shape[1:]))
    check_name_types(frame.columns)
    fields = infer_fields(frame, kinds)
    used = [field for field in fields if field.used]
    if not used:
        notes = "; ".join(f"column {field.name!r}: {field.note or field.kind}" for field in fields[:5])
        raise ValueError(f"there is no column to learn from ({notes})")
    dtypes = frame.schema  # narwhals rebuilds the schema at every access
    schema = Schema(
        (len(used),),
        dtype=narrowest_dtype(dtypes[field.name] for field in used),
        fields=fields,
        container=frame.implementation.value,
        template=write_template(frame),
    )
    return encode(frame, schema)


def encode(X: Any, schema: Schema) -> Table:
    """Read a data frame that has the columns of a schema.

    Categories that the schema does not have become missing values, with one warning.

    Raises
    ------
    ValueError
        If a column is missing, or holds values of another type than in fit.
    """
    frame = open_frame(X)
    check_columns(frame, schema)
    values = np.empty((len(frame), *schema.shape), dtype=schema.dtype)
    unseen: list[str] = []
    dtypes = frame.schema
    numbers = iterate_numbers(frame, [field.name for field in schema.used if _is_numeric(field, dtypes[field.name])])
    for i, field in enumerate(schema.used):
        if _is_numeric(field, dtypes[field.name]):
            values[:, i] = _encode_numbers(next(numbers), field, frame, unseen)
        else:
            values[:, i] = _encode_column(frame.get_column(field.name), field, unseen)
    if unseen:
        warnings.warn(f"treated as missing, for fit has not seen them: {list_texts(unseen, '; ')}", stacklevel=2)
    return Table(as_tensor(values), schema, frame=frame)


def check_columns(frame: Any, schema: Schema) -> None:
    """Raise ``ValueError`` if a narwhals frame lacks a column of a schema."""
    present = set(frame.columns)
    lacking = [name for name in schema.names if name not in present]
    if lacking:
        known = set(schema.names)
        extra = [name for name in frame.columns if name not in known]
        others = f"; feature names that fit has not seen: {list_names(extra)}" if extra else ""
        raise ValueError(f"X lacks columns of the training rows: {list_names(lacking)}{others}")


def decode(values: Values, schema: Schema, rounded: bool = False) -> Any:
    """Make a data frame like that of fit from rows of numbers (n, n_used).

    Identifiers number the rows, constants keep their value, and free text is missing.

    Parameters
    ----------
    values : ndarray of shape (n, n_used)
        NaN means missing.
    schema : Schema
        Without a template, all columns are numbers.
    rounded : bool, default=False
        Whether numbers are rounded to the digits that numbers of fit have. Expected values are not.
    """
    if not schema.template:
        return label_columns(values, schema)
    empty = read_template(schema)
    parts = decode_used(values, schema, empty, rounded=rounded)
    for field in (field for field in schema.fields if not field.used):
        model = empty.get_column(field.name)
        parts.append(make_column_like(model, make_unlearned_values(field, len(values), model)))
    return make_frame(join_columns(parts, empty).to_native(), empty)


def decode_plain(values: Values, schema: Schema) -> Any:
    """Decode rows (n, n_used) without ranges and native dtypes, so that numbers stay and can be missing.

    Rows of arrays are returned as they are.
    """
    if not schema.fields:
        return values
    columns = _split_columns(values, schema)
    plain = {field.name: _decode_with_missing(columns[field.name], field) for field in drop_ranges(schema).used}
    return nw.from_dict(plain, backend=schema.container).to_native()  # type: ignore[arg-type]


def _decode_with_missing(numbers: Values, field: Field) -> Any:
    """Decode numbers (n,) to an array, or to a list of Python objects; missing ones become NaN, NaT or None."""
    known = ~np.isnan(numbers)
    values = decode_values(np.where(known, numbers, 0.0), field, rounded=False)
    values[~known] = {"O": None, "M": np.datetime64("NaT", "s")}.get(values.dtype.kind, np.nan)
    return values.tolist() if values.dtype == object else values


def _split_columns(values: Values, schema: Schema) -> dict[Any, Values]:
    return dict(zip((field.name for field in schema.used), values.T, strict=True))


def _is_numeric(field: Field, dtype: Any) -> bool:
    """Whether float64 represents all values that a column has and had in fit."""
    return is_number(dtype) and (
        field.kind in NUMBERS
        or (field.is_categorical and all(isinstance(c, int | float) and abs(c) < MAX_EXACT for c in field.categories))
    )


def _encode_numbers(x: Values, field: Field, frame: Any, unseen: list[str]) -> Values:
    """Turn the numbers of a column into those of a model: categories into their positions."""
    if not field.is_categorical:
        return x
    positions = {category: float(i) for i, category in enumerate(field.categories)}
    numbers = np.array([positions.get(value, np.nan) for value in x.tolist()])
    if np.isnan(numbers).sum() == np.isnan(x).sum():
        return numbers
    return _positions(frame.get_column(field.name), field, unseen)


def _encode_column(column: Any, field: Field, unseen: list[str]) -> Values:
    """Turn a column into numbers, NaN where missing, and append a note on categories that fit has not seen."""
    if find_missing(column).all():
        return np.full(len(column), np.nan)
    if field.is_categorical:
        return _positions(column, field, unseen)
    if field.kind == "date":
        if not holds_dates(column):
            raise ValueError(f"column {field.name!r} holds {column.dtype}, but held dates in fit")
        _check_time_zone(column, field)
        return to_days(column, field.origin)
    if not (is_number(column.dtype) or column.dtype == nw.Boolean):
        raise ValueError(f"column {field.name!r} holds {name_dtype(column)}, but held numbers in fit")
    return to_floats(column)


def _check_time_zone(column: Any, field: Field) -> None:
    """Raise ``ValueError`` where either the column or that of fit has a time zone: the two cannot be compared."""
    zones = [find_time_zone(dtype) for dtype in (column.dtype, field.dtype)]
    if nw.Object != column.dtype and field.dtype not in (DATES, TIMES) and None in zones and zones != [None, None]:
        found, expected = (f"the time zone {zone}" if zone else "no time zone" for zone in zones)
        raise ValueError(
            f"dates in column {field.name!r} have {found}, but had {expected} in fit; convert them to what fit saw"
        )


def _positions(column: Any, field: Field, unseen: list[str]) -> Values:
    """Turn categories into their positions among those of the field."""
    values = to_exact_numbers(column) if is_number(column.dtype) else column.to_list()
    positions = {category: float(i) for i, category in enumerate(field.categories)}
    numbers = np.array([positions.get(value, np.nan) for value in values])
    new = np.flatnonzero(np.isnan(numbers) & ~missing_mask(column))
    if len(new):
        unseen.append(f"{_count_categories([values[row] for row in new])} in column {field.name!r}")
    return numbers


def _count_categories(categories: list[Any]) -> str:
    """Name the most frequent categories with their numbers of rows, and count the rows of the others."""
    counts = Counter(categories).most_common()
    named = [f"{category!r} ({pluralize(n, 'row')})" for category, n in counts[:N_NAMED]]
    others = [n for _, n in counts[N_NAMED:]]
    if others:
        named.append(f"{pluralize(len(others), 'other')} ({pluralize(sum(others), 'row')})")
    return ", ".join(named)
