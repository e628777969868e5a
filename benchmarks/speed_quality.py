"""Seconds to the test error that other libraries reach in 20 epochs, each with the defaults of its own."""

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from peers_common import Fitted, make_error

N_EPOCHS = 20
QUALITY_PEERS = ("keras-jax", "sklearn", "isthmus")
Point = tuple[float, float]


def keras(widths: tuple[int, ...], x: np.ndarray) -> Fitted:
    """Keras as it comes: Adam at 1e-3, batches of 32, a linear code."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    inner, code = widths[1:-1], widths[-1]
    layers = [*(dense(n, activation="relu") for n in inner), dense(code)]
    layers += [*(dense(n, activation="relu") for n in inner[::-1]), dense(widths[0])]
    net = keras.Sequential([keras.Input(widths[:1]), *layers])
    net.compile(optimizer="adam", loss="mse")
    started = time.perf_counter()
    net.fit(x, x, epochs=N_EPOCHS, verbose=0)
    seconds = time.perf_counter() - started
    return Fitted([seconds], make_error(lambda x: net.predict(x, batch_size=4096, verbose=0)), {}, {})


def sklearn(widths: tuple[int, ...], x: np.ndarray) -> Fitted:
    """scikit-learn as it comes: Adam at 1e-3, batches of 200, ReLU after the code too."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    net = MLPRegressor(hidden_layer_sizes=(*widths[1:], *widths[-2:0:-1]), max_iter=N_EPOCHS, random_state=0)
    warnings.simplefilter("ignore", ConvergenceWarning)
    started = time.perf_counter()
    net.fit(x, x)
    return Fitted([time.perf_counter() - started], make_error(net.predict), {}, {})


def isthmus(widths: tuple[int, ...], x: np.ndarray, test: np.ndarray) -> list[Point]:
    """Fit ``Autoencoder`` as it comes; return seconds and test error after each epoch."""
    from isthmus import Autoencoder

    points, started = list[Point](), time.perf_counter()

    def note(state: Any) -> None:
        nonlocal started
        stopped = time.perf_counter()
        points.append((stopped - started, make_error(lambda rows: rebuild(state.model, rows))(test)))
        started += time.perf_counter() - stopped

    Autoencoder(widths[-1], random_state=0, callbacks=(note,)).fit(x)
    return points


def rebuild(model: Any, x: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        model.eval()
        return model.decode(model.encode(torch.from_numpy(x).to(model.device))[0]).numpy(force=True)


def time_to_quality(peer: str, widths: tuple[int, ...], x: np.ndarray, test: np.ndarray, notes: Path) -> Iterator[Any]:
    """Yield names of figures with their values and notes.

    The other libraries leave their errors in the folder of the arrays for isthmus, which comes last.
    """
    file = notes / f"error-{len(x)}-{widths[0]}"
    if peer == "isthmus":
        points = isthmus(widths, x, test)
        yield "test error", points[-1][1], f"after all {len(points)} epochs, in {points[-1][0]:.1f} s"
        errors = dict(line.split() for line in file.read_text().splitlines())
        for other, error in errors.items():
            seconds = next((seconds for seconds, ours in points if ours <= float(error)), math.inf)
            yield f"seconds to the error of {other}", seconds, f"error {float(error):.4g}"
        return
    fitted = {"keras-jax": keras, "sklearn": sklearn}[peer](widths, x)
    error = fitted.error(test)
    with file.open("a") as record:
        record.write(f"{peer} {error}\n")
    yield "test error", error, f"after {N_EPOCHS} epochs"
    yield f"seconds to the error of {peer}", fitted.seconds[0], f"{N_EPOCHS} epochs"
