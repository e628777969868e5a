"""Limits of the memory and time of ``load``: the header determines sizes of tensors, and may be damaged."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Largest numbers of allocated values per stored value, and of operations per stored tensor. Building a model allocates
# up to 3 values per stored value and takes 17 operations per tensor, measured on all variants.
VALUES_FACTOR, OPERATIONS_FACTOR = 16, 256
# Numbers of values and operations that are allowed in addition for every file: 16 MiB of float32, and the operations of
# a few hundred layers.
VALUES, OPERATIONS = 2**22, 20_000


class Allowance(TorchFunctionMode):
    """Raises an error, before memory is allocated, if tensors are far larger than those in the file.

    Parameters
    ----------
    stored : dict of Tensor
        All tensors of the file.

    Raises
    ------
    ValueError
        In the block, if more is allocated or computed than the stored tensors can need.
    """

    def __init__(self, stored: dict[str, Tensor]) -> None:
        super().__init__()
        self.values = VALUES + VALUES_FACTOR * sum(tensor.numel() for tensor in stored.values())
        self.operations = OPERATIONS + OPERATIONS_FACTOR * len(stored)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count the values that an operation allocates, and compute it."""
        kwargs = kwargs or {}
        self.operations -= 1
        if func in SIZES:
            self.values -= SIZES[func](*args, *([kwargs["size"]] if "size" in kwargs else []))
        if self.values < 0 or self.operations < 0:
            raise ValueError("its header requires far more memory or operations than its tensors need")
        return func(*args, **kwargs)


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
