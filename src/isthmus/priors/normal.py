"""The standard normal prior."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.part import Shape, Shapes
from isthmus.priors.base import Prior


class Normal(Prior):
    """Standard normal distribution with independent components: the prior of the VAE.

    References
    ----------
    Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014, arXiv:1312.6114.

    Examples
    --------
    >>> from isthmus.priors import Normal
    >>> Normal()
    Normal()
    """

    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Store the shape."""
        self.z_shape = z_shape

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density, (n_draws, n)."""
        return -0.5 * (z.square() + math.log(2 * math.pi)).flatten(2).sum(-1)

    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw z (n, *z_shape)."""
        return temperature * torch.randn(n, *self.z_shape)

    def divergence(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return the KL divergence of each component in closed form, (n, d)."""
        return F.kl_normal(mean, log_variance)
