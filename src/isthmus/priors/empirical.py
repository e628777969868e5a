"""Normal prior with the moments of the codes."""

import math

import torch
from torch import Tensor

from isthmus.part import Shape, Shapes
from isthmus.priors.base import Prior

# Smallest variance of a direction relative to the largest, so that the log density is finite: the precision of float32.
MIN_RELATIVE_VARIANCE = 1e-7


class Empirical(Prior):
    """Normal distribution with the mean and covariance of the codes of training rows, fitted after training.

    It is the default prior of bottlenecks without a prior in the objective, such as ``Deterministic``.

    References
    ----------
    Ghosh et al., From variational to deterministic autoencoders, ICLR 2020, arXiv:1903.12436.

    Examples
    --------
    >>> from isthmus.priors import Empirical
    >>> Empirical()
    Empirical()
    """

    joint = False
    # Bounds the time on large streams. The relative error of a variance is then about sqrt(2 / 10,000) = 1.4 %.
    max_rows = 10_000
    mean: Tensor
    factor: Tensor

    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Create the mean and the factor of the covariance."""
        self.z_shape, size = z_shape, math.prod(z_shape)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("factor", torch.eye(size))

    def fit(self, z: Tensor, y: Tensor | None, seed: int) -> None:
        """Store the mean of the codes and a square root of their covariance."""
        codes = z.flatten(1).double()
        mean = codes.mean(0)
        deviations = codes - mean
        covariance = deviations.T @ deviations / max(1, len(z) - 1)
        variances, directions = torch.linalg.eigh(covariance)
        self.mean.copy_(mean)
        self.factor.copy_(directions * variances.clamp(min=0).sqrt())

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density, (n_draws, n)."""
        variances = self.factor.square().sum(0)
        variances = variances.clamp(min=MIN_RELATIVE_VARIANCE * float(variances.max()) or 1.0)
        # Columns of the factor are orthogonal: directions times standard deviations.
        directions = self.factor / self.factor.norm(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
        scores = (z.flatten(2) - self.mean) @ directions
        return -0.5 * (scores.square() / variances + variances.log() + math.log(2 * math.pi)).sum(-1)

    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw z (n, *z_shape)."""
        noise = torch.randn(n, len(self.mean)).to(self.factor)
        return (self.mean + temperature * noise @ self.factor.T).unflatten(1, self.z_shape)
