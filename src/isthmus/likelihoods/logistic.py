"""Whole numbers of a fixed range, such as the grey levels of 8-bit pixels."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, check_noise_scale
from isthmus.part import is_count
from isthmus.statistics import Statistics


class Logistic(Likelihood):
    """Levels 0, 1, ... of a fixed number, as pixels have: the mass of a logistic distribution around each.

    Levels are in order, so that near misses count little, and scores are true probabilities: a density would grow
    without bound where pixels can be told exactly. The lowest and the highest level take the tails.

    Parameters
    ----------
    n_levels : int, default=256
        From 2 up; 256 for 8-bit pixels.
    scale : "feature", "shared" or float, default="shared"
        Scale around the centre, as of ``Gaussian``.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range, or a value is no level.

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
        """First and last level; see the base class."""
        return 0, self.n_levels - 1

    def build(self, statistics: Statistics) -> None:
        """Learn the scaling; see the base class."""
        self.require("n_levels", lambda v: is_count(v) and v > 1, "an integer from 2 up")
        check_noise_scale(self)
        super().build(statistics)
        self.noise = NoiseScale(statistics, self.scale, self.scaling)

    def encode(self, x: Tensor) -> Tensor:
        """Scale; see the base class."""
        return self.noise.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log probability of the level."""
        centre = self.noise.unit.decode(theta.squeeze(1))
        return F.discretised_logistic_log_prob(x, centre, self.noise.log_scale, self.n_levels - 1)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected level, as if levels lay densely: exact but where the scale is far below one of them."""
        centre, scale = self.noise.unit.decode(theta.squeeze(1)), torch.exp(self.noise.log_scale)
        return scale * (softplus(centre / scale) - softplus((centre - self.n_levels + 1) / scale))

    def sample(self, theta: Tensor) -> Tensor:
        """Draw levels."""
        centre = self.noise.unit.decode(theta.squeeze(1))
        noise = torch.logit(torch.rand_like(centre), eps=1e-7)
        drawn = centre + torch.exp(self.noise.log_scale) * noise
        return drawn.round().clamp(0, self.n_levels - 1)
