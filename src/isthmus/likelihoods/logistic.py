"""Integers in a fixed range, such as the gray levels of 8-bit pixels."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, check_noise_scale
from isthmus.part import is_count
from isthmus.statistics import Statistics


class Logistic(Likelihood):
    """Integers from 0 to ``n_levels - 1``, such as gray levels, with a discretized logistic distribution.

    The probability of a level is the mass of a logistic distribution within half a unit around it; the lowest and the
    highest level get the tails. Levels are ordered: near levels have similar probabilities. Scores are bounded, whereas
    a density would grow without limit for pixels that can be predicted exactly.

    Parameters
    ----------
    n_levels : int, default=256
        Number of levels, at least 2; 256 for 8-bit pixels.
    scale : "feature", "shared" or float, default="shared"
        Scale of the noise; see ``Gaussian``.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or a value is not a level.

    References
    ----------
    Salimans, Karpathy, Chen and Kingma, PixelCNN++, ICLR 2017, arXiv:1701.05517.

    Examples
    --------
    >>> from isthmus.likelihoods import Logistic
    >>> Logistic(16)
    Logistic(n_levels=16)
    """

    integer_support = True
    scaling = "center"

    def __init__(self, n_levels: int = 256, scale: str | float = "shared") -> None:
        super().__init__()
        self.n_levels = n_levels
        self.scale = scale

    @property
    def support(self) -> tuple[float, float]:
        """The first and the last level."""
        return 0, self.n_levels - 1

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling."""
        self.require("n_levels", lambda v: is_count(v) and v > 1, "an integer of at least 2")
        check_noise_scale(self)
        super().build(statistics)
        self.noise = NoiseScale(statistics, self.scale, self.scaling)

    def encode(self, x: Tensor) -> Tensor:
        """Subtract the mean of each value and divide by a common standard deviation."""
        return self.noise.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the log probability of the level."""
        center = self.noise.unit.decode(theta.squeeze(1))
        return F.discretized_logistic_log_prob(x, center, self.noise.log_scale, self.n_levels - 1)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean of the clipped continuous distribution, which is accurate unless the scale is far below 1."""
        center, scale = self.noise.unit.decode(theta.squeeze(1)), torch.exp(self.noise.log_scale)
        return scale * (softplus(center / scale) - softplus((center - self.n_levels + 1) / scale))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample levels."""
        center = self.noise.unit.decode(theta.squeeze(1))
        noise = torch.logit(torch.rand_like(center), eps=1e-7)
        drawn = center + torch.exp(self.noise.log_scale) * noise
        return drawn.round().clamp(0, self.n_levels - 1)
