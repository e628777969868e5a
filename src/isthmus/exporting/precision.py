"""Programs whose files are smaller: the weights of encoders and decoders are stored with fewer bits.

All computation remains as it is, as does everything that is no weight of a layer: preparation, likelihoods, distances
and thresholds. Layers that compute with 16 bits would be faster on few devices only, and ONNX Runtime 1.31 crashes on
recurrent ones.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from isthmus.exporting.programs import Program
from isthmus.model import Model

# Largest integer of a weight. -128 is not used, so that negative weights are represented like positive ones.
LARGEST = 127


class Halves(nn.Module):
    """Represents weights by numbers of 16 bits.

    Parameters
    ----------
    dtype : torch.dtype
        Of the weights.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, halves: Tensor) -> Tensor:
        """Return the weights."""
        return halves.to(self.dtype)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor]:
        """Return the nearest numbers."""
        return (weight.half(),)


class Integers(nn.Module):
    """Represents weights by integers of 8 bits, times a scale for each slice of the first axis: a unit of most layers.

    Parameters
    ----------
    dtype : torch.dtype
        Of the weights.

    References
    ----------
    Krishnamoorthi, Quantizing deep convolutional networks for efficient inference, arXiv:1806.08342, section 3.1.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, integers: Tensor, scale: Tensor) -> Tensor:
        """Return the weights."""
        return integers.to(self.dtype) * scale

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest integers, and scales with which the largest weight of each slice is exact."""
        largest = weight.flatten(1).abs().amax(1).view(-1, *[1] * (weight.ndim - 1))
        scale = largest.clamp(min=torch.finfo(self.dtype).tiny) / LARGEST
        return (weight / scale).round().to(torch.int8), scale


PRECISIONS: dict[str, type[nn.Module]] = {"float16": Halves, "int8": Integers}


def check_precision(precision: str | None, max_error: float) -> None:
    """Raise ``ValueError`` for parameters that are not valid."""
    if precision is not None and precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {list(PRECISIONS)} or None, got {precision!r}")
    if not (isinstance(max_error, int | float) and 0 < max_error < 1):
        raise ValueError(f"max_error must be a number in (0, 1), got {max_error!r}")


def reduce_precision(program: Program, precision: str) -> None:
    """Store the weights of the layers of a program with fewer bits.

    Raises
    ------
    ValueError
        If the program has no layers.
    """
    layers = {id(layer): layer for net in _find_nets(program) for layer in net.modules()}
    if not layers:
        raise ValueError(f"precision={precision!r} is for the layers of nets, and this program has none")
    for layer in layers.values():
        for name, weight in list(layer.named_parameters(recurse=False)):
            if weight.ndim > 1:
                stored = PRECISIONS[precision](weight.dtype)
                parametrize.register_parametrization(layer, name, stored, unsafe=True)


def _find_nets(program: Program) -> list[nn.Module]:
    return [module.backbone for module in program.modules() if isinstance(module, Model)]
