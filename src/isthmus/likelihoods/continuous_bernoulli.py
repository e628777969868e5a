"""Values between 0 and 1."""

from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import Scaling
from isthmus.statistics import Statistics


class ContinuousBernoulli(Likelihood):
    """Values in [0, 1] that are not binary, such as gray levels: the normalized density of the cross entropy.

    Raises
    ------
    ValueError
        At ``build``, if a value lies outside [0, 1].

    References
    ----------
    Loaiza-Ganem and Cunningham, The continuous Bernoulli: fixing a pervasive error in variational autoencoders,
    NeurIPS 2019, arXiv:1907.06845.

    Examples
    --------
    >>> from isthmus.likelihoods import ContinuousBernoulli
    >>> ContinuousBernoulli()
    ContinuousBernoulli()
    """

    support = (0.0, 1.0)
    translation_invariant = False

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling."""
        super().build(statistics)
        self.unit = Scaling("center", statistics)

    def encode(self, x: Tensor) -> Tensor:
        """Subtract the mean of each value and divide by a common standard deviation."""
        return self.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities; theta holds logits."""
        return F.continuous_bernoulli_log_prob(x, theta.squeeze(1))

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected value, which is not the sigmoid of theta."""
        return F.continuous_bernoulli_mean(theta.squeeze(1))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample values in [0, 1]."""
        return F.sample_continuous_bernoulli(theta.squeeze(1))
