"""A demonstration on real data, in half a minute: ``make demo``, or ``python -m isthmus.demo [folder]``.

Two data sets of scikit-learn: handwritten digits are encoded and rebuilt, and a model of benign tumours finds the
malignant ones. Both are CC BY 4.0 at the UCI repository: Optical Recognition of Handwritten
Digits (Alpaydin and Kaynak, 1998) and Breast Cancer Wisconsin, Diagnostic (Wolberg, Mangasarian, Street, Street, 1995).
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
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
FILES = {
    "digits.csv": "the images, one row each",
    "digits.safetensors": "the model of them",
    "digits-codes.csv": "their codes",
    "digits-rebuilt.npy": "the images rebuilt from the codes",
    "digits.png": "ten held-out images above their reconstructions",
    "digits-map.png": "map of the codes",
    "tumours.csv": "the measurements and the diagnosis",
    "tumours.safetensors": "the model of benign tumours",
    "tumour-scores.csv": "scores of held-out tumours, the most anomalous first",
    "tumour-scores.png": "histogram of these scores",
}


def main() -> None:
    """Run the demonstration and print its results."""
    parser = argparse.ArgumentParser(prog="python -m isthmus.demo", description="Fit two models to real data.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("isthmus-demo"), help="default: %(default)s")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    console.print(f"Digits: 1,797 images of 64 pixels, {N_COMPONENTS} numbers each")
    errors = demonstrate_digits(folder)
    console.print("Tumours: 569 of 30 measurements; the model learns from benign ones only")
    areas = demonstrate_tumours(folder)
    error, area = (Column(unit, justify="right") for unit in ("mean squared error", "area under the ROC curve"))
    console.print(make_table(("held-out digits", error), format_figures(errors)))
    console.print(make_table(("benign or malignant?", area), format_figures(areas)))
    console.print(make_table((f"written to {folder}", ""), FILES))


def demonstrate_digits(folder: Path) -> Figures:
    """Fit digits, write data, model, codes and pictures, and return the errors on held-out rows."""
    digits = load_digits()
    X, y = digits.data, digits.target
    train, test = train_test_split(np.arange(len(X)), test_size=0.2, stratify=y, random_state=0)
    model = Autoencoder(N_COMPONENTS, random_state=0, verbose=1).fit(X[train])
    codes, rebuilt = model.transform(X), model.reconstruct(X)
    save(model, folder / "digits.safetensors")
    write(folder / "digits.csv", X.astype(np.uint8), digits.feature_names)
    write(folder / "digits-codes.csv", codes, list(model.get_feature_names_out()))
    write(folder / "digits-rebuilt.npy", rebuilt)
    one_of_each = [test[y[test] == digit][0] for digit in range(10)]
    draw(plots.reconstructions(model, X[one_of_each], y[one_of_each]), folder / "digits.png")
    draw(plots.code_map(model, X, y), folder / "digits-map.png")
    return compare(model, X[train], X[test])


def demonstrate_tumours(folder: Path) -> Figures:
    """Fit benign tumours, write data, model, scores and a picture, and return the areas under the ROC curve."""
    tumours = load_breast_cancer()
    X, benign = tumours.data, tumours.target == 1
    table = pa.table(dict(zip(tumours.feature_names, X.T.copy(), strict=True)))
    diagnosis = np.where(benign, "benign", "malignant")
    train, held_out = train_test_split(np.flatnonzero(benign), test_size=0.2, random_state=0)
    test = np.concatenate([held_out, np.flatnonzero(~benign)])
    model = zoo.vae(N_COMPONENTS, likelihood="student_t", max_epochs=30, random_state=0, verbose=1).fit(
        table.take(train)
    )
    scores = model.score_samples(table.take(test))
    save(model, folder / "tumours.safetensors")
    write(folder / "tumours.csv", table.append_column("diagnosis", pa.array(diagnosis)))
    listed = pa.table({"row": test, "diagnosis": diagnosis[test], "score": scores.round(3)})
    write(folder / "tumour-scores.csv", listed.sort_by("score"))
    draw(plots.histogram(scores, diagnosis[test], name="score (nats)"), folder / "tumour-scores.png")
    others = {"PCA": PCA(N_COMPONENTS), "isolation forest": IsolationForest(random_state=0)}
    by_name = {name: score_rows(other, X[train], X[test]) for name, other in others.items()}
    return {name: roc_auc_score(benign[test], values) for name, values in {"model": scores, **by_name}.items()}


def score_rows(model: Any, train: Values, test: Values) -> Values:
    """Score test rows with a model of scikit-learn."""
    return make_pipeline(StandardScaler(), model).fit(train).score_samples(test)


def draw(ax: Any, path: Path) -> None:
    """Write a figure and close it."""
    ax.figure.savefig(path, dpi=150)
    plt.close(ax.figure)


def make_table(columns: tuple[str | Column, ...], rows: dict[str, str]) -> Table:
    """Make a table of two columns."""
    table = Table(*columns)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def format_figures(figures: Figures) -> dict[str, str]:
    """Format figures with three digits."""
    return {name: f"{figure:.3f}" for name, figure in figures.items()}


if __name__ == "__main__":
    main()
