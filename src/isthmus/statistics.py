"""Statistics of every value of a sample, computed in one streaming pass over the training rows."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# float32 has seven digits. If the mean is more than this many standard deviations from 0, too few digits are left for
# the differences between values.
MAX_ORIGIN_RATIO = 1e4
# Smallest distance from the mean at which a value can be dominant, in units of the data; not tuned.
LARGE = 1e6
# Smallest side of an image that is stored as a flat row, and smallest difference between the correlations of adjacent
# and of distant pixels. On digits and MNIST the difference is 0.3 to 0.7. It is below 0.1 on questionnaires, and on
# tables of ADBench with a square number of columns and a common range.
MIN_SIDE, MIN_CONTRAST = 4, 0.1
# Number of rows that are searched first for values that are not integers. Saves time; not tuned.
N_FIRST = 32


@dataclass(frozen=True)
class Statistics:
    """Count, mean, spread and range of every value, of the shape of one sample, in float64.

    The statistics of two sets of rows can be merged (Chan, Golub and LeVeque, Updating formulae and a pairwise
    algorithm for computing sample variances, 1979). The result depends neither on the order nor on the size of chunks.

    Parameters
    ----------
    n_rows : float
        Sum of the weights of the rows; a row without a weight counts as 1.
    count : Tensor
        Sum of the weights of the rows in which the value is not missing.
    mean, m2, low, high : Tensor
        Weighted mean, weighted sum of squared deviations, smallest and largest value.
    integers : Tensor
        Whether the value is an integer in all rows.
    comoments : Tensor or None
        For flat samples whose length is a square: weighted sums of products of the deviations of a value and of the
        value at each offset in ``_offsets``, (n_offsets, n_values). They distinguish images from tables.
    offset : Tensor or None
        Origin that was subtracted from the values; see ``minus``.
    shared_axes : tuple of int
        Axes of a sample along which values share their statistics; see ``shared``.
    """

    n_rows: float
    count: Tensor
    mean: Tensor
    m2: Tensor
    low: Tensor
    high: Tensor
    integers: Tensor
    comoments: Tensor | None = None
    offset: Tensor | None = None
    shared_axes: tuple[int, ...] = ()

    @classmethod
    def of(cls, x: Tensor, weight: Tensor | None = None) -> "Statistics":
        """Compute the statistics of a chunk of floats (n, ...), with NaN for missing values; row weights (n,)."""
        if weight is None:
            complete = bool(torch.isfinite(x.sum()))
            n_rows, (count, mean, m2, low, high) = float(len(x)), _moments(x) if complete else _moments_of_observed(x)
        else:
            n_rows, (count, mean, m2, low, high) = float(weight.sum()), _weighted_moments(x.double(), weight)
        lost = ~m2.isfinite() | ((m2 == 0) & (low < high))
        if x.dtype != torch.float64 and bool(lost.any()):
            return cls.of(x.double(), weight)  # squares of very small or large values are out of the range of float32
        figures = (count.double(), mean.double(), m2.double(), low.double(), high.double())
        return cls(n_rows, *figures, _integers(x), _comoments(x, mean, weight))

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> "Statistics":
        """Return the statistics of no rows, which ``build`` of every part accepts. Merging with them has no effect."""
        zeros, infinite = torch.zeros(shape, dtype=torch.float64), torch.full(shape, math.inf, dtype=torch.float64)
        return cls(
            0,
            zeros,
            zeros,
            zeros,
            infinite,
            -infinite,
            torch.ones(shape, dtype=torch.bool),
            _comoments(zeros[None], zeros),
        )

    def merge(self, other: "Statistics") -> "Statistics":
        """Return the statistics of both sets of rows together."""
        count = self.count + other.count
        share = other.count / _or_one(count)
        delta = other.mean - self.mean
        comoments = _comoments(delta[None], torch.zeros_like(delta))
        if comoments is not None and self.comoments is not None and other.comoments is not None:
            comoments = self.comoments + other.comoments + comoments * self.count * share
        return Statistics(
            self.n_rows + other.n_rows,
            count,
            self.mean + delta * share,
            self.m2 + other.m2 + delta.square() * self.count * share,
            torch.minimum(self.low, other.low),
            torch.maximum(self.high, other.high),
            self.integers & other.integers,
            comoments,
        )

    def shared(self, axes: tuple[int, ...]) -> "Statistics":
        """Pool the values along some axes of a sample: they get one mean, spread and range.

        Counts and ``m2`` are means along the axes, not sums, so that shared statistics can still be merged.
        """
        if not axes or not self.n_rows:
            return replace(self, shared_axes=axes)
        count = self.count.mean(axes, keepdim=True)
        mean = (self.mean * self.count).mean(axes, keepdim=True) / _or_one(count)
        m2 = self.m2 + self.count * (self.mean - mean).square()
        return replace(
            self,
            count=count.expand_as(self.mean),
            mean=mean.expand_as(self.mean),
            m2=m2.mean(axes, keepdim=True).expand_as(self.mean),
            low=self.low.amin(axes, keepdim=True).expand_as(self.mean),
            high=self.high.amax(axes, keepdim=True).expand_as(self.mean),
            integers=self.integers.all(axes, keepdim=True).expand_as(self.mean),
            shared_axes=axes,
        )

    def select(self, columns: list[int]) -> "Statistics":
        """Return the statistics of some columns of a table."""
        names = ("count", "mean", "m2", "low", "high", "integers")
        offset = None if self.offset is None else self.offset[columns]
        return replace(self, offset=offset, comoments=None, **{name: getattr(self, name)[columns] for name in names})

    @property
    def binary(self) -> bool:
        """Whether every value is 0 or 1."""
        return bool(self.integers.all()) and bool(self.low.min() >= 0) and bool(self.high.max() <= 1)

    @property
    def deviation(self) -> Tensor:
        """Standard deviation; 0 for constant values."""
        return torch.where(self.constant, 0.0, (self.m2 / _or_one(self.count)).sqrt())

    @property
    def max_abs_z(self) -> Tensor:
        """Largest distance of a value from the mean, in standard deviations; 0 for constant values."""
        furthest = torch.maximum(self.high - self.mean, self.mean - self.low)
        return torch.where(self.constant, 0.0, furthest / self.deviation)

    @property
    def has_dominant_value(self) -> Tensor:
        """Whether one large value accounts for nearly all of the sum of squared deviations."""
        furthest = torch.maximum(self.high - self.mean, self.mean - self.low)
        others = self.m2 - furthest.square() * self.count / (self.count - 1).clamp(min=1)
        return (furthest > LARGE) & (others <= 1e-13 * self.m2)

    @property
    def constant(self) -> Tensor:
        """Which values are equal in all rows."""
        return self.low >= self.high

    @property
    def missing(self) -> bool:
        """Whether any value of any row is missing."""
        return bool((self.count < self.n_rows).any())

    @property
    def has_common_range(self) -> bool:
        """Whether most values have the same minimum and the same maximum."""
        low, high = self.low[~self.constant], self.high[~self.constant]
        if len(low) < 2:
            return False
        return bool((low == low.min()).double().mean() > 0.5) and bool((high == high.max()).double().mean() > 0.5)

    @property
    def are_pixels(self) -> bool:
        """Whether values are pixels: they have a common range, and in flat samples the correlations of an image.

        A common range is not sufficient: questionnaires and columns that were scaled to [0, 1] have one too.
        """
        return self.has_common_range and (self.mean.ndim > 1 or self._correlate_as_images)

    @property
    def _correlate_as_images(self) -> bool:
        """Whether adjacent values correlate more than values half an image apart, horizontally and vertically."""
        if self.comoments is None:
            return False
        side = math.isqrt(len(self.mean))
        position, correlations = torch.arange(side**2), []
        for offset, comoment in zip(_offsets(side), self.comoments, strict=True):
            inside = (position % side + offset < side) if offset < side else (position + offset < side**2)
            valid = inside & ~self.constant & ~self.constant.roll(-offset)
            correlations.append((comoment / (self.m2 * self.m2.roll(-offset)).sqrt())[valid].mean())
        right, below, far_right, far_below = correlations
        return bool(torch.minimum(right, below) > torch.maximum(far_right, far_below) + MIN_CONTRAST)

    @property
    def origin(self) -> Tensor | None:
        """Values to subtract in float64, for example from timestamps; None if float32 has enough digits anyway."""
        far = (self.mean.abs() > MAX_ORIGIN_RATIO * self.deviation) & ~self.constant
        return torch.where(far, self.mean.round(), 0.0) if bool(far.any()) else None

    def minus(self, origin: Tensor | None) -> "Statistics":
        """Return the statistics of the values after ``origin`` is subtracted."""
        if origin is None:
            return self
        return replace(self, mean=self.mean - origin, low=self.low - origin, high=self.high - origin, offset=origin)


def _or_one(count: Tensor) -> Tensor:
    """Replace counts of 0 by 1, to divide by them; counts of shared values can be between 0 and 1."""
    return torch.where(count > 0, count, 1.0)


def _moments(x: Tensor) -> tuple[Tensor, ...]:
    """Compute count, mean, sum of squared deviations, minimum and maximum of rows without missing values."""
    variance, mean = torch.var_mean(x, 0, correction=0)
    return torch.full_like(mean, len(x)), mean, variance * len(x), *torch.aminmax(x, dim=0)


def _moments_of_observed(x: Tensor) -> tuple[Tensor, ...]:
    """Compute the moments of rows with missing values."""
    observed = ~x.isnan()
    count = observed.sum(0)
    mean = x.nansum(0) / count.clamp(min=1)
    m2 = torch.where(observed, x - mean, 0).square().sum(0)
    return count, mean, m2, torch.where(observed, x, math.inf).amin(0), torch.where(observed, x, -math.inf).amax(0)


def _weighted_moments(x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Compute the moments of rows with weights."""
    observed, weight = ~x.isnan(), weight.view(-1, *[1] * (x.ndim - 1))
    # For complete columns this is exactly the sum of all weights, which ``missing`` compares it with.
    count = torch.where(observed.all(0), weight.sum(), (observed * weight).sum(0))
    mean = (x * weight).nansum(0) / _or_one(count)
    m2 = (torch.where(observed, x - mean, 0).square() * weight).sum(0)
    return count, mean, m2, torch.where(observed, x, math.inf).amin(0), torch.where(observed, x, -math.inf).amax(0)


def _integers(x: Tensor) -> Tensor:
    """Return which values are integers or missing in all rows. The first rows rule out most of the others."""
    is_integer = _are_integers(x[:N_FIRST])
    candidates = x[N_FIRST:, is_integer]
    return is_integer.masked_scatter(is_integer, _are_integers(candidates))


def _are_integers(x: Tensor) -> Tensor:
    return ((x == x.round()) | x.isnan()).all(0)


def _offsets(side: int) -> tuple[int, ...]:
    """Return the offsets in a flat square image of the pixel to the right, below, and half an image away in both."""
    return 1, side, side // 2, side * (side // 2)


def _comoments(x: Tensor, mean: Tensor, weight: Tensor | None = None) -> Tensor | None:
    """Sum the products of deviations at each value and at each offset from it; None if the length is not a square.

    Offsets beyond the last value continue at the first one.
    """
    side = math.isqrt(mean.numel())
    if mean.ndim > 1 or side < MIN_SIDE or side**2 != mean.numel():
        return None
    deviations = (x - mean).nan_to_num_(0.0)
    weighted = deviations if weight is None else deviations * weight[:, None]
    return torch.stack([(weighted * deviations.roll(-offset, 1)).sum(0) for offset in _offsets(side)]).double()
