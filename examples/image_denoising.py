"""Clean noisy images
==================

Clean noisy images: a denoising autoencoder is trained to reconstruct clean digits from noisy ones.

Pixels are between 0 and 1. The noise has standard deviation 0.5, and noisy pixels are clipped to this range, both in
training and for the held-out images that are cleaned here. The error is the mean squared difference from the clean
image per pixel.

The error of the denoising autoencoder is about half that of a plain one, which was trained without noise and
reconstructs part of it. A median filter helps little, because the lines of digits of 8 x 8 pixels are hardly wider than
the noise.

Run: python examples/image_denoising.py [folder]
"""

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import median_filter
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from isthmus import plots, zoo

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
NOISE = 0.5

X_train, clean = train_test_split(
    load_digits().data / 16, test_size=0.2, random_state=0
)
noisy = np.clip(
    clean + np.random.default_rng(0).normal(scale=NOISE, size=clean.shape), 0, 1
)

plain = zoo.autoencoder(32, max_epochs=25, random_state=0).fit(X_train)
denoising = zoo.denoising(
    32, noise=NOISE, unit="data", clip=(0, 1), max_epochs=25, random_state=0
).fit(X_train)

versions = {
    "clean": clean,
    "noisy": noisy,
    "median filter": median_filter(noisy.reshape(-1, 8, 8), size=(1, 3, 3)).reshape(
        noisy.shape
    ),
    "plain": plain.reconstruct(noisy),
    "denoising": denoising.reconstruct(noisy),
}
print("mean squared error from the clean images")
for name, images in list(versions.items())[1:]:
    print(f"{name:14} {np.mean((images - clean) ** 2):.4f}")

ax = plots.images(versions, n=8)
ax.figure.savefig(folder / "image_denoising.png", dpi=100)
