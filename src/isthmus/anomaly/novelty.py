"""What fit never saw: a new category, a value missing where none was, a constant that moves. Evidence, in nats."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import torch

from isthmus.containers import is_frame, open_frame
from isthmus.data import Source
from isthmus.data.sources import to_computable_rows
from isthmus.data.tables.cells import find_missing, holds_dates, is_number, is_text, to_floats
from isthmus.data.tables.kinds import FEW_ROWS
from isthmus.schema import LEFT_OUT, Schema

Values = np.ndarray[Any, Any]

# A number with at most this many values is a category, as in ``data.tables.kinds``: constants, binary columns.
MAX_NUMBERS = 2
# Rows that tell a column of many different numbers, before all are counted.
N_LOOKED_AT = 100
# Nats below which a new value tells nothing: every second value is new in such a column, as in free text.
MIN_NATS = math.log(2)
# Relative distance up to which numbers are equal: the precision of float32, in which one of two files may be.
PRECISION = 1e-6


class Cells(NamedTuple):
    """A column: its values, which of them are missing, and whether they are numbers, categories or dates."""

    values: Values
    missing: Values
    kind: str


@dataclass(frozen=True)
class SeenColumn:
    """What fit saw of a column.

    Parameters
    ----------
    name : str or int
        Position in arrays.
    kind : {"number", "category", "date"}
    levels : tuple or None
        All values, where others are new; None where any number or date may come.
    has_missing : bool
        Whether values were missing, or the estimator is the one to refuse missing values.
    typical : object
        The most frequent level, the median number or date; None if all values were missing.
    nats : float
        Surprise of a new value.
    """

    name: Any
    kind: str
    levels: tuple[Any, ...] | None
    has_missing: bool
    typical: Any
    nats: float

    def is_novel(self, cells: Cells) -> Values:
        """Tell which cells (n,) hold what fit never saw. A column of another kind is for the estimator to refuse."""
        novel = cells.missing & (not self.has_missing)
        if self.levels is not None and (cells.kind == self.kind or not self.levels):
            novel |= ~cells.missing & ~self._knows(cells.values)
        return novel

    def _knows(self, values: Values) -> Values:
        levels = self.levels or ()
        if self.kind != "number":
            known = set(levels)
            return np.array([value in known for value in values.tolist()], dtype=bool)
        if not levels:
            return np.zeros(len(values), dtype=bool)
        ordered = np.sort(np.asarray(levels, dtype=np.float64))
        after = np.clip(np.searchsorted(ordered, values), 1, len(ordered)) if len(ordered) > 1 else np.ones(1, int)
        near = np.stack([ordered[after - 1], ordered[np.minimum(after, len(ordered) - 1)]])
        # Whole numbers differ by 1, however large they are.
        return np.asarray((np.abs(values - near) <= np.minimum(PRECISION * np.abs(near), 0.5)).any(0))


@dataclass(frozen=True)
class Novelty:
    """Tells rows that hold what fit never saw, by the columns of a table.

    A value that none of n rows had comes up in a new row with a probability of about (n_1 + 1) / (n + 1), if n_1 values
    came up once: few such values promise few new ones. Its surprise is minus the logarithm, and surprises of columns
    add up. A row of fit is held against the others: it is surprising where it alone has its value.

    Parameters
    ----------
    columns : tuple of SeenColumn
        Those in which a new value would be a surprise.
    n_rows : int
        Of fit.
    held_out : ndarray of shape (n_rows,) or None
        Surprise of each row of fit, given the others; None after loading.

    References
    ----------
    Good, The population frequencies of species and the estimation of population parameters, Biometrika 40, 1953.

    Examples
    --------
    >>> import pandas as pd
    >>> from isthmus.anomaly.novelty import Novelty
    >>> novelty = Novelty.of(pd.DataFrame({"flag": ["SF", "REJ"] * 50}))
    >>> novelty.surprise(novelty.find(pd.DataFrame({"flag": ["SF", "S0"]}))).round(2)
    array([0.  , 4.62])
    """

    columns: tuple[SeenColumn, ...] = ()
    n_rows: int = 0
    held_out: Values | None = None

    @classmethod
    def of(cls, X: Any, schema: Schema | None = None, refuses_missing: bool = False) -> "Novelty":
        """Learn from the rows of fit.

        Parameters
        ----------
        X : array, data frame or anything else, of which nothing is learned
        schema : Schema or None
            What the estimator takes the columns for, if it says so.
        refuses_missing : bool, default=False
            Whether the estimator takes no missing values, and is to say so.
        """
        fields = {field.name: field for field in schema.fields} if schema else {}
        columns, held_out = [], np.zeros(0)
        for name, cells in read_cells(X).items():
            field = fields.get(name)
            if field is not None and field.kind in LEFT_OUT and field.kind != "constant":
                continue
            column, surprise = learn(name, cells, field is not None and field.is_categorical)
            column = replace(column, has_missing=column.has_missing or refuses_missing)
            can_be_new = column.levels is not None or not column.has_missing
            columns += [column] * (can_be_new and column.nats > MIN_NATS)
            held_out = surprise + (held_out if len(held_out) else 0.0)
        return cls(tuple(columns), len(held_out), held_out)

    def find(self, X: Any) -> dict[Any, Values]:
        """Return the columns in which something is new, and in which rows (n,)."""
        cells = read_cells(X) if self.columns else {}
        masks = {column.name: column.is_novel(cells[column.name]) for column in self.columns if column.name in cells}
        return {name: mask for name, mask in masks.items() if mask.any()}

    def surprise(self, found: dict[Any, Values]) -> Any:
        """Return the surprise of each row in nats, (n,), by what ``find`` found; 0 if that is nothing."""
        return sum(column.nats * found[column.name] for column in self.columns if column.name in found)

    def settle(self, X: Any, found: dict[Any, Values]) -> Any:
        """Put typical values in the place of those that are new, so that an estimator can judge the rest of the row."""
        if not found:
            return X
        typical = {column.name: column.typical for column in self.columns}
        if is_frame(X):
            return _with_cells(open_frame(X), found, typical)
        rows = X.clone() if isinstance(X, torch.Tensor) else np.array(X)
        for name, mask in found.items():
            rows[mask, name] = math.nan if typical[name] is None else typical[name]
        return rows


def learn(name: Any, cells: Cells, declared: bool) -> tuple[SeenColumn, Values]:
    """Learn of a column, and say how surprising each of its cells is given the others.

    Parameters
    ----------
    name : str or int
    cells : Cells
    declared : bool
        Whether numbers are known to be categories.
    """
    n, n_missing = len(cells.missing), int(cells.missing.sum())
    known = cells.values[~cells.missing]
    counts = _count(known, cells.kind, n, declared)
    free = cells.kind == "category" or declared
    levels = counts if counts is not None and (free or len(counts) <= MAX_NUMBERS) else None
    typical = _typical(known, levels, cells.kind)
    column = SeenColumn(
        name,
        cells.kind,
        None if levels is None else tuple(levels),
        n_missing > 0,
        typical,
        math.log((n + 1) / (_n_once(levels, n, n_missing) + 1)),
    )
    others = counts if counts is not None and (free or len(counts) - 1 <= MAX_NUMBERS) else None
    return column, _surprise_of_each(cells, others, n_missing)


def _count(known: Values, kind: str, n: int, declared: bool) -> dict[Any, int] | None:
    """Count the values where they may be categories."""
    if kind == "category" or declared or not len(known):
        return Counter(known.tolist())
    if kind == "date" or n < FEW_ROWS or len(np.unique(known[:N_LOOKED_AT])) > MAX_NUMBERS + 1:
        return None
    values, counts = np.unique(known, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _n_once(levels: dict[Any, int] | None, n: int, n_missing: int) -> int:
    """Count the values that came up once; that one is missing is a value too."""
    counts: Iterable[int] = [n - n_missing] if levels is None else levels.values()
    return sum(count == 1 for count in [*counts, n_missing])


def _surprise_of_each(cells: Cells, levels: dict[Any, int] | None, n_missing: int) -> Values:
    n = len(cells.missing)
    once = {value for value, count in (levels or {}).items() if count == 1}
    alone = np.array([value in once for value in cells.values.tolist()], dtype=bool) if once else np.zeros(n, bool)
    alone = np.where(cells.missing, n_missing == 1, alone)
    nats = math.log(n / max(1, _n_once(levels, n, n_missing)))
    return np.where(alone, nats, 0.0) if nats > MIN_NATS else np.zeros(n)


def _typical(known: Values, levels: dict[Any, int] | None, kind: str) -> Any:
    if not len(known):
        return None
    if levels is not None:
        return max(levels, key=lambda level: levels[level])
    middle = (len(known) - 1) // 2
    return float(np.partition(known, middle)[middle]) if kind == "number" else sorted(known.tolist())[middle]


# Reading


def read_cells(X: Any) -> dict[Any, Cells]:
    """Read the columns of a data frame, by name, or of a matrix, by position; other data have none."""
    if is_frame(X):
        frame = open_frame(X)
        cells = {name: _cells_of(frame.get_column(name)) for name in frame.columns}
        return {name: each for name, each in cells.items() if each is not None}
    matrix = _as_matrix(X)
    if matrix is None:
        return {}
    columns = (np.asarray(matrix[:, i], dtype=np.float64) for i in range(matrix.shape[1]))
    return {i: Cells(column, np.isnan(column), "number") for i, column in enumerate(columns)}


def _cells_of(column: Any) -> Cells | None:
    """Read a column of numbers, of categories or of dates; None for any other."""
    missing = find_missing(column).to_numpy().astype(bool)
    if missing.all():
        return Cells(np.full(len(missing), math.nan), missing, "number")
    if is_number(column.dtype):
        return Cells(to_floats(column), missing, "number")
    if holds_dates(column):
        return Cells(_objects(column.to_list()), missing, "date")
    if not is_text(column.dtype):
        return None
    values = column.to_list()
    if column.dtype == nw.Object:
        values = [value if isinstance(value, str | bool | int | float) else str(value) for value in values]
    return Cells(_objects(values), missing, "category")


def _objects(values: list[Any]) -> Values:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _as_matrix(X: Any) -> Any:
    """Return rows of numbers as an array or a tensor of two axes; None for all else, which an estimator may know."""
    X = to_computable_rows(X)
    if isinstance(X, Source):
        return None
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of different lengths
            return None
    if isinstance(X, torch.Tensor):
        return X if X.ndim == 2 and not (X.is_sparse or X.is_complex()) else None
    return X if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "biuf" else None


def _with_cells(frame: Any, found: dict[Any, Values], typical: dict[Any, Any]) -> Any:
    columns = []
    for name, mask in found.items():
        column = frame.get_column(name)
        values = _objects(to_floats(column).tolist() if is_number(column.dtype) else column.to_list())
        values[mask] = typical[name]
        # Not in the dtype that the column has: a categorical one need not have the typical level.
        columns.append(nw.new_series(name, values.tolist(), backend=frame.implementation))
    index = nw.maybe_get_index(frame)
    if index is None:
        return frame.with_columns(*columns).to_native()
    return frame.with_columns(*(nw.maybe_set_index(column, index=index) for column in columns)).to_native()
