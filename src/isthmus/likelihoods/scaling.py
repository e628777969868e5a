"""Scaling of values, and scale of the noise around the reconstruction."""

import math
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from isthmus import functional as F
from isthmus.part import Part
from isthmus.statistics import Statistics

SCALINGS = ("standard", "center", "none")
# Smallest learned scale, relative to the standard deviation of the training rows. Without it, the scale of a column
# that can be reconstructed exactly, such as a copy of another one, would go to 0, and the column would dominate all
# scores. It is well below the noise of real columns; see tests/test_likelihoods.py for its effect.
FLOOR = 0.01
# Values below this fraction of the smallest training value are increased to it, so that their logarithms are finite.
MIN_SHARE_OF_LOW = 1e-3


class Scaling(nn.Module):
    """Subtracts a center and divides by a spread, both computed on the training rows.

    ``"standard"`` uses the mean and the standard deviation of each feature; ``"center"`` the mean of each feature and
    one common standard deviation, which keeps squared errors comparable, as in PCA; ``"none"`` does nothing.
    """

    center: Tensor
    spread: Tensor

    def __init__(self, scaling: str, statistics: Statistics) -> None:
        super().__init__()
        self.scales, self.common = scaling != "none", scaling != "standard"
        deviation = statistics.deviation
        common = deviation.square().mean().sqrt().expand_as(deviation)
        spread = {"standard": deviation, "center": common, "none": torch.ones_like(deviation)}[scaling]
        self.register_buffer("center", (statistics.mean * (scaling != "none")).float())
        self.register_buffer("spread", torch.where(spread > 0, spread, 1.0).float())

    def encode(self, x: Tensor) -> Tensor:
        """Convert the units of the data to standard units."""
        return (x - self.center).div_(self.spread) if self.scales else x

    def decode(self, u: Tensor) -> Tensor:
        """Convert standard units to those of the data."""
        return torch.addcmul(self.center, self.spread, u) if self.scales else u

    def log_slope(self, x: Tensor) -> Tensor:
        """Return the log derivative of ``decode`` at the values ``x``."""
        return self.spread.log()


class LogScaling(Scaling):
    """Standardizes the logarithms of positive values."""

    floor: Tensor

    def __init__(self, statistics: Statistics) -> None:
        super().__init__("standard", log_statistics(statistics))
        self.register_buffer("floor", log_floor(statistics))

    def encode(self, x: Tensor) -> Tensor:
        """Convert the units of the data to standard units."""
        return super().encode(torch.maximum(x, self.floor).log())

    def decode(self, u: Tensor) -> Tensor:
        """Convert standard units to those of the data."""
        return super().decode(u).exp()

    def log_slope(self, x: Tensor) -> Tensor:
        """Return the log derivative of ``decode`` at the values ``x``."""
        return super().log_slope(x) + torch.maximum(x, self.floor).log()


class Range(nn.Module):
    """Maps real numbers to the range of all training values by a sigmoid; 0 becomes the mean of each feature."""

    low: Tensor
    width: Tensor
    logits: Tensor

    def __init__(self, statistics: Statistics) -> None:
        super().__init__()
        low, high = statistics.low.min(), statistics.high.max()
        share = (statistics.mean - low) / (high - low).clamp(min=torch.finfo(torch.float32).tiny)
        self.register_buffer("low", low.float())
        self.register_buffer("width", (high - low).float())
        self.register_buffer("logits", torch.logit(share, eps=1e-3).float())

    def forward(self, theta: Tensor) -> Tensor:
        """Map real numbers to the units of the data."""
        return torch.addcmul(self.low, self.width, (theta + self.logits).sigmoid_())


def check_noise_scale(part: Part) -> None:
    """Raise ``ValueError`` if ``scale`` or ``scaling`` of a likelihood are not valid for ``NoiseScale``."""
    part.require("scaling", lambda v: v in SCALINGS, f"one of {SCALINGS}")
    part.require(
        "scale",
        lambda v: v in ("feature", "shared") if isinstance(v, str) else 0 < v < math.inf,
        '"feature", "shared" or a positive number',
    )


def check_beta(part: Part) -> None:
    """Raise ``ValueError`` if ``beta`` of a likelihood is not valid for ``NoiseScale``."""
    part.require("beta", lambda v: 0 <= v <= 1, "in [0, 1]")


