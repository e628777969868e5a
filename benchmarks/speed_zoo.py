"""Epochs of the zoo's entries on MNIST, and for every entry whether its steps are recorded on an accelerator."""

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from peers_common import BATCH, Marks, device, torch_device

SIDE = 28
N_COMPONENTS = 32
# Rows of an entry: all, or as many as give a time. On processors fewer, so that all entries take minutes.
ROWS = {"contractive": 20_000, "recurrent": 12_000}
ROWS_ON_PROCESSORS = 4_096
TIMED = (
    *("autoencoder", "vae", "denoising", "sparse", "contractive"),
    *("convolutional", "imputer", "conditional_vae", "recurrent"),
)
N_EPOCHS = 4
Entry = tuple[list[float], str]


def time_entries(x: np.ndarray, labels: np.ndarray) -> dict[str, tuple[float, int, str]]:
    """Return seconds of an epoch, rows, and where and how steps ran, for each timed entry."""
    figures = {}
    for name in TIMED:
        n_rows = min(len(x), ROWS.get(name, len(x)), len(x) if torch_device() == "cuda" else ROWS_ON_PROCESSORS)
        seconds, how = fit(name, choose_rows(name, x[:n_rows]), labels[:n_rows], N_COMPONENTS, N_EPOCHS)
        figures[f"seconds per epoch, {name}"] = (statistics.median(seconds[1:]), n_rows, how)
    return figures


def list_entries() -> dict[str, tuple[float, int, str]]:
    """Return whether the steps of each entry are recorded (1 or 0), rows, and where and how they ran."""
    from isthmus import zoo

    generator, figures = np.random.default_rng(0), {}
    for name in zoo.__all__:
        rows = make_small_rows(name, generator)
        _, how = fit(name, rows, np.arange(len(rows)) % 3, 16, 2)
        figures[f"recorded, {name}"] = (float(how.endswith("steps recorded")), len(rows), how)
    return figures


def fit(name: str, rows: np.ndarray, labels: np.ndarray, n_components: int, epochs: int) -> Entry:
    """Fit an entry as it comes; return the seconds of its epochs, and where and how its steps ran."""
    from isthmus import zoo

    marks, hows = Marks(), list[str]()

    def note(state: Any) -> None:
        marks()
        hows.append(state.execution)

    options: dict[str, Any] = {"max_epochs": epochs, "batch_size": BATCH, "validation_fraction": 0.0}
    make: Callable[..., Any] = getattr(zoo, name)
    net = make(n_components, device=device(), random_state=0, callbacks=(note,), **options)
    net.fit(rows, labels if name == "conditional_vae" else None)
    return marks.seconds, hows[-1]


def choose_rows(name: str, x: np.ndarray) -> np.ndarray:
    """Return rows as an entry takes them: images, series of a row of pixels a step, or with cells missing."""
    if name == "convolutional":
        return x.reshape(-1, SIDE, SIDE, 1)
    if name == "recurrent":
        return x.reshape(-1, SIDE, SIDE)
    if name == "imputer":
        return np.where(np.random.default_rng(0).random(x.shape) < 0.1, np.float32(np.nan), x)
    return x


def make_small_rows(name: str, generator: np.random.Generator) -> np.ndarray:
    """Return a few batches of made-up rows that an entry takes."""
    n_rows = 4 * BATCH
    if name in ("mult_vae", "topic_model"):
        return generator.poisson(2.0, (n_rows, 20))
    if name == "sequence_vae":
        return generator.integers(0, 5, (n_rows, 8))
    if name == "convolutional":
        return generator.random((n_rows, 16, 16, 1)).astype(np.float32)
    if name in ("recurrent", "tcn"):
        return generator.normal(size=(n_rows, 8, 3)).astype(np.float32)
    return (generator.normal(size=(n_rows, 3)) @ generator.normal(size=(3, 10))).astype(np.float32)
