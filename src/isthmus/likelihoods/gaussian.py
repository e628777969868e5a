"""Real values with normal scatter."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import Scatter
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

    def __init__(self, scale: str | float = "feature", scaling: str = "standard") -> None:
        super().__init__()
        self.scale = scale
        self.scaling = scaling

    def build(self, statistics: Statistics) -> None:
        """Learn the scaling; see the base class."""
        super().build(statistics)
        self.scatter = Scatter(self, self.scale, self.scaling, statistics)

    def encode(self, x: Tensor) -> Tensor:
        """Scale; see the base class."""
        return self.scatter.unit.encode(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density in the data's units: the scaling adds its log Jacobian."""
        return F.normal_log_prob(self.scatter.unit.encode(x), theta[:, 0], self.scatter.log_scale) + self.scatter.log_jacobian

    def mean(self, theta: Tensor) -> Tensor:
        """Return the centre of the scatter."""
        return self.scatter.unit.decode(theta[:, 0])

    def sample(self, theta: Tensor) -> Tensor:
        """Draw around the centre."""
        u = theta[:, 0]
        return self.scatter.unit.decode(u + torch.exp(self.scatter.log_scale) * torch.randn_like(u))
