"""Binary values."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import Scaling
from isthmus.statistics import Statistics


class Bernoulli(Likelihood):
    """Binary values, or probabilities of them in [0, 1].

    For values between 0 and 1, the score is the negative cross entropy, which is not a normalized log density. Use
    ``ContinuousBernoulli`` for gray levels [1].

    Parameters
    ----------
    binarize : bool, default=False
        Whether values in [0, 1] are probabilities from which training samples new binary values in every epoch [2].

    Raises
    ------
    ValueError
        At ``build``, if a value lies outside [0, 1].

    References
    ----------
    [1] Loaiza-Ganem and Cunningham, The continuous Bernoulli, NeurIPS 2019, arXiv:1907.06845.
    [2] Salakhutdinov and Murray, On the quantitative analysis of deep belief networks, ICML 2008.

    Examples
    --------
    >>> from isthmus.likelihoods import Bernoulli
    >>> Bernoulli(binarize=True)
    Bernoulli(binarize=True)
    """

    support = (0.0, 1.0)
    translation_invariant = False

    def __init__(self, binarize: bool = False) -> None:
        super().__init__()
        self.binarize = binarize

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling."""
        super().build(statistics)
        self.unit = Scaling("center", statistics)

    def sample_targets(self, x: Tensor) -> Tensor:
        """Sample binary values if ``binarize`` is true; missing values stay missing."""
        if not self.binarize:
            return x
        return torch.where(x.isnan(), x, (torch.rand_like(x) < x).to(x.dtype))

    def encode(self, x: Tensor) -> Tensor:
        """Subtract the mean of each value and divide by a common standard deviation."""
        return self.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log probabilities; theta holds logits."""
        return F.bernoulli_log_prob(x, theta.squeeze(1))

    def mean(self, theta: Tensor) -> Tensor:
        """Return the probability of 1."""
        return torch.sigmoid(theta.squeeze(1))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample zeros and ones."""
        return torch.bernoulli(self.mean(theta))
