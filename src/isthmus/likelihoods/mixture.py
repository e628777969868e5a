"""Real values whose spread and skewness depend on the code."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import at_least_float32
from isthmus.likelihoods.date import phase_features
from isthmus.likelihoods.scaling import FLOOR, LogScaling, Scaling, check_positive
from isthmus.part import is_count
from isthmus.statistics import Statistics

# Initial distance between the means of adjacent components, and initial scale of each, in standard deviations of the
# training rows. Components with equal parameters would have equal gradients and stay equal. With 5 components, the
# initial mixture has the standard deviation of the data: sqrt(0.7^2 + 2 * 0.5^2) is about 1.
FIRST_SPACING, FIRST_SCALE = 0.5, 0.7


class Mixture(Likelihood):
    """Real values from a mixture of normal distributions whose weights, means and scales are outputs of the decoder.

    The spread and the skewness of a value depend on the code, and its distribution can have several modes. ``Gaussian``
    learns one scale for all rows, which is one parameter, but wrong if some rows are more uncertain than others.

    Parameters
    ----------
    n_normals : int, default=5
        Number of components of the mixture of each value.
    log : bool, default=False
        Whether the logarithms of the values are modelled; then values must be positive.
    periods : tuple of float, default=()
        Periods in the unit of the values. The sine and the cosine of the phase in each are inputs of the encoder; see
        ``Date``.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or if ``log`` is true and a value is not positive.

    References
    ----------
    Bishop, Mixture density networks, technical report NCRG/94/004, Aston University, 1994.

    Examples
    --------
    >>> from isthmus.likelihoods import Mixture
    >>> Mixture(n_normals=3, log=True)
    Mixture(log=True, n_normals=3)
    """

    first: Tensor
    cycles: Tensor
    log_high: Tensor
    limits: Tensor

    def __init__(self, n_normals: int = 5, log: bool = False, periods: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.n_normals = n_normals
        self.log = log
        self.periods = periods

    def build(self, statistics: Statistics) -> None:
        """Compute the scaling."""
        super().build(statistics)
        self.require("n_normals", is_count, "a positive integer")
        self.require("periods", lambda v: all(0 < period < math.inf for period in v), "positive numbers")
        if self.log:
            check_positive(statistics, type(self).__name__)
        self.unit = LogScaling(statistics) if self.log else Scaling("standard", statistics)
        if self.log:
            self.register_buffer("log_high", statistics.high.log().float())
        low, high = self.unit.encode(torch.stack([statistics.low, statistics.high]).float())
        margin = (high - low).clamp(min=1.0)
        self.register_buffer("limits", torch.stack([low - margin, high + margin]))
        steps = torch.arange(self.n_normals) - (self.n_normals - 1) / 2
        self.register_buffer("first", FIRST_SPACING * steps, persistent=False)
        self.register_buffer("cycles", torch.tensor(self.periods, dtype=torch.float64), persistent=False)
        self.parameter_shape = (3 * self.n_normals, *self.parameter_shape[1:])
        if self.periods:
            self.encoded_shape = (self.encoded_shape[0] * (1 + 2 * len(self.periods)),)

    def encode(self, x: Tensor) -> Tensor:
        """Standardize the values or their logarithms, and append phases in the periods."""
        u = self.unit.encode(x)
        return torch.cat([u, phase_features(x, self.cycles)], 1) if self.periods else u

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities in the units of the data."""
        return F.normal_mixture_log_prob(self.unit.encode(x), *self._components(theta)) - self.unit.log_slope(x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the mean; if ``log`` is true, the mean of min(x, largest training value), as x has a heavy tail."""
        logits, means, log_scales = self._components(theta)
        if not self.log:
            return self.unit.decode((logits.softmax(1) * means).sum(1))
        center, spread, limit = (each.to(means) for each in (self.unit.center, self.unit.spread, self.log_high))
        each = F.limited_lognormal_mean(center + spread * means, spread * log_scales.exp(), limit)
        return (logits.softmax(1) * each).sum(1)

    def sample(self, theta: Tensor) -> Tensor:
        """Sample a component and a value from it, at most one range of the training values beyond that range.

        In imputation, later values of a row are drawn given earlier ones, so that errors would grow without limit.
        """
        logits, means, log_scales = self._components(theta)
        chosen = (logits - torch.empty_like(logits).exponential_().log()).argmax(1, keepdim=True)
        mean, log_scale = (each.gather(1, chosen).squeeze(1) for each in (means, log_scales))
        return self.unit.decode((mean + log_scale.exp() * torch.randn_like(mean)).clamp(*self.limits))

    def _components(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of weights, means and log scales in standard units, each (n, n_normals, *shape)."""
        logits, means, scales = at_least_float32(theta).chunk(3, 1)
        means = means + self.first.to(means).view(-1, *[1] * (means.ndim - 2))
        log_scales = torch.logaddexp(scales + math.log(FIRST_SCALE), torch.full_like(scales, math.log(FLOOR)))
        return logits, means, log_scales
