"""Points in time."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale, check_beta
from isthmus.statistics import Statistics

# Days; a year of the Gregorian calendar.
YEAR, WEEK, DAY = 365.2425, 7.0, 1.0


class Date(Likelihood):
    """Dates and times in days, with normal noise; the encoder also gets their phases in the year, week and day.

    Parameters
    ----------
    periods : tuple of float, default=(365.2425, 7.0)
        Periods in days. The sine and the cosine of the phase in each are inputs of the encoder.
    beta : float, default=0.0
        Weight of columns in training, in [0, 1]; see ``Gaussian``.

    Raises
    ------
    ValueError
        At ``build``, if a period is not positive and finite, or ``beta`` is out of range.

    References
    ----------
    Fisher, Statistical analysis of circular data, 1993.

    Examples
    --------
    >>> from isthmus.likelihoods import Date
    >>> Date(periods=(7.0, 1.0))
    Date(periods=(7.0, 1.0))
    """

    days: Tensor

    def __init__(self, periods: tuple[float, ...] = (YEAR, WEEK), beta: float = 0.0) -> None:
        super().__init__()
        self.periods = periods
        self.beta = beta

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling."""
        super().build(statistics)
        self.require("periods", lambda v: all(0 < days < math.inf for days in v), "positive numbers")
        check_beta(self)
        self.noise = NoiseScale(statistics, beta=self.beta)
        self.register_buffer("days", torch.tensor(self.periods, dtype=torch.float64), persistent=False)
        n = len(statistics.mean)
        self.encoded_shape = (n * (1 + 2 * len(self.periods)),)

    def encode(self, x: Tensor) -> Tensor:
        """Standardize, and append the sine and the cosine of the phase in each period."""
        return torch.cat([self.noise.unit.encode(x), phase_features(x, self.days)], 1)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities per day."""
        return F.normal_log_prob(x, self.noise.scale_gradient(self.mean(theta)), self.noise.log_scale)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean."""
        return self.noise.unit.decode(theta.squeeze(1))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample around the mean."""
        mean = self.mean(theta)
        return mean + torch.exp(self.noise.log_scale) * torch.randn_like(mean)


def phase_features(x: Tensor, periods: Tensor) -> Tensor:
    """Return sines, then cosines, of the phase of values (n, columns) in each period, (n, 2 * columns * periods)."""
    periods = periods.to(x)
    # The remainder comes first, because float32 would round the angle after many periods.
    angle = (x[..., None].remainder(periods) * (2 * math.pi / periods)).flatten(1)
    return torch.cat([angle.sin(), angle.cos()], 1)
