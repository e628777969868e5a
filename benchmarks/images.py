"""Convolutional autoencoders on MNIST, as uint8 images (n, 28, 28), compared with dense ones of the same code size.

    make bench                                # everything
    python benchmarks/images.py denoising     # a part

MNIST is found as in ``mnist.py``. Writes a line of JSON for each figure to ``benchmarks/results/images.jsonl`` and a
table to ``benchmarks/results/images.md``.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from mnist import Data, Figure, load_images, measure, timed

N_COMPONENTS = 128
WHITE = 255.0
# Standard deviation of the noise, in units of the range of pixels.
NOISE = 0.5


def convolutional(max_epochs: int, backbone: dict[str, Any], **options: Any) -> Any:
    from isthmus import Autoencoder
    from isthmus.backbones import Conv

    return Autoencoder(
        N_COMPONENTS,
        backbone=Conv((32, 64), **backbone),
        learning_rate=3e-3,
        batch_size=128,
        max_epochs=max_epochs,
        validation_fraction=0.0,
        random_state=0,
        **options,
    )


def dense(max_epochs: int | str, **options: Any) -> Any:
    from isthmus import zoo

    return zoo.autoencoder(N_COMPONENTS, max_epochs=max_epochs, validation_fraction=0.0, random_state=0, **options)


def reconstruction(data: Data) -> Iterator[Figure]:
    """Measure the cross entropy of pixels; the training loss is the squared error of bytes."""
    model = convolutional(5, {})
    yield Figure(
        "codes of 128 numbers, convolutional, seconds to fit", timed(lambda: model.fit(data.train)), "goal 300"
    )
    of_dense = cross_entropy(dense(max_epochs=15).fit(data.train), data.test)
    comparison = f"goal 0.075, dense {of_dense:.4f}, Keras's blog 0.094, lowest possible value {entropy(data.test):.4f}"
    yield Figure("codes of 128 numbers, convolutional, test BCE per pixel", cross_entropy(model, data.test), comparison)
    rebuilt = model.reconstruct(data.test)
    assert (rebuilt.shape, rebuilt.dtype) == (data.test.shape, np.uint8)
    yield Figure("codes of 128 numbers, convolutional, test PSNR of bytes in dB", psnr(rebuilt, data.test))


def denoising(data: Data) -> Iterator[Figure]:
    """Denoise normal noise of standard deviation 0.5, clipped to [0, 1], with codes of 128 numbers."""
    from isthmus.corruptions import GaussianNoise

    noise = np.random.default_rng(0).normal(0, NOISE, data.test.shape)
    noisy = np.rint(WHITE * np.clip(data.test / WHITE + noise, 0, 1)).astype(np.uint8)
    corruption = GaussianNoise(NOISE * WHITE, unit="data", clip=(0.0, WHITE))
    # A larger kernel: distinguishing noise from strokes needs more than the nearest pixels.
    model = convolutional(16, {"kernel_size": 5, "activation": "gelu"}, corruption=corruption)
    seconds = timed(lambda: model.fit(data.train))
    yield Figure("denoising, noise 0.5, convolutional, seconds to fit", seconds, "goal 300")
    decibels = psnr(model.reconstruct(noisy), data.test)
    yield Figure("denoising, noise 0.5, convolutional, PSNR in dB", decibels, f"noisy {psnr(noisy, data.test):.2f}")
    for how, max_epochs in {"with default settings": "auto", "of 60 epochs": 60}.items():
        peer = dense(max_epochs, corruption=corruption)
        seconds = timed(lambda peer=peer: peer.fit(data.train))
        of_peer = psnr(peer.reconstruct(noisy), data.test)
        comparison = f"dense {of_peer:.2f} in {seconds:.0f} s; goal 1"
        yield Figure(
            f"denoising, noise 0.5, PSNR minus that of dense layers, in dB, {how}", decibels - of_peer, comparison
        )


def cross_entropy(model: Any, images: np.ndarray) -> float:
    """Compute the binary cross entropy per pixel of reconstructions of floats, which are not rounded to bytes."""
    return entropy(images, model.reconstruct(images.astype(np.float32)))


def entropy(images: np.ndarray, expected: np.ndarray | None = None) -> float:
    """Compute the cross entropy of pixels and expected values, clipped as in Keras; by default, of pixels alone."""
    x = images / WHITE
    p = np.clip(x if expected is None else expected / WHITE, 1e-7, 1 - 1e-7).astype(np.float64)
    return float(-(x * np.log(p) + (1 - x) * np.log1p(-p)).mean())


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the peak signal-to-noise ratio in decibels, from the mean squared error over all images."""
    return float(10 * np.log10(WHITE**2 / np.mean((a.astype(np.float64) - b) ** 2)))


SECTIONS = {"reconstruction": reconstruction, "denoising": denoising}

if __name__ == "__main__":
    measure(SECTIONS, load_images(), sys.argv[1:], "images")
