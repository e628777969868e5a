"""Checkpoints, from which a killed training resumes at the same step."""

import hashlib
import os
import re
import time
from copy import copy
from numbers import Real
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from isthmus import storage
from isthmus.data.base import Batches
from isthmus.errors import memory_errors, require_path
from isthmus.randomness import get_rng_state, set_rng_state
from isthmus.training.callback import Callback
from isthmus.training.group import Group
from isthmus.training.settings import TrainSettings
from isthmus.training.state import TrainState, Weights

NAME = "checkpoint.safetensors"
# Errors that reading a file with wrong content can raise.
DAMAGES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Checkpoint(Callback):
    """Writes the state of a training to a file. The same ``fit``, started again, resumes from it.

    A checkpoint is one of the ``callbacks`` of an estimator. A fit that was killed and started again ends with the same
    weights as a fit that was not killed, bit for bit on the same machine and number of threads: the file holds weights,
    best weights, moments of the optimizer, the position in epoch and schedule, and the state of the random generators.
    A write replaces the file completely or not at all. Each fit needs its own folder: estimators that fit several
    times, such as detectors, give each fit a subfolder, and resume if their ``random_state`` is a number.
    ``partial_fit`` writes no checkpoint.

    Parameters
    ----------
    path : str or path
        Folder. It is created if it does not exist.
    every : float, default=60.0
        Seconds between two writes; 0 writes after every step.

    Raises
    ------
    ValueError
        In ``fit``, if ``path`` is not a path, ``every`` is negative, or the folder holds a checkpoint that is damaged,
        or that was written by a fit of other data or parameters.
    OSError
        In ``fit``, if the folder cannot be created or written to.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from isthmus import Autoencoder, Checkpoint
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = Autoencoder(2, callbacks=[Checkpoint(folder, every=10)], random_state=0).fit(X)
    """

    _fingerprint: str
    _written: float

    def __init__(self, path: str | os.PathLike[str], every: float = 60.0) -> None:
        self.path = path
        self.every = every

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, every={self.every!r})"

    @property
    def file(self) -> Path:
        """Path of the file."""
        return Path(self.path) / NAME

    def for_fit(self, name: str) -> Self:
        """Return a checkpoint for one of several fits, in a subfolder of this name."""
        other = copy(self)
        other.path = Path(self.path) / name
        return other

    @property
    def _damaged(self) -> str:
        return f"the checkpoint {str(self.file)!r} is damaged; delete it to start again"

    def resume(self, state: TrainState, settings: TrainSettings, source: Batches, group: Group) -> None:
        """Bring a new state to the position in the file, if there is a file.

        Only the first process reads the file: other machines need no access to the folder.

        Parameters
        ----------
        state : TrainState
            State of a training before its first step; it is changed in place.
        settings : TrainSettings
            Settings of the training, which must equal those of the file.
        source : Batches
            The training rows. Their number and the first batch identify the data.
        group : Group
            The processes that train together.

        Raises
        ------
        OSError
            If the folder cannot be created or written to.
        ValueError
            If ``path`` is not a path, ``every`` is negative, or the checkpoint is damaged or was written by another
            fit.
        """
        require_path("Checkpoint.path", self.path)
        if not isinstance(self.every, Real) or not self.every >= 0:
            raise ValueError(f"Checkpoint.every must be a number of seconds >= 0, got {self.every!r}")
        self._fingerprint, self._written = _fingerprint(state, settings, source), time.monotonic()
        found = group.gather(self._read() if group.rank == 0 else None)[0]
        if found is None:
            return
        try:
            with memory_errors(f"restore the checkpoint {str(self.file)!r}"):
                state.restore(*found)
        except DAMAGES as error:
            raise ValueError(f"{self._damaged} ({error})") from error

    def is_due(self) -> bool:
        """Return whether the time between two writes has passed.

        Returns
        -------
        bool
            True if ``write`` should be called.
        """
        return time.monotonic() - self._written >= self.every

    def write(self, state: TrainState, group: Group) -> None:
        """Write the file.

        All processes of a group must call this; the first one writes.

        Parameters
        ----------
        state : TrainState
            State to store.
        group : Group
            The processes that train together.
        """
        totals = {name: total.cpu() for name, total in state.totals.items()}
        state.processes = group.gather((get_rng_state(state.device), totals))
        if group.rank == 0:
            tensors, document = state.to_plain()
            storage.write(self.file, tensors, {"fingerprint": self._fingerprint, "state": document})
        state.processes, self._written = [], time.monotonic()

    def _read(self) -> tuple[Weights, dict[str, Any]] | None:
        """Return the content of the file, or None if there is no file, and create the folder."""
        self._prepare()
        if not self.file.exists():
            return None
        try:
            tensors, document = storage.read(self.file)
            fingerprint, state = document["fingerprint"], document["state"]
        except DAMAGES as error:
            raise ValueError(f"{self._damaged} ({error})") from error
        if fingerprint != self._fingerprint:
            raise ValueError(
                f"the checkpoint {str(self.file)!r} was written by a fit of other data or parameters; "
                "delete it, or choose another folder"
            )
        return tensors, state

    def _prepare(self) -> None:
        folder = Path(self.path)
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"Checkpoint.path must be a folder, got the file {str(folder)!r}")
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"Checkpoint.path must be a writable folder, got {str(folder)!r}")
        storage.remove_parts(self.file)


def resume_rng(state: TrainState, group: Group) -> None:
    """Restore the random generators and totals of this process, if a checkpoint was read."""
    if len(state.processes) == group.size:
        generators, state.totals = state.processes[group.rank]
        set_rng_state(state.device, generators)
    elif state.processes:  # The number of processes has changed: totals are kept, random numbers differ.
        totals = [totals for _, totals in state.processes]
        sums = {name: torch.stack([each[name] for each in totals]).sum(0) for name in totals[0]}
        state.totals = sums if group.rank == 0 else {name: torch.zeros_like(sums[name]) for name in sums}
    state.processes = []


def _fingerprint(state: TrainState, settings: TrainSettings, source: Batches) -> str:
    """Identify a fit by its untrained weights, its settings, the number of rows and the first batch."""
    first_batch = next(source.batches(settings.batch_size, settings.order_seed(0)))
    model, optimizer = state.model, state.optimizer
    groups = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    own = {name: value for name, value in vars(model).items() if not name.startswith("_")}
    words = f"{model!r} {own!r} {type(optimizer).__name__} {groups!r} {settings!r} {len(source)}"
    # The representation of a function has its address, which is different in each process.
    digest = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", words).encode())
    for name, value in {**model.state_dict(), **first_batch._asdict()}.items():
        digest.update(name.encode() + (b"" if value is None else _bytes_of(value)))
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
