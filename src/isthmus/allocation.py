"""A limit of the memory and time in which tensors are made."""

import os
import sys
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class AllocationLimit(TorchFunctionMode):
    """Raises an error in the block before memory is allocated, if too many values or operations are requested.

    Parameters
    ----------
    n_values : float
        Largest number of values of all new tensors together.
    n_operations : float
        Largest number of operations of torch.
    error : Exception
        The error to raise.
    """

    def __init__(self, n_values: float, n_operations: float, error: Exception) -> None:
        super().__init__()
        self.n_values, self.n_operations, self.error = n_values, n_operations, error

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count the values that an operation allocates, and compute it."""
        kwargs = kwargs or {}
        self.n_operations -= 1
        if func in SIZES:
            self.n_values -= SIZES[func](*args, *([kwargs["size"]] if "size" in kwargs else []))
        if self.n_values < 0 or self.n_operations < 0:
            raise self.error
        return func(*args, **kwargs)


def physical_memory() -> float:
    """Return the memory of this machine in bytes; infinite if the operating system does not tell."""
    if sys.platform == "win32":
        return float("inf")
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _of_shape(*shape: Any) -> int:
    """Count the values of a shape, given as a sequence or as several numbers."""
    return prod(shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)


def _of_range(*bounds: Any) -> int:
    return int(abs(bounds[1] - bounds[0] if len(bounds) > 1 else bounds[0])) + 1


SIZES: dict[Any, Callable[..., int]] = {
    **dict.fromkeys((torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn), _of_shape),
    torch.full: lambda shape, value: _of_shape(shape),
    torch.arange: _of_range,
    torch.eye: lambda n, m=None: n * (n if m is None else m),
    torch.linspace: lambda low, high, n: n,
    torch.randperm: lambda n: n,
    Tensor.repeat: lambda x, *times: x.numel() * _of_shape(*times),
}