class NoiseScale(nn.Module):
    """A scaling of the values, and the log of the noise scale around the mean, in the units of the data.

    ``raw`` is the log of the noise scale in units of the scaling's spread, before the floor. With ``scale="feature"``,
    each feature or each channel of a series has a noise scale; with ``"shared"``, all features have the same; a number
    fixes it. Features that are constant in the training rows have a scale of 1.

    Parameters
    ----------
    statistics : Statistics
    scale : "feature", "shared" or float, default="feature"
    scaling : {"standard", "center", "none"}, default="standard"
    beta : float, default=0.0
        Exponent of ``scale_gradient``.
    """

    # Adam changes a parameter by about the learning rate in each step, and log scales must change more than weights:
    # from 0 to -2.3 if the noise is a tenth of the standard deviation.
    learning_rate_factor: ClassVar[float] = 10.0

    raw: Tensor
    constant: Tensor

    def __init__(
        self, statistics: Statistics, scale: str | float = "feature", scaling: str = "standard", beta: float = 0.0
    ) -> None:
        super().__init__()
        self.beta = beta
        self.unit = Scaling(scaling, statistics)
        self.learned = isinstance(scale, str)
        if isinstance(scale, str):
            # Values that share a unit, such as those of a channel, share a scale.
            constant = statistics.constant.all(statistics.shared_axes, keepdim=True)
            self.raw = nn.Parameter(torch.zeros(constant.shape if scale == "feature" else ()))
            self.register_buffer("constant", constant & (scale == "feature"))
        else:
            self.register_buffer("raw", torch.tensor(math.log(scale)))

    @property
    def log_scale(self) -> Tensor:
        """Log of the noise scale in the units of the data, of the shape of one sample or ()."""
        if not self.learned:
            return self.raw
        # If all features share the scale and the spread, one number is sufficient, and saves half of the time.
        spread = self.unit.spread.flatten()[0] if self.raw.ndim == 0 and self.unit.common else self.unit.spread
        log_scale: Tensor = _Floored.apply(self.raw, self.constant, spread)  # type: ignore[no-untyped-call]
        return log_scale

    def scale_gradient(self, mean: Tensor) -> Tensor:
        """Return the mean, with its gradient multiplied by (noise scale / spread)^(2 beta): the beta-NLL.

        Seitzer et al., arXiv:2203.09168, equation 5. The gradient of the noise scale does not change.
        """
        if not (self.beta and mean.requires_grad):
            return mean
        with torch.no_grad():
            weight = torch.exp(2 * self.beta * (self.log_scale - self.unit.spread.log()))
        return F.scale_gradient(mean, weight)


class _Floored(torch.autograd.Function):
    """Log of spread * sqrt(exp(2 raw) + FLOOR^2), and of the spread for constant features, in fewer passes than torch.

    The derivative is sigmoid(2 (raw - log FLOOR)), and 0 for constant features.
    """

    @staticmethod
    def forward(ctx: Any, raw: Tensor, constant: Tensor, spread: Tensor) -> Tensor:
        # log sqrt(exp(2 raw) + FLOOR^2) = log FLOOR + log(1 + exp(2 (raw - log FLOOR))) / 2
        above = torch.mul(raw, 2).sub_(2 * math.log(FLOOR))
        ctx.save_for_backward(above, constant)
        floored = torch.nn.functional.softplus(above).mul_(0.5).add_(math.log(FLOOR))
        return (floored.masked_fill_(constant, 0.0) if raw.ndim else floored) + spread.log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        above, constant = ctx.saved_tensors
        slope = torch.sigmoid(above).mul_(gradient.sum_to_size(above.shape))
        return slope.masked_fill_(constant, 0.0) if slope.ndim else slope, None, None


def log_statistics(statistics: Statistics) -> Statistics:
    """Estimate the mean and the variance of logarithms from those of the values, as for a log-normal distribution."""
    variance = torch.log1p((statistics.deviation / statistics.mean).square())
    return replace(
        statistics,
        mean=statistics.mean.log() - variance / 2,
        m2=variance * statistics.count,
        low=statistics.low.log(),
        high=statistics.high.log(),
    )


def check_positive(statistics: Statistics, name: str) -> None:
    """Raise ``ValueError`` if values cannot be used by a likelihood of logarithms."""
    if statistics.offset is not None and bool((statistics.offset != 0).any()):
        raise ValueError(
            f"likelihood {name} needs values that vary more in proportion to their mean; use likelihood='gaussian'"
        )
    if bool((statistics.low <= 0).any()):
        raise ValueError(f"likelihood {name} needs values > 0, got {statistics.low.min():g}")


def log_floor(statistics: Statistics) -> Tensor:
    """Return, for each column, the number that replaces smaller values before a logarithm."""
    return (MIN_SHARE_OF_LOW * statistics.low).float().clamp(min=torch.finfo(torch.float32).tiny)
