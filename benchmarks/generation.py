"""Conditional samples of digits, as uint8 images (n, 28, 28), compared with mixtures on components of PCA.

    make bench                                            # everything
    python benchmarks/generation.py --picture grid.png    # also writes an image of samples

A small convolutional classifier in plain PyTorch is trained on the digits and classifies the samples. Precision,
recall, density and coverage are computed in the space of its last layer, from 10,000 samples and 10,000 test digits.
MNIST is found as in ``mnist.py``. Writes a line of JSON for each figure to ``benchmarks/results/generation.jsonl`` and
a table to ``benchmarks/results/generation.md``.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mnist import Data, Figure, load_images, measure, timed
from torch import nn

WHITE = 255.0
N_COMPONENTS = 32
# Components of PCA: as many as the code has, and the best number.
SIZES, N_CLUSTERS = (32, 64), 20
N_COLUMNS = 16


class Reader(nn.Module):
    """Classifier of digits. ``features`` are the 128 numbers before the last layer."""

    def __init__(self) -> None:
        super().__init__()
        convolutions = [
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        ]
        self.body = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(128, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (n, 28, 28) to logits (n, 10)."""
        return self.head(self.body(images[:, None] / WHITE))

    def learn(self, images: np.ndarray, labels: np.ndarray, n_epochs: int = 4, batch_size: int = 128) -> "Reader":
        """Fit the classifier to images and their labels."""
        x, y = torch.from_numpy(images).float(), torch.from_numpy(labels).long()
        optimizer = torch.optim.AdamW(self.parameters())
        n_steps = n_epochs * -(-len(x) // batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=n_steps)
        for _ in range(n_epochs):
            for rows in torch.randperm(len(x)).split(batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(self(x[rows]), y[rows]).backward()
                optimizer.step()
                schedule.step()
        return self.eval()

    @torch.inference_mode()
    def features(self, images: np.ndarray) -> np.ndarray:
        """Map images to the input of the last layer, (n, 128)."""
        parts = torch.from_numpy(images).split(1000)
        return torch.cat([self.body(part[:, None].float() / WHITE) for part in parts]).numpy()

    @torch.inference_mode()
    def read(self, images: np.ndarray) -> np.ndarray:
        """Classify images, (n,)."""
        return self.head(torch.from_numpy(self.features(images))).argmax(1).numpy()


def generation(data: Data, picture: str | None = None) -> Iterator[Figure]:
    torch.manual_seed(0)
    reader = Reader().learn(data.train, data.train_labels)
    accuracy = float((reader.read(data.test) == data.test_labels).mean())
    yield Figure("classifier, accuracy on test digits", accuracy, "goal 0.985")
    known = np.random.default_rng(0).permutation(len(data.train))[: len(data.test)]
    yield from measure_samples("training digits", reader, data.test, data.train[known], data.train_labels[known])
    model = ours()
    seconds = timed(lambda: model.fit(data.train, data.train_labels))
    yield Figure("conditional VAE, seconds to fit", seconds, "goal 600")
    samples = model.sample(len(data.test), y=data.test_labels, sample_values=False)
    assert (samples.shape, samples.dtype) == (data.test.shape, np.uint8)
    if picture:
        draw(samples, data.test_labels, picture)
    yield from measure_samples("conditional VAE", reader, data.test, samples, data.test_labels)
    for size in SIZES:
        samples = draw_from_mixtures(data.train, data.train_labels, data.test_labels, size)
        yield from measure_samples(
            f"mixtures on {size} components of PCA", reader, data.test, samples, data.test_labels
        )


def ours() -> Any:
    from isthmus import zoo
    from isthmus.backbones import Conv

    return zoo.conditional_vae(
        N_COMPONENTS,
        backbone=Conv((32, 64)),
        batch_size=128,
        max_epochs=12,
        validation_fraction=0.0,
        random_state=0,
    )


def measure_samples(
    name: str, reader: Reader, real: np.ndarray, samples: np.ndarray, requested: np.ndarray
) -> Iterator[Figure]:
    """Compute all figures of samples."""
    from isthmus.metrics.generation import density_coverage, frechet_distance, precision_recall

    comparison = "goal 0.95" if name == "conditional VAE" else ""
    yield Figure(f"{name}, classified as requested", float((reader.read(samples) == requested).mean()), comparison)
    spaces = reader.features(real), reader.features(samples)
    for measured in (precision_recall(*spaces), density_coverage(*spaces)):
        for what, value in measured._asdict().items():
            yield Figure(f"{name}, {what}", value)
    yield Figure(f"{name}, Fréchet distance of the features", frechet_distance(*spaces))


def draw_from_mixtures(images: np.ndarray, labels: np.ndarray, requested: np.ndarray, size: int) -> np.ndarray:
    """Draw digits from one mixture of normal distributions for each digit, fitted to components of PCA."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    pca = PCA(size, random_state=0)
    codes = pca.fit_transform(images.reshape(len(images), -1) / WHITE)
    drawn = np.empty((len(requested), size))
    for digit in np.unique(requested):
        mixture = GaussianMixture(N_CLUSTERS, reg_covar=1e-4, random_state=0).fit(codes[labels == digit])
        drawn[requested == digit] = mixture.sample(int((requested == digit).sum()))[0]
    values = pca.inverse_transform(drawn).reshape(-1, *images.shape[1:])
    return np.rint(WHITE * values.clip(0, 1)).astype(np.uint8)


def draw(samples: np.ndarray, labels: np.ndarray, path: str) -> None:
    """Write an image with a row of samples of each digit, black on white."""
    from matplotlib.image import imsave

    rows = [np.hstack(samples[labels == digit][:N_COLUMNS]) for digit in np.unique(labels)]
    imsave(path, WHITE - np.vstack(rows), cmap="gray", vmin=0, vmax=WHITE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", help="PNG of samples to write")
    options = parser.parse_args()
    measure({"generation": lambda data: generation(data, options.picture)}, load_images(), [], "generation")
