"""Checkpoints: a training that was killed goes on where it was."""

import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any

import torch

from isthmus import storage
from isthmus.training.group import ALONE, Group
from isthmus.training.state import TrainState, generators_of, set_generators

NAME = "checkpoint.safetensors"


class Checkpoint:
    """Writes all that training changes, so that the same ``fit``, started again, goes on from there.

    Given among the ``callbacks`` of an estimator. A fit that was killed and started again ends with the weights of one
    that was not, bit for bit on the same machine and number of threads: the file carries weights, best weights, the
    optimizer's moments, the position in epoch and schedule, and the random generators. It is written all or nothing.

    Parameters
    ----------
    path : str or path
        Folder, made if it is not there.
    every : float, default=60.0
        Seconds between two writes; 0 writes after every step.

    Raises
    ------
    ValueError
        In ``fit``, if ``every`` is negative, or the folder holds a checkpoint of other data or parameters.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from isthmus import Autoencoder, Checkpoint
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = Autoencoder(2, callbacks=[Checkpoint(folder, every=10)], random_state=0).fit(X)
    """

    def __init__(self, path: str | os.PathLike[str], every: float = 60.0) -> None:
        self.path = path
        self.every = every

    def __call__(self, state: TrainState) -> None:
        """Do nothing after an epoch: ``train`` asks after every step."""

    @property
    def file(self) -> Path:
        """Where it is written."""
        return Path(self.path) / NAME

    def resume(self, state: TrainState, settings: dict[str, Any]) -> None:
        """Bring a fresh state to where the file left off, if there is one.

        Raises
        ------
        ValueError
            If the file is damaged, or of other data or parameters.
        """
        if not self.every >= 0:
            raise ValueError(f"Checkpoint.every must be a number of seconds >= 0, got {self.every!r}")
        self._fingerprint, self._written = _fingerprint(state, settings), time.monotonic()
        Path(self.path).mkdir(parents=True, exist_ok=True)
        if not self.file.exists():
            return
        tensors, document = storage.read(self.file)
        if document["fingerprint"] != self._fingerprint:
            raise ValueError(
                f"{str(self.file)!r} was written by a fit of other data or parameters; delete it or choose another one"
            )
        state.restore(tensors, document["state"])

    def is_due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._written >= self.every

    def write(self, state: TrainState, device: torch.device, group: Group = ALONE) -> None:
        """Write the file; all processes of a group take part, the first writes."""
        state.generators = group.gather(generators_of(device))
        for total in state.totals.values():
            group.add_up(total)
        _leave_to_first(state, group)
        if group.rank == 0:
            tensors, document = state.to_plain()
            storage.write(self.file, tensors, {"fingerprint": self._fingerprint, "state": document})
        state.generators, self._written = [], time.monotonic()


def go_on(state: TrainState, device: torch.device, group: Group) -> None:
    """Set the random generators to where a checkpoint in the middle of an epoch found them."""
    if len(state.generators) == group.size:
        set_generators(device, state.generators[group.rank])
    state.generators = []
    _leave_to_first(state, group)


def _leave_to_first(state: TrainState, group: Group) -> None:
    """Keep sums over the rows of all processes in one of them, for they are added up when the epoch ends."""
    if group.rank:
        for total in state.totals.values():
            total.zero_()


def _fingerprint(state: TrainState, settings: dict[str, Any]) -> str:
    """Tell fits apart: by their untrained weights, which seed, parts and the statistics of the data decide."""
    digest = hashlib.sha256()
    for name, value in state.model.state_dict().items():
        digest.update(name.encode() + value.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    # Functions print their address, which is another in each process.
    words = f"{state.model!r} {state.optimizer.defaults!r} {sorted(settings.items())!r}"
    digest.update(re.sub(r" at 0x[0-9a-f]+", "", words).encode())
    return digest.hexdigest()
