"""Overdispersed counts."""

import math

import torch
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import at_least_float32
from isthmus.likelihoods.counts import Counts
from isthmus.statistics import Statistics

# Range of the log size. At the lower end, nearly all counts are in one row; at the upper end, the distribution is
# practically Poisson.
LIMITS = (-7.0, 14.0)
# Range of the initial log size, which is estimated by moments. Near the ends of LIMITS, gradients would vanish.
INITIAL_LIMITS = (-5.0, 5.0)
# Initial logit of the probability of an extra zero: 0.12, few but with a gradient; not tuned.
INITIAL_LOGIT = -2.0


class NegativeBinomial(Likelihood):
    """Counts whose variance exceeds their mean m: it is m + m^2 / size [1].

    A size is learned for each feature, or for each channel of series. A smaller size gives a larger variance.

    Parameters
    ----------
    zero_inflated : bool, default=False
        Whether there are extra zeros, whose probability is an output of the decoder for each value [2].

    Raises
    ------
    ValueError
        At ``build``, if a value is negative or not an integer.

    References
    ----------
    [1] Lopez et al., Deep generative modeling for single-cell transcriptomics (scVI), Nature Methods 15, 2018.
    [2] Lambert, Zero-inflated Poisson regression, Technometrics 34, 1992.

    Examples
    --------
    >>> from isthmus.likelihoods import NegativeBinomial
    >>> NegativeBinomial(zero_inflated=True)
    NegativeBinomial(zero_inflated=True)
    """

    support = (0.0, math.inf)
    integer_support = True
    # The parameters are log sizes, which need larger steps than weights; see ``NoiseScale``.
    learning_rate_factor = 10.0
    start: Tensor

    def __init__(self, zero_inflated: bool = False) -> None:
        super().__init__()
        self.zero_inflated = zero_inflated

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling of the logarithms and the initial size."""
        super().build(statistics)
        self.counts = Counts(statistics)
        excess = (statistics.deviation.square() - statistics.mean).clamp(min=1e-6)
        self.register_buffer(
            "start", (statistics.mean.square().clamp(min=1e-6) / excess).log().clamp(*INITIAL_LIMITS).float()
        )
        self.raw = nn.Parameter(torch.zeros(statistics.constant.all(statistics.shared_axes, keepdim=True).shape))
        self.parameter_shape = (1 + self.zero_inflated, *self.parameter_shape[1:])

    @property
    def log_size(self) -> Tensor:
        """Log of the size of each value."""
        return (self.start + self.raw).clamp(*LIMITS)

    def encode(self, x: Tensor) -> Tensor:
        """Return standardized logarithms."""
        return self.counts.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log probabilities; theta holds log means, and logits of extra zeros."""
        log_prob = F.negative_binomial_log_prob(x, self.counts.log_mean(theta[:, 0]), self.log_size)
        return F.zero_inflated_log_prob(x, log_prob, self._zero_logits(theta)) if self.zero_inflated else log_prob

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected count."""
        mean = self.counts.log_mean(theta[:, 0]).exp()
        return mean * torch.sigmoid(-self._zero_logits(theta)) if self.zero_inflated else mean

    def sample(self, theta: Tensor) -> Tensor:
        """Sample rates, then counts with these rates."""
        size = self.log_size.exp()
        rate = torch.distributions.Gamma(size, size / self.counts.log_mean(theta[:, 0]).exp()).sample()
        drawn = torch.poisson(rate)
        return drawn * torch.bernoulli(torch.sigmoid(-self._zero_logits(theta))) if self.zero_inflated else drawn

    def _zero_logits(self, theta: Tensor) -> Tensor:
        return at_least_float32(theta[:, 1]) + INITIAL_LOGIT
