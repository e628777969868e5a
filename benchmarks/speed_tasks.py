"""Tasks of the speed benchmark: one library and one task per process, on arrays that the parent process has written."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import mnist
import numpy as np
import tables_data
from peers import PEERS
from peers_common import BATCH, Call, Peer, torch_device
from peers_images import IMAGE_PEERS
from peers_torch import TORCH_PEERS
from speed_quality import QUALITY_PEERS, time_to_quality
from speed_zoo import list_entries, time_entries

REPEATS, ENOUGH_SECONDS = 5, 1.5
N_TRIAL = 2**14
N_STARTS = 7
LARGE = 2048
COMMANDS = {
    "seconds, python -c pass": ["-c", "pass"],
    "seconds, import isthmus": ["-c", "import isthmus"],
    "seconds, isthmus --help": ["-m", "isthmus", "--help"],
    "seconds, from isthmus import Autoencoder": ["-c", "from isthmus import Autoencoder"],
}


class Net(NamedTuple):
    """Widths from the data to the code, the array to fit, and the number of timed epochs."""

    widths: tuple[int, ...]
    array: str
    epochs: int

    def __str__(self) -> str:
        return f"{'-'.join(map(str, (*self.widths, *self.widths[-2::-1])))} on {self.array}"


NETS = {
    "small": Net((784, 32), "mnist", 4),
    "deep": Net((784, 512, 256, 64), "mnist", 3),
    "table": Net((30, 16, 4), "table", 3),
}


class ConvNet(NamedTuple):
    """As ``Net``, with the channels of the convolutions as widths."""

    widths: tuple[int, ...]
    array: str
    epochs: int

    def __str__(self) -> str:
        *channels, code = self.widths
        return f"Convolutions of {' and '.join(map(str, channels))} channels, a code of {code}, on {self.array}"


CONVOLUTIONAL = ConvNet((16, 32, 128), "mnist", 3)
ADULT = Net((6, 16, 3), "adult", 20)


class Figure(NamedTuple):
    """A number, its number of rows, and a note."""

    value: float
    rows: int = 0
    note: str = ""


Figures = dict[str, Figure]
NET_PEERS = {**PEERS, **TORCH_PEERS}


def write_arrays(folder: Path, n_rows: int | None) -> None:
    data = mnist.load()
    table = make_curved_table(220_000)
    adult = load_adult_numbers()
    arrays = {
        **{"mnist": data.train, "mnist-labels": data.train_labels, "mnist-test": data.test},
        **{"table": table[:200_000], "table-test": table[200_000:]},
        **{"adult": adult[:30_000], "adult-test": adult[30_000:]},
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array[:n_rows])


def make_curved_table(n_rows: int, n_columns: int = 30) -> np.ndarray:
    """Draw rows on a curved surface of four dimensions, with a little noise."""
    rng = np.random.default_rng(0)
    bent = np.tanh(rng.normal(size=(n_rows, 4)) @ rng.normal(size=(4, 16)))
    x = bent @ rng.normal(size=(16, n_columns)) / 4 + 0.1 * rng.normal(size=(n_rows, n_columns))
    return (x / x.std(0)).astype(np.float32)


def load_adult_numbers() -> np.ndarray:
    """Return the numeric columns of adult, standardized, in random order."""
    frame = tables_data.load("adult_train")
    x = frame[tables_data.list_number_columns(frame)].sample(frac=1, random_state=0).to_numpy(np.float32)
    return (x - x.mean(0)) / x.std(0)


def array(name: str) -> np.ndarray:
    return np.load(folder() / f"{name}.npy")


def folder() -> Path:
    return Path(os.environ["ISTHMUS_SPEED_ARRAYS"])


def epoch(peer: str, net: Net | ConvNet, peers: dict[str, Peer] = NET_PEERS) -> Figures:
    """Return the median time of epochs after the first, which also compiles and warms up."""
    x = array(net.array)
    fitted = peers[peer].fit(net.widths, x, net.epochs)
    error = fitted.error(array(f"{net.array}-test"))
    return {
        "seconds per epoch": Figure(statistics.median(fitted.seconds[1:]), len(x)),
        f"test error after {net.epochs} epochs": Figure(error),
    }


def score(peer: str, net: Net) -> Figures:
    """Time calls of a net after a short fit; the time does not depend on the weights."""
    x = array(net.array)
    fitted = NET_PEERS[peer].fit(net.widths, x[: 10 * BATCH], 1)
    ways = {"score": fitted.score, "transform": fitted.transform}
    return {f"seconds to {name}": fastest(calls, x) for name, calls in ways.items() if calls}


def fastest(calls: dict[str, Call], x: np.ndarray) -> Figure:
    """Choose the fastest way on a part of the rows; all ways on all rows would take too long."""
    some = x[:N_TRIAL]
    how = min(calls, key=lambda how: find_best_time(partial(calls[how], some), repeats=1))
    return Figure(find_best_time(partial(calls[how], x)), len(x), how)


def find_best_time(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the shortest time of several runs, after one to warm up."""
    function()
    times: list[float] = []
    while len(times) < repeats and sum(times) < ENOUGH_SECONDS:
        times.append(mnist.timed(function))
    return min(times)


