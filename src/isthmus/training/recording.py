"""A step that is recorded once as a CUDA graph and then replayed, which saves the time between its kernels."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from isthmus.corruptions import Corruption
from isthmus.training.fused import FusedOptimizer, has_hooks
from isthmus.training.inputs import Inputs, ResidentInputs
from isthmus.training.settings import TrainSettings
from isthmus.training.state import TrainState
from isthmus.training.step import TrainStep

# Devices that record steps.
RECORDING = ("cuda",)
# Steps before the recording. The first makes what torch makes only once, such as the moments of the optimizer; during
# the second, waiting for the device is noticed.
N_PLAIN = 2

# Parts of torch's messages: of an operation that waits for the device, and of the mode in which torch warns of them.
WAIT, PROTOTYPE = "synchronizing CUDA operation", "Synchronization debug mode is a prototype feature"

# The streams of this thread, by device.
_of_thread = threading.local()


class StepRunner:
    """Makes the steps of a training: recorded and replayed where possible, one kernel after the other elsewhere.

    A step is recorded if all of its input is on a CUDA device and nothing in it depends on numbers that the processor
    has to wait for. Steps of another number of rows, such as the last of an epoch, are never recorded.

    Parameters
    ----------
    step : TrainStep
    inputs : StreamedInputs or ResidentInputs
    settings : TrainSettings

    Attributes
    ----------
    obstacle : str
        Why steps are not recorded; empty if they are.
    """

    def __init__(self, step: TrainStep, inputs: Inputs, settings: TrainSettings) -> None:
        self.step, self.inputs = step, inputs
        self.obstacle = find_obstacle(step.state, inputs, settings)
        self.n_plain = 0
        self.replay: Callable[[], None] | None = None

    @property
    def description(self) -> str:
        """Where and how steps run, for the display."""
        where = f"on {self.step.state.device}"
        if isinstance(self.inputs, ResidentInputs):
            where += f", steps not recorded: {self.obstacle}" if self.obstacle else ", steps recorded"
        return where

    def __call__(self, n_rows: int, flag: bool = False) -> bool:
        """Make the next step; see ``TrainStep``."""
        if self.obstacle or n_rows != self.inputs.n_full:
            return self.step(self.inputs.read(n_rows), flag)
        if self.n_plain < N_PLAIN:
            return self._run_watched(n_rows, flag)
        self.replay = self.replay or record(lambda: self.step(self.inputs.read(n_rows)))
        self.replay()
        return flag

    def _run_watched(self, n_rows: int, flag: bool) -> bool:
        self.n_plain += 1
        with count_waits() as waits:
            flag = self.step(self.inputs.read(n_rows), flag)
        if waits and self.n_plain == N_PLAIN:
            self.obstacle = "a part waits for results of the device within a step"
        return flag


def record(step: Callable[[], object]) -> Callable[[], None]:
    """Record the kernels of a step as a CUDA graph, without running them; return the function that runs them."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
        step()
    return graph.replay


def find_obstacle(state: TrainState, inputs: Inputs, settings: TrainSettings) -> str:
    """Return why steps cannot be recorded, as far as this is known before the first step; empty if they can."""
    optimizer, corruption = state.optimizer, getattr(state.model, "corruption", None)
    obstacles = {
        f"device {state.device.type!r} cannot record": state.device.type not in RECORDING,
        "rows are copied to the device in each step": not isinstance(inputs, ResidentInputs),
        "the model is compiled": settings.compile,
        f"{type(optimizer).__name__} runs on the processor": not isinstance(optimizer, FusedOptimizer),
        "the optimizer has hooks": has_hooks(optimizer),
        "the corruption is a function": corruption is not None and not isinstance(corruption, Corruption),
    }
    return next((obstacle for obstacle, applies in obstacles.items() if applies), "")


@contextmanager
def on_training_stream(device: torch.device) -> Iterator[None]:
    """Run the block on a stream of its own, as recording requires; other devices than CUDA have none.

    All fits of a thread share it, because torch warns where a weight is trained on another stream than before.
    """
    if device.type != "cuda":
        yield
        return
    streams = vars(_of_thread)
    before, stream = torch.cuda.current_stream(device), streams.setdefault(str(device), torch.cuda.Stream(device))
    stream.wait_stream(before)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        before.wait_stream(stream)


@contextmanager
def count_waits() -> Iterator[list[str]]:
    """Yield a list to which each operation in the block that waits for a CUDA device adds torch's warning.

    Torch warns of operations of all threads. Only those of this thread count.
    """
    waits, mode, caught = list[str](), torch.cuda.get_sync_debug_mode(), list[tuple[int, tuple[Any, ...]]]()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        vars(warnings)["showwarning"] = partial(_note_warning, caught)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(mode)
            waits += [str(warning[0]) for thread, warning in caught if thread == threading.get_ident()]
            waits[:] = [message for message in waits if WAIT in message]
    for _, (message, category, filename, line, *_) in caught:
        if WAIT not in str(message) and PROTOTYPE not in str(message):
            warnings.warn_explicit(message, category, filename, line)


def _note_warning(caught: list[tuple[int, tuple[Any, ...]]], *warning: Any) -> None:
    caught.append((threading.get_ident(), warning))
