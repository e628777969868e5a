"""Detectors of anomalous rows: isthmus and other libraries, all with their default settings.

Each function is fitted to rows and returns a function that scores other rows; higher is more anomalous. Libraries are
imported where they are used.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd
from tables_data import Matrix, Values

Score = Callable[[Any], Values]
Fit = Callable[[Any, int], Score]


def isthmus(rows: Any, seed: int) -> Score:
    from isthmus import AnomalyDetector

    return negative(AnomalyDetector(random_state=seed).fit(rows).score_samples)


def isthmus_encoder(rows: Any, seed: int) -> Score:
    """Score rows by the divergence of the code from the prior, which needs the encoder only."""
    from isthmus import zoo

    return zoo.vae(4, random_state=seed).fit(rows).divergence


def isolation_forest(rows: Values, seed: int) -> Score:
    from sklearn.ensemble import IsolationForest

    return negative(IsolationForest(random_state=seed).fit(rows).score_samples)


def lof(rows: Values, seed: int) -> Score:
    from sklearn.neighbors import LocalOutlierFactor

    return negative(LocalOutlierFactor(novelty=True).fit(rows).score_samples)


def knn(rows: Values, seed: int) -> Score:
    """Score rows by the mean distance to five neighbours."""
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=5).fit(rows)
    return lambda others: model.kneighbors(others)[0].mean(axis=1)


def pca(rows: Values, seed: int) -> Score:
    """Score rows by the log likelihood of probabilistic PCA with half of the components."""
    from sklearn.decomposition import PCA

    return negative(PCA(max(1, min(rows.shape) // 2), random_state=seed).fit(rows).score_samples)


def pyod_autoencoder(rows: Values, seed: int) -> Score:
    from pyod.models.auto_encoder import AutoEncoder

    return fitted(AutoEncoder(verbose=0, random_state=seed), rows)


def pyod_vae(rows: Values, seed: int) -> Score:
    from pyod.models.vae import VAE

    return fitted(VAE(verbose=0, random_state=seed), rows)


def pyod_ecod(rows: Values, seed: int) -> Score:
    from pyod.models.ecod import ECOD

    return fitted(ECOD(), rows)


def pyod_knn(rows: Values, seed: int) -> Score:
    """Score rows by the distance to the fifth neighbour."""
    from pyod.models.knn import KNN

    return fitted(KNN(), rows)


def fitted(detector: Any, rows: Values) -> Score:
    detector.fit(rows)
    return detector.decision_function


def negative(score_samples: Callable[[Any], Values]) -> Score:
    return lambda rows: -score_samples(rows)


def encode_frames(fit: Fit) -> Fit:
    """Give methods that need numbers standardised columns, and one column for each category."""

    def fit_matrix(frame: pd.DataFrame, seed: int) -> Score:
        matrix = Matrix(frame)
        score = fit(matrix.encode(frame), seed)
        return lambda others: score(matrix.encode(others))

    return fit_matrix


OF_ROWS: dict[str, Fit] = {
    "isthmus": isthmus,
    "IForest": isolation_forest,
    "LOF": lof,
    "KNN": knn,
    "PCA": pca,
    "PyOD AutoEncoder": pyod_autoencoder,
    "PyOD VAE": pyod_vae,
    "PyOD ECOD": pyod_ecod,
    "PyOD KNN": pyod_knn,
}
OF_FRAMES: dict[str, Fit] = {
    "isthmus": isthmus,
    "isthmus encoder": isthmus_encoder,
    **{name: encode_frames(fit) for name, fit in OF_ROWS.items() if name != "isthmus"},
}
