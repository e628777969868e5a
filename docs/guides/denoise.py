"""
Remove noise
============

Some rows have noise, and clean rows of the same kind exist. A denoising autoencoder learns to remove noise that is
added to clean rows in training.
"""

# %%
# Fit on clean rows
# -----------------
#
# ``noise`` is the standard deviation of the added noise. With ``unit="data"`` it has the unit of the values; by default
# it is relative to each column. ``clip`` is the range of the values.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from isthmus import zoo

train, test = train_test_split(load_digits().data, test_size=0.3, random_state=0)
denoiser = zoo.denoising(
    16, noise=4.0, unit="data", clip=(0, 16), max_epochs=60, random_state=0
).fit(train)

# %%
# Clean new rows
# --------------

noisy = np.clip(test + np.random.default_rng(0).normal(0, 4, test.shape), 0, 16)
clean = denoiser.reconstruct(noisy)

# %%
import matplotlib.pyplot as plt

fig, axes = plt.subplots(3, 10, figsize=(7, 2.4), layout="constrained")
for line, (name, rows) in zip(
    axes, {"noisy": noisy, "cleaned": clean, "true": test}.items(), strict=True
):
    for ax, row in zip(line, rows, strict=False):
        ax.imshow(row.reshape(8, 8), cmap="gray", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)
plt.show()

# %%
# Is it good?
# -----------
#
# The root mean squared error from the true values, also for PCA with as many components:

from sklearn.decomposition import PCA

pca = PCA(16).fit(train)
answers = {
    "noisy": noisy,
    "PCA": pca.inverse_transform(pca.transform(noisy)),
    "denoising": clean,
}
for name, rows in answers.items():
    print(f"{name:10} {np.sqrt(np.mean((rows - test) ** 2)):.2f}")

# %%
# What goes wrong
# ---------------
#
# - **The real noise is of another kind.** A net that learned to remove normal noise does not remove lines or missing
#   blocks. Corrupt rows in training as they will be corrupted later: ``salt_pepper``, ``zeroing``, ``hidden_channels``.
# - **Only noisy rows exist.** Then the net learns the noise too, unless it is independent between values: a narrow code
#   cannot store it.
# - **Details vanish.** The cleaned image is smoother than the true one. Use a larger code, or less noise.
#
# See :func:`isthmus.zoo.denoising` and :mod:`isthmus.corruptions`.
