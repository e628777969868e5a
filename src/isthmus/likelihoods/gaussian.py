"""Real values with normal noise."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, Range, check_noise_scale
from isthmus.statistics import Statistics


class Gaussian(Likelihood):
    """Real values with normal noise around the reconstruction.

    With a scale for each feature, a residual is compared with how well that feature can be reconstructed in general
    [1]. With one shared scale, training minimises the squared error.

    Parameters
    ----------
    scale : "feature", "shared" or float, default="feature"
        Standard deviation around the mean: learned for each feature, learned for all together, or fixed in the data's
        units.
    scaling : {"standard", "center", "none"}, default="standard"
        Scaling of the encoder's input: each feature standardised; all centred and divided by one common standard
        deviation; or none.
    bounded : bool, default=False
        Whether a sigmoid keeps reconstructions within the common range of all training values, which suits pixels, many
        of which are at the ends of the range.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range.

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
        """Scale."""
        return self.noise.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities in the units of the data."""
        return F.normal_log_prob(x, self.mean(theta), self.noise.log_scale)

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Sum of the log densities of every row."""
        return F.normal_row_log_prob(x, self.mean(theta), self.noise.log_scale)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean."""
        theta = theta.squeeze(1)
        return self.noise.unit.decode(theta) if self.range is None else self.range(theta)

    def sample(self, theta: Tensor) -> Tensor:
        """Sample around the mean."""
        mean = self.mean(theta)
        return mean + torch.exp(self.noise.log_scale) * torch.randn_like(mean)
