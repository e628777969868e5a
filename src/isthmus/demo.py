"""The main job on real data, in half a minute: ``make demo``, or ``python -m isthmus.demo [folder]``.

Two sets that scikit-learn brings along: handwritten digits are made short and rebuilt, and a model of benign tumours finds
the malignant ones (Breast Cancer Wisconsin, Diagnostic: Wolberg, Mangasarian, Street and Street, 1995, CC BY 4.0).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Column, Table
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import Autoencoder, plots, save, zoo
from isthmus.baselines import compare
from isthmus.data.files import write

Values = np.ndarray[Any, Any]
Figures = dict[str, float]

N_COMPONENTS = 8


def main() -> None:
    """Run the demo and show what came of it."""
    parser = argparse.ArgumentParser(prog="python -m isthmus.demo", description="Fit two models to real data.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("isthmus-demo"), help="default: %(default)s")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    console.print(f"Digits: 1,797 images of 64 pixels, made {N_COMPONENTS} numbers each")
    errors = demonstrate_digits(folder)
    console.print("Tumours: 30 measurements each; the model sees benign ones only")
    areas = demonstrate_tumours(folder)
    console.print(table_of("digits, held out", "mean squared error", errors))
    console.print(table_of("tumours, malignant found", "area under the ROC curve", areas))
    console.print(f"wrote to {folder}:", *sorted(path.name for path in folder.iterdir()), sep="\n  ", highlight=False)


def demonstrate_digits(folder: Path) -> Figures:
    """Fit digits, write model, codes, reconstructions and pictures, and return errors on held-out rows."""
    digits = load_digits()
    train, test = train_test_split(np.arange(len(digits.data)), test_size=0.2, stratify=digits.target, random_state=0)
    model = Autoencoder(N_COMPONENTS, random_state=0, verbose=1).fit(digits.data[train])
    codes, rebuilt = model.transform(digits.data), model.reconstruct(digits.data)
    save(model, folder / "digits.safetensors")
    write(folder / "digits.csv", digits.data, digits.feature_names)
    write(folder / "digits-codes.csv", codes, list(model.get_feature_names_out()))
    write(folder / "digits-rebuilt.npy", rebuilt)
    one_of_each = [test[digits.target[test] == digit][0] for digit in range(10)]
    draw(plots.reconstructions(digits.data[one_of_each], rebuilt[one_of_each], (8, 8)), folder / "digits.png")
    draw(plots.code_map(codes, digits.target), folder / "digits-map.png")
    return compare(model, digits.data[train], digits.data[test])


def demonstrate_tumours(folder: Path) -> Figures:
    """Fit benign tumours, write table, model, scores and picture, and return areas under the ROC curve."""
    tumours = load_breast_cancer()
    benign = tumours.target == 1
    diagnosis = np.where(benign, "benign", "malignant")
    table = pa.table(dict(zip(tumours.feature_names, tumours.data.T.copy(), strict=True)))
    train, held_out = train_test_split(np.flatnonzero(benign), test_size=0.2, random_state=0)
    test = np.concatenate([held_out, np.flatnonzero(~benign)])
    model = zoo.vae(N_COMPONENTS, random_state=0, verbose=1).fit(table.take(train))
    scores = model.score_samples(table.take(test))
    save(model, folder / "tumours.safetensors")
    write(folder / "tumours.csv", table.append_column("diagnosis", pa.array(diagnosis)))
    write(folder / "tumour-scores.csv", pa.table({"row": test, "diagnosis": diagnosis[test], "score": scores}))
    ax = plots.histogram(scores, diagnosis[test])
    ax.set_xlabel("score (nats)")
    draw(ax, folder / "tumour-scores.png")
    rivals = {"PCA": PCA(N_COMPONENTS), "isolation forest": IsolationForest(random_state=0)}
    return {"model": roc_auc_score(benign[test], scores)} | {
        name: roc_auc_score(benign[test], scores_of(rival, tumours.data, train, test)) for name, rival in rivals.items()
    }


def scores_of(rival: Any, X: Values, train: Values, test: Values) -> Values:
    """Scores of test rows by another model of the training rows."""
    return make_pipeline(StandardScaler(), rival).fit(X[train]).score_samples(X[test])


def draw(ax: Any, path: Path) -> None:
    """Write a figure and close it."""
    ax.figure.savefig(path, dpi=150)
    plt.close(ax.figure)


def table_of(title: str, unit: str, figures: Figures) -> Table:
    """Set figures out for the terminal."""
    table = Table(title, Column(unit, justify="right"))
    for name, figure in figures.items():
        table.add_row(name, f"{figure:.4g}")
    return table


if __name__ == "__main__":
    main()
