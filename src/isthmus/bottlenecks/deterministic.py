"""The bottleneck of the plain autoencoder."""

import torch
from torch import Tensor

from isthmus.bottlenecks.base import Bottleneck, Latent
from isthmus.part import Shape, Shapes

# Activation functions by name, and the intervals of their values.
ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
RANGES = {"relu": (0.0, None), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


class Deterministic(Bottleneck):
    """Uses the output of the encoder as the code, without a cost: the bottleneck of the plain autoencoder.

    By default, ``sample`` draws codes from a normal distribution with the moments of the training codes.

    Parameters
    ----------
    activation : {"relu", "sigmoid", "tanh"} or None, default=None
        Function applied to the code. ``KLSparsity`` requires "sigmoid", whose values lie in (0, 1).

    Raises
    ------
    ValueError
        At ``build``, if the activation is unknown.

    References
    ----------
    Rumelhart, Hinton and Williams, Learning internal representations by error propagation, 1986.

    Examples
    --------
    >>> from isthmus.bottlenecks import Deterministic
    >>> Deterministic(activation="relu")
    Deterministic(activation='relu')
    """

    def __init__(self, activation: str | None = None) -> None:
        super().__init__()
        self.activation = activation

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Check the activation; return the shapes of h and z."""
        self.require("activation", lambda v: v is None or v in ACTIVATIONS, f"None or one of {sorted(ACTIVATIONS)}")
        self.z_shape = (n_components,)
        return self.z_shape, self.z_shape

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Return the code, without a cost."""
        return Latent(self.code_mean(h)[None], {}, h.new_zeros(1, h.shape[0]))

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the code."""
        return h if self.activation is None else ACTIVATIONS[self.activation](h)

    def clamp(self, z: Tensor) -> Tensor:
        """Clamp z to the range of the activation."""
        return z if self.activation is None else z.clamp(*RANGES[self.activation])
