"""Data-parallel training: several processes, each with its share of every batch, as one."""

import atexit
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """The processes that train together, as one of them sees it.

    Parameters
    ----------
    rank : int
        Number of this process.
    size : int
        Number of processes; 1 is the ordinary case, in which nothing is exchanged.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> "Group":
        """Find out who trains along: those that ``torchrun``, Ray or the caller started, or nobody."""
        if int(os.environ.get("WORLD_SIZE", 1)) < 2 and not _is_initialised():
            return cls()
        from torch import distributed

        if not distributed.is_initialized():
            # Of its own accord torch takes NCCL for tensors on GPUs and gloo for all else.
            distributed.init_process_group(None if torch.cuda.is_available() else "gloo")
            atexit.register(_leave)
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def shard(self) -> tuple[int, int]:
        """Which part of every batch is this process's, and of how many."""
        return self.rank, self.size

    def gather(self, value: Any) -> list[Any]:
        """Return what every process has, by rank."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    def all_reduce(self, values: Tensor) -> Tensor:
        """Replace values by their sums over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process, such as the running means of batch normalisation."""
        if self.size > 1:
            for tensor in tensors:
                torch.distributed.broadcast(tensor, 0)

    def merge(self, value: Any, merge: Callable[[Any, Any], Any]) -> Any:
        """Merge what all processes have, in the order of their ranks."""
        return reduce(merge, self.gather(value))

    def average_gradients(self, parameters: Sequence[Tensor], n_rows: int, flag: bool) -> bool:
        """Make each gradient the mean over the rows of all processes, and say whether any flag was set.

        Gradients, rows and flag travel together: one exchange a step.
        """
        if self.size == 1:
            return flag
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        extra = gradients[0].new_tensor([n_rows, flag])
        everything = self.all_reduce(torch.cat([*(gradient.flatten() * n_rows for gradient in gradients), extra]))
        means = everything[:-2] / everything[-2]
        for parameter, mean in zip(parameters, means.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = mean.view_as(parameter)
        return bool(everything[-1] > 0)


SINGLE_PROCESS = Group()


def _leave() -> None:
    """End the group in good order: threads that still run when a process ends may abort it.

    Where an exception ends the process, others may wait for it in vain: then ``torchrun`` ends all.
    """
    if "last_type" not in vars(sys) and _is_initialised():
        torch.distributed.destroy_process_group()


def _is_initialised() -> bool:
    # Not imported here: nobody who trains alone should wait for it.
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized()
