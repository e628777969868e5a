"""Dilated convolutions over time."""

from itertools import count
from math import prod
from typing import Any

from torch import nn

from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Grid, Reshape, Residual, Shape, Stage
from isthmus.backbones.mlp import ACTIVATIONS
from isthmus.part import is_count


class TCN(Backbone):
    """Residual blocks of dilated convolutions over time, without downsampling, as encoder and as decoder.

    Samples are (channels, time), or (time,) for one channel. The dilation doubles with each block. Convolutions are
    centered and not causal, because a code represents a whole window.

    Parameters
    ----------
    width : int, default=32
        Number of channels of each block.
    n_blocks : int or "auto", default="auto"
        "auto" is the smallest number of blocks whose receptive field is the whole window.
    kernel_size : int, default=3
        An odd number, so that the receptive field is symmetric.
    activation : {"relu", "sigmoid", "tanh", "silu", "gelu"}, default="silu"
    dropout : float, default=0.0
        Dropout rate of channels.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range or samples are not series.

    References
    ----------
    [1] Bai, Kolter and Koltun, An empirical evaluation of generic convolutional and recurrent networks for sequence
    modeling, 2018, arXiv:1803.01271.
    [2] Thill, Konen, Wang and Baeck, Temporal convolutional autoencoder for unsupervised anomaly detection in time
    series, Applied Soft Computing 112, 2021.

    Examples
    --------
    >>> from isthmus.backbones import TCN
    >>> TCN(width=16, n_blocks=4)
    TCN(n_blocks=4, width=16)
    """

    def __init__(
        self,
        width: int = 32,
        n_blocks: int | str = "auto",
        kernel_size: int = 3,
        activation: str = "silu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width = width
        self.n_blocks = n_blocks
        self.kernel_size = kernel_size
        self.activation = activation
        self.dropout = dropout

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Check the parameters and create both nets."""
        check_parameters(self)
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        grid = Grid.from_shapes(self, input_shape, parameter_shape, max_axes=1)
        inner = (self.width, *grid.sizes)
        self.encoder = nn.Sequential(
            Reshape(grid.channels_in, *grid.sizes),
            Stage(grid.sizes[0], nn.Conv1d(grid.channels_in, self.width, 1), *blocks(self, grid)),
            nn.Flatten(),
            nn.Linear(prod(inner), h_shape[0]),
        )
        self.decoder = nn.Sequential(
            nn.Linear(z_shape[0] + condition_width, prod(inner)),
            nn.Unflatten(1, inner),
            Stage(grid.sizes[0], *blocks(self, grid), nn.Conv1d(self.width, grid.channels_out, 1)),
            nn.Flatten(),
            nn.Unflatten(1, parameter_shape),
        )


def check_parameters(part: TCN) -> None:
    """Raise ``ValueError`` if a parameter is out of range."""
    part.require("width", is_count, "a positive integer")
    part.require("n_blocks", lambda v: v == "auto" or is_count(v), '"auto" or a positive integer')
    part.require("kernel_size", lambda v: is_count(v) and v % 2 == 1 and v > 1, "an odd integer of at least 3")
    part.require("activation", lambda v: v in ACTIVATIONS, f"one of {sorted(ACTIVATIONS)}")
    part.require("dropout", lambda v: 0 <= v < 1, "in [0, 1)")


def blocks(part: TCN, grid: Grid) -> list[nn.Module]:
    """Return residual blocks with dilations 1, 2, 4 and so on."""
    n_blocks = n_blocks_for(grid.sizes[0], part.kernel_size) if isinstance(part.n_blocks, str) else part.n_blocks
    return [Residual(*_layer(part, 2**i), *_layer(part, 2**i)) for i in range(n_blocks)]


def n_blocks_for(n_steps: int, kernel_size: int) -> int:
    """Return the smallest number n of blocks whose receptive field, (kernel_size - 1) (2^n - 1), covers all steps."""
    return next(n for n in count(1) if (kernel_size - 1) * (2**n - 1) >= n_steps - 1)


def _layer(part: TCN, dilation: int) -> list[Any]:
    padding = dilation * (part.kernel_size // 2)
    convolution = nn.Conv1d(part.width, part.width, part.kernel_size, padding=padding, dilation=dilation)
    dropout = [nn.Dropout1d(part.dropout)] if part.dropout else []
    return [convolution, ACTIVATIONS[part.activation](), *dropout]
