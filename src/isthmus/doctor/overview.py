"""Overview of a table: one line per column, repeated rows, and associated columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from isthmus.data.tables.cells import find_missing, to_days, to_floats
from isthmus.data.tables.kinds import infer_fields
from isthmus.doctor.rows import Values, finite_frame
from isthmus.formatting import format_percent, join_limits, pluralize
from isthmus.metrics.association import MIN_ROWS, correlation_ratio, cramers_v
from isthmus.metrics.encoding import as_frame, encode
from isthmus.metrics.fidelity import rank_correlations
from isthmus.metrics.text_table import format_table
from isthmus.schema import NUMBERS, Field

# Bars of a histogram, and categories that a line names.
N_BARS, N_NAMED = 10, 3
# Characters of a value that a line shows.
WIDTH = 20
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*%#"
# Largest number of columns whose pairs are compared, and of categories of a compared column: with more, counts are too
# small. Number of rows that are compared, evenly spaced. Rules of thumb.
MAX_COLUMNS, MAX_CATEGORIES, N_ROWS = 200, 50, 10_000
# Weakest association that is listed, and number of associations.
MIN_STRENGTH, N_PAIRS = 0.5, 10


@dataclass(frozen=True)
class ColumnOverview:
    """One column of a table.

    Parameters
    ----------
    name : str
        Name of the column.
    kind : str
        Kind of the column in ``fit``: "real", "category", "date", "identifier" and so on.
    n_missing : int
        Number of missing cells.
    values : str
        Range and median of numbers and dates, the most frequent categories, or an example.
    counts : tuple of int, default=()
        A histogram: number of rows in ten intervals of equal width between the smallest and the largest number or date,
        or of each of the ten most frequent categories. Empty for other kinds.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.doctor import summarize
    >>> column = summarize(pa.table({"age": [18, 30, 44, 71] * 5})).columns[0]
    >>> column.kind, column.values
    ('real', '18 to 71, median 37')
    """

    name: Any
    kind: str
    n_missing: int
    values: str
    counts: tuple[int, ...] = ()


class Association(NamedTuple):
    """Association of two columns.

    Parameters
    ----------
    first, second : str
        Names of the columns.
    strength : float
        From 0 to 1; for two columns of numbers or dates from -1 to 1.
    measure : str
        For two columns of numbers or dates Spearman's rank correlation, for a number and a category the correlation
        ratio of the ranks, for two categories Cramér's V; the last two are corrected for chance.

    Examples
    --------
    >>> from isthmus.doctor import Association
    >>> print(Association("height", "weight", 0.87, "rank correlation"))
    height, weight: 0.87 (rank correlation)
    """

    first: Any
    second: Any
    strength: float
    measure: str

    def __str__(self) -> str:
        return f"{self.first}, {self.second}: {self.strength:.2f} ({self.measure})"


@dataclass(frozen=True)
class Overview:
    """Overview of a table; ``print`` shows one line per column.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    n_duplicates : int
        Number of rows that repeat an earlier one.
    columns : tuple of ColumnOverview
        The columns, in their order.
    associations : tuple of Association
        The most strongly associated pairs of columns, the strongest first.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.doctor import summarize
    >>> print(str(summarize(pa.table({"age": [18, 30, 44, 71] * 5}))).splitlines()[0])
    20 rows x 1 column; 0 cells missing (0 %); 16 rows repeat an earlier one
    """

    n_rows: int
    n_duplicates: int
    columns: tuple[ColumnOverview, ...]
    associations: tuple[Association, ...]

    def __str__(self) -> str:
        """Return the overview as text, with histograms of block characters."""
        return self.to_text(BARS)

    def to_text(self, bars: str) -> str:
        """Return the overview as text.

        Parameters
        ----------
        bars : str
            Characters of a histogram, from low to high.

        Returns
        -------
        str
            A line of sizes, a line for each column, and the associations.
        """
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
        return "\n".join([summary, "", table, *(["", "associated columns", *pairs] if pairs else [])])

    def _line(self, column: ColumnOverview, bars: str) -> tuple[str, ...]:
        missing = format_percent(column.n_missing / max(1, self.n_rows)) if column.n_missing else "-"
        return (_shorten(column.name), column.kind, missing, _draw(column.counts, bars), column.values)


def summarize(X: Any, kinds: Any = None) -> Overview:
    """Summarise the columns of a table.

    Parameters
    ----------
    X : data frame
        Of any library that narwhals knows.
    kinds : mapping of str to str or None, default=None
        Kinds of columns by name, for columns whose kind is not inferred from the values, as the parameter ``schema`` of
        ``Autoencoder``.

    Returns
    -------
    Overview
        Kind, missing cells and values of each column, and associated columns.

    Raises
    ------
    TypeError
        If X is not a data frame.
    ValueError
        If there are no rows or no columns, or a column holds values of no known kind.

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
    frame, _ = finite_frame(as_frame("X", X))
    fields = infer_fields(frame, kinds or {})
    columns = tuple(_summarize_column(frame.get_column(field.name), field) for field in fields)
    return Overview(len(frame), _count_duplicates(frame, fields), columns, tuple(strongest_associations(frame, fields)))


