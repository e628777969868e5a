"""Fully connected nets."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

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
LINEAR = "auto", "encoder", "shortcut", None
NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
# Rows for PCA. Its components hardly change with more of them.
N_PCA_ROWS = 10_000
# Largest number of values of these rows, with which PCA takes a few seconds at most.
MAX_PCA_VALUES = 2**22
# Smallest standard deviation, in units of the encoded input, of a component that is used. Smaller ones are round-off.
MIN_DEVIATION = 1e-3


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
    linear : {"auto", "encoder", "shortcut"} or None, default="auto"
        What is linear. "encoder": the encoder is a linear map that starts at the principal components of encoded
        training rows, which are the best linear codes for a linear decoder [2], scaled to standard deviations of 1; it
        learns at a tenth of the learning rate. "shortcut": encoder and decoder are sums of a linear map and of a net
        [3], which starts at 0 and learns at 0.3 of the learning rate, so that few rows are reconstructed about as well
        as by PCA. None: nothing is. "auto", if ``hidden`` is "auto": for plain autoencoders, "encoder" if a data frame
        has categories, and "shortcut" for numbers whose errors count in standard deviations; otherwise None.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

    References
    ----------
    [1] Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006.
    [2] Baldi and Hornik, Neural networks and principal component analysis, Neural Networks 2, 1989.
    [3] He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016, arXiv:1512.03385.

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
        linear: str | None = "auto",
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.norm = norm
        self.linear = linear

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Check the parameters and create both nets."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        self.require("activation", lambda v: v in ACTIVATIONS, f"one of {sorted(ACTIVATIONS)}")
        self.require("norm", lambda v: v is None or v in NORMS, f"None or one of {sorted(NORMS)}")
        self.require("dropout", lambda v: 0 <= v < 1, "in [0, 1)")
        self.require("linear", lambda v: v in LINEAR, '"auto", "encoder", "shortcut" or None')
        widths = self.widths()
        linear = self.linear_part()
        self.layer_width = max([self.values_per_sample, *widths])
        self.n_initial_rows = N_PCA_ROWS * (linear == "encoder")
        self.encoder = _make_encoder(self, prod(input_shape), *widths, h_shape[0])
        self.decoder = nn.Sequential(
            *_make_net(self, z_shape[0] + condition_width, *widths[::-1], prod(parameter_shape)),
            nn.Unflatten(1, parameter_shape),
        )

    def initialize(self, batches: Iterable[Tensor]) -> None:
        """Start a linear encoder at PCA."""
        if isinstance(self.encoder, LinearEncoder):
            self.encoder.start_at_pca(torch.cat(list(batches)))

    def linear_part(self) -> str | None:
        """Return what is linear, once ``preferred_linear_part`` is set.

        Returns
        -------
        {"encoder", "shortcut"} or None
            ``linear``, without "auto".
        """
        if self.linear != "auto":
            return self.linear
        return self.preferred_linear_part if self.hidden == "auto" else None

    def widths(self) -> list[int]:
        """Return the widths of the hidden layers, once the net is built.

        Returns
        -------
        list of int
            Widths of the encoder, from its input to the code.
        """
        if self.hidden == "auto":
            first = 2 ** min(9, max(7, (3 * self.values_per_sample - 1).bit_length()))
            return [first, first // 2]
        self.require("hidden", are_widths, '"auto" or a tuple of positive integers')
        return [int(width) for width in self.hidden]


def _make_encoder(mlp: MLP, *widths: int) -> nn.Module:
    if mlp.linear_part() == "encoder":
        return LinearEncoder(widths[0], widths[-1])
    return nn.Sequential(nn.Flatten(), *_make_net(mlp, *widths))


def _make_net(mlp: MLP, *widths: int) -> list[nn.Module]:
    layers = _make_layers(mlp, *widths)
    return [ResidualNet(widths[0], widths[-1], layers)] if mlp.linear_part() == "shortcut" else layers


def _make_layers(mlp: MLP, *widths: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths[:-1]):
        layers += [nn.Linear(n_in, n_out), *_make_between(mlp, n_out)]
    return [*layers, nn.Linear(widths[-2], widths[-1])]


def _make_between(mlp: MLP, width: int) -> list[nn.Module]:
    norm = [] if mlp.norm is None else [NORMS[mlp.norm](width)]
    dropout = [nn.Dropout(mlp.dropout)] if mlp.dropout else []
    return [*norm, ACTIVATIONS[mlp.activation](), *dropout]


class ResidualNet(nn.Module):
    """The sum of a linear map and of a net that starts at 0 and learns slowly."""

    def __init__(self, n_in: int, n_out: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.shortcut = nn.Linear(n_in, n_out)
        self.net = SlowNet(*layers)
        for parameter in layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, n_in) to (n, n_out)."""
        return self.shortcut(x) + self.net(x)


class SlowNet(nn.Sequential):
    """Layers that learn more slowly than a linear map beside them."""

    # Chosen on eleven tables of ADBench of at most 200 training rows, see docs/performance.md.
    learning_rate_factor = 0.3


class LinearEncoder(nn.Sequential):
    """A linear map of flattened samples that starts at PCA."""

    # Chosen on five tables: at the full rate, codes serve linear classifiers less well; see docs/performance.md.
    learning_rate_factor = 0.1

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(n_in, n_out))

    def start_at_pca(self, u: Tensor) -> None:
        """Set the weights to the principal components of encoded rows (n, ...), scaled to standard deviations of 1.

        Components beyond the rank of the rows keep their weights.
        """
        u = u.flatten(1).double()
        u = u[: MAX_PCA_VALUES // u.shape[1] + 2]
        mean = u.mean(0)
        _, singular_values, components = torch.linalg.svd(u - mean, full_matrices=False)
        deviations = singular_values / len(u) ** 0.5
        linear: Any = self[1]
        k = min(len(linear.weight), int((deviations > MIN_DEVIATION).sum()))
        weight = components[:k] / deviations[:k, None]
        linear.weight[:k], linear.bias[:k] = weight.to(linear.weight), -(weight @ mean).to(linear.bias)


def are_widths(hidden: Any) -> bool:
    """Whether a value is a tuple of positive integers."""
    return isinstance(hidden, tuple | list) and all(map(is_count, hidden))
