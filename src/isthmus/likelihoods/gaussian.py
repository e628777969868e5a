"""Real values with normal scatter."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, Range, check_noise_scale
from isthmus.statistics import Statistics


class Gaussian(Likelihood):
    """Real values around the reconstruction, normally scattered.

    With a scale learned per feature, each residual is judged against how well that feature can be reconstructed at all
    [1]; with one shared scale, training minimises the plain squared error.

    Parameters
    ----------
    scale : "feature", "shared" or float, default="feature"
        Standard deviation around the mean: learned for each feature, learned for all together, or fixed in the data's
        units.
    scaling : {"standard", "center", "none"}, default="standard"
        How values enter: each feature standardised, all centred and divided by one common deviation, or as they are.
    bounded : bool, default=False
        Whether reconstructions stay within the range of the training values, all features together, by a sigmoid:
        right for pixels, of which many sit at the ends.

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
        """Learn scaling and range; see the base class."""
        super().build(statistics)
        check_noise_scale(self)
        self.noise = NoiseScale(statistics, self.scale, self.scaling)
        self.range = Range(statistics) if self.bounded else None

    def encode(self, x: Tensor) -> Tensor:
        """Scale; see the base class."""
        return self.noise.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density in the data's units."""
        return F.normal_log_prob(x, self.mean(theta), self.noise.log_scale)

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Sum of the log densities of every row."""
        return F.normal_row_log_prob(x, self.mean(theta), self.noise.log_scale)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the centre of the scatter."""
        theta = theta.squeeze(1)
        return self.noise.unit.decode(theta) if self.range is None else self.range(theta)

    def sample(self, theta: Tensor) -> Tensor:
        """Draw around the centre."""
        mean = self.mean(theta)
        return mean + torch.exp(self.noise.log_scale) * torch.randn_like(mean)
