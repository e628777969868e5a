"""Positive values over several orders of magnitude."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, check_beta, check_positive, log_floor, log_statistics
from isthmus.statistics import Statistics


class LogNormal(Likelihood):
    """Positive values whose logarithms have normal noise around the reconstruction: prices, durations, sizes.

    Parameters
    ----------
    beta : float, default=0.0
        Weight of columns in training, in [0, 1]; see ``Gaussian``.

    Raises
    ------
    ValueError
        At ``build``, if ``beta`` is out of range, if a value is not positive, or if float32 cannot distinguish the
        logarithms of a column.

    References
    ----------
    Crow and Shimizu, Lognormal distributions, 1988.

    Examples
    --------
    >>> from isthmus.likelihoods import LogNormal
    >>> LogNormal()
    LogNormal()
    """

    floor: Tensor

    def __init__(self, beta: float = 0.0) -> None:
        super().__init__()
        self.beta = beta

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling of the logarithms."""
        super().build(statistics)
        check_beta(self)
        check_positive(statistics, type(self).__name__)
        self.register_buffer("floor", log_floor(statistics))
        self.noise = NoiseScale(log_statistics(statistics), beta=self.beta)

    def encode(self, x: Tensor) -> Tensor:
        """Return standardized logarithms."""
        return self.noise.unit.encode(self._log(x))

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities in the units of the data: the log density of the logarithm, minus the logarithm."""
        log_x = self._log(x)
        return (
            F.normal_log_prob(log_x, self.noise.scale_gradient(self._log_median(theta)), self.noise.log_scale) - log_x
        )

    def mean(self, theta: Tensor) -> Tensor:
        """Return the median, which does not depend on the heavy tail."""
        return torch.exp(self._log_median(theta))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample around the median."""
        log_median = self._log_median(theta)
        return torch.exp(log_median + torch.exp(self.noise.log_scale) * torch.randn_like(log_median))

    def _log(self, x: Tensor) -> Tensor:
        return torch.maximum(x, self.floor).log()

    def _log_median(self, theta: Tensor) -> Tensor:
        return self.noise.unit.decode(theta.squeeze(1))
