"""Real values with normal noise."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, Range, check_noise_scale
from isthmus.statistics import Statistics


class Gaussian(Likelihood):
    """Real values with normal noise around the reconstruction.

    With a scale for each feature, a residual is measured in units of the typical residual of the feature [1]. With one
    shared scale, training minimizes the squared error.

    Parameters
    ----------
    scale : "feature", "shared" or float, default="feature"
        Standard deviation around the mean: learned for each feature, learned for all features together, or a fixed
        number in the units of the data.
    scaling : {"standard", "center", "none"}, default="standard"
        Scaling of the encoder's input. "standard" standardizes each feature; "center" subtracts the mean of each
        feature and divides all by one common standard deviation.
    bounded : bool, default=False
        Whether a sigmoid keeps reconstructions within the common range of all training values. Suitable for pixels,
        because many of them are at the ends of the range.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

    References
    ----------
    [1] Rybkin, Daniilidis and Levine, Simple and effective VAE training with calibrated decoders, ICML 2021,
        arXiv:2006.13202.

    Examples
    --------
    >>> from isthmus.likelihoods import Gaussian
    >>> Gaussian(scale="shared", scaling="center")
    Gaussian(scale='shared', scaling='center')
    """

    def __init__(self, scale: str | float = "feature", scaling: str = "standard", bounded: bool = False) -> None:
        super().__init__()
        self.scale = scale
        self.scaling = scaling
        self.bounded = bounded

    def build(self, statistics: Statistics) -> None:
        """Compute scaling and range."""
        super().build(statistics)
        check_noise_scale(self)
        self.noise = NoiseScale(statistics, self.scale, self.scaling)
        self.range = Range(statistics) if self.bounded else None

    def encode(self, x: Tensor) -> Tensor:
        """Scale the values as ``scaling`` says."""
        return self.noise.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities in the units of the data."""
        return F.normal_log_prob(x, self.mean(theta), self.noise.log_scale)

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum of the log densities of each row, (n,)."""
        return F.normal_row_log_prob(x, self.mean(theta), self.noise.log_scale)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean."""
        theta = theta.squeeze(1)
        return self.noise.unit.decode(theta) if self.range is None else self.range(theta)

    def sample(self, theta: Tensor) -> Tensor:
        """Sample around the mean."""
        mean = self.mean(theta)
        return mean + torch.exp(self.noise.log_scale) * torch.randn_like(mean)
