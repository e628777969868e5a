"""Values that were not in the training rows: new categories, missing values, constants that change; scored in nats."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isthmus.anomaly.cells import Cells, read_cells, replace_cells
from isthmus.data.tables.kinds import FEW_ROWS
from isthmus.schema import LEFT_OUT, Schema

Values = np.ndarray[Any, Any]

# A numeric column with at most this many different values is a constant or binary column: other values are novel.
MAX_NUMBERS = 2
# Rows that are checked first for many different numbers, before all rows are counted.
N_CHECKED = 100
# Smallest surprise that is counted, in nats. Below it, at least every second value is new, as in free text.
MIN_NATS = math.log(2)
# Relative difference up to which two numbers are equal: the precision of float32, since one file can be stored in it.
PRECISION = 1e-6


@dataclass(frozen=True)
class SeenColumn:
    """The values that a column had in ``fit``.

    Parameters
    ----------
    name : str or int
        Position in arrays.
    kind : {"number", "category", "date"}
    known : tuple or None
        All values of the column; None if any number or date is expected.
    has_missing : bool
        Whether values were missing, or the estimator raises an error for missing values itself.
    typical : object
        The most frequent value of categories, else the median; None if all values were missing.
    nats : float
        Surprise of a novel value.
    """

    name: Any
    kind: str
    known: tuple[Any, ...] | None
    has_missing: bool
    typical: Any
    nats: float

    def is_novel(self, cells: Cells) -> Values:
        """Mark novel cells (n,). A column of another kind has none, because the estimator raises an error for it."""
        novel = cells.missing & (not self.has_missing)
        if self.known is not None and (cells.kind == self.kind or not self.known):
            novel |= ~cells.missing & ~self._is_known(cells.values)
        return novel

    def _is_known(self, values: Values) -> Values:
        known = self.known or ()
        if self.kind != "number":
            categories = set(known)
            return np.array([value in categories for value in values.tolist()], dtype=bool)
        if not known:
            return np.zeros(len(values), dtype=bool)
        ordered = np.sort(np.asarray(known, dtype=np.float64))
        after = np.clip(np.searchsorted(ordered, values), 1, len(ordered)) if len(ordered) > 1 else np.ones(1, int)
        near = np.stack([ordered[after - 1], ordered[np.minimum(after, len(ordered) - 1)]])
        # Different integers differ by at least 1, also large ones.
        return np.asarray((np.abs(values - near) <= np.minimum(PRECISION * np.abs(near), 0.5)).any(0))


@dataclass(frozen=True)
class Novelty:
    """Finds values in the columns of a table that were not in the training rows, and measures their surprise.

    If n_1 of n training rows hold a value that occurs once, the probability that a new row holds a value which does not
    occur in them is about (n_1 + 1) / (n + 1) [1]. The surprise is minus the logarithm of this probability, and the
    surprises of columns add up. A training row is compared with the other training rows: a value is novel if no other
    row has it.

    Parameters
    ----------
    columns : tuple of SeenColumn
        Columns in which a novel value is surprising.
    n_rows : int
        Number of training rows.
    held_out : ndarray of shape (n_rows,) or None
        Surprise of each training row, given the others; None after loading.

    References
    ----------
    [1] Good, The population frequencies of species and the estimation of population parameters, Biometrika 40, 1953.

    Examples
    --------
    >>> import pandas as pd
    >>> from isthmus.anomaly.novelty import Novelty
    >>> novelty = Novelty.fit(pd.DataFrame({"flag": ["SF", "REJ"] * 50}))
    >>> novelty.surprise(novelty.find(pd.DataFrame({"flag": ["SF", "S0"]}))).round(2)
    array([0.  , 4.62])
    """

    columns: tuple[SeenColumn, ...] = ()
    n_rows: int = 0
    held_out: Values | None = None

    @classmethod
    def fit(cls, X: Any, schema: Schema | None = None, refuses_missing: bool = False) -> "Novelty":
        """Learn from the training rows.

        Parameters
        ----------
        X : array or data frame
            Nothing is learned from other containers.
        schema : Schema or None
            The columns as the estimator reads them, if it has a schema.
        refuses_missing : bool, default=False
            Whether the estimator raises an error for missing values itself.
        """
        fields = {field.name: field for field in schema.fields} if schema else {}
        columns, held_out = [], np.zeros(0)
        for name, cells in read_cells(X).items():
            field = fields.get(name)
            if field is not None and field.kind in LEFT_OUT and field.kind != "constant":
                continue
            column, surprise = fit_column(name, cells, field is not None and field.is_categorical)
            column = replace(column, has_missing=column.has_missing or refuses_missing)
            can_be_novel = column.known is not None or not column.has_missing
            columns += [column] * (can_be_novel and column.nats > MIN_NATS)
            held_out = surprise + (held_out if len(held_out) else 0.0)
        return cls(tuple(columns), len(held_out), held_out)

    def find(self, X: Any) -> dict[Any, Values]:
        """Return, for each column with novel values, in which rows they are (n,)."""
        cells = read_cells(X) if self.columns else {}
        masks = {column.name: column.is_novel(cells[column.name]) for column in self.columns if column.name in cells}
        return {name: mask for name, mask in masks.items() if mask.any()}

    def surprise(self, found: dict[Any, Values]) -> Any:
        """Return the surprise of each row in nats, (n,), from the result of ``find``; 0 if it is empty."""
        return sum(column.nats * found[column.name] for column in self.columns if column.name in found)

    def replace_novel(self, X: Any, found: dict[Any, Values]) -> Any:
        """Replace novel values by typical ones, so that an estimator can score the rest of the row."""
        return replace_cells(X, found, {column.name: column.typical for column in self.columns}) if found else X


def fit_column(name: Any, cells: Cells, is_categorical: bool) -> tuple[SeenColumn, Values]:
    """Learn the values of a column, and return the surprise (n,) of each cell given the others."""
    n, n_missing = len(cells.missing), int(cells.missing.sum())
    observed = cells.values[~cells.missing]
    counts = _count_values(observed, cells.kind, n, is_categorical)
    unlimited = cells.kind == "category" or is_categorical
    known = counts if counts is not None and (unlimited or len(counts) <= MAX_NUMBERS) else None
    column = SeenColumn(
        name,
        cells.kind,
        None if known is None else tuple(known),
        n_missing > 0,
        _typical_value(observed, known, cells.kind),
        math.log((n + 1) / (_count_singletons(known, n, n_missing) + 1)),
    )
    without_one = counts if counts is not None and (unlimited or len(counts) - 1 <= MAX_NUMBERS) else None
    return column, _held_out_surprise(cells, without_one, n_missing)


def _count_values(observed: Values, kind: str, n: int, is_categorical: bool) -> dict[Any, int] | None:
    """Count each value of a column that may hold categories; None for other columns."""
    if kind == "category" or is_categorical or not len(observed):
        return Counter(observed.tolist())
    if kind == "date" or n < FEW_ROWS or len(np.unique(observed[:N_CHECKED])) > MAX_NUMBERS + 1:
        return None
    values, counts = np.unique(observed, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _count_singletons(known: dict[Any, int] | None, n: int, n_missing: int) -> int:
    """Count the values that occur once; "missing" is a value too."""
    counts: Iterable[int] = [n - n_missing] if known is None else known.values()
    return sum(count == 1 for count in [*counts, n_missing])


def _held_out_surprise(cells: Cells, known: dict[Any, int] | None, n_missing: int) -> Values:
    n = len(cells.missing)
    once = {value for value, count in (known or {}).items() if count == 1}
    alone = np.array([value in once for value in cells.values.tolist()], dtype=bool) if once else np.zeros(n, bool)
    alone = np.where(cells.missing, n_missing == 1, alone)
    nats = math.log(n / max(1, _count_singletons(known, n, n_missing)))
    return np.where(alone, nats, 0.0) if nats > MIN_NATS else np.zeros(n)


def _typical_value(observed: Values, known: dict[Any, int] | None, kind: str) -> Any:
    if not len(observed):
        return None
    if known is not None:
        return max(known, key=lambda value: known[value])
    middle = (len(observed) - 1) // 2
    median = np.partition(observed, middle)[middle]
    return float(median) if kind == "number" else median
