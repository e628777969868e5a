"""Quality and time on MNIST, compared with PCA, a median filter and Keras on JAX in the same run.

    make bench                                    # everything
    python benchmarks/mnist.py classic nll        # a part

MNIST is read from ``mnist.npz`` in the folder ``$ISTHMUS_TEST_DATA/mnist`` (default: ``../shared/data/mnist`` beside
the repository), with arrays x_train, y_train, x_test, y_test of uint8. Writes a line of JSON for each figure to
``benchmarks/results/mnist.jsonl`` and a table to ``benchmarks/results/mnist.md``.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"


class Figure(NamedTuple):
    """A measured number, and the goal or the figures of other methods to compare it with."""

    measure: str
    value: float
    comparison: str = ""


class Data(NamedTuple):
    """Digits and their labels; by default, one digit per row, scaled to [0, 1]."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def load() -> Data:
    data = load_images()
    train, test = (images.reshape(-1, 784).astype(np.float32) / 255 for images in (data.train, data.test))
    return data._replace(train=train, test=test)


def load_images() -> Data:
    """Digits as in the file, uint8 of shape (n, 28, 28)."""
    folder = Path(os.environ.get("ISTHMUS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    with np.load(folder / "mnist" / "mnist.npz") as file:
        return Data(*(file[name] for name in ("x_train", "y_train", "x_test", "y_test")))


def timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def mse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a - b) ** 2))


def defaults(data: Data) -> Iterator[Figure]:
    """Fit ``Autoencoder(32)`` with default settings."""
    from sklearn.decomposition import PCA

    from isthmus import Autoencoder

    model = Autoencoder(32, random_state=0)
    yield Figure("Autoencoder(32), seconds to fit", timed(lambda: model.fit(data.train)), "goal 90")
    pca = PCA(32, random_state=0).fit(data.train)
    error = mse(pca.inverse_transform(pca.transform(data.test)), data.test)
    yield Figure(
        "Autoencoder(32), test MSE per pixel", mse(model.reconstruct(data.test), data.test), f"PCA {error:.5f}"
    )
    accuracy, of_pca = measure_accuracy(model, data), measure_accuracy(pca, data)
    yield Figure(
        "codes of 32 numbers of the autoencoder, accuracy of logistic regression", accuracy, f"PCA {of_pca:.4f}"
    )


def codes(data: Data) -> Iterator[Figure]:
    """Measure codes that are trained to reconstruct digits from warped ones with hidden pixels."""
    from isthmus import Autoencoder

    model = Autoencoder(32, corruption=warp, max_epochs=9, validation_fraction=0.0, random_state=0)
    yield Figure("codes of warped digits, seconds to fit", timed(lambda: model.fit(data.train)))
    accuracy = measure_accuracy(model, data)
    yield Figure("codes of warped digits, 32 numbers, accuracy of logistic regression", accuracy, "goal 0.96")


def warp(x: Any) -> Any:
    """Rotate, scale, shear and shift each digit slightly, and hide 30 % of the pixels."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    turn, scale, shear, right, down = ((torch.rand(5, len(x)) - 0.5).T * torch.tensor([0.6, 0.3, 0.6, 0.3, 0.3])).T
    cosine, sine = torch.cos(turn) * (1 + scale), torch.sin(turn) * (1 + scale)
    rows = torch.stack([cosine, shear - sine, right], 1), torch.stack([sine, cosine, down], 1)
    shape = (len(x), 1, 28, 28)
    grid = affine_grid(torch.stack(rows, 1), shape, align_corners=False)
    warped = grid_sample(x.view(shape), grid, align_corners=False).view_as(x)
    return warped * (torch.rand_like(x) < 0.7)


def measure_accuracy(model: Any, data: Data) -> float:
    """Compute the test accuracy of logistic regression on codes of a model."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    classifier.fit(model.transform(data.train), data.train_labels)
    return classifier.score(model.transform(data.test), data.test_labels)


def classic(data: Data) -> Iterator[Figure]:
    """Measure the net of the Keras tutorial, 784-32-784 sigmoid output: 50 epochs of Keras on JAX, 4 epochs here."""
    model = our_classic()
    ours = timed(lambda: model.fit(data.train))
    theirs, error = keras_classic(data)
    yield Figure(
        "classic 784-32-784, test MSE per pixel", mse(model.reconstruct(data.test), data.test), f"Keras {error:.5f}"
    )
    yield Figure("classic 784-32-784, seconds to fit", ours, f"Keras {theirs:.1f}")
    yield Figure("classic 784-32-784, ratio of seconds to Keras", ours / theirs, "goal 0.33")


