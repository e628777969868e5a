"""Missing cells that a model filled: their number by column, and how certain each is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.containers import open_frame
from isthmus.data import Source
from isthmus.data.tables.cells import find_missing, to_floats
from isthmus.data.tables.frames import unused_name
from isthmus.formatting import format_range, format_value, pluralize
from isthmus.generation.intervals import CONTAINED, N_DRAWS, find_limits
from isthmus.schema import NUMBERS

Values = np.ndarray[Any, Any]

# Columns that a message names at most.
N_NAMED = 5
# Rows of a source that are read at once.
CHUNK = 2**12
INTERVALS = (
    f"beside filled columns, _low and _high are limits of {100 * CONTAINED:.0f} % intervals from {N_DRAWS} random "
    "imputations of a cell, and _share is the share of these with the category that is filled in; isthmus report "
    "checks both on hidden cells"
)


class FilledCells:
    """Counts the cells that are missing before and after imputation, over one or more tables, arrays or sources."""

    def __init__(self) -> None:
        self.before: Counter[str] = Counter()
        self.after: Counter[str] = Counter()

    def add(self, before: Any, after: Any) -> Any:
        """Count the missing cells of rows before and after imputation, and return the latter."""
        self.before += _count_missing(before)
        self.after += _count_missing(after)
        return after

    def __str__(self) -> str:
        """Return one sentence, such as ``filled 23 cells (age 10, city 13); 2 stay missing (note 2)``."""
        filled = self.before - self.after
        sentence = f"filled {pluralize(filled.total(), 'cell')}{_by_column(filled)}"
        return f"{sentence}; {self.after.total():,} stay missing{_by_column(self.after)}" if self.after else sentence


def report_filling(estimator: Any, X: Any, cells: FilledCells) -> None:
    """Print how many cells are filled, and which values far outside the rows of fit they were filled from."""
    print(cells)
    for line in _list_values_outside(estimator, X):
        print(line)


def _list_values_outside(estimator: Any, X: Any) -> Iterator[str]:
    """Yield a line for each column of numbers with values far outside those of fit: another unit, or a typing error."""
    fields = getattr(getattr(estimator, "schema_", None), "fields", ()) if isinstance(X, pa.Table) else ()
    for field in (field for field in fields if field.kind in NUMBERS):
        values = to_floats(open_frame(X).get_column(field.name))
        width = field.high - field.low
        far = values[(values < field.low - width) | (values > field.high + width)]
        if len(far):
            known, example = format_range(field.low, field.high), format_value(float(far[0]))
            yield (
                f"{field.name} is far outside the values of fit ({known}) in {pluralize(len(far), 'row')}, such as "
                f"{example}: cells that are filled from such values may be wrong"
            )


def _count_missing(rows: Any) -> Counter[str]:
    if isinstance(rows, pa.Table):
        frame = open_frame(rows)
        counts = {name: find_missing(frame.get_column(name)).sum() for name in frame.columns}
        return Counter({name: int(n) for name, n in counts.items() if n})
    if isinstance(rows, Source):
        n_missing = sum(int(batch.x.isnan().sum()) for batch in rows.batches(CHUNK))
    else:
        n_missing = int(np.isnan(np.asarray(rows, dtype=np.float64)).sum())
    return Counter({"": n_missing} if n_missing else {})


def _by_column(counts: Counter[str]) -> str:
    named = [f"{name} {n:,}" for name, n in counts.most_common(N_NAMED) if name]
    more = ", ..." if len(counts) > N_NAMED else ""
    return f" ({', '.join(named)}{more})" if named else ""


def add_intervals(before: pa.Table, filled: pa.Table, draws: Sequence[pa.Table]) -> pa.Table:
    """Insert columns beside those with filled cells, which say how certain each filled cell is; null in other cells."""
    columns: dict[str, Any] = {}
    for name, column in zip(filled.column_names, filled.columns, strict=True):
        columns[name] = column
        is_filled = _find_missing(before, name) & ~_find_missing(filled, name)
        if is_filled.any():
            added = _describe_draws(column, [draw.column(name) for draw in draws])
            columns |= {unused_name(name + end, filled.column_names): _only(is_filled, v) for end, v in added.items()}
    return pa.table(columns)


def _describe_draws(column: pa.ChunkedArray, draws: Sequence[pa.ChunkedArray]) -> dict[str, Values]:
    """Return the limits of the drawn numbers or dates of each cell, or the share of draws with its category."""
    drawn = np.stack([draw.to_numpy() for draw in draws])
    if drawn.dtype.kind not in "iufM":
        return {"_share": (drawn == column.to_numpy()).mean(0)}
    low, high = find_limits(drawn)
    return {"_low": low, "_high": high}


def _only(chosen: Values, values: Values) -> pa.Array:
    return pa.array(values, mask=~chosen)


def _find_missing(rows: pa.Table, name: str) -> Values:
    return np.asarray(find_missing(open_frame(rows).get_column(name)))
