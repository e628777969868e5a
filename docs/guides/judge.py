"""
Judge a model
=============

A model is fitted, and its reconstructions look good. Is it good? That depends on what else would do, on which rows one
asks, and on the purpose.
"""

# %%
# Beside simple methods
# ---------------------
#
# A number alone says nothing. ``judge`` puts the error of a model beside that of PCA with a code of the same size, and
# that of the mean, on rows that neither has seen. So split the rows first.

from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from isthmus import Autoencoder
from isthmus.baselines import judge

tumours = load_breast_cancer(as_frame=True)
data = {
    "wine": load_wine().data,
    "tumours": tumours.data.to_numpy(),
    "digits": load_digits().data[:1000],
}
models = {}
for name, rows in data.items():
    models[name] = Autoencoder(8, random_state=0).fit(rows[::2])
    print(
        f"\n{name}\n",
        *judge(models[name], rows[::2], rows[1::2], random_state=0),
        sep="",
    )

# %%
# The data sets differ. 89 wines are too few for a net: PCA is better, and a line below the table says so. That is no
# bug: use PCA then. Measurements of tumours depend on each other almost linearly, and both errors are similar. Images
# of digits lie on a curved surface, and the net is much better.
#
# The command line prints such a table after each ``fit``:
#
# .. code-block:: console
#
#    $ isthmus fit tumours.csv --set n_components=8 --seed 0

# %%
# How sure is that?
# -----------------
#
# Other rows, or another start of the training, would give other errors. Both are easy to measure. Take the errors of
# both methods row by row, because some rows are hard for every method: their difference varies less than each of them.
# Then draw the rows again with replacement, and fit the net with other seeds.

import numpy as np
from sklearn.decomposition import PCA


def squared_errors(rebuilt, rows, scale):
    """Return the mean squared error of each row, in the unit of the scale."""
    return np.square((rebuilt - rows) / scale).mean(1)


def difference(model, train, test, scale):
    """Return the error relative to that of PCA minus 1, and its 95 % interval over rows."""
    pca = PCA(model.n_components).fit(train / scale)
    simple = scale * pca.inverse_transform(pca.transform(test / scale))
    errors = [
        squared_errors(rebuilt, test, scale)
        for rebuilt in (model.reconstruct(test), simple)
    ]
    draws = np.random.default_rng(0).integers(len(test), size=(1000, len(test)))
    drawn = [error[draws].mean(1) for error in errors]
    low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975]) - 1
    return errors[0].mean() / errors[1].mean() - 1, low, high


# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 2.6), layout="constrained")
for line, (name, rows) in enumerate(data.items()):
    train, test = rows[::2], rows[1::2]
    scale = 1.0 if name == "digits" else train.std(0)
    for seed in range(3):
        model = (
            models[name] if seed == 0 else Autoencoder(8, random_state=seed).fit(train)
        )
        middle, low, high = difference(model, train, test, scale)
        ax.errorbar(
            middle,
            line + seed / 5 - 0.2,
            xerr=[[middle - low], [high - middle]],
            fmt="o",
            color=f"C{line}",
        )
ax.axvline(0, color="grey", linestyle=":")
ax.set(
    yticks=range(len(data)),
    yticklabels=list(data),
    ylim=(-0.6, len(data) - 0.4),
    xlabel="error relative to PCA, minus 1 (left is better)",
)
ax.xaxis.set_major_formatter("{x:+.0%}")
plt.show()

# %%
# Each point is a net with another seed; its bar is the interval over rows. Report both: an interval over rows alone is
# too narrow if seeds differ by more than it. Bars left of the dotted line mean that the net is better, bars right of it
# that PCA is better. A bar that crosses it, as those of tumours do or nearly do, decides nothing.
# :func:`isthmus.report` writes such a comparison by itself.

# %%
# What the doctor sees
# --------------------
#
# ``doctor.examine`` looks for causes: unfinished training, overfitting, codes that are not used, likelihoods that do
# not fit. Here a wide net was trained on few rows without early stopping.

from isthmus import doctor
from isthmus.backbones import MLP

train, test = tumours.data[:100], tumours.data[100:]
wide = MLP((512, 512))
spoiled = Autoencoder(
    8, backbone=wide, validation_fraction=0.0, max_epochs=100, random_state=0
).fit(train)
print(doctor.format_findings(doctor.examine(train, spoiled, test=test)))

# %%
# Its error on the training rows is tiny, and that is the trap: on new rows, PCA is better.

from isthmus.baselines import compare

for name, rows in {"training rows": train, "new rows": test}.items():
    print(
        f"{name:14}",
        {
            method: round(error, 3)
            for method, error in compare(spoiled, train, rows).items()
        },
    )

# %%
# What reconstruction error is not
# --------------------------------
#
# It is **not a measure of use**. Here PCA rebuilds benign tumours better and better the larger its code is. Finding
# malignant tumours by their errors does not improve with it.

from sklearn.metrics import roc_auc_score

benign, malignant = (
    data["tumours"][tumours.target == 1],
    data["tumours"][tumours.target == 0],
)
train, new = benign[:250], benign[250:]
scale, sizes, errors, areas = train.std(0), [1, 2, 4, 8, 12, 16, 20, 24, 28], [], []
is_malignant = np.repeat([False, True], [len(new), len(malignant)])
both = np.concatenate([new, malignant])
for size in sizes:
    pca = PCA(size).fit(train / scale)
    rebuilt = scale * pca.inverse_transform(pca.transform(both / scale))
    by_row = squared_errors(rebuilt, both, scale)
    errors.append(by_row[~is_malignant].mean())
    areas.append(roc_auc_score(is_malignant, by_row))
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
axes[0].plot(sizes, errors, "o-", markersize=4)
axes[0].set(xlabel="components", ylabel="error of new benign rows", yscale="log")
axes[1].plot(sizes, areas, "o-", markersize=4, color="C1")
axes[1].set(xlabel="components", ylabel="malignant found (ROC area)", ylim=(0.5, 1))
plt.show()

# %%
# It is also
#
# - **not a measure of the code.** A code as large as the row has an error of 0 and has learned nothing. Compare codes
#   of one size.
# - **not comparable between units.** An error of 0.1 in units of each column's variance and one of 0.1 in squared
#   pixels have nothing in common. ``judge`` prints the unit.
# - **not a probability.** To compare models of different kinds, use ``score``, the bound on the log likelihood, if both
#   have the same likelihood.
# - **not the quality of new rows.** See :doc:`generate`: new rows are compared with real ones.
# - **not the quality of alarms or features.** Measure these with labels, if only a few: :doc:`anomalies`,
#   :doc:`features`.
#
# :doc:`../theory` has the formulas.

# %%
# What goes wrong
# ---------------
#
# - **Judged on training rows.** Every wide net wins. Split first, also before scaling and before filling gaps.
# - **Rows leak.** Duplicates, or rows of one patient, are on both sides. ``doctor.examine(train, test=test)`` finds
#   equal rows; ``prepare`` with ``split_by="grouped"`` keeps groups together.
# - **One seed.** Two nets of the same kind differ. Fit three before saying that one setting is better.
# - **Tuned on the rows that judge.** The best of many is best partly by chance: :doc:`tune`.
#
# See :func:`isthmus.baselines.judge`, :func:`isthmus.baselines.compare`, :func:`isthmus.doctor.examine` and
# :func:`isthmus.report`.
