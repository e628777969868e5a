"""Counts of independent events."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.counts import Counts
from isthmus.statistics import Statistics


class Poisson(Likelihood):
    """Counts of events that come independently of each other: their variance is their mean.

    Real counts mostly scatter more widely, as events come in bursts; ``NegativeBinomial`` learns how much more.

    Raises
    ------
    ValueError
        At ``build``, if a value is negative or not whole.

    References
    ----------
    Gopalan, Hofman and Blei, Scalable recommendation with Poisson factorization, UAI 2015, arXiv:1311.1704.

    Examples
    --------
    >>> from isthmus.likelihoods import Poisson
    >>> Poisson()
    Poisson()
    """

    support = (0.0, math.inf)
    integer_support = True

    def build(self, statistics: Statistics) -> None:
        """Learn the scaling of the logarithms; see the base class."""
        super().build(statistics)
        self.counts = Counts(statistics)

    def encode(self, x: Tensor) -> Tensor:
        """Scale the logarithms; see the base class."""
        return self.counts.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log probability; theta holds logarithms of rates, less those of the training rows."""
        return F.poisson_log_prob(x, self.counts.log_mean(theta.squeeze(1)))

    def mean(self, theta: Tensor) -> Tensor:
        """Return the rate."""
        return self.counts.log_mean(theta.squeeze(1)).exp()

    def sample(self, theta: Tensor) -> Tensor:
        """Draw counts."""
        return torch.poisson(self.mean(theta))