def our_classic() -> Any:
    from isthmus import Autoencoder
    from isthmus.backbones import MLP
    from isthmus.likelihoods import Gaussian

    return Autoencoder(
        32,
        backbone=MLP(hidden=()),
        likelihood=Gaussian(scale="shared", scaling="center", bounded=True),
        max_epochs=4,
        learning_rate=2e-2,
        batch_size=512,
        random_state=0,
    )


def keras_classic(data: Data) -> tuple[float, float]:
    """Return the seconds of ``fit`` in Keras, compilation included as in isthmus, and the test error."""
    import keras

    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [keras.Input((784,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(784, activation="sigmoid")]
    )
    net.compile(optimizer="adam", loss="mse")
    seconds = timed(lambda: net.fit(data.train, data.train, epochs=50, batch_size=256, validation_split=0.2, verbose=0))
    return seconds, mse(net.predict(data.test, batch_size=4096, verbose=0), data.test)


def denoising(data: Data) -> Iterator[Figure]:
    """Denoise normal noise of standard deviation 0.5, clipped to [0, 1]."""
    from scipy.ndimage import median_filter

    from isthmus import zoo

    rng = np.random.default_rng(0)
    noisy = np.clip(data.test + rng.normal(0, 0.5, data.test.shape), 0, 1).astype(np.float32)
    options = {"max_epochs": 10, "random_state": 0}
    plain = zoo.autoencoder(32, **options).fit(data.train)
    ours = zoo.denoising(32, noise=0.5, unit="data", clip=(0.0, 1.0), **options).fit(data.train)
    filtered = median_filter(noisy.reshape(-1, 28, 28), size=(1, 3, 3)).reshape(-1, 784)
    of_plain, of_filter = mse(plain.reconstruct(noisy), data.test), mse(filtered, data.test)
    comparison = f"plain autoencoder {of_plain:.4f}, median filter {of_filter:.4f}"
    yield Figure("denoising, noise 0.5, MSE from the clean digit", mse(ours.reconstruct(noisy), data.test), comparison)


def nll(data: Data) -> Iterator[Figure]:
    """Fit a VAE to dynamically binarised MNIST; its test NLL uses 5,000 importance samples."""
    from isthmus import zoo
    from isthmus.backbones import MLP
    from isthmus.likelihoods import Bernoulli

    model = zoo.vae(
        32,
        backbone=MLP(hidden=(500, 500)),
        likelihood=Bernoulli(binarize=True),
        max_epochs=90,
        batch_size=256,
        learning_rate=4e-3,
        validation_fraction=0.0,
        random_state=0,
    )
    yield Figure("VAE, seconds to fit", timed(lambda: model.fit(data.train)), "goal 600")
    yield Figure(
        "codes of 32 numbers of the VAE, accuracy of logistic regression", measure_accuracy(model, data), "goal 0.96"
    )
    binary = (np.random.default_rng(0).random(data.test.shape) < data.test).astype(np.float32)
    n_test = int(os.environ.get("ISTHMUS_NLL_ROWS", len(binary)))
    scores = model.score_samples(binary[:n_test], n_draws=5000, random_state=0)
    error = scores.std() / np.sqrt(n_test)
    comparison = f"{n_test} test digits, standard error {error:.2f}; published VAE 86.76 (IWAE paper)"
    yield Figure("VAE, test NLL in nats", -float(scores.mean()), comparison)


SECTIONS = {"defaults": defaults, "codes": codes, "classic": classic, "denoising": denoising, "nll": nll}


def machine() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "scikit-learn", "numpy", "keras", "jax")
    versions = {name: version(name) for name in packages if name in sys.modules or name == "scikit-learn"}
    return {"python": platform.python_version(), "cores": str(os.cpu_count()), "cpu": platform.processor(), **versions}


def write(figures: list[Figure], name: str) -> None:
    """Append to a record, and write the table of the newest value of every figure."""
    RESULTS.mkdir(exist_ok=True)
    record = RESULTS / f"{name}.jsonl"
    with record.open("a") as file:
        file.writelines(json.dumps({**figure._asdict(), **machine()}) + "\n" for figure in figures)
    newest = {row["measure"]: row for row in map(json.loads, record.read_text().splitlines())}
    table = ["| figure | isthmus | compared with |", "| --- | --- | --- |"]
    table += [f"| {row['measure']} | {row['value']:.5g} | {row['comparison']} |" for row in newest.values()]
    (RESULTS / f"{name}.md").write_text("\n".join(table) + "\n")


def measure(sections: dict[str, Callable[[Any], Iterator[Figure]]], data: Any, names: list[str], name: str) -> None:
    """Run the named sections, or all, and record their figures under a name."""
    for section in names or sections:
        figures = []
        for figure in sections[section](data):
            print(f"{figure.measure}: {figure.value:.5g}   ({figure.comparison})", flush=True)
            figures.append(figure)
        write(figures, name)


if __name__ == "__main__":
    measure(SECTIONS, load(), sys.argv[1:], "mnist")
