"""
Choose the size of the code
===========================

How many numbers should a code have? With too few, details of a row are lost. With too many, the code stores noise, and
is harder to plot, to search and to sample. One training shows the error of every size.
"""

# %%
# A case with a known answer
# --------------------------
#
# Each row of this table has 12 columns, but they follow from three numbers by curved functions. A little noise is
# added. So the right size is 3.

import numpy as np

rng = np.random.default_rng(0)
factors = rng.normal(size=(600, 3))
table = np.tanh(factors @ rng.normal(size=(3, 12))) + 0.05 * rng.normal(size=(600, 12))

# %%
# ``suggest_n_components`` trains one net whose components are ordered: the first is the most useful, and so on. It then
# rebuilds held-out rows from the first one, the first two, and so on.

from isthmus.latent import suggest_n_components

known = suggest_n_components(table, random_state=0)
print(known)

# %%
# The curve
# ---------
#
# The error of held-out rows falls, and then stays level, so its minimum says little. The second curve divides the error
# by the share of directions that the code leaves free. Pure noise is the same in all directions: this curve stops
# falling where only noise is left. The grey band is the interval of the suggestion.

import matplotlib.pyplot as plt

from isthmus import plots

plots.code_sizes(known)
plt.show()

# %%
# Real data
# ---------
#
# Real tables rarely have a sharp elbow. Here are 30 measurements of tumours, and images of digits with 64 pixels.

from sklearn.datasets import load_breast_cancer, load_digits

tumours = load_breast_cancer(as_frame=True).data
images, digits = load_digits(return_X_y=True)
found = {
    "tumours": suggest_n_components(tumours, random_state=0),
    "digits": suggest_n_components(images[:600], random_state=0),
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, (name, sizes) in zip(axes, found.items(), strict=True):
    plots.code_sizes(sizes, ax=ax)
    low, high = sizes.interval
    ax.set(title=f"{name}: {sizes.n_components}, interval {low} to {high}")
plt.show()

# %%
# What enough means
# -----------------
#
# The suggestion answers one question: from which size do more components store only noise? Another use asks another
# question. A classifier may be content with fewer numbers, or gain from details that hardly change the error. Measure
# what you need.
#
# ``Nested`` orders the components as above. So one fit is enough to try all sizes: take the first columns of the codes.

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import Autoencoder
from isthmus.bottlenecks import Nested

train, test, y_train, y_test = train_test_split(
    images, digits, test_size=0.5, random_state=0
)
model = Autoencoder(24, bottleneck=Nested(), max_epochs=30, random_state=0).fit(train)
codes, unseen = model.transform(train), model.transform(test)
sizes = [1, 2, 3, 4, 6, 8, 12, 16, 24]
accuracy = []
for size in sizes:
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        codes[:, :size], y_train
    )
    accuracy.append(classifier.score(unseen[:, :size], y_test))

# %%
# Test rows are few, so each accuracy has an error too. The bars are 95 % intervals.

margins = 1.96 * np.sqrt(np.multiply(accuracy, np.subtract(1, accuracy)) / len(test))
fig, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
ax.errorbar(sizes, accuracy, margins, marker="o", markersize=4, elinewidth=1)
ax.axvspan(
    *found["digits"].interval,
    color="grey",
    alpha=0.2,
    linewidth=0,
    label="interval of the suggestion",
)
ax.set(xlabel="components", ylabel="accuracy on unseen digits")
ax.legend(frameon=False, loc="lower right")
plt.show()

# %%
# More rules of thumb, by use:
#
# - **A map** needs two components, whatever the curve says. Read :doc:`reduce` about what it loses.
# - **Anomalies** are missed by codes that are too large: the net then rebuilds strange rows too. Start at the
#   suggestion or below.
# - **New rows** need codes that are easy to sample. A variational model leaves the components that it does not need at
#   the prior, so its size may be too large at no cost. ``latent.active_units`` counts those in use; see :doc:`latent`.
# - **Gaps** are filled from wide codes: ``zoo.imputer`` does not need a narrow one.

# %%
# What goes wrong
# ---------------
#
# - **The interval is wide.** There is no sharp elbow, and any size inside is defensible. Choose by the use, or take the
#   smaller one.
# - **"The error still falls"** is the warning that the largest size is the best. Raise ``max_components``.
# - **Few rows.** Structure and noise cannot be told apart. Ask again with another ``random_state``: if the suggestion
#   jumps, the rows do not determine the size.
# - **"No code has clearly less error per direction than none."** If the columns have little in common, each component
#   describes a single column, and there is no right size. The warning names the size at which the error stops falling.
# - **One column hides the others.** A column with much more noise than the rest counts as a direction of its own. Look
#   at the table first: :doc:`prepare`.
# - **The size is tuned by the reconstruction error.** The largest always wins. Use this guide, or tune by the bound:
#   :doc:`tune`.
#
# See :func:`isthmus.latent.suggest_n_components`, :class:`isthmus.latent.CodeSizes`, :func:`isthmus.plots.code_sizes`
# and :class:`isthmus.bottlenecks.Nested`.
