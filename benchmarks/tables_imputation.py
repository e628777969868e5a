"""Imputation of cells that are hidden at random in five tables."""

import itertools
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
from tables_case import Case, Figures, timed
from tables_data import SETS, Matrix, hide, list_category_columns, list_number_columns, load, score

N_SEEDS, PATIENCE_SECONDS = 1, 300
FRACTIONS = (0.1, 0.3, 0.5)
# With all rows of adult, forests and neighbours would take most of an hour.
MOST_ROWS = 5000
FOREST_SWEEPS, FOREST_TREES = 3, 50


def cases(n_seeds: int) -> Iterator[Case]:
    for seed, name, fraction, method in itertools.product(range(n_seeds), SETS, FRACTIONS, METHODS):
        yield Case("imputation", method, name, fraction, seed)


def measure(case: Case, n_rows: int | None) -> Figures:
    frame = load(case.data, n_rows or MOST_ROWS)
    holed, hidden = hide(frame, case.fraction, case.seed)
    seconds, filled = timed(lambda: METHODS[case.method](holed, case.seed))
    return {**score(frame, filled, hidden)._asdict(), "seconds": seconds}


def isthmus(holed: pd.DataFrame, seed: int) -> pd.DataFrame:
    from isthmus import zoo

    return zoo.imputer(random_state=seed).fit(holed).impute(holed)


def typical(holed: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Impute the mean of numbers and the most frequent category."""
    numbers, categories = holed[list_number_columns(holed)].mean(), holed[list_category_columns(holed)].mode().iloc[0]
    return holed.fillna({**numbers, **categories})


def neighbours(holed: pd.DataFrame, seed: int) -> pd.DataFrame:
    from sklearn.impute import KNNImputer

    return through_matrix(holed, KNNImputer(n_neighbors=30))


def ridge_chain(holed: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Predict each column from all others, iteratively, with one column for each category."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer
    from sklearn.linear_model import Ridge

    imputer = IterativeImputer(Ridge(alpha=10), n_nearest_features=20, max_iter=10, random_state=seed)
    return through_matrix(holed, imputer)


def through_matrix(holed: pd.DataFrame, imputer: object) -> pd.DataFrame:
    matrix = Matrix(holed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return matrix.decode(imputer.fit_transform(matrix.encode(holed)))


def forest_chain(holed: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Predict each column from all others by forests, the most complete first (Stekhoven and Buehlmann, 2012)."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    filled, numbers = typical(holed, seed), set(list_number_columns(holed))
    codes = filled.apply(lambda column: column if column.name in numbers else pd.Series(pd.factorize(column)[0]))
    for _, name in itertools.product(range(FOREST_SWEEPS), holed.isna().sum().sort_values().index):
        hole = holed[name].isna().to_numpy()
        if hole.any():
            kind = RandomForestRegressor if name in numbers else RandomForestClassifier
            others = codes.drop(columns=name).to_numpy()
            forest = kind(FOREST_TREES, max_features="sqrt", random_state=seed).fit(others[~hole], codes[name][~hole])
            codes.loc[hole, name] = forest.predict(others[hole])
    return codes.apply(lambda column: column if column.name in numbers else levels_at(column, filled[column.name]))


def levels_at(codes: pd.Series, column: pd.Series) -> pd.Series:
    return pd.Series(pd.factorize(column)[1][codes.to_numpy().astype(np.intp)], index=codes.index)


METHODS = {
    "isthmus": isthmus,
    "mean and mode": typical,
    "KNNImputer": neighbours,
    "IterativeImputer": ridge_chain,
    "chained forests": forest_chain,
}
