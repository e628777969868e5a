"""Tables whose columns are of different kinds."""

from collections.abc import Iterable, Iterator
from itertools import chain
from math import prod

import torch
from torch import Tensor, nn

from isthmus.likelihoods.base import Likelihood
from isthmus.statistics import Statistics


class Mixed(Likelihood):
    """A likelihood of its own for each column, or for several columns together.

    ``likelihood="auto"`` composes it for data frames by what their columns hold.

    Parameters
    ----------
    parts : tuple of Likelihood, default=()
    columns : tuple of tuples of int, default=()
        The columns of each part, by position. Every column has one part.

    Raises
    ------
    ValueError
        At ``build``, if the columns are not those of the data, once each.

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
        """Build each part for its columns; see the base class."""
        order, n_columns = list(chain(*self.columns)), len(statistics.mean)
        self.require("columns", lambda v: sorted(order) == list(range(n_columns)), f"each of {n_columns} columns once")
        self.require("parts", lambda v: len(v) == len(self.columns), "a likelihood for each tuple of columns")
        for part, columns in zip(self.parts, self.columns, strict=True):
            part.build(statistics.select(list(columns)))
        super().build(statistics)
        self.members = nn.ModuleList(self.parts)
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.register_buffer("places", self.order.argsort(), persistent=False)
        self.typical.copy_(self._join(part.typical[None] for part in self.parts)[0])
        self.numeric.copy_(self._join(part.numeric[None] for part in self.parts)[0])
        self.encoded_shape = (sum(part.encoded_shape[0] for part in self.parts),)
        self.parameter_shape = (1, sum(prod(part.parameter_shape) for part in self.parts))

    def encode(self, x: Tensor) -> Tensor:
        """Encode each part's columns; see the base class."""
        return torch.cat([part.encode(own) for part, own in zip(self.parts, self._split(x), strict=True)], 1)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density or probability of every value, as its part has it."""
        parts = zip(self._of_each(theta), self._split(x), strict=True)
        return self._join(part.log_prob(own, values) for (part, own), values in parts)

    def row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Sum over the values of every row."""
        parts = zip(self._of_each(theta), self._split(x), strict=True)
        return torch.stack([part.row_log_prob(own, values) for (part, own), values in parts]).sum(0)

    def mean(self, theta: Tensor) -> Tensor:
        """Return what each part expects."""
        return self._join(part.mean(own) for part, own in self._of_each(theta))

    def sample(self, theta: Tensor) -> Tensor:
        """Draw from each part."""
        return self._join(part.sample(own) for part, own in self._of_each(theta))

    def _of_each(self, theta: Tensor) -> Iterator[tuple[Likelihood, Tensor]]:
        """Parts, and what the decoder says of their columns."""
        sizes = [prod(part.parameter_shape) for part in self.parts]
        for part, own in zip(self.parts, theta.squeeze(1).split(sizes, 1), strict=True):
            yield part, own.unflatten(1, part.parameter_shape)

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Cut values (n, columns) into those of each part."""
        return x.index_select(1, self.order).split([len(columns) for columns in self.columns], 1)

    def _join(self, values: Iterable[Tensor]) -> Tensor:
        """Put values of each part, all of one dtype, back in the order of the columns."""
        return torch.cat(list(values), 1).index_select(1, self.places)