def strongest_associations(frame: Any, fields: Sequence[Field]) -> list[Association]:
    """Return the strongest associations between columns of a narwhals frame.

    The list is empty if there are too few rows, or too many columns to compare all pairs.
    """
    used = [field for field in fields if field.used]
    if len(frame) < MIN_ROWS or not 1 < len(used) <= MAX_COLUMNS:
        return []
    rows = frame.gather_every(-(-len(frame) // N_ROWS)).select([field.name for field in used])
    pairs = _associations(used, encode({"X": rows.to_native()}).tables[0])
    strong = [pair for pair in pairs if abs(pair.strength) >= MIN_STRENGTH]
    return sorted(strong, key=lambda pair: -abs(pair.strength))[:N_PAIRS]


def _associations(fields: Sequence[Field], values: Values) -> Iterator[Association]:
    names = [field.name for field in fields]
    numbers = [i for i, field in enumerate(fields) if not field.is_categorical]
    categories = [
        i for i, field in enumerate(fields) if field.is_categorical and len(field.categories) <= MAX_CATEGORIES
    ]
    correlations = rank_correlations(values[:, numbers])
    for a, b in combinations(range(len(numbers)), 2):
        yield Association(names[numbers[a]], names[numbers[b]], float(correlations[a, b]), "rank correlation")
    for i in categories:
        for j in numbers:
            yield Association(names[i], names[j], correlation_ratio(values[:, i], values[:, j]), "correlation ratio")
    for i, j in combinations(categories, 2):
        yield Association(names[i], names[j], cramers_v(values[:, i], values[:, j]), "Cramér's V")


def _count_duplicates(frame: Any, fields: Sequence[Field]) -> int:
    """Count rows that repeat an earlier one in all columns except identifiers."""
    names = [field.name for field in fields if field.kind != "identifier"]
    return len(frame) - len(frame.select(names).unique()) if names else 0


def _summarize_column(column: Any, field: Field) -> ColumnOverview:
    n_missing = int(np.count_nonzero(find_missing(column).to_numpy()))
    values, counts = _describe(column, field)
    return ColumnOverview(field.name, field.kind, n_missing, values, tuple(counts))


def _describe(column: Any, field: Field) -> tuple[str, Sequence[int]]:
    """Return a description of a column, and the counts of its histogram."""
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
    return f"{join_limits(f'{low:.6g}', f'{high:.6g}')}, median {median:.6g}", np.histogram(known, N_BARS)[0].tolist()


def _describe_dates(days: Values) -> tuple[str, Sequence[int]]:
    known = days[~np.isnan(days)]
    first, median, last = (np.datetime64(int(day), "D") for day in np.quantile(known, [0, 0.5, 1]).tolist())
    return f"{join_limits(str(first), str(last))}, median {median}", np.histogram(known, N_BARS)[0].tolist()


def _describe_categories(values: list[Any], counts: Values) -> tuple[str, Sequence[int]]:
    named = zip(values[:N_NAMED], counts[:N_NAMED] / counts.sum(), strict=True)
    shares = [f"{_shorten(value)} {_round_percent(share)}" for value, share in named]
    others = ", ..." if len(values) > N_NAMED else ""
    return f"{len(values):,} categories: {', '.join(shares)}{others}", counts[:N_BARS].tolist()


def _count(column: Any) -> tuple[list[Any], Values]:
    """Count the distinct values of a column, the most frequent first."""
    counted = column.drop_nulls().value_counts(sort=True, name="n")
    return counted.get_column(column.name).to_list(), np.asarray(counted.get_column("n").to_numpy())


def _draw(counts: Sequence[int], bars: str) -> str:
    """Draw a histogram, one character per count; only empty intervals get the lowest bar."""
    top = max(counts, default=1) or 1
    return "".join(bars[int(np.ceil(count / top * (len(bars) - 1)))] for count in counts)


def _round_percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "<1 %"


def _shorten(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
