"""Points in time."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.scaling import NoiseScale
from isthmus.statistics import Statistics

YEAR, WEEK, DAY = 365.2425, 7.0, 1.0


class Date(Likelihood):
    """Dates and times in days: normally scattered, and known to the encoder by their place in year, week and day too.

    Parameters
    ----------
    periods : tuple of float, default=(365.2425, 7.0)
        Days after which something repeats; the sine and the cosine of the place within each enter the net.

    Raises
    ------
    ValueError
        At ``build``, if a period is not positive and finite.

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

    def __init__(self, periods: tuple[float, ...] = (YEAR, WEEK)) -> None:
        super().__init__()
        self.periods = periods

    def build(self, statistics: Statistics) -> None:
        """Learn the scaling; see the base class."""
        super().build(statistics)
        self.require("periods", lambda v: all(0 < days < math.inf for days in v), "positive numbers")
        self.noise = NoiseScale(statistics)
        self.register_buffer("days", torch.tensor(self.periods, dtype=torch.float64), persistent=False)
        n = len(statistics.mean)
        self.encoded_shape = (n * (1 + 2 * len(self.periods)),)

    def encode(self, x: Tensor) -> Tensor:
        """Scale, and give the place within each period; see the base class."""
        return torch.cat([self.noise.unit.encode(x), phase_features(x, self.days)], 1)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density a day."""
        return F.normal_log_prob(x, self.mean(theta), self.noise.log_scale)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the centre of the scatter."""
        return self.noise.unit.decode(theta.squeeze(1))

    def sample(self, theta: Tensor) -> Tensor:
        """Draw around the centre."""
        mean = self.mean(theta)
        return mean + torch.exp(self.noise.log_scale) * torch.randn_like(mean)


def phase_features(x: Tensor, periods: Tensor) -> Tensor:
    """Sines, then cosines, of the phase of values (n, columns) in each period, (n, 2 * columns * periods)."""
    periods = periods.to(x)
    # The remainder first: many turns later, a float32 angle has lost its digits.
    angle = (x[..., None].remainder(periods) * (2 * math.pi / periods)).flatten(1)
    return torch.cat([angle.sin(), angle.cos()], 1)
