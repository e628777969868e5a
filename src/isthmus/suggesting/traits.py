"""What data are: their kind, size, missing cells and categories."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from isthmus.data import Source, Texts, Windows, as_source
from isthmus.data.series.times import list_time_columns
from isthmus.data.streams.stream import Stream
from isthmus.data.validation import complete_schema, compute_statistics, require_finite
from isthmus.formatting import format_percent, pluralize
from isthmus.schema import Schema
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]

# Number of values that are read, which bounds the time.
N_READ = 2**20
# Rows of counts are mostly zeros, and have at least this many columns, as word counts do; a rule of thumb.
MIN_ZEROS, MIN_COUNTED = 0.5, 20
# Dates are the times of a series if there are at least this many, and they ascend by steps whose lengths differ by at
# most this factor: the months of a year differ by a factor of 1.1.
MIN_TIMES, MAX_STEP_RATIO = 20, 1.2
# Words for a row and for a value of data of each kind, "" for rows that are described by their shape; and a note.
UNITS = {
    "counts": ("row", "count", ""),
    "flat images": ("image", "pixel", ", one per row"),
    "images": ("image", "", ""),
    "series": ("series", "", " (channels x time points)"),
    "stream": ("row", "number", ", which are not in memory"),
    "table": ("row", "column", ""),
    "texts": ("text", "", ""),
    "time points": ("time point", "column", ""),
    "windows": ("window", "", " (channels x time points)"),
}


@dataclass(frozen=True)
class Traits:
    """What decides which estimator suits some data.

    Parameters
    ----------
    kind : str
        "table"; "counts" (rows of many counts, mostly zeros, as of words in texts); "flat images" (one row per image);
        "images" (with axes of height and width; grids and volumes too); "series" (one per row); "windows" (of one
        series); "time points" (rows of one series); "texts"; or "stream" (rows of numbers that are not in memory).
    n_rows : int
        Number of rows.
    shape : tuple of int, default=()
        Shape of a row as a model reads it; empty for texts.
    n_categorical : int, default=0
        Number of columns of categories.
    missing : float
        Share of missing cells, among the rows that were read.
    left_out : str, default=""
        Columns that models do not learn from, with the reasons.
    time : str, tuple of str or None, default=None
        Columns with the times of time points.

    Examples
    --------
    >>> from isthmus.suggesting import Traits
    >>> print(Traits("table", 500, (8,), n_categorical=3, missing=0.02))
    500 rows of 8 columns, 3 of them categorical, 2 % of the cells missing
    """

    kind: str
    n_rows: int
    shape: tuple[int, ...] = ()
    n_categorical: int = 0
    missing: float = 0.0
    left_out: str = ""
    time: str | tuple[str, ...] | None = None

    @property
    def n_values(self) -> int:
        """Number of values of a row."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        row, value, note = UNITS[self.kind]
        shape = f" of shape {' x '.join(map(str, self.shape))}" if self.shape else ""
        size = f"{pluralize(self.n_rows, row)}{f' of {pluralize(self.n_values, value)}' if value else shape}{note}"
        categories = f", {self.n_categorical} of them categorical" if self.n_categorical else ""
        missing = f", {format_percent(self.missing)} of the cells missing" if self.missing else ""
        return size + categories + missing + (f", and left out: {self.left_out}" if self.left_out else "")


def read_data(X: Any, time: str | Sequence[str] | None = None, may_be_series: bool = True) -> tuple[Any, Traits]:
    """Return the data as a source, texts as a list, and time points as they are; and what they are.

    Rows with times in ``time`` are time points. If this is None and rows ``may_be_series``, they are time points if
    they have numbers and one column of dates at equal steps in ascending order.

    Raises
    ------
    ValueError
        If there are no rows, the container is not supported, or a value is infinite or a column empty.
    """
    texts = X.texts if isinstance(X, Texts) else X
    if _are_texts(texts):
        return list(texts), Traits("texts", len(texts))
    source = as_source(X)
    x = next(source.batches(max(2, min(len(source), N_READ // math.prod(source.schema.shape))))).x
    _check_values(source, x)
    found = _find_times(source.schema, x) if time is None and may_be_series else ()
    columns = found if time is None else tuple(list_time_columns(time))
    traits = _describe(source, x, "time points" if columns else _find_kind(source, X, x))
    return (X if columns else source), replace(traits, time=columns[0] if len(columns) == 1 else columns or None)


def _describe(source: Source, x: Tensor, kind: str) -> Traits:
    schema = source.schema
    n_categorical = 0 if kind == "counts" else len(schema.categorical)
    return Traits(kind, len(source), schema.shape, n_categorical, float(x.isnan().double().mean()), schema.left_out)


def _check_values(source: Source, x: Tensor) -> None:
    """Raise ``ValueError`` for values that ``fit`` refuses, as far as the rows that were read show."""
    require_finite(x, source.schema)
    if len(x) == len(source):
        complete_schema(source.schema, compute_statistics(source), missing=False, condition=None)


def _are_texts(X: Any) -> bool:
    """Whether data are a list, array or column of texts."""
    is_flat = isinstance(X, list | tuple) or len(getattr(X, "shape", ())) == 1
    return is_flat and len(X) > 0 and all(isinstance(text, str) for text in X)


def _find_kind(source: Source, X: Any, x: Tensor) -> str:
    """Return the first kind that applies."""
    schema, statistics = source.schema, Statistics.of(x.double())
    kinds = {
        "windows": isinstance(X, Windows),
        "images": bool(schema.layout) or len(schema.shape) > 2,
        "series": len(schema.shape) == 2,
        "flat images": not schema.categorical and statistics.are_pixels,
        "counts": _are_counts(schema, statistics, x),
        "stream": isinstance(source, Stream),
    }
    return next((kind for kind, applies in kinds.items() if applies), "table")


def _are_counts(schema: Schema, statistics: Statistics, x: Tensor) -> bool:
    """Whether rows are many counts, mostly zeros; in data frames, words that occur at most once per row are binary."""
    are_counts = bool(statistics.integers.all() and statistics.low.min() >= 0) and not statistics.binary
    wide = math.prod(schema.shape) >= MIN_COUNTED
    are_numbers = all(_is_zero_or_one(schema.used[i].categories) for i in schema.categorical)
    return are_counts and wide and are_numbers and float((x == 0).double().mean()) > MIN_ZEROS


def _is_zero_or_one(categories: Sequence[Any]) -> bool:
    """Whether the categories of a column are the numbers 0 and 1, and no truth values."""
    return tuple(categories) == (0, 1) and not any(isinstance(category, bool) for category in categories)


def _find_times(schema: Schema, x: Tensor) -> tuple[Any, ...]:
    """Return the only column of dates, if all others hold numbers and its dates ascend by equal steps; () otherwise."""
    fields = schema.used if schema.fields else []
    dates = [i for i, field in enumerate(fields) if field.kind == "date"]
    are_numbers = all(isinstance(value, Real) for field in fields for value in field.categories)
    if len(dates) != 1 or not are_numbers or len(fields) < 2 or len(x) < MIN_TIMES:
        return ()
    steps = x[:, dates[0]].double().diff()
    is_series = bool(steps.min() > 0 and steps.max() <= MAX_STEP_RATIO * steps.min())
    return (fields[dates[0]].name,) if is_series else ()
