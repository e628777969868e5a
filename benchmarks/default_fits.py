"""Default fits of five tables: seconds, held-out bound, and what codes and imputed cells are worth.

    python benchmarks/default_fits.py
    python benchmarks/default_fits.py --seeds 1 --rows 500 --out /tmp/try.md

The tables are those of ``tables.py``, in the folder ``$ISTHMUS_TEST_DATA/tabular-mixed``. Two thirds of the rows are
for training. Writes ``benchmarks/results/default_fits.md``.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tables_codes import N_COMPONENTS, score_classifiers
from tables_data import hide, load, score

from isthmus import Autoencoder, zoo

RESULTS = Path(__file__).parent / "results" / "default_fits.md"
TARGETS = {
    "adult_train": "income",
    "titanic": "Survived",
    "ames_housing": "SalePrice",
    "german_credit": "target",
    "pima_diabetes": "outcome",
}
# Shares of cells hidden before a fit of the imputer, and in test rows.
HIDDEN, HIDDEN_TEST = 0.1, 0.2
FIGURES = (
    "processor seconds",
    "seconds",
    "epochs",
    "bound",
    "log p(x given code)",
    "logistic, AUROC",
    "boosting, AUROC",
)
FIGURES_OF_IMPUTER = ("processor seconds", "seconds", "epochs", "nrmse", "accuracy")
Figures = dict[str, float]


def split(name: str, n_rows: int | None, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray, np.ndarray]:
    """Return training rows and test rows without the target, and whether the target is above its median or rare."""
    frame = load(name, n_rows)
    target = frame.pop(TARGETS[name])
    labels = target > target.median() if target.nunique() > 2 else target == target.value_counts().index[-1]
    order = np.random.default_rng(seed).permutation(len(frame))
    train, test = np.split(order, [2 * len(frame) // 3])
    rows = (frame.iloc[part].reset_index(drop=True) for part in (train, test))
    return *rows, labels.to_numpy(bool)[train], labels.to_numpy(bool)[test]


def fit(model: Autoencoder, rows: pd.DataFrame) -> Figures:
    started, clock = time.process_time(), time.perf_counter()
    model.fit(rows)
    seconds = {"processor seconds": time.process_time() - started, "seconds": time.perf_counter() - clock}
    return {**seconds, "epochs": len(model.history_)}


def measure_codes(make: Callable[[int], Autoencoder], name: str, n_rows: int | None, seed: int) -> Figures:
    train, test, *labels = split(name, n_rows, seed)
    model = make(seed)
    figures = fit(model, train)
    codes = ((model.transform(rows), own) for rows, own in zip((train, test), labels, strict=True))
    scores = {"bound": model.score(test), "log p(x given code)": float(model.score_samples(test).mean())}
    return {**figures, **scores, **score_classifiers(*codes, seed)}


def measure_imputer(name: str, n_rows: int | None, seed: int) -> Figures:
    train, test, *_ = split(name, n_rows, seed)
    model = zoo.imputer(random_state=seed)
    figures = fit(model, hide(train, HIDDEN, seed)[0])
    holed, hidden = hide(test, HIDDEN_TEST, seed + 1)
    return {**figures, **score(test, model.impute(holed), hidden)._asdict()}


TASKS: dict[str, tuple[Callable[[str, int | None, int], Figures], tuple[str, ...]]] = {
    "`Autoencoder(8)`": (
        lambda *case: measure_codes(lambda seed: Autoencoder(N_COMPONENTS, random_state=seed), *case),
        FIGURES,
    ),
    "`zoo.imputer()`": (measure_imputer, FIGURES_OF_IMPUTER),
    "`zoo.tabular_vae()`": (
        lambda *case: measure_codes(lambda seed: zoo.tabular_vae(random_state=seed), *case),
        FIGURES,
    ),
}


def tabulate(names: tuple[str, ...], figures: dict[str, Figures]) -> list[str]:
    lines = [f"| table | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    return lines + [
        f"| {table} | {' | '.join(f'{own[name]:.4g}' for name in names)} |" for table, own in figures.items()
    ]


def average(several: list[Figures]) -> Figures:
    return {name: float(np.mean([figures[name] for figures in several])) for name in several[0]}


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2, help="number of repetitions, of which means are reported")
    parser.add_argument("--rows", type=int, help="number of rows to use, to test the benchmark itself")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = ["# Default fits of tables", "", f"Means of {options.seeds} seeds. Bounds are in nats per test row."]
    for title, (measure, names) in TASKS.items():
        seeds = range(options.seeds)
        figures = {name: average([measure(name, options.rows, seed) for seed in seeds]) for name in TARGETS}
        lines += ["", f"## {title}", "", *tabulate(names, figures)]
        print("\n".join(lines[-len(figures) - 4 :]), flush=True)
    options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
