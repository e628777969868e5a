"""What a table holds: one line a column, repeated rows, and columns that go together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.containers import open_frame
from isthmus.data.tables.cells import find_missing, to_days, to_floats
from isthmus.data.tables.kinds import infer_fields
from isthmus.doctor.associations import Association, strongest
from isthmus.doctor.rows import Values, finite_frame
from isthmus.formatting import format_percent, pluralize
from isthmus.metrics.text_table import format_table
from isthmus.schema import NUMBERS, Field

# Number of bars of a histogram, and of categories that a line names.
N_BARS, N_NAMED = 10, 3
# Number of characters of a value that a line shows.
WIDTH = 20
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*%#"


@dataclass(frozen=True)
class ColumnOverview:
    """One column of a table.

    Attributes
    ----------
    name : str
    kind : str
        As ``fit`` would take the column: "real", "category", "date", "identifier" and so on.
    n_missing : int
    values : str
        The range and the median of numbers and dates, the most frequent categories, or an example.
    counts : tuple of int
        A histogram: rows in ten intervals of equal width between the smallest and the largest number or date, or rows
        of each of the ten most frequent categories. Empty for other kinds.
    """

    name: Any
    kind: str
    n_missing: int
    values: str
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Overview:
    """A table at a glance; printed, one line a column.

    Attributes
    ----------
    n_rows : int
    n_duplicates : int
        Rows that repeat an earlier one.
    columns : tuple of ColumnOverview
    associations : tuple of Association
        The pairs of columns that go together most, the strongest first.
    """

    n_rows: int
    n_duplicates: int
    columns: tuple[ColumnOverview, ...]
    associations: tuple[Association, ...]

    def __str__(self) -> str:
        """Return the overview as text, with histograms of block characters."""
        return self.to_text(BARS)

    def to_text(self, bars: str) -> str:
        """Return the overview as text; ``bars`` are the characters of a histogram, the lowest first."""
        n_missing = sum(column.n_missing for column in self.columns)
        n_cells = max(1, self.n_rows * len(self.columns))
        summary = (
            f"{pluralize(self.n_rows, 'row')} x {pluralize(len(self.columns), 'column')}; "
            f"{pluralize(n_missing, 'cell')} missing ({format_percent(n_missing / n_cells)}); "
            f"{pluralize(self.n_duplicates, 'row')} {'repeats' if self.n_duplicates == 1 else 'repeat'} an earlier one"
        )
        lines = [self._line(column, bars) for column in self.columns]
        table = format_table([("column", "kind", "missing", "histogram", "values"), *lines], left=(0, 1, 3, 4))
        pairs = [f"  {pair}" for pair in self.associations]
        return "\n".join([summary, "", table, *(["", "columns that go together", *pairs] if pairs else [])])

    def _line(self, column: ColumnOverview, bars: str) -> tuple[str, ...]:
        missing = format_percent(column.n_missing / max(1, self.n_rows)) if column.n_missing else "-"
        return (_shorten(column.name), column.kind, missing, _draw(column.counts, bars), column.values)


def summarize(X: Any, kinds: Any = None) -> Overview:
    """Say what the columns of a table hold, before anything is done with the table.

    Parameters
    ----------
    X : data frame
        Of any library that narwhals knows.
    kinds : mapping of str to str or None, default=None
        Kinds of columns by name where the values should not tell them, as the parameter ``schema`` of ``Autoencoder``.

    Returns
    -------
    Overview

    Raises
    ------
    ValueError
        If there are no rows or no columns, or a column holds what no kind fits.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.doctor import summarize
    >>> overview = summarize(pa.table({"town": ["Oslo", "Rome", None, "Oslo"] * 5, "age": [18, 30, 44, 71] * 5}))
    >>> [(column.name, column.kind, column.n_missing) for column in overview.columns]
    [('town', 'category', 5), ('age', 'real', 0)]
    >>> overview.columns[0].values
    '2 categories: Oslo 67 %, Rome 33 %'
    >>> overview.n_duplicates
    16
    """
    frame, _ = finite_frame(open_frame(X))
    if not all(frame.shape):
        raise ValueError(f"the table has {frame.shape[0]} rows and {frame.shape[1]} columns, expected some of both")
    fields = infer_fields(frame, kinds or {})
    columns = tuple(_summarize_column(frame.get_column(field.name), field) for field in fields)
    return Overview(len(frame), _count_duplicates(frame, fields), columns, tuple(strongest(frame, fields)))


def _count_duplicates(frame: Any, fields: Sequence[Field]) -> int:
    """Count rows that repeat an earlier one in all columns but those that tell rows apart."""
    names = [field.name for field in fields if field.kind != "identifier"]
    return len(frame) - len(frame.select(names).unique()) if names else 0


def _summarize_column(column: Any, field: Field) -> ColumnOverview:
    n_missing = int(np.count_nonzero(find_missing(column).to_numpy()))
    values, counts = _describe(column, field)
    return ColumnOverview(field.name, field.kind, n_missing, values, tuple(counts))


def _describe(column: Any, field: Field) -> tuple[str, Sequence[int]]:
    """Describe the values of a column in words, and count them for a histogram."""
    if field.kind in NUMBERS:
        return _describe_numbers(to_floats(column))
    if field.kind == "date":
        return _describe_dates(to_days(column))
    values, counts = _count(column)
    if not len(counts):
        return "no value in any row", ()
    if field.is_categorical:
        return _describe_categories(values, counts)
    if field.kind == "constant":
        return f"always {_shorten(values[0])}", ()
    return f"{len(values):,} distinct, such as {_shorten(values[0])}", ()


def _describe_numbers(numbers: Values) -> tuple[str, Sequence[int]]:
    known = numbers[np.isfinite(numbers)]
    low, median, high = np.quantile(known, [0, 0.5, 1])
    return f"{low:.6g} .. {high:.6g}, median {median:.6g}", _histogram(known)


def _describe_dates(days: Values) -> tuple[str, Sequence[int]]:
    known = days[~np.isnan(days)]
    first, median, last = (np.datetime64(int(day), "D") for day in np.quantile(known, [0, 0.5, 1]).tolist())
    return f"{first} .. {last}, median {median}", _histogram(known)


def _describe_categories(values: list[Any], counts: Values) -> tuple[str, Sequence[int]]:
    named = zip(values[:N_NAMED], counts[:N_NAMED] / counts.sum(), strict=True)
    shares = [f"{_shorten(value)} {_round_percent(share)}" for value, share in named]
    others = ", ..." if len(values) > N_NAMED else ""
    return f"{len(values):,} categories: {', '.join(shares)}{others}", counts[:N_BARS].tolist()


def _histogram(known: Values) -> Sequence[int]:
    counts: list[int] = np.histogram(known, N_BARS)[0].tolist()
    return counts


def _count(column: Any) -> tuple[list[Any], Values]:
    """Count the different values of a column, the most frequent first."""
    counted = column.drop_nulls().value_counts(sort=True, name="n")
    return counted.get_column(column.name).to_list(), np.asarray(counted.get_column("n").to_numpy())


def _draw(counts: Sequence[int], bars: str) -> str:
    """Draw a histogram, one character a count; only empty intervals get the lowest bar."""
    top = max(counts, default=1) or 1
    return "".join(bars[int(np.ceil(count / top * (len(bars) - 1)))] for count in counts)


def _round_percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "<1 %"


def _shorten(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
