"""New rows of adult, by models of one half, compared with the other half."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from tables_case import Case, Figures, timed
from tables_data import list_category_columns, load

TARGET = "income"
N_SEEDS, PATIENCE_SECONDS = 1, 3600


def cases(n_seeds: int) -> Iterator[Case]:
    for seed in range(n_seeds):
        for method in METHODS:
            yield Case("synthetic", method, "adult_train", 0.0, seed)


def measure(case: Case, n_rows: int | None) -> Figures:
    """Return figures of as many new rows as training rows; the rows of the method "holdout" are the other half."""
    train, holdout = split_halves(load(case.data, n_rows), case.seed)
    seconds, synthetic = timed(lambda: METHODS[case.method](train, holdout, case.seed))
    return {**measure_rows(train, holdout, synthetic, case.seed), "seconds": seconds}


def split_halves(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    order = np.random.default_rng(seed).permutation(len(frame))
    train, holdout = (frame.iloc[rows].reset_index(drop=True) for rows in np.array_split(order, 2))
    return train, holdout


def measure_rows(train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, seed: int) -> Figures:
    """Compare new rows with real ones; if they are the holdout itself, its figures are the baselines."""
    from isthmus.metrics import synthetic_quality

    quality = synthetic_quality(train, synthetic, holdout, target=TARGET, random_state=seed)
    return measure_figures(quality, 1 if synthetic is holdout else 0)


def measure_figures(quality: object, place: int) -> Figures:
    """Return the value of each figure for synthetic rows (place 0) or for the holdout (place 1)."""
    pairs = [figure for others in quality.pairs.values() for figure in others.values()]
    return {
        "columns similar": float(
            np.mean([(each.synthetic, each.baseline)[place] for each in quality.columns.values()])
        ),
        "pairs similar": float(np.mean([(each.synthetic, each.baseline)[place] for each in pairs])),
        "detection AUROC": (quality.detection.synthetic, quality.detection.baseline)[place],
        "utility AUROC": (quality.utility.synthetic, quality.utility.real)[place],
        "utility gap": (quality.utility.gap, 0.0)[place],
        "closest record": (quality.closest.median.synthetic, quality.closest.median.baseline)[place],
        "copies": (quality.closest.copies.synthetic, quality.closest.copies.baseline)[place],
        "closer to train": (quality.closest.closer_to_train, 0.5)[place],
    }


def take_real_rows(train: pd.DataFrame, holdout: pd.DataFrame, seed: int) -> pd.DataFrame:
    return holdout


def isthmus(train: pd.DataFrame, holdout: pd.DataFrame, seed: int) -> pd.DataFrame:
    from isthmus import zoo

    return zoo.tabular_vae(random_state=seed).fit(train).sample(len(train))


def shuffle_columns(train: pd.DataFrame, holdout: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the real columns, each shuffled independently."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame({name: generator.permutation(train[name]) for name in train}).astype(train.dtypes)


def tvae(train: pd.DataFrame, holdout: pd.DataFrame, seed: int) -> pd.DataFrame:
    from ctgan import TVAE

    return make_sdv_rows(TVAE(enable_gpu=False), train, seed)


def ctgan(train: pd.DataFrame, holdout: pd.DataFrame, seed: int) -> pd.DataFrame:
    from ctgan import CTGAN

    return make_sdv_rows(CTGAN(enable_gpu=False), train, seed)


def make_sdv_rows(model: object, train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Train with default settings, 300 epochs; a missing category is a separate category."""
    categories = list_category_columns(train)
    model.set_random_state(seed)
    model.fit(train.fillna(dict.fromkeys(categories, "?")), discrete_columns=categories)
    rows = model.sample(len(train))
    return rows.astype(train.dtypes).replace(dict.fromkeys(categories, {"?": None}))


# TVAE and CTGAN are measured if the package ctgan is installed; it is no requirement, because its licence is not open.
METHODS = {
    "holdout": take_real_rows,
    "isthmus": isthmus,
    "TVAE": tvae,
    "CTGAN": ctgan,
    "shuffled columns": shuffle_columns,
}
