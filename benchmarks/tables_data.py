"""The five tables of the benchmark, hidden cells, and errors of imputed cells."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parent.parent
# In these columns of pima, 0 means missing.
NEVER_ZERO = ["glucose", "blood_pressure", "skin_thickness", "insulin", "bmi"]
# Columns that identify single rows: names, numbers of tickets, cabins and lots.
TELLS_ROWS_APART = {
    "titanic": ["PassengerId", "Name", "Ticket", "Cabin"],
    "ames_housing": ["Id", "PID"],
}
# Numbers that are codes of types of dwellings.
CODES = ["MS SubClass"]
SETS = ("adult_train", "titanic", "ames_housing", "german_credit", "pima_diabetes")
Values = np.ndarray[Any, Any]


def folder() -> Path:
    return Path(os.environ.get("ISTHMUS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def load(name: str, n_rows: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Read a table, or some of its rows, for all methods: numbers are float64, all other columns are text.

    Columns of two different numbers are text too. Identifiers, names and columns that are missing in most rows are left
    out.
    """
    path = folder() / "tabular-mixed" / f"{name}.csv.gz"
    # Ames has masonry veneer of type "None", which pandas would read as missing.
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


def list_number_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if frame[name].dtype == np.float64]


def list_category_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame if frame[name].dtype != np.float64]


def hide(frame: pd.DataFrame, fraction: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hide an exact share of the known cells of each column, and return which are hidden."""
    generator = np.random.default_rng(seed)
    hidden = pd.DataFrame(False, frame.index, frame.columns)
    for j, name in enumerate(frame):
        known = np.flatnonzero(frame[name].notna())
        hidden.iloc[generator.choice(known, round(fraction * len(known)), replace=False), j] = True
    return frame.mask(hidden), hidden


class ImputationErrors(NamedTuple):
    """Errors of imputed cells.

    ``nrmse`` is the root mean squared error of a column of numbers divided by its standard deviation, and ``accuracy``
    the share of correct categories; both are means over columns.
    """

    nrmse: float
    accuracy: float


def score(true: pd.DataFrame, filled: pd.DataFrame, hidden: pd.DataFrame) -> ImputationErrors:
    """Compare hidden cells of a table with imputed ones, which are rounded in columns of integers."""
    numbers = [
        _nrmse(true[name], filled[name], hidden[name]) for name in list_number_columns(true) if hidden[name].any()
    ]
    names = [name for name in list_category_columns(true) if hidden[name].any()]
    categories = [float((true[name] == filled[name])[hidden[name]].mean()) for name in names]
    return ImputationErrors(*(float(np.mean(each)) if each else np.nan for each in (numbers, categories)))


def _nrmse(true: pd.Series, filled: pd.Series, hidden: pd.Series) -> float:
    whole = (true.dropna() % 1 == 0).all()
    errors = (filled.round() if whole else filled)[hidden] - true[hidden]
    spread = true.std(ddof=0)
    return float(np.sqrt((errors**2).mean()) / spread) if spread > 0 else 0.0


class Matrix:
    """Encoder of tables as standardised numbers and one column for each category, NaN for missing cells."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.numbers, self.categories = list_number_columns(frame), list_category_columns(frame)
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
        """Undo ``encode``; the largest of the one-hot columns is the category."""
        n = len(self.numbers)
        columns: dict[str, Any] = dict(zip(self.numbers, (values[:, :n] * self.spread + self.mean).T, strict=True))
        for name, levels in self._each():
            columns[name] = np.array(levels, dtype=object)[values[:, n : n + len(levels)].argmax(axis=1)]
            n += len(levels)
        return pd.DataFrame(columns)[self.columns]

    def _each(self) -> Any:
        return zip(self.categories, self.levels, strict=True)


def _one_hot(column: pd.Series, levels: list[str]) -> Values:
    """Return one-hot columns (n, n_categories), NaN for missing cells; categories that are not listed are all 0."""
    values = (column.to_numpy(dtype=object)[:, None] == np.array(levels, dtype=object)).astype(float)
    values[column.isna().to_numpy()] = np.nan
    return values
