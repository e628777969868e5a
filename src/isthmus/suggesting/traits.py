"""What data are: their kind, size, missing cells and categories."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from isthmus.data import Source, Texts, Windows, as_source
from isthmus.data.series.times import list_time_columns
from isthmus.data.streams.stream import Stream
from isthmus.data.validation import complete_schema, compute_statistics, require_finite
from isthmus.formatting import format_percent
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
# Description of data of each kind, with the number of rows and the shape of a row.
DESCRIPTIONS = {
    "counts": "{} rows of {} counts",
    "flat images": "{} images of {} pixels, one per row",
    "images": "{} images of shape {}",
    "series": "{} series of shape {} (channels x time points)",
    "stream": "{} rows of {} numbers, which are not in memory",
    "table": "{} rows of {} columns",
    "texts": "{} texts",
    "time points": "{} time points of {} columns",
    "windows": "{} windows of shape {} (channels x time points)",
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
    shape : tuple of int
        Shape of a row as a model reads it; empty for texts.
    n_categorical : int
        Number of columns of categories.
    missing : float
        Share of missing cells, among the rows that were read.
    left_out : str
        Columns that models do not learn from, with the reasons.
    time : str, tuple of str or None
        Columns with the times of time points.
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
        size = DESCRIPTIONS[self.kind].format(f"{self.n_rows:,}", " x ".join(map(str, self.shape)))
        categories = f", {self.n_categorical} of them categories" if self.n_categorical else ""
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
    if isinstance(X, Texts):
        return list(X.texts), Traits("texts", len(X.texts))
    if _are_texts(X):
        return list(X), Traits("texts", len(X))
    source = as_source(X)
    x = next(source.batches(max(2, min(len(source), N_READ // math.prod(source.schema.shape))))).x
    _check_values(source, x)
    found = _find_times(source.schema, x) if time is None and may_be_series else ()
    columns = found if time is None else tuple(list_time_columns(time))
    kind = "time points" if columns else _kind_of(source, X, x)
    facts = (
        len(source),
        source.schema.shape,
        len(source.schema.categorical),
        float(x.isnan().double().mean()),
        source.schema.left_out,
    )
    traits = Traits(kind, *facts, columns[0] if len(columns) == 1 else columns or None)
    return (X if columns else source), traits


def _check_values(source: Source, x: Tensor) -> None:
    """Raise ``ValueError`` for values that ``fit`` refuses, as far as the rows that were read show."""
    require_finite(x, source.schema)
    if len(x) == len(source):
        complete_schema(source.schema, compute_statistics(source), missing=False, condition=None)


def _are_texts(X: Any) -> bool:
    """Whether data are a list, array or column of texts."""
    is_flat = isinstance(X, list | tuple) or len(getattr(X, "shape", ())) == 1
    return is_flat and len(X) > 0 and all(isinstance(text, str) for text in X)


def _kind_of(source: Source, X: Any, x: Tensor) -> str:
    schema, statistics = source.schema, Statistics.of(x.double())
    if isinstance(X, Windows):
        return "windows"
    if schema.layout or len(schema.shape) > 2:
        return "images"
    if len(schema.shape) == 2:
        return "series"
    if not schema.categorical and statistics.are_pixels:
        return "flat images"
    if _are_counts(schema, statistics, x):
        return "counts"
    return "stream" if isinstance(source, Stream) else "table"


def _are_counts(schema: Schema, statistics: Statistics, x: Tensor) -> bool:
    are_counts = bool(statistics.integers.all() and statistics.low.min() >= 0) and not statistics.binary
    wide = math.prod(schema.shape) >= MIN_COUNTED
    return are_counts and wide and not schema.categorical and float((x == 0).double().mean()) > MIN_ZEROS


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
