"""Codes of eight numbers for adult without the income, and the accuracy of predicting the income from them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from tables_case import Case, Figures, timed
from tables_data import Matrix, Values, load

TARGET, POSITIVE = "income", ">50K"
N_COMPONENTS = 8
N_SEEDS, PATIENCE_SECONDS = 3, 900


def cases(n_seeds: int) -> Iterator[Case]:
    for seed in range(n_seeds):
        for method in METHODS:
            yield Case("codes", method, "adult_train", 0.0, seed)


def measure(case: Case, n_rows: int | None) -> Figures:
    """Fit codes and classifiers to two thirds of the rows, and test them on the others."""
    frame = load(case.data, n_rows)
    order = np.random.default_rng(case.seed).permutation(len(frame))
    train, test = np.split(order, [2 * len(frame) // 3])
    X, y = frame.drop(columns=TARGET), (frame[TARGET] == POSITIVE).to_numpy()
    seconds, (known, new) = timed(lambda: METHODS[case.method](X.iloc[train], X.iloc[test], case.seed))
    return {**score_classifiers((known, y[train]), (new, y[test]), case.seed), "seconds": seconds}


def score_classifiers(train: tuple[Values, Values], test: tuple[Values, Values], seed: int) -> Figures:
    """Return accuracy and AUROC of a linear and a nonlinear classifier."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifiers = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "boosting": HistGradientBoostingClassifier(random_state=seed),
    }
    figures = {}
    for name, classifier in classifiers.items():
        classifier.fit(*train)
        figures[f"{name}, accuracy"] = float(classifier.score(*test))
        figures[f"{name}, AUROC"] = float(roc_auc_score(test[1], classifier.predict_proba(test[0])[:, 1]))
    return figures


def isthmus(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[Values, Values]:
    from isthmus import Autoencoder

    model = Autoencoder(N_COMPONENTS, random_state=seed).fit(train)
    return model.transform(train), model.transform(test)


def isthmus_swap(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[Values, Values]:
    """With cells swapped between rows, the code must represent what the columns have in common."""
    from isthmus import Autoencoder
    from isthmus.corruptions import Swap

    model = Autoencoder(N_COMPONENTS, corruption=Swap(0.3), max_epochs=30, random_state=seed).fit(train)
    return model.transform(train), model.transform(test)


def isthmus_vae(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[Values, Values]:
    from isthmus import zoo

    model = zoo.vae(N_COMPONENTS, random_state=seed).fit(train)
    return model.transform(train), model.transform(test)


def pca(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[Values, Values]:
    from sklearn.decomposition import PCA

    known, new = all_columns(train, test, seed)
    model = PCA(N_COMPONENTS, random_state=seed).fit(known)
    return model.transform(known), model.transform(new)


def all_columns(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[Values, Values]:
    """Return no codes, but standardised numbers and one column for each category; missing categories are all 0."""
    matrix = Matrix(train)
    return np.nan_to_num(matrix.encode(train)), np.nan_to_num(matrix.encode(test))


METHODS = {
    "isthmus": isthmus,
    "isthmus swap": isthmus_swap,
    "isthmus vae": isthmus_vae,
    "PCA": pca,
    "all columns": all_columns,
}
