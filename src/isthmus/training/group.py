"""Data-parallel training: several processes, each with its shard of every batch, train one model."""

import atexit
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from isthmus.part import Part

# Variables that torchrun sets for each process, beside WORLD_SIZE.
VARIABLES = ("RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Group:
    """The processes that train together.

    Parameters
    ----------
    rank : int, default=0
        Index of this process.
    size : int, default=1
        Number of processes. With 1, nothing is exchanged.

    Examples
    --------
    >>> from isthmus.training import Group
    >>> Group.current()          # without torchrun or Ray
    Group(rank=0, size=1)
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> "Group":
        """Join the processes that ``torchrun``, Ray or the caller started; without any, this process trains alone.

        ``WORLD_SIZE`` without the other variables of ``torchrun`` is ignored, with a warning.

        Returns
        -------
        Group
            The processes, of which this one is ``rank``.
        """
        if not _is_initialised() and not _is_started_by_torchrun():
            return cls()
        from torch import distributed

        if not distributed.is_initialized():
            # With None, torch takes NCCL for tensors on GPUs and gloo for others. NCCL needs a GPU for each process.
            n_local = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
            distributed.init_process_group(None if torch.cuda.device_count() >= n_local else "gloo")
            atexit.register(_leave)
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def shard(self) -> tuple[int, int]:
        """Index of this process's part of every batch, and number of parts."""
        return self.rank, self.size

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank.

        Parameters
        ----------
        value : object
            Value of this process; it must have a pickle.

        Returns
        -------
        list
            Values by rank.
        """
        if self.size == 1:
            return [value]
        values = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    def all_reduce(self, values: Tensor) -> Tensor:
        """Replace values by their sums over all processes, and return them.

        Parameters
        ----------
        values : Tensor
            Values of this process, which are replaced.

        Returns
        -------
        Tensor
            The same tensor.
        """
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process.

        For example the running means of batch normalization.

        Parameters
        ----------
        tensors : iterable of Tensor
            Tensors, in the same order in all processes.
        """
        if self.size > 1:
            for tensor in tensors:
                torch.distributed.broadcast(tensor, 0)

    def merge(self, value: Any, merge: Callable[[Any, Any], Any]) -> Any:
        """Merge the values of all processes, in the order of their ranks.

        Parameters
        ----------
        value : object
            Value of this process.
        merge : callable
            Merges two values into one.

        Returns
        -------
        object
            The merged value, which is the same in all processes.
        """
        return reduce(merge, self.gather(value))

    def exchange(self, parameters: Sequence[Tensor], parts: Sequence[Part], n_rows: int, flag: bool) -> bool:
        """Average gradients over the rows of all processes, add up the sums of parts, and return whether a flag is set.

        All values are sent in one exchange per step. A process without rows adds zeros.

        Parameters
        ----------
        parameters : sequence of Tensor
            Their gradients are replaced.
        parts : sequence of Part
            The buffers named in their ``sums`` are replaced.
        n_rows : int
            Rows of this process in the batch.
        flag : bool
            Whether this process sets the flag.

        Returns
        -------
        bool
            Whether any process has set the flag.
        """
        if self.size == 1:
            return flag
        buffers = [(part, name, part.get_buffer(name)) for part in parts for name in part.sums]
        local = [torch.zeros_like(p) if p.grad is None else p.grad * n_rows for p in parameters]
        local += [buffer if n_rows else torch.zeros_like(buffer) for _, _, buffer in buffers]
        # Sums may be integers or float64, which float32 would round. ``cat`` promotes all values to the widest dtype.
        local = [value if value.is_floating_point() else value.double() for value in local]
        counts = local[0].new_tensor([n_rows, flag])
        total = self.all_reduce(torch.cat([value.flatten() for value in [*local, counts]]))
        *reduced, counts = total.split([value.numel() for value in [*local, counts]])
        for parameter, gradient in zip(parameters, reduced, strict=False):
            parameter.grad = (gradient / counts[0]).view_as(parameter).to(parameter.dtype)
        for (part, name, buffer), value in zip(buffers, reduced[len(parameters) :], strict=True):
            setattr(part, name, value.view_as(buffer).to(buffer.dtype))
        return bool(counts[1] > 0)


SINGLE_PROCESS = Group()


def _leave() -> None:
    """Leave the group before the process ends, because threads of the group could abort the process.

    Leaving waits for the other processes. After an exception it is skipped, and ``torchrun`` ends all processes.
    """
    if "last_type" not in vars(sys) and _is_initialised():
        torch.distributed.destroy_process_group()


def _is_initialised() -> bool:
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized()


def _is_started_by_torchrun() -> bool:
    """Whether the environment has the number of processes, above 1, and the address of the first process."""
    size = os.environ.get("WORLD_SIZE", "1")
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if size in ("", "1") or not missing:
        return size not in ("", "1")
    warnings.warn(
        f"WORLD_SIZE={size} is ignored, because {', '.join(missing)} is not set: this process trains alone",
        stacklevel=4,
    )
    return False
