"""Real values with heavy tails."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, check_noise_scale
from isthmus.statistics import Statistics


class StudentT(Likelihood):
    """Real values with noise that follows Student's t distribution: a robust alternative to ``Gaussian``.

    The loss of a large residual grows like its logarithm, so outliers in the training rows have little influence.

    Parameters
    ----------
    df : float, default=4.0
        Degrees of freedom, above 1; smaller values give heavier tails.
    scale : "feature", "shared" or float, default="feature"
        Scale of the noise; see ``Gaussian``.
    scaling : {"standard", "center", "none"}, default="standard"
        Scaling of the encoder's input; see ``Gaussian``.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

    References
    ----------
    Lange, Little and Taylor, Robust statistical modeling using the t distribution, JASA 84, 1989.

    Examples
    --------
    >>> from isthmus.likelihoods import StudentT
    >>> StudentT(df=3.0)
    StudentT(df=3.0)
    """

    def __init__(self, df: float = 4.0, scale: str | float = "feature", scaling: str = "standard") -> None:
        super().__init__()
        self.df = df
        self.scale = scale
        self.scaling = scaling

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling."""
        super().build(statistics)
        self.require("df", lambda v: 1 < v < math.inf, "> 1")
        check_noise_scale(self)
        self.noise = NoiseScale(statistics, self.scale, self.scaling)

    def encode(self, x: Tensor) -> Tensor:
        """Scale the values as ``scaling`` says."""
        return self.noise.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities in the units of the data."""
        return F.student_t_log_prob(x, self.mean(theta), self.noise.log_scale, self.df)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean."""
        return self.noise.unit.decode(theta.squeeze(1))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample around the mean."""
        mean = self.mean(theta)
        noise = torch.distributions.StudentT(torch.full_like(mean, self.df)).sample()
        return mean + torch.exp(self.noise.log_scale) * noise
