"""
Features for a classifier
=========================

Labels are costly, and rows without labels are many. A code that is learned from all rows can serve a classifier that
sees few labels.
"""

# %%
# Codes as a step of a pipeline
# -----------------------------
#
# An autoencoder is a transformer of scikit-learn. It can be searched, cloned and put into a pipeline.

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import Autoencoder

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=y, random_state=0
)
classifier = make_pipeline(
    Autoencoder(16, random_state=0), StandardScaler(), LogisticRegression()
)
print(f"accuracy: {classifier.fit(X_train, y_train).score(X_test, y_test):.3f}")

# %%
# Many rows, few labels
# ---------------------
#
# Here the codes are learned from all training rows, and the classifier from a few labelled ones. The same number of
# principal components is the comparison.

import numpy as np
from sklearn.decomposition import PCA

coders = {
    "autoencoder": Autoencoder(8, random_state=0).fit(X_train),
    "PCA": PCA(8).fit(X_train),
}
sizes, rng = (30, 100, 300), np.random.default_rng(0)
draws = {
    n: [rng.choice(len(X_train), n, replace=False) for _ in range(5)] for n in sizes
}


def accuracy(coder, rows):
    """Fit a classifier on codes of these rows, and return its accuracy on the test rows."""
    final = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        coder.transform(X_train[rows]), y_train[rows]
    )
    return final.score(coder.transform(X_test), y_test)


means = {
    name: [np.mean([accuracy(coder, rows) for rows in draws[n]]) for n in sizes]
    for name, coder in coders.items()
}

# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
for name, line in means.items():
    ax.plot(sizes, line, "o-", label=name)
ax.set(xlabel="labelled rows", ylabel="accuracy on test rows", xscale="log")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()

# %%
# With 30 labels, three of each digit, chance decides. With more labels, the codes serve better than the components.
#
# Similar rows
# ------------
#
# Rows with similar codes are similar rows. The nearest ones are the first to look at in a search for duplicates.

from sklearn.neighbors import NearestNeighbors

codes = coders["autoencoder"].transform(X_test)
distances, others = (
    NearestNeighbors(n_neighbors=2).fit(codes).kneighbors(codes)
)  # the first neighbour is the row itself
nearest = np.argsort(distances[:, 1])
pairs = dict.fromkeys(tuple(sorted((int(i), int(others[i, 1])))) for i in nearest)
print(f"the three nearest pairs of rows: {[*pairs][:3]}")
print(
    f"the nearest row has the same label: {np.mean(y_test[others[:, 1]] == y_test):.0%}"
)

# %%
# What goes wrong
# ---------------
#
# - **Codes are fitted on test rows.** The accuracy on test rows is then better than on later rows. Fit the autoencoder
#   inside the pipeline, or on training rows only.
# - **The code keeps what varies most, not what the label needs.** A column that decides can be small. Compare with a
#   classifier on all columns; if it is much better, use a larger code.
# - **Numbers of a code have different scales.** Put a ``StandardScaler`` between the code and a linear model.
#
# See :class:`isthmus.Autoencoder`; the example :doc:`/gallery/features_for_a_classifier` has more methods.
