"""The plain code."""

import torch
from torch import Tensor

from isthmus.bottlenecks.base import Bottleneck, Code

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
RANGES = {None: (None, None), "relu": (0.0, None), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


class Deterministic(Bottleneck):
    """The encoder's output is the code: the bottleneck of the plain autoencoder. It costs nothing.

    There is no prior, so ``sample`` draws from the normal distribution with the mean and covariance of the training
    codes.

    Parameters
    ----------
    activation : {"relu", "sigmoid", "tanh"} or None, default=None
        Applied to the code: ReLU in the classic net, sigmoid where a sparsity penalty wants values in (0, 1).

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

    centre: Tensor
    factor: Tensor

    def __init__(self, activation: str | None = None) -> None:
        super().__init__()
        self.activation = activation

    def build(self, n_components: int) -> tuple[int, int]:
        """Make the moments of the codes; see the base class."""
        self.require("activation", lambda v: v is None or v in ACTIVATIONS, f"None or one of {sorted(ACTIVATIONS)}")
        self.register_buffer("centre", torch.zeros(n_components))
        self.register_buffer("factor", torch.eye(n_components))
        return n_components, n_components

    def forward(self, h: Tensor, draw: bool, progress: Tensor) -> Code:
        """Pass the code on; see the base class."""
        nothing = h.new_zeros(len(h))
        return Code(self._activate(h)[None], nothing[None], nothing)

    def posterior(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code and a deviation of 0."""
        z = self._activate(h)
        return z, torch.zeros_like(z)

    def settle(self, codes: Tensor) -> None:
        """Keep the mean of the codes and a square root of their covariance."""
        deviations = codes.double()
        centre = deviations.mean(0)
        deviations -= centre
        covariance = deviations.T @ deviations / max(1, len(codes) - 1)
        variances, directions = torch.linalg.eigh(covariance)
        self.centre.copy_(centre)
        self.factor.copy_(directions * variances.clamp(min=0).sqrt())

    def sample(self, n: int, temperature: float) -> Tensor:
        """Draw from the normal distribution of the training codes, kept where the activation can reach."""
        z = self.centre + temperature * torch.randn(n, len(self.centre)).to(self.factor) @ self.factor.T
        low, high = RANGES[self.activation]
        return z if low is None else z.clamp(low, high)

    def _activate(self, h: Tensor) -> Tensor:
        return h if self.activation is None else ACTIVATIONS[self.activation](h)
