"""Common parts of the other libraries in the speed benchmark: results of fits, marks of time, and calls to time."""

import os
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

Call = Callable[[np.ndarray], Any]
BATCH, RATE = 256, 1e-3
SIZES = (256, 1024, 4096)
# Steps that Keras makes in one call of its compiled function, if several are requested.
N_STEPS = 32


def device() -> str:
    """Return the device of isthmus: "cpu", "cuda" or "auto"."""
    return os.environ.get("ISTHMUS_SPEED_DEVICE", "cpu")


def torch_device() -> str:
    """Return the device of libraries that do not choose one."""
    import torch

    return "cuda" if device() != "cpu" and torch.cuda.is_available() else "cpu"


class Fitted(NamedTuple):
    """Result of a fit.

    Parameters
    ----------
    seconds : list of float
        Seconds of each epoch.
    error : callable
        Maps rows to their mean squared error.
    score, transform : dict of str to callable
        Public calls for many rows, by a description; the fastest one counts. ``score`` reconstructs or scores the
        rows, depending on the library, and ``transform`` returns their codes.
    """

    seconds: list[float]
    error: Callable[[np.ndarray], float]
    score: dict[str, Call]
    transform: dict[str, Call]


class Marks:
    """A hook for the end of an epoch, with any arguments."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def __call__(self, *_: Any, **__: Any) -> None:
        """Record the time."""
        self.times.append(time.perf_counter())

    @property
    def seconds(self) -> list[float]:
        """Return the times from each mark to the next."""
        return np.diff(self.times).tolist()


def stack(widths: tuple[int, ...], linear_end: bool = False) -> Any:
    from torch import nn

    layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*(layers[:-1] if linear_end else layers))


def make_error(reconstruct: Call) -> Callable[[np.ndarray], float]:
    return lambda x: float(np.mean((reconstruct(x) - x) ** 2))


def vary_batch_size(call: Callable[..., Any]) -> dict[str, Call]:
    return {f"batch {size}": partial(call, batch_size=size) for size in SIZES}


def split_calls(call: Call) -> dict[str, Call]:
    """Return two ways: one call for all rows, and many calls for a few rows each."""

    def pieces(x: np.ndarray, size: int) -> np.ndarray:
        return np.concatenate([call(x[start : start + size]) for start in range(0, len(x), size)])

    return {"one call": call, **{f"batch {size}": partial(pieces, size=size) for size in SIZES}}


def disable_gradient(call: Callable[..., Any]) -> Call:
    """Make calls under ``no_grad``: by default, pythae records gradients."""
    import torch

    def quiet(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return call(torch.from_numpy(x).to(torch_device())).cpu().numpy()

    return quiet


class Peer(NamedTuple):
    """A function that fits a net, and the imports that do not count in its memory."""

    fit: Callable[..., Fitted]
    imports: tuple[str, ...]


OURS = ("torch", "isthmus.autoencoder")
