"""Helpers of likelihoods: scaling of values, and scale of the noise around the reconstruction."""

import math
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from isthmus.part import Part
from isthmus.statistics import Statistics

SCALINGS = ("standard", "center", "none")
# Smallest learned scale, as a share of the training deviation. Without a floor, the scale of a column that can be
# reconstructed exactly (a copy of another column) would go to 0, and the column would dominate every score.
# Chosen well below the noise of real columns; see tests/test_likelihoods.py for its effect.
FLOOR = 0.01
# Logarithms are taken of values of at least this share of the smallest training value, so that they stay finite.
MIN_SHARE_OF_LOW = 1e-3


class Scaling(nn.Module):
    """Subtracts a centre and divides by a spread, both computed on the training rows.

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
    """Standardises the logarithms of positive values."""

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


class NoiseScale(nn.Module):
    """A scaling of the values, and the log of the noise scale around the mean, in the data's units.

    ``raw`` is the log of the noise scale in units of the scaling's spread, before the floor. With ``scale="feature"``
    each feature (each channel of a series) has its own, with ``"shared"`` all features have one; a number fixes the
    noise scale. Features that never varied in training keep a scale of 1.

    Parameters
    ----------
    statistics : Statistics
    scale : "feature", "shared" or float, default="feature"
    scaling : {"standard", "center", "none"}, default="standard"
    """

    # Adam moves a parameter by about the learning rate in each step, and a log scale has further to go than a weight:
    # from 0 to -2.3 if a tenth of the deviation is left.
    learning_rate_factor: ClassVar[float] = 10.0

    raw: Tensor
    constant: Tensor

    def __init__(self, statistics: Statistics, scale: str | float = "feature", scaling: str = "standard") -> None:
        super().__init__()
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
        """Log of the noise scale in the data's units, of the shape of one sample or ()."""
        if not self.learned:
            return self.raw
        # If all features share the scale and the spread, one number is enough and saves half of the work.
        spread = self.unit.spread.flatten()[0] if self.raw.ndim == 0 and self.unit.common else self.unit.spread
        log_scale: Tensor = _Floored.apply(self.raw, self.constant, spread)  # type: ignore[no-untyped-call]
        return log_scale


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
        raise ValueError(f"likelihood {name} needs values whose logarithms differ; use likelihood='gaussian'")
    if bool((statistics.low <= 0).any()):
        raise ValueError(f"likelihood {name} needs values > 0, the smallest value is {statistics.low.min():g}")


def log_floor(statistics: Statistics) -> Tensor:
    """Return, for each column, the smallest value of which logarithms are taken; it replaces smaller values."""
    return (MIN_SHARE_OF_LOW * statistics.low).float().clamp(min=torch.finfo(torch.float32).tiny)
