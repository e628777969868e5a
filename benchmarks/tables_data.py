"""The five tables of the benchmark, cells hidden in them, and how well hidden cells are guessed."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parent.parent
# In these columns of pima a 0 means that nobody measured.
NEVER_ZERO = ["glucose", "blood_pressure", "skin_thickness", "insulin", "bmi"]
# What tells rows apart, and not kinds of rows: names, numbers of tickets, cabins and lots.
TELLS_ROWS_APART = {
    "titanic": ["PassengerId", "Name", "Ticket", "Cabin"],
    "ames_housing": ["Id", "PID"],
}
# Numbers that name types of dwellings.
CODES = ["MS SubClass"]
SETS = ("adult_train", "titanic", "ames_housing", "german_credit", "pima_diabetes")
Values = np.ndarray[Any, Any]


def folder() -> Path:
    return Path(os.environ.get("ISTHMUS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def load(name: str, n_rows: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Read a table, or so many of its rows, as every method gets it: numbers are float64, all else is text.

    Numbers of two values are text too. Left out are identifiers and names, and columns known in under half of the rows.
    """
    path = folder() / "tabular-mixed" / f"{name}.csv.gz"
    # Ames has a masonry veneer of the type "None", which pandas would read as missing.
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""]).drop(columns=TELLS_ROWS_APART.get(name, []))
    zeros = frame.columns.intersection(NEVER_ZERO)
    frame[zeros] = frame[zeros].where(frame[zeros] != 0)
    frame = frame.loc[:, frame.notna().mean() >= 0.5]
    if n_rows is not None and n_rows < len(frame):
        frame = frame.sample(n_rows, random_state=seed).reset_index(drop=True)
    return frame.apply(_plain)


def _plain(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 2 and column.name not in CODES:
        return column.astype(np.float64)
    return column.astype("string").astype(object).where(column.notna(), None).astype("str")


def numbers_of(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if frame[name].dtype == np.float64]


def categories_of(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if frame[name].dtype != np.float64]


def hide(frame: pd.DataFrame, fraction: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hide a share of the known cells, each column's exact share, and tell which."""
    generator = np.random.default_rng(seed)
    hidden = pd.DataFrame(False, frame.index, frame.columns)
    for j, name in enumerate(frame):
        known = np.flatnonzero(frame[name].notna())
        hidden.iloc[generator.choice(known, round(fraction * len(known)), replace=False), j] = True
    return frame.mask(hidden), hidden


class Guessed(NamedTuple):
    """How well hidden cells were guessed.

    ``nrmse`` is the root mean squared error of a column of numbers over its standard deviation, ``accuracy`` the share
    of right answers in a column of categories, each the mean over such columns.
    """

    nrmse: float
    accuracy: float


def score(true: pd.DataFrame, filled: pd.DataFrame, hidden: pd.DataFrame) -> Guessed:
    """Compare the hidden cells of a table with what was filled in; whole numbers are answered by whole numbers."""
    numbers = [_nrmse(true[name], filled[name], hidden[name]) for name in numbers_of(true) if hidden[name].any()]
    categories = [
        float((true[name] == filled[name])[hidden[name]].mean()) for name in categories_of(true) if hidden[name].any()
    ]
    return Guessed(*(float(np.mean(each)) if each else np.nan for each in (numbers, categories)))


def _nrmse(true: pd.Series, filled: pd.Series, hidden: pd.Series) -> float:
    whole = (true.dropna() % 1 == 0).all()
    errors = (filled.round() if whole else filled)[hidden] - true[hidden]
    spread = true.std(ddof=0)
    return float(np.sqrt((errors**2).mean()) / spread) if spread > 0 else 0.0


class Matrix:
    """Standardised numbers and one column a level, NaN where the table has holes; and the way back."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.numbers, self.categories = numbers_of(frame), categories_of(frame)
        self.columns = list(frame.columns)
        self.mean = frame[self.numbers].mean().to_numpy()
        spread = frame[self.numbers].std(ddof=0).to_numpy()
        self.spread = np.where(spread > 0, spread, 1.0)
        self.levels = [sorted(frame[name].dropna().unique()) for name in self.categories]

    def encode(self, frame: pd.DataFrame) -> Values:
        """Turn a table into a matrix (n, n_numbers + n_categories)."""
        numbers = (frame[self.numbers].to_numpy() - self.mean) / self.spread
        return np.hstack([numbers, *(_one_hot(frame[name], each) for name, each in self._each())])

    def decode(self, values: Values) -> pd.DataFrame:
        """Undo ``encode``; the largest of a category's columns is its level."""
        n = len(self.numbers)
        columns: dict[str, Any] = dict(zip(self.numbers, (values[:, :n] * self.spread + self.mean).T, strict=True))
        for name, levels in self._each():
            columns[name] = np.array(levels, dtype=object)[values[:, n : n + len(levels)].argmax(axis=1)]
            n += len(levels)
        return pd.DataFrame(columns)[self.columns]

    def _each(self) -> Any:
        return zip(self.categories, self.levels, strict=True)


def _one_hot(column: pd.Series, levels: list[str]) -> Values:
    """Columns (n, n_categories) of 0 and 1, NaN where nothing is known; a level that is not listed is all 0."""
    values = (column.to_numpy(dtype=object)[:, None] == np.array(levels, dtype=object)).astype(float)
    values[column.isna().to_numpy()] = np.nan
    return values
