"""Real values with normal noise."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, Range, check_beta, check_noise_scale
from isthmus.statistics import Statistics


class Gaussian(Likelihood):
    """Real values with normal noise around the reconstruction.

    With a scale for each feature, a residual is measured in units of the typical residual of the feature [1]. With one
    shared scale, training minimizes the squared error.

    The log likelihood grows without limit as a noise scale falls, so a narrow code represents a few columns nearly
    exactly and neglects the others. With ``beta=1``, the gradient of each mean is that of the squared error in units of
    the standard deviation of the feature, as in PCA of standardized columns, while noise scales stay those of maximum
    likelihood [2]. Scores are log densities for any ``beta``.

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
    beta : float, default=0.0
        Exponent in [0, 1]: in training, the gradient of a mean is multiplied by (noise scale / standard deviation of
        the training rows)^(2 beta). 0 maximizes the likelihood; 1 minimizes the squared error.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

    References
    ----------
    [1] Rybkin, Daniilidis and Levine, Simple and effective VAE training with calibrated decoders, ICML 2021,
    arXiv:2006.13202.
    [2] Seitzer, Tavakoli, Antic and Martius, On the pitfalls of heteroscedastic uncertainty estimation with
    probabilistic neural networks, ICLR 2022, arXiv:2203.09168 (beta-NLL).

    Examples
    --------
    >>> from isthmus.likelihoods import Gaussian
    >>> Gaussian(scale="shared", scaling="center")
    Gaussian(scale='shared', scaling='center')
    """

    def __init__(
        self, scale: str | float = "feature", scaling: str = "standard", bounded: bool = False, beta: float = 0.0
    ) -> None:
        super().__init__()
        self.scale = scale
        self.scaling = scaling
        self.bounded = bounded
        self.beta = beta

    def build(self, statistics: Statistics) -> None:
        """Compute scaling and range."""
        super().build(statistics)
        check_noise_scale(self)
        check_beta(self)
        self.noise = NoiseScale(statistics, self.scale, self.scaling, self.beta)
        self.range = Range(statistics) if self.bounded else None

    def encode(self, x: Tensor) -> Tensor:
        """Scale the values as ``scaling`` says."""
        return self.noise.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities in the units of the data."""
        return F.normal_log_prob(x, self.noise.scale_gradient(self.mean(theta)), self.noise.log_scale)

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum of the log densities of each row, (n,)."""
        return F.normal_row_log_prob(x, self.noise.scale_gradient(self.mean(theta)), self.noise.log_scale)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean."""
        theta = theta.squeeze(1)
        return self.noise.unit.decode(theta) if self.range is None else self.range(theta)

    def sample(self, theta: Tensor) -> Tensor:
        """Sample around the mean."""
        mean = self.mean(theta)
        return mean + torch.exp(self.noise.log_scale) * torch.randn_like(mean)
