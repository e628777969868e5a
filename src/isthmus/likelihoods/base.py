"""The interface of a likelihood."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.part import Part
from isthmus.statistics import Statistics

# Distance from the mean, in standard deviations, beyond which values of new rows are compressed. With the smallest
# learned scale (1e-2), squares of such distances in units of the scale are 1e16; float32 overflows at 3e38.
MAX_DEVIATIONS = 1e6


class Likelihood(Part):
    """Distribution of one kind of value: encodes values, computes their log probability, and samples.

    ``theta``, the output of the decoder, has shape (n, *parameter_shape), usually (n, n_parameters, *shape). Statistics
    of the training rows are buffers, so they are saved with the weights.
    """

    role: ClassVar[str] = "likelihood"
    n_parameters: ClassVar[int] = 1
    # Whether values must be integers.
    integer_support: ClassVar[bool] = False
    # Whether the model may subtract an origin from the values.
    translation_invariant: ClassVar[bool] = True
    # Whether all values of a sample have the same categories, so that single steps can be encoded and sampled.
    per_value: bool = False
    # Whether means and samples are integers without missing values.
    returns_integers: bool = False
    fill_value: Tensor
    max_distance: Tensor
    numeric: Tensor
    encoded_shape: tuple[int, ...]
    parameter_shape: tuple[int, ...]

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return -math.inf, math.inf

    def build(self, statistics: Statistics) -> None:
        """Check the parameters and the training rows, and create buffers and parameters.

        Sets ``encoded_shape``, the shape of an encoded sample; ``parameter_shape``, the shape of the decoder's output;
        ``fill_value``, the values that replace missing ones; ``max_distance``, the distance from these beyond which
        values of new rows are compressed; and ``numeric``, which values are numbers to which noise can be added.

        Parameters
        ----------
        statistics : Statistics
            Moments, ranges and kinds of the training rows.

        Raises
        ------
        ValueError
            If the values lie outside the support, or are not integers where they must be.
        """
        if self.integer_support:
            self._check_integers(torch.stack([statistics.low, statistics.high]), statistics.offset)
            if not statistics.integers.all():
                raise ValueError(self._explain_integers("other numbers"))
        self._check_range(float(statistics.low.min()), float(statistics.high.max()))
        shape = tuple(statistics.mean.shape)
        self.encoded_shape, self.parameter_shape = shape, (self.n_parameters, *shape)
        self.register_buffer("fill_value", statistics.mean.float())
        deviation = torch.where(statistics.deviation > 0, statistics.deviation, 1.0)
        self.register_buffer("max_distance", (MAX_DEVIATIONS * deviation).float())
        self.register_buffer("numeric", torch.ones(shape, dtype=torch.bool), persistent=False)

    def check_support(self, x: Tensor) -> None:
        """Check that values of new rows lie in the support; NaN is allowed.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            Values.

        Raises
        ------
        ValueError
            If a value lies outside the support.
        """
        if self.integer_support:
            self._check_integers(x[~x.isnan()])
        if self.support != (-math.inf, math.inf):
            observed = x[~x.isnan()]
            self._check_range(float(observed.min()), float(observed.max())) if len(observed) else None

    def _check_range(self, low: float, high: float) -> None:
        if low < self.support[0] or high > self.support[1]:
            raise ValueError(
                f"likelihood {type(self).__name__} needs values in [{self.support[0]:g}, {self.support[1]:g}], "
                f"got values from {low:g} to {high:g}; scale them, or use likelihood='gaussian'"
            )

    def _check_integers(self, values: Tensor, offset: Tensor | None = None) -> None:
        if offset is not None and bool((offset != 0).any()):
            raise ValueError(
                f"likelihood {type(self).__name__} needs integers that vary more in proportion to their mean; "
                "use likelihood='gaussian'"
            )
        fractions = values[values != values.round()]
        if len(fractions):
            raise ValueError(self._explain_integers(f"{fractions[0]:g}"))

    def _explain_integers(self, found: str) -> str:
        return (
            f"likelihood {type(self).__name__} needs integers, but the data contain {found}; "
            "pass counts that are not scaled, or use likelihood='gaussian'"
        )

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return the input of the encoder.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            Values without missing ones.

        Returns
        -------
        Tensor of shape (n, *encoded_shape)
            The encoded values.
        """

    @abstractmethod
    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the log density or probability of every value, for the units of the data.

        Parameters
        ----------
        theta : Tensor of shape (n, *parameter_shape)
            Output of the decoder.
        x : Tensor of shape (n, *shape)
            Values.

        Returns
        -------
        Tensor of shape (n, *shape)
            Log densities or probabilities in nats.
        """

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum of ``log_prob`` over the values of each row; subclasses may compute it faster.

        Parameters
        ----------
        theta : Tensor of shape (n, *parameter_shape)
            Output of the decoder.
        x : Tensor of shape (n, *shape)
            Values.

        Returns
        -------
        Tensor of shape (n,)
            Sums in nats.
        """
        return self.log_prob(theta, x).flatten(1).sum(-1)

    @abstractmethod
    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected values.

        Parameters
        ----------
        theta : Tensor of shape (n, *parameter_shape)
            Output of the decoder.

        Returns
        -------
        Tensor of shape (n, *shape)
            Expected values, in the units of the data.
        """

    @abstractmethod
    def sample(self, theta: Tensor) -> Tensor:
        """Sample values, with the global generator of torch.

        Parameters
        ----------
        theta : Tensor of shape (n, *parameter_shape)
            Output of the decoder.

        Returns
        -------
        Tensor of shape (n, *shape)
            Sampled values, in the units of the data.
        """

    def mask_after_end(self, x: Tensor) -> Tensor:
        """Set values after the end of a row to NaN, if rows have an end.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            Values.

        Returns
        -------
        Tensor of shape (n, *shape)
            Values up to the end.
        """
        return x

    def sample_targets(self, x: Tensor) -> Tensor:
        """Return the values that a training step uses as data.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            Values.

        Returns
        -------
        Tensor of shape (n, *shape)
            The same values, or values sampled from them.
        """
        return x

    def compress_extremes(self, x: Tensor) -> Tensor:
        """Compress values farther than ``max_distance`` from ``fill_value``, so that results are finite.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            Values.

        Returns
        -------
        Tensor of shape (n, *shape)
            The compressed values.
        """
        return x if x.dtype in (torch.bool, torch.uint8) else F.compress_tails(x, self.fill_value, self.max_distance)

    def fill(self, x: Tensor) -> Tensor:
        """Replace missing values by ``fill_value``.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            Values; NaN is missing.

        Returns
        -------
        Tensor of shape (n, *shape)
            Values without missing ones.
        """
        return torch.where(x.isnan(), self.fill_value, x)
