"""The contract of a likelihood."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.part import Part
from isthmus.statistics import Statistics

# Deviations from the mean beyond which values of new rows are compressed: the square of more, over the smallest scale
# that is learned, would soon leave the range of float32.
MAX_DEVIATIONS = 1e6


class Likelihood(Part):
    """Knows one kind of value: how it enters the net, how it is scored, how it leaves.

    ``theta`` is (n, *parameter_shape), mostly (n, n_parameters, *shape): the decoder's parameters are on the second
    axis. What is learned of the training rows lives in buffers, so that it travels with the weights.
    """

    role: ClassVar[str] = "likelihood"
    n_parameters: ClassVar[int] = 1
    # Whether values are whole numbers, counted from 0 and not from an origin.
    integer_support: ClassVar[bool] = False
    # Whether values mean the same when counted from an origin.
    translation_invariant: ClassVar[bool] = True
    # Whether all values of a sample are alike, so that a part of its steps can be encoded and drawn by itself.
    per_value: bool = False
    # Whether all values that it gives are whole numbers, and none is missing.
    returns_integers: bool = False
    fill_value: Tensor
    max_distance: Tensor
    numeric: Tensor
    encoded_shape: tuple[int, ...]
    parameter_shape: tuple[int, ...]

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest value that there can be."""
        return -math.inf, math.inf

    def build(self, statistics: Statistics) -> None:
        """Learn what the training rows say of the values.

        Sets ``encoded_shape``, that of an encoded sample; ``parameter_shape``, that of what the decoder says of one;
        ``fill_value``, which stand for missing ones; and which values are ``numeric``, so that noise can be added.

        Raises
        ------
        ValueError
            If the values lie outside the support, or are not whole where they must be.
        """
        if self.integer_support:
            self._check_whole(torch.stack([statistics.low, statistics.high]), statistics.offset)
            if not statistics.integers.all():
                raise ValueError(self._not_whole("others"))
        self._check_range(float(statistics.low.min()), float(statistics.high.max()))
        shape = tuple(statistics.mean.shape)
        self.encoded_shape, self.parameter_shape = shape, (self.n_parameters, *shape)
        self.register_buffer("fill_value", statistics.mean.float())
        deviation = torch.where(statistics.deviation > 0, statistics.deviation, 1.0)
        self.register_buffer("max_distance", (MAX_DEVIATIONS * deviation).float())
        self.register_buffer("numeric", torch.ones(shape, dtype=torch.bool), persistent=False)

    def check_support(self, x: Tensor) -> None:
        """Raise ``ValueError`` if a value of new rows leaves the support; NaN never does."""
        if self.integer_support:
            self._check_whole(x[~x.isnan()])
        if self.support != (-math.inf, math.inf):
            observed = x[~x.isnan()]
            self._check_range(float(observed.min()), float(observed.max())) if len(observed) else None

    def _check_range(self, low: float, high: float) -> None:
        if low < self.support[0] or high > self.support[1]:
            raise ValueError(
                f"likelihood {type(self).__name__} needs values in [{self.support[0]:g}, {self.support[1]:g}], "
                f"the data reach from {low:g} to {high:g}; scale them, or use likelihood='gaussian'"
            )

    def _check_whole(self, values: Tensor, offset: Tensor | None = None) -> None:
        name = type(self).__name__
        if offset is not None and bool((offset != 0).any()):
            raise ValueError(f"likelihood {name} needs counts that scatter more widely; use likelihood='gaussian'")
        broken = values[values != values.round()]
        if len(broken):
            raise ValueError(self._not_whole(f"{broken[0]:g}"))

    def _not_whole(self, found: str) -> str:
        return (
            f"likelihood {type(self).__name__} needs whole numbers, the data hold {found}; "
            "give them as they were counted, or use likelihood='gaussian'"
        )

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Values (n, *shape) as the encoder wants them, (n, *encoded_shape)."""

    @abstractmethod
    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density or probability of every value, (n, *shape), in nats and in the data's own units."""

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Sum of ``log_prob`` over the values of every row, (n,): what training needs, often in fewer passes."""
        return self.log_prob(theta, x).flatten(1).sum(-1)

    @abstractmethod
    def mean(self, theta: Tensor) -> Tensor:
        """Expected values (n, *shape)."""

    @abstractmethod
    def sample(self, theta: Tensor) -> Tensor:
        """Draw values (n, *shape)."""

    def mask_after_end(self, x: Tensor) -> Tensor:
        """Return values (n, *shape) without what comes after a row's end, where the values have one."""
        return x

    def sample_targets(self, x: Tensor) -> Tensor:
        """Return the values that a training step takes as data; others than ``x`` where they are drawn afresh."""
        return x

    def compress_extremes(self, x: Tensor) -> Tensor:
        """Compress values beyond ``max_distance`` from the mean, so that arithmetic stays finite; keep the others."""
        return x if x.dtype in (torch.bool, torch.uint8) else F.compress_tails(x, self.fill_value, self.max_distance)

    def fill(self, x: Tensor) -> Tensor:
        """Put typical values where values are missing, so that the arithmetic stays finite."""
        return torch.where(x.isnan(), self.fill_value, x)
