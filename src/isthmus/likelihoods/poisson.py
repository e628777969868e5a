"""Counts of independent events."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.counts import Counts
from isthmus.statistics import Statistics


class Poisson(Likelihood):
    """Counts of independent events, whose variance is equal to their mean.

    Most real counts have a larger variance, because events are not independent; see ``NegativeBinomial``.

    Raises
    ------
    ValueError
        At ``build``, if a value is negative or not an integer.

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
        """Compute the scaling of the logarithms."""
        super().build(statistics)
        self.counts = Counts(statistics)

    def encode(self, x: Tensor) -> Tensor:
        """Return standardized logarithms."""
        return self.counts.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log probabilities; theta holds log rates relative to the training rows."""
        return F.poisson_log_prob(x, self.counts.log_mean(theta.squeeze(1)))

    def mean(self, theta: Tensor) -> Tensor:
        """Return the rate."""
        return self.counts.log_mean(theta.squeeze(1)).exp()

    def sample(self, theta: Tensor) -> Tensor:
        """Sample counts."""
        return torch.poisson(self.mean(theta))
