"""Checkpoints: a training that was killed goes on where it was."""

import hashlib
import os
import re
import time
from copy import copy
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus import storage
from isthmus.data.base import Batch
from isthmus.errors import memory_errors
from isthmus.training.group import SINGLE_PROCESS, Group
from isthmus.training.state import TrainState, Weights, get_rng_state, set_rng_state

NAME = "checkpoint.safetensors"
# What goes wrong with a file whose content does not fit.
DAMAGES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Checkpoint:
    """Writes all that training changes, so that the same ``fit``, started again, goes on from there.

    Given among the ``callbacks`` of an estimator. A fit that was killed and started again ends with the weights of one
    that was not, bit for bit on the same machine and number of threads: the file carries weights, best weights, the
    optimizer's moments, the position in epoch and schedule, and the random generators. It is written all or nothing.
    Each fit needs a folder of its own: estimators that fit several times, such as detectors, give each fit a folder
    within this one, and go on if their ``random_state`` is a number. ``partial_fit`` writes none.

    Parameters
    ----------
    path : str or path
        Folder, made if it is not there.
    every : float, default=60.0
        Seconds between two writes; 0 writes after every step.

    Raises
    ------
    ValueError
        In ``fit``, if ``every`` is negative, or the folder holds a checkpoint that is damaged, or of other data or
        parameters.
    OSError
        In ``fit``, if the folder cannot be made or written to.

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

    def __call__(self, state: TrainState) -> None:
        """Do nothing after an epoch: ``train`` asks after every step."""

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, every={self.every!r})"

    @property
    def file(self) -> Path:
        """Where it is written."""
        return Path(self.path) / NAME

    def in_folder(self, name: str) -> "Checkpoint":
        """Return a checkpoint for one of several fits, in a folder of this name within the own one."""
        other = copy(self)
        other.path = Path(self.path) / name
        return other

    @property
    def _damaged(self) -> str:
        return f"the checkpoint {str(self.file)!r} is damaged; delete it to begin anew"

    def resume(self, state: TrainState, settings: dict[str, Any], batch: Batch, group: Group = SINGLE_PROCESS) -> None:
        """Bring a fresh state to where the file left off, if there is one.

        The first process reads it for all: another machine need not see the folder.

        Parameters
        ----------
        state : TrainState
        settings : dict
            What the training was asked to do, in plain values.
        batch : Batch
            The first of the training, by which data are told apart.
        group : Group

        Raises
        ------
        OSError, ValueError
            As the class says.
        """
        if not isinstance(self.every, Real) or not self.every >= 0:
            raise ValueError(f"Checkpoint.every must be a number of seconds >= 0, got {self.every!r}")
        self._fingerprint, self._written = _fingerprint(state, settings, batch), time.monotonic()
        found = group.gather(self._read() if group.rank == 0 else None)[0]
        if found is None:
            return
        try:
            with memory_errors(f"restore the checkpoint {str(self.file)!r}"):
                state.restore(*found)
        except DAMAGES as error:
            raise ValueError(f"{self._damaged} ({error})") from error

    def is_due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._written >= self.every

    def write(self, state: TrainState, device: torch.device, group: Group = SINGLE_PROCESS) -> None:
        """Write the file; all processes of a group take part, the first writes."""
        totals = {name: total.cpu() for name, total in state.totals.items()}
        state.processes = group.gather((get_rng_state(device), totals))
        if group.rank == 0:
            tensors, document = state.to_plain()
            storage.write(self.file, tensors, {"fingerprint": self._fingerprint, "state": document})
        state.processes, self._written = [], time.monotonic()

    def _read(self) -> tuple[Weights, dict[str, Any]] | None:
        """Return what the file holds, if there is one, and make the folder ready to write to."""
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
            raise PermissionError(f"Checkpoint.path must be a folder to write to, got {str(folder)!r}, which is not")
        storage.remove_parts(self.file)


def with_checkpoint_folder(estimator: Any, name: str) -> Any:
    """Give the checkpoints of one of several fits, and of the estimators within, a folder of this name.

    Parameters
    ----------
    estimator : estimator
        Not fitted; changed.
    name : str

    Examples
    --------
    >>> from isthmus import Autoencoder, Checkpoint
    >>> from isthmus.training import with_checkpoint_folder
    >>> with_checkpoint_folder(Autoencoder(callbacks=(Checkpoint("progress"),)), "fold-1").callbacks
    (Checkpoint('progress/fold-1', every=60.0),)
    """
    found = {
        key: value
        for key, value in estimator.get_params().items()
        if key.split("__")[-1] == "callbacks" and isinstance(value, tuple | list)
    }
    own = {
        key: tuple(each.in_folder(name) if isinstance(each, Checkpoint) else each for each in callbacks)
        for key, callbacks in found.items()
        if any(isinstance(each, Checkpoint) for each in callbacks)
    }
    return estimator.set_params(**own) if own else estimator


def resume_rng(state: TrainState, device: torch.device, group: Group) -> None:
    """Give each process back what is its own, if a checkpoint in the middle of an epoch was read."""
    if len(state.processes) == group.size:
        generators, state.totals = state.processes[group.rank]
        set_rng_state(device, generators)
    elif state.processes:  # of another number of processes: sums are not lost, draws are others
        totals = [totals for _, totals in state.processes]
        sums = {name: torch.stack([some[name] for some in totals]).sum(0) for name in totals[0]}
        state.totals = sums if group.rank == 0 else {name: torch.zeros_like(sums[name]) for name in sums}
    state.processes = []


def _fingerprint(state: TrainState, settings: dict[str, Any], batch: Batch) -> str:
    """Tell fits apart: by their untrained weights, what they are asked to do, and the first rows."""
    model, optimizer = state.model, state.optimizer
    groups = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    own = {name: value for name, value in vars(model).items() if not name.startswith("_")}
    words = f"{model!r} {own!r} {type(optimizer).__name__} {groups!r} {sorted(settings.items())!r}"
    # Functions print their address, which is another in each process.
    digest = hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", words).encode())
    for name, value in {**model.state_dict(), **batch._asdict()}.items():
        digest.update(name.encode() + (b"" if value is None else _bytes_of(value)))
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
