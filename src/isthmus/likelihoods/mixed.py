"""Tables with columns of different kinds."""

from collections.abc import Iterable
from itertools import chain
from math import prod

import torch
from torch import Tensor, nn

from isthmus.likelihoods.base import Likelihood
from isthmus.statistics import Statistics


class Mixed(Likelihood):
    """A different likelihood for each column, or for each group of columns.

    ``likelihood="auto"`` composes it for data frames by the kinds of their columns.

    Parameters
    ----------
    parts : tuple of Likelihood, default=()
        The likelihoods.
    columns : tuple of tuples of int, default=()
        Positions of the columns of each part. Every column belongs to one part.

    Raises
    ------
    ValueError
        At ``build``, if ``columns`` does not contain each column of the data once, or if a part rejects its columns.

    References
    ----------
    Nazabal et al., Handling incomplete heterogeneous data using VAEs, Pattern Recognition 107, 2020, arXiv:1807.03653.

    Examples
    --------
    >>> from isthmus.likelihoods import Bernoulli, Gaussian, Mixed
    >>> Mixed((Gaussian(), Bernoulli()), ((0, 2), (1,))).columns
    ((0, 2), (1,))
    """

    order: Tensor
    places: Tensor

    def __init__(self, parts: tuple[Likelihood, ...] = (), columns: tuple[tuple[int, ...], ...] = ()) -> None:
        super().__init__()
        self.parts = parts
        self.columns = columns

    def build(self, statistics: Statistics) -> None:
        """Build each part for its columns."""
        n = statistics.mean.numel()
        expected = f"tuples of positions that contain each of {n} columns once"
        self.require("columns", lambda v: sorted(chain(*v)) == [*range(n)], expected)
        self.require("parts", lambda v: _are_parts(v, self.columns), "a likelihood for each tuple of columns")
        super().build(statistics)
        for part, columns in zip(self.parts, self.columns, strict=True):
            part.build(statistics.select(list(columns)))
        self.members = nn.ModuleList(self.parts)
        self.register_buffer("order", torch.tensor([*chain(*self.columns)]), persistent=False)
        self.register_buffer("places", self.order.argsort(), persistent=False)
        self.fill_value.copy_(self._join(part.fill_value[None] for part in self.parts)[0])
        self.numeric.copy_(self._join(part.numeric[None] for part in self.parts)[0])
        self.encoded_shape = (sum(part.encoded_shape[0] for part in self.parts),)
        self.parameter_shape = (1, sum(prod(part.parameter_shape) for part in self.parts))

    def check_support(self, x: Tensor) -> None:
        """Raise ``ValueError`` if a value of new rows lies outside the support of its part."""
        for part, columns in zip(self.parts, self.columns, strict=True):
            part.check_support(x[:, list(columns)])

    def sample_targets(self, x: Tensor) -> Tensor:
        """Return the values that each part uses as targets."""
        return self._join(part.sample_targets(own) for part, own in zip(self.parts, self._split(x), strict=True))

    def encode(self, x: Tensor) -> Tensor:
        """Return the encoded columns of all parts."""
        return torch.cat([part.encode(own) for part, own in zip(self.parts, self._split(x), strict=True)], 1)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the log density or probability of every value under its part."""
        each = zip(self.parts, self._thetas(theta), self._split(x), strict=True)
        return self._join(part.log_prob(own, values) for part, own, values in each)

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum of the log probabilities of all parts for each row, (n,)."""
        each = zip(self.parts, self._thetas(theta), self._split(x), strict=True)
        return torch.stack([part.row_log_prob(own, values) for part, own, values in each]).sum(0)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the means of all parts."""
        return self._join(part.mean(own) for part, own in zip(self.parts, self._thetas(theta), strict=True))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample from each part."""
        return self._join(part.sample(own) for part, own in zip(self.parts, self._thetas(theta), strict=True))

    def _thetas(self, theta: Tensor) -> list[Tensor]:
        """Split the decoder's output into the parameters of each part."""
        shapes = [part.parameter_shape for part in self.parts]
        each = theta.squeeze(1).split([prod(shape) for shape in shapes], 1)
        return [own.unflatten(1, shape) for own, shape in zip(each, shapes, strict=True)]

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Split values (n, columns) by part."""
        return x.index_select(1, self.order).split([len(columns) for columns in self.columns], 1)

    def _join(self, values: Iterable[Tensor]) -> Tensor:
        """Join the values of all parts in the order of the columns, in the widest dtype."""
        return torch.cat(list(values), 1).index_select(1, self.places)


def _are_parts(parts: tuple[Likelihood, ...], columns: tuple[tuple[int, ...], ...]) -> bool:
    return len(parts) == len(columns) and all(isinstance(part, Likelihood) for part in parts)
