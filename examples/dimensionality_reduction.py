"""Maps of images
==============

Reduce images of 64 pixels to two numbers, and plot them: nonlinear codes preserve neighbours better than PCA.

Two measures on held-out digits, both at best 1: trustworthiness measures whether neighbours in the plane are neighbours
among the images, and the accuracy of a 10-nearest-neighbour classifier in the plane measures whether they are the same
digit. Labels are used only for the second measure and for colours.

On scikit-learn's digits, both autoencoders are far better than PCA in both measures. The codes of the variational
autoencoder, which are kept close to a standard normal, fill the plane more evenly.

Run: python examples/dimensionality_reduction.py [folder]
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from isthmus import Autoencoder, plots, zoo

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.2, stratify=y, random_state=0
)

models = {
    "PCA": PCA(2),
    "autoencoder": Autoencoder(2, max_epochs=25, random_state=0),
    "variational": zoo.vae(2, max_epochs=25, random_state=0),
}
layout = [["autoencoder", "PCA"], ["autoencoder", "variational"]]
figure, axes = plt.subplot_mosaic(
    layout, figsize=(9, 6), width_ratios=(2, 1), layout="constrained"
)
print("                 trustworthiness  accuracy of neighbours")
for name, model in models.items():
    codes_train = model.fit(X_train).transform(X_train)
    codes_test = model.transform(X_test)
    trust = trustworthiness(X_test, codes_test, n_neighbors=10)
    accuracy = (
        KNeighborsClassifier(10).fit(codes_train, y_train).score(codes_test, y_test)
    )
    print(f"{name:16} {trust:15.3f} {accuracy:23.3f}")
    plots.code_map(codes_test, y_test, ax=axes[name])
    axes[name].set_title(
        f"{name}\nneighbours agree in {accuracy:.0%}", fontsize="medium"
    )
    if name != "autoencoder":
        axes[name].get_legend().remove()
figure.savefig(folder / "dimensionality_reduction.png", dpi=100)
