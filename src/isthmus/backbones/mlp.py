"""Fully connected nets."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

from torch import nn

from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Shape
from isthmus.part import is_count

# ReLU can work in place, because neither the forward nor the backward pass needs its input.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}
NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class MLP(Backbone):
    """Fully connected encoder and, mirrored, decoder.

    Parameters
    ----------
    hidden : tuple of int or "auto", default="auto"
        Widths of the hidden layers, from the data to the code. "auto" chooses two layers, whose widths depend on the
        number of values of a sample: from 128 and 64 for up to 42 values to 512 and 256 for 86 or more. () is no hidden
        layer.
    activation : {"relu", "sigmoid", "tanh", "silu", "gelu"}, default="silu"
    dropout : float, default=0.0
        Fraction of hidden units that are dropped in training.
    norm : {"batch", "layer"} or None, default=None
        Normalization before each activation.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

    References
    ----------
    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006.

    Examples
    --------
    >>> from isthmus.backbones import MLP
    >>> MLP(hidden=(64, 32), activation="tanh")
    MLP(activation='tanh', hidden=(64, 32))
    """

    def __init__(
        self,
        hidden: tuple[int, ...] | str = "auto",
        activation: str = "silu",
        dropout: float = 0.0,
        norm: str | None = None,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.norm = norm

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Check the parameters and create both nets."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        self.require("activation", lambda v: v in ACTIVATIONS, f"one of {sorted(ACTIVATIONS)}")
        self.require("norm", lambda v: v is None or v in NORMS, f"None or one of {sorted(NORMS)}")
        self.require("dropout", lambda v: 0 <= v < 1, "in [0, 1)")
        n_values = prod(input_shape)
        widths = self.widths()
        self.layer_width = max([self.values_per_sample, *widths])
        self.encoder = nn.Sequential(nn.Flatten(), *self._layers(n_values, *widths, h_shape[0]))
        self.decoder = nn.Sequential(
            *self._layers(z_shape[0] + condition_width, *widths[::-1], prod(parameter_shape)),
            nn.Unflatten(1, parameter_shape),
        )

    def widths(self) -> list[int]:
        """Return the widths of the hidden layers, once the net is built."""
        if self.hidden == "auto":
            first = 2 ** min(9, max(7, (3 * self.values_per_sample - 1).bit_length()))
            return [first, first // 2]
        self.require("hidden", are_widths, '"auto" or a tuple of positive integers')
        return [int(width) for width in self.hidden]

    def _layers(self, *widths: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths[:-1]):
            layers += [nn.Linear(n_in, n_out), *self._between(n_out)]
        return [*layers, nn.Linear(widths[-2], widths[-1])]

    def _between(self, width: int) -> list[nn.Module]:
        norm = [] if self.norm is None else [NORMS[self.norm](width)]
        dropout = [nn.Dropout(self.dropout)] if self.dropout else []
        return [*norm, ACTIVATIONS[self.activation](), *dropout]


def are_widths(hidden: Any) -> bool:
    """Whether a value is a tuple of positive integers."""
    return isinstance(hidden, tuple | list) and all(map(is_count, hidden))
