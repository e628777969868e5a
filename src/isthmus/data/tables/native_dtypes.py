"""Columns and frames with the exact dtypes of a library, including those that narwhals does not distinguish."""

import base64
import io
import json
import re
from functools import lru_cache
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

ARROW_COLUMNS = b"isthmus.arrow_columns"


def make_column_like(column: Any, values: Any) -> Any:
    """Make a narwhals column with the name, library, native dtype and, for equal lengths, the index of another column.

    Parameters
    ----------
    column : narwhals.Series
    values : ndarray of shape (n,)
        Numbers, objects of Python with None where missing, or datetime64, in UTC if the column has a time zone.
    """
    if column.dtype.is_integer() and values.dtype.kind == "f":
        values = round_to_integers(values, str(column.dtype))
    if values.dtype.kind == "M":
        values = _in_unit_of(column.dtype, values)
    if values.dtype == object:
        values = _to_int_objects(values) if column.dtype.is_integer() else values.tolist()
    library, zone = column.implementation, find_time_zone(column.dtype)
    native = _native_column(column, values) if library.is_pandas_like() else None
    if native is None:
        new = nw.new_series(column.name, values, _first_dtype(column, values), backend=library)
        new = new.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else new
        native = _cast(new.to_native(), column.to_native(), library)
    return nw.from_native(native, series_only=True).alias(column.name)


def find_fitted_column(column: Any, schema: Schema) -> Any:
    """Return the empty column of fit with the name of a column, in the library of the column."""
    known = read_template(schema).get_column(column.name)
    if known.implementation == column.implementation:
        return known
    cells = known.to_arrow()
    if pa.types.is_null(cells.type):
        # pandas before version 3 stores texts as objects, which have no type without rows.
        field = next(field for field in schema.fields if field.name == column.name)
        cells = cells.cast(pa.array(field.categories).type)
    table = pa.table({"column": cells})
    return nw.DataFrame.from_arrow(table, backend=column.implementation)["column"].alias(column.name)


def make_frame(native: Any, empty: Any) -> Any:
    """Give a native frame the index and the schema of a narwhals frame without rows."""
    if empty.implementation.is_pyarrow():
        return native.cast(empty.to_native().schema)
    index = nw.maybe_get_index(empty)
    if index is not None and index.nlevels == 1:
        native.index.name = index.name
    return native


def write_template(frame: Any) -> str:
    """Serialise the dtypes of a narwhals frame as text, to make frames like it in another process.

    Raises
    ------
    ValueError
        If the library cannot serialise the type of a column, such as Python objects in polars.
    """
    file, library, rows = io.BytesIO(), frame.implementation, frame.head(0).to_native()
    if library.is_polars():
        unknown = [name for name, dtype in frame.schema.items() if dtype == nw.Object]
        if unknown:
            raise ValueError(f"column {unknown[0]!r} holds Python objects; turn it into numbers, text or dates")
        rows.write_ipc_stream(file)
    else:
        batch = _of_pandas(rows) if library.is_pandas_like() else _no_rows(rows.schema)
        with pa.ipc.new_stream(file, batch.schema) as writer:
            writer.write_batch(batch)
    return base64.b64encode(file.getvalue()).decode()


def read_template(schema: Schema) -> Any:
    """Return the empty narwhals frame that ``write_template`` serialised."""
    return _parse_template(schema.template, schema.container, tuple(schema.names))


@lru_cache(maxsize=4)  # single columns of a wide table are requested
def _parse_template(template: str, container: str, names: tuple[Any, ...]) -> Any:
    data = io.BytesIO(base64.b64decode(template))
    library = nw.Implementation.from_string(container)
    if library.is_polars():
        return nw.from_native(library.to_native_namespace().read_ipc_stream(data))
    table = pa.ipc.open_stream(data).read_all()
    return nw.from_native(table if library.is_pyarrow() else _to_pandas(table, library, list(names)))


