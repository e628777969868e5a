"""Counts that scatter widely."""

import math

import torch
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import at_least_float32
from isthmus.likelihoods.counts import Counts
from isthmus.statistics import Statistics

# Logarithms that the size of a feature stays between: nearly all in one event, and Poisson for all that can be told.
LIMITS = (-7.0, 14.0)
# Those that it begins between, by the variance of the training rows: from the far end there is no way back.
EARLY = (-5.0, 5.0)
# Logit of the probability with which a count is 0 for another reason, before anything is learned.
RARELY = -2.0


class NegativeBinomial(Likelihood):
    """Counts whose variance exceeds their mean m: it is m + m^2 / size [1].

    A size is learned for each feature, of series for each channel: the smaller it is, the wider counts scatter.

    Parameters
    ----------
    zero_inflated : bool, default=False
        Whether a count can be 0 for another reason too, whose probability the decoder says for each value [2].

    Raises
    ------
    ValueError
        At ``build``, if a value is negative or not whole.

    References
    ----------
    [1] Lopez et al., Deep generative modeling for single-cell transcriptomics (scVI), Nature Methods 15, 2018. [2]
        Lambert, Zero-inflated Poisson regression, Technometrics 34, 1992.

    Examples
    --------
    >>> from isthmus.likelihoods import NegativeBinomial
    >>> NegativeBinomial(zero_inflated=True)
    NegativeBinomial(zero_inflated=True)
    """

    support = (0.0, math.inf)
    integer_support = True
    # Its only own parameters are log sizes, which need larger steps than weights do; see ``NoiseScale``.
    learning_rate_factor = 10.0
    start: Tensor

    def __init__(self, zero_inflated: bool = False) -> None:
        super().__init__()
        self.zero_inflated = zero_inflated

    def build(self, statistics: Statistics) -> None:
        """Learn the scaling of the logarithms, and the size to begin with; see the base class."""
        super().build(statistics)
        self.counts = Counts(statistics)
        excess = (statistics.deviation.square() - statistics.mean).clamp(min=1e-6)
        self.register_buffer("start", (statistics.mean.square().clamp(min=1e-6) / excess).log().clamp(*EARLY).float())
        self.raw = nn.Parameter(torch.zeros(statistics.constant.all(statistics.shared_axes, keepdim=True).shape))
        self.parameter_shape = (1 + self.zero_inflated, *self.parameter_shape[1:])

    @property
    def log_size(self) -> Tensor:
        """Log of the size of each value of a sample; the smaller, the wider counts scatter."""
        return (self.start + self.raw).clamp(*LIMITS)

    def encode(self, x: Tensor) -> Tensor:
        """Scale the logarithms; see the base class."""
        return self.counts.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log probability; theta holds logarithms of means, and logits of zeros for another reason."""
        log_prob = F.negative_binomial_log_prob(x, self.counts.log_mean(theta[:, 0]), self.log_size)
        return F.zero_inflated_log_prob(x, log_prob, self._other_reason(theta)) if self.zero_inflated else log_prob

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected count."""
        mean = self.counts.log_mean(theta[:, 0]).exp()
        return mean * torch.sigmoid(-self._other_reason(theta)) if self.zero_inflated else mean

    def sample(self, theta: Tensor) -> Tensor:
        """Draw rates, and counts at these."""
        size = self.log_size.exp()
        rate = torch.distributions.Gamma(size, size / self.counts.log_mean(theta[:, 0]).exp()).sample()
        drawn = torch.poisson(rate)
        return drawn * torch.bernoulli(torch.sigmoid(-self._other_reason(theta))) if self.zero_inflated else drawn

    def _other_reason(self, theta: Tensor) -> Tensor:
        return at_least_float32(theta[:, 1]) + RARELY
