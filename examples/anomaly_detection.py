"""Anomalies in a table
====================

Find malignant tumours with a model that has seen benign ones only, and explain the lowest score.

In each of five splits, a model is fitted on four fifths of the benign rows of the Wisconsin table (569 tumours, 30
measurements). It scores the other benign rows and all malignant rows: how probable is the row given its code, and how
probable is the code? The area under the ROC curve is the probability that a malignant row has a lower score than a
benign one.

A variational autoencoder finds more than PCA with the same number of components, and as much as an isolation forest. It
also explains its scores: contributions split the score of a row into one term for each column and one for the code.

Run: python examples/anomaly_detection.py [folder]
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import plots, zoo

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

table = load_breast_cancer()
benign, malignant = table.data[table.target == 1], table.data[table.target == 0]

models = {
    "variational autoencoder": zoo.vae(8, max_epochs=30, random_state=0),
    "PCA": make_pipeline(StandardScaler(), PCA(8)),
    "isolation forest": IsolationForest(random_state=0),
}
areas = {name: [] for name in models}
for split in range(5):
    train, held_out = train_test_split(benign, test_size=0.2, random_state=split)
    rows, is_benign = (
        np.concatenate([held_out, malignant]),
        np.arange(len(held_out) + len(malignant)) < len(held_out),
    )
    for name, model in models.items():
        areas[name].append(
            roc_auc_score(is_benign, model.fit(train).score_samples(rows))
        )
print("area under the ROC curve, mean of five splits and range")
for name, found in areas.items():
    print(f"{name:24} {np.mean(found):.3f}  {min(found):.3f} to {max(found):.3f}")

# The models are now those of the last split.
model = models["variational autoencoder"]
scores = model.score_samples(rows)
lowest = np.argmin(scores)
names = [*table.feature_names, "code"]
contributions = model.contributions(rows[[lowest]])[0, : len(names)]
worst = np.argsort(contributions)[:5]
print(
    f"\nthe lowest score is {scores[lowest]:,.0f} nats; the most negative contributions:"
)
for part in worst:
    print(f"{names[part]:24} {contributions[part]:8,.0f}")

figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5), layout="constrained")
diagnosis = np.where(is_benign, "benign", "malignant")
plots.histogram(
    np.maximum(scores, -500), diagnosis, name="score (nats), cut at -500", ax=above
)
below.barh(
    [names[part] for part in worst[::-1]],
    contributions[worst[::-1]],
    color=plots.PALETTE[1],
)
below.set(
    title="the row with the lowest score", xlabel="contribution to its score (nats)"
)
below.locator_params(axis="x", nbins=5)
figure.savefig(folder / "anomaly_detection.png", dpi=100)