def _of_pandas(rows: Any) -> pa.RecordBatch:
    """Convert an empty pandas frame, and list its columns of arrow dtypes, which pandas does not record reliably."""
    arrow = {i: dtype.pyarrow_dtype for i, dtype in enumerate(rows.dtypes) if type(dtype).__name__ == "ArrowDtype"}
    try:
        plain = pa.RecordBatch.from_pandas(rows.astype({rows.columns[i]: object for i in arrow}) if arrow else rows)
    except pa.ArrowException as error:
        what = f"categories of several types cannot be kept ({'; '.join(map(str, error.args))})"
        raise ValueError(f"{what}; turn these columns into text") from error
    arrays = [pa.array([], arrow[i]) if i in arrow else plain[i] for i in range(plain.num_columns)]
    notes = {**plain.schema.metadata, ARROW_COLUMNS: json.dumps(list(arrow))}
    return pa.RecordBatch.from_arrays(arrays, plain.schema.names).replace_schema_metadata(notes)


def _to_pandas(table: pa.Table, library: Any, names: list[str]) -> Any:
    frame, pandas = table.to_pandas(), library.to_native_namespace()
    for i in json.loads(table.schema.metadata[ARROW_COLUMNS]):
        dtype = pandas.ArrowDtype(table.schema.field(i).type)
        frame[frame.columns[i]] = pandas.Series([], frame.index, dtype=dtype)
    frame.columns = names
    return frame


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], type=field.type) for field in schema], schema=schema)


def _native_column(column: Any, values: Any) -> Any:
    """Make a pandas column, with dtypes that narwhals cannot name."""
    native, pandas = column.to_native(), column.implementation.to_native_namespace()
    index = native.index if len(native) == len(values) else None
    zone = find_time_zone(column.dtype)
    if zone:
        values = pandas.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone)
    return pandas.Series(values, index=index, name=native.name).astype(native.dtype)


def _first_dtype(column: Any, values: Any) -> Any:
    """Return the dtype of narwhals for a new column whose values do not determine it; None for other columns."""
    is_unclear = isinstance(values, list) and (column.dtype.is_integer() or all(value is None for value in values))
    # pyarrow 21 and older make no column of missing categories, but convert one of missing values.
    return column.dtype if is_unclear and column.dtype not in (nw.Unknown, nw.Categorical) else None


def _cast(new: Any, like: Any, library: Any) -> Any:
    if library.is_polars():
        return new if new.dtype == like.dtype else new.cast(like.dtype)
    kind = like.type
    if new.type == kind:
        return new
    if pa.types.is_dictionary(kind):
        return new.cast(kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_decimal(kind):
        # Converted through text, because arrow refuses floats with more digits than the scale.
        return pa.chunked_array([[f"{value:.{kind.scale}f}" for value in new.to_pylist()]], pa.string()).cast(kind)
    return new.cast(kind)


def round_to_integers(values: Values, dtype: str) -> Values:
    """Round floats to integers within the range of a dtype."""
    limits = np.iinfo(dtype.lower().replace("128", "64"))
    rounded = np.round(values)
    # The largest 64-bit integer rounds up to a float64 outside the range.
    inside = np.clip(
        rounded, float(limits.min), np.nextafter(float(limits.max), 0) if limits.bits == 64 else limits.max
    )
    return inside.astype(limits.dtype)


def _to_int_objects(values: Values) -> list[int | None]:
    return [None if value is None else int(value) for value in values.tolist()]


def _in_unit_of(dtype: Any, times: Values) -> Values:
    """Round times in microseconds to the unit of a dtype."""
    unit = getattr(dtype, "time_unit", "us")
    half = {"s": 500_000, "ms": 500}.get(unit)
    return times if half is None else (times + np.timedelta64(half, "us")).astype(f"datetime64[{unit}]")


def find_time_zone(dtype: Any) -> str | None:
    """Return the time zone in the name of a dtype, if any."""
    found = re.search(r"time_zone='([^']+)'", str(dtype))
    return found[1] if found else None