def classic(peer: str, net: Net) -> Figures:
    nothing = np.empty(0)
    data = mnist.Data(array("mnist"), nothing, array("mnist-test"), nothing)
    if peer == "isthmus":
        model = mnist.our_classic()
        seconds = mnist.timed(lambda: model.fit(data.train))
        error = mnist.mse(model.reconstruct(data.test), data.test)
    else:
        os.environ["KERAS_BACKEND"] = peer.removeprefix("keras-")
        seconds, error = mnist.keras_classic(data)
    return {"seconds to fit": Figure(seconds), "test error": Figure(error)}


def memory(peer: str, net: Net) -> Figures:
    """Measure the peak memory of a fit, including the array, above the memory of the imports (Linux only).

    ``getrusage`` is not used, because a process inherits the peak of its parent.
    """
    for name in NET_PEERS[peer].imports:
        import_module(name)
    before = resident("VmRSS")
    x = array(net.array)
    NET_PEERS[peer].fit(net.widths, x, 2)
    if torch_device() == "cuda":
        return {"peak memory on the device, relative to the array": Figure(measure_device_peak(peer) / x.nbytes)}
    peak = resident("VmHWM") - before
    note = f"{peak / 2**20:.0f} MiB above {before / 2**20:.0f} MiB of imports, the array {x.nbytes / 2**20:.0f} MiB"
    return {"peak memory above the imports, relative to the array": Figure(peak / x.nbytes, note=note)}


def measure_device_peak(peer: str) -> int:
    """Return the peak memory of a library on the accelerator, in bytes."""
    if "jax" in peer:
        import jax

        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    import torch

    return torch.cuda.max_memory_allocated()


