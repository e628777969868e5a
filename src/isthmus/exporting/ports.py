"""Inputs and outputs of exported programs, and the arrays that a program reads for rows of a user.

A table has one input of shape (n, 1) for each column, as the converters of scikit-learn have it: names and types of the
inputs then say what a program expects, and no order of columns can be mistaken.

======== ==================================================================================
dtype    cells of a table
======== ==================================================================================
float64  numbers, and truth values as 0 and 1; NaN is missing
string   categories; "" is missing, and any text that was not in the training rows is unseen
int64    dates in microseconds since 1970-01-01; the smallest integer, NumPy's NaT, is missing
======== ==================================================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.anomaly.rows import to_numbers
from isthmus.containers import open_frame
from isthmus.data.tables.cells import holds_dates, is_number, missing_mask, to_days, to_floats
from isthmus.schema import MICROSECONDS, Field, Schema

Values = np.ndarray[Any, Any]
Feeds = dict[str, Values]

# Codes of texts in programs: of a missing one, of one that is not in the vocabulary, and of the first that is.
MISSING, UNSEEN, FIRST = 0, 1, 2
# NumPy's NaT as an integer: the smallest one.
NOT_A_TIME = np.iinfo(np.int64).min
# Dtypes of arrays that programs read as they are; those of other dtypes are given as float64.
ARRAY_DTYPES = ("float32", "uint8")


@dataclass(frozen=True)
class Port:
    """An input or output of a program.

    Parameters
    ----------
    name : str
    dtype : {"float32", "float64", "int64", "uint8", "uint16", "bool", "string"}
    shape : tuple of int
        Without the axis of rows.
    vocabulary : tuple of str
        The texts that the program knows; for dtype "string" only.
    step : float
        Distance between values that an output is rounded to; 0 if it is not rounded.
    shares_unit : bool
        Whether all values of an output have one unit, such as pixels: they are computed with the same rounding.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = (1,)
    vocabulary: tuple[str, ...] = ()
    step: float = 0.0
    shares_unit: bool = False

    @property
    def is_decision(self) -> bool:
        """Whether values are choices, which are equal or not, and no quantities."""
        return self.dtype in ("bool", "string")

    def encode(self, texts: Values) -> Values:
        """Turn texts into the codes that programs without texts read."""
        codes = {"": MISSING} | {text: FIRST + i for i, text in enumerate(self.vocabulary)}
        return np.array([codes.get(text, UNSEEN) for text in texts.ravel()], np.int64).reshape(texts.shape)

    def decode(self, codes: Values) -> Values:
        """Turn codes into texts."""
        return np.array(self.vocabulary, dtype=object)[codes - FIRST]


def column_port(field: Field, prefix: str = "") -> Port:
    """Return the port of a column that a model learns from.

    Raises
    ------
    ValueError
        If categories are texts and numbers, which no type of a program holds.
    """
    if field.is_categorical:
        return category_port(f"{prefix}{field.name}", field.categories)
    return Port(f"{prefix}{field.name}", "int64" if field.kind == "date" else "float64")


def category_port(name: str, categories: Sequence[Any]) -> Port:
    """Return the port of categories: texts, or numbers and truth values."""
    texts = tuple(category for category in categories if isinstance(category, str))
    if texts and len(texts) < len(categories):
        raise ValueError(f"column {name!r} holds texts and numbers as categories; export needs one type per column")
    return Port(name, "string", vocabulary=texts) if texts else Port(name, "float64")


def array_port(name: str, schema: Schema) -> Port:
    """Return the input port of arrays, in the layout of the training rows."""
    dtype = schema.dtype if schema.dtype in ARRAY_DTYPES and not (schema.missing and schema.dtype == "uint8") else ""
    return Port(name, dtype or "float64", to_layout_shape(schema))


def to_layout_shape(schema: Schema) -> tuple[int, ...]:
    """Return the shape of a sample in the layout of the training rows."""
    channels, *sizes = schema.shape
    return {"hw": (*sizes,), "hwc": (*sizes, channels)}.get(schema.layout, schema.shape)


def read_feeds(estimator: Any, X: Any, ports: Sequence[Port]) -> Feeds:
    """Return the arrays that a program reads for rows in any container of the user."""
    if estimator.schema_.fields:
        return read_cells(X, ports)
    numbers = to_numbers(estimator.read_rows(X))
    layout = estimator.schema_.layout
    numbers = numbers[:, 0] if layout == "hw" else np.moveaxis(numbers, 1, -1) if layout == "hwc" else numbers
    return {port.name: numbers.astype(port.dtype) for port in ports}


def read_cells(X: Any, ports: Sequence[Port], prefix: str = "") -> Feeds:
    """Return the cells of a data frame as the arrays of ports."""
    frame = open_frame(X)
    names = {str(name): name for name in frame.columns}
    columns = {port: frame.get_column(names[port.name.removeprefix(prefix)]) for port in ports}
    return {port.name: _read_column(column, port.dtype)[:, None] for port, column in columns.items()}


def _read_column(column: Any, dtype: str) -> Values:
    missing = missing_mask(column)
    if missing.all():
        return np.full(len(missing), {"string": "", "int64": NOT_A_TIME}.get(dtype, np.nan), _numpy_dtype(dtype))
    if dtype == "string":
        return np.where(missing, "", np.array([str(value) for value in column.to_list()], dtype=object))
    if dtype == "int64":
        if not holds_dates(column):
            raise ValueError(f"column {column.name!r} holds no dates")
        days = np.where(missing, 0.0, to_days(column))
        return np.where(missing, NOT_A_TIME, np.round(days * MICROSECONDS).astype(np.int64))
    if is_number(column.dtype) or column.dtype == nw.Boolean:
        return to_floats(column)
    return np.array([np.nan if gone else float(x) for x, gone in zip(column.to_list(), missing, strict=True)])


def _numpy_dtype(dtype: str) -> Any:
    return object if dtype == "string" else dtype
