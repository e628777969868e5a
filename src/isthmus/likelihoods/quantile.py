"""Real values whose quantiles are predicted."""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import softplus

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import at_least_float32
from isthmus.likelihoods.scaling import NoiseScale
from isthmus.statistics import Statistics


class Quantile(Likelihood):
    """Real values with any distribution, whose quantiles are predicted: prediction intervals.

    Scores are log densities of asymmetric Laplace distributions [1], averaged over the levels. Their main term is the
    negative pinball loss in units of a scale that is learned for each feature. With several levels, this average is a
    lower bound on the log of a normalized density. Differences of adjacent quantiles are positive, so quantiles do not
    cross.

    Parameters
    ----------
    levels : tuple of float, default=(0.05, 0.5, 0.95)
        Increasing probabilities in (0, 1). Reconstructions are quantiles of the level nearest to 0.5.

    Raises
    ------
    ValueError
        At ``build``, if the levels do not increase in (0, 1).

    References
    ----------
    [1] Koenker and Bassett, Regression quantiles, Econometrica 46, 1978; Yu and Moyeed, Bayesian quantile regression,
    Statistics and Probability Letters 54, 2001.

    Examples
    --------
    >>> from isthmus.likelihoods import Quantile
    >>> Quantile((0.1, 0.9))
    Quantile(levels=(0.1, 0.9))
    """

    level: Tensor

    def __init__(self, levels: tuple[float, ...] = (0.05, 0.5, 0.95)) -> None:
        super().__init__()
        self.levels = levels

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling."""
        super().build(statistics)
        self.require("levels", _are_levels, "increasing numbers in (0, 1)")
        shape = statistics.mean.shape
        self.noise = NoiseScale(statistics)
        level = torch.tensor(self.levels, dtype=torch.float64).view(-1, *[1] * len(shape))
        self.register_buffer("level", level, persistent=False)
        self.parameter_shape = (len(self.levels), *shape)

    def encode(self, x: Tensor) -> Tensor:
        """Standardize the values."""
        return self.noise.unit.encode(x)

    def quantiles(self, theta: Tensor) -> Tensor:
        """Return the quantiles of each level.

        With theta = 0 they are those of a normal distribution.

        Parameters
        ----------
        theta : Tensor of shape (n, n_parameters, *shape)
            Output of the decoder.

        Returns
        -------
        Tensor of shape (n, n_levels, *shape)
            Quantiles, standardized as the encoded values are.
        """
        theta = at_least_float32(theta)
        normal = torch.special.ndtri(self.level).to(theta)
        steps = normal.diff(dim=0)
        # The inverse of softplus: theta = 0 gives the step of a normal distribution.
        increases = softplus(theta[:, 1:] + steps + torch.log(-torch.expm1(-steps)))
        return self.noise.unit.decode(torch.cat([theta[:, :1] + normal[:1], increases], 1).cumsum(1))

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the mean of the log densities over the levels, in the units of the data."""
        level, quantiles = self.level.to(x), self.quantiles(theta)
        return F.asymmetric_laplace_log_prob(x[:, None], quantiles, self.noise.log_scale, level).mean(1)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the quantile nearest to the median."""
        return self.quantiles(theta)[:, (self.level.flatten() - 0.5).abs().argmin()]

    def sample(self, theta: Tensor) -> Tensor:
        """Sample uniformly between adjacent quantiles, and from exponential tails beyond the first and the last one."""
        quantiles = self.quantiles(theta)
        return F.sample_by_quantiles(quantiles, self.level.to(quantiles), torch.exp(self.noise.log_scale))


def _are_levels(levels: tuple[float, ...]) -> bool:
    return len(levels) > 0 and all(a < b for a, b in pairwise((0.0, *levels, 1.0)))