def resident(field: str) -> int:
    """Return bytes of VmRSS (current) or VmHWM (peak)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def start(peer: str, net: Net) -> Figures:
    """Measure wall-clock times of whole processes, one command after the other."""

    def seconds(arguments: list[str]) -> float:
        command = [sys.executable, *arguments]
        return mnist.timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

    rounds = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(N_STARTS)]
    return {name: Figure(statistics.median(each[name] for each in rounds)) for name in COMMANDS}


def limit(peer: str, net: Net) -> Figures:
    """Time matrix products in the fastest precision: large ones, and those of one batch of each net."""
    import torch

    dtypes = (torch.float32, torch.bfloat16)
    dtype = min(dtypes, key=lambda dtype: time_product([(512, 512, 512)], dtype))
    shapes = {f"{LARGE} x {LARGE}": [(LARGE,) * 3], **{name: list_shapes(each) for name, each in NETS.items()}}
    note = str(dtype).removeprefix("torch.")
    return {
        f"GFLOP/s, {name}": Figure(flops(each) / time_product(each, dtype) / 1e9, note=note)
        for name, each in shapes.items()
    }


def time_product(shapes: list[tuple[int, int, int]], dtype: Any) -> float:
    import torch

    pairs = [(torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)) for m, k, n in shapes]
    count = 1 + int(2e9 / flops(shapes))
    return find_best_time(lambda: [a @ b for _ in range(count) for a, b in pairs]) / count


def list_shapes(net: Net) -> list[tuple[int, int, int]]:
    """Return the products of a training step: forward, gradients of weights, and of inputs except the first."""
    widths = (*net.widths, *net.widths[-2::-1])
    layers = list(zip(widths, widths[1:], strict=False))
    forward = [(BATCH, a, b) for a, b in layers]
    return [*forward, *((b, BATCH, a) for a, b in layers), *((BATCH, b, a) for a, b in layers[1:])]


def flops(shapes: list[tuple[int, int, int]]) -> int:
    return sum(2 * m * k * n for m, k, n in shapes)


def quality(peer: str, net: Net) -> Figures:
    """Compare final errors of a longer training in the precision of the speed benchmark and in float32."""
    started = time.perf_counter()
    fitted = PEERS[peer].fit(net.widths, array(net.array), 6)
    seconds = time.perf_counter() - started
    error = fitted.error(array(f"{net.array}-test"))
    return {"test error": Figure(error, note=f"6 epochs in {seconds:.1f} s")}


def measure_quality_in_time(peer: str, net: Net) -> Figures:
    arrays = (array(name) for name in (net.array, f"{net.array}-test"))
    return {
        name: Figure(value, note=note) for name, value, note in time_to_quality(peer, net.widths, *arrays, folder())
    }


def zoo(peer: str, net: Net) -> Figures:
    return {name: Figure(*each) for name, each in time_entries(array("mnist"), array("mnist-labels")).items()}


def recorded(peer: str, net: Net) -> Figures:
    return {name: Figure(*each) for name, each in list_entries().items()}


class Task(NamedTuple):
    """A measurement of a net for some libraries, with a largest number of rounds."""

    measure: Callable[[str, Any], Figures]
    net: Net | ConvNet
    peers: tuple[str, ...]
    most_rounds: int = 100


TRAINERS = tuple(name for name in NET_PEERS if name not in ("isthmus-float32", "onnxruntime"))
SCORERS = (*(name for name in TRAINERS if name not in ("torch", "torch-captured")), "onnxruntime")
# Peers that cannot use an accelerator, and those that need one.
ON_PROCESSORS, ON_ACCELERATORS = ("sklearn", "pyod", "onnxruntime"), ("torch-captured",)
TASKS = {
    "small": Task(epoch, NETS["small"], TRAINERS),
    "deep": Task(epoch, NETS["deep"], TRAINERS),
    "table": Task(epoch, NETS["table"], TRAINERS),
    "conv": Task(partial(epoch, peers=IMAGE_PEERS), CONVOLUTIONAL, tuple(IMAGE_PEERS)),
    "classic": Task(classic, NETS["small"], ("isthmus", "keras-jax")),
    "time-table": Task(measure_quality_in_time, NETS["table"], QUALITY_PEERS),
    "time-adult": Task(measure_quality_in_time, ADULT, QUALITY_PEERS),
    "score-deep": Task(score, NETS["deep"], SCORERS),
    "score-table": Task(score, NETS["table"], SCORERS),
    "memory": Task(memory, NETS["deep"], ("isthmus", "keras-jax", "keras-torch", "skorch"), 1),
    "start": Task(start, NETS["small"], ("isthmus",), 1),
    "limit": Task(limit, NETS["deep"], ("torch",)),
    "quality": Task(quality, NETS["deep"], ("isthmus", "isthmus-float32"), 1),
    "zoo": Task(zoo, NETS["small"], ("isthmus",), 1),
    "recorded": Task(recorded, NETS["small"], ("isthmus",), 1),
}
# What is measured on an accelerator if no tasks are named.
ACCELERATOR_TASKS = ("small", "deep", "table", "conv", "score-deep", "score-table", "memory", "zoo", "recorded")
