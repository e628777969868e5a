"""Features for a classifier
=========================

Fit features to images without labels, then a classifier to a few labelled images.

The autoencoder is fitted on 1,257 digits without labels and encodes each digit as four numbers. A logistic regression
is fitted on these numbers, on four components of PCA, and on all 64 pixels (standardising the pixels is worse), with
20, 50 and 100 labels, each the mean over ten random selections, and with all labels. Accuracy is measured on 540 other
digits.

The four numbers are as good as the 64 pixels if labels are few, and worse if there are many; four components of PCA are
far worse in all cases. So codes are useful where labels are expensive or a short description is needed.

Run: python examples/features_for_a_classifier.py [folder]
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import Autoencoder

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=y, random_state=0
)


def on_features(model):
    """Make a classifier on the codes of a model that is fitted without labels."""
    return make_pipeline(
        FrozenEstimator(model.fit(X_train)),
        StandardScaler(),
        LogisticRegression(max_iter=2000),
    )


classifiers = {
    "64 pixels": LogisticRegression(max_iter=2000),
    "4 numbers of PCA": on_features(PCA(4)),
    "4 numbers of the autoencoder": on_features(
        Autoencoder(4, max_epochs=30, random_state=0)
    ),
}


def accuracy(classifier, n_labels):
    """Compute the mean accuracy over ten random selections of labelled rows."""
    draws = StratifiedShuffleSplit(10, train_size=n_labels, random_state=0).split(
        X_train, y_train
    )
    return np.mean(
        [
            classifier.fit(X_train[rows], y_train[rows]).score(X_test, y_test)
            for rows, _ in draws
        ]
    )


counts = [20, 50, 100]
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
print(
    f"{'accuracy with labels':28}",
    *(f"{count:>6}" for count in [*counts, len(X_train)]),
)
for name, classifier in classifiers.items():
    results = [accuracy(classifier, count) for count in counts]
    results.append(classifier.fit(X_train, y_train).score(X_test, y_test))
    print(f"{name:28}", *(f"{result:6.3f}" for result in results))
    ax.plot([*counts, len(X_train)], results, "o-", label=name)
ax.set(xscale="log", xlabel="labelled images", ylabel="accuracy on held-out images")
ax.set_xticks([*counts, len(X_train)], [*counts, len(X_train)])
ax.minorticks_off()
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
figure.savefig(folder / "features_for_a_classifier.png", dpi=100)
