"""Numbers of any distribution."""

import math

import torch
from torch import Tensor

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.levels import Levels
from isthmus.likelihoods.scaling import Scaling
from isthmus.statistics import Statistics

# What a value beyond all cells is worth at most: log of one in a million, and a nat less for each deviation further.
BEYOND = math.log(1e-6)

Cells = tuple[tuple[float, float], ...]


class Histogram(Likelihood):
    """Columns of numbers whose distribution has spikes, gaps or heavy tails: a probability for each of many cells.

    A cell is an interval, evenly filled, or a single value that many rows share, such as the zeros of a zero-inflated
    amount. Scores add log densities of the first and log probabilities of the second.

    Parameters
    ----------
    cells : tuple, default=()
        For each column its cells, each a pair (low, high); low equals high where it is a single value. Single values
        come first: a value that lies in two cells is that of the earlier one.

    Raises
    ------
    ValueError
        At ``build``, if there are not cells for each column.

    References
    ----------
    Imani and White, Improving regression performance with distributional losses, ICML 2018, arXiv:1806.04613.

    Examples
    --------
    >>> from isthmus.likelihoods import Histogram
    >>> Histogram((((0.0, 0.0), (0.0, 1.5), (1.5, 9.0)),))
    Histogram(cells=(((0.0, 0.0), (0.0, 1.5), (1.5, 9.0)),))
    """

    low: Tensor
    high: Tensor

    def __init__(self, cells: tuple[Cells, ...] = ()) -> None:
        super().__init__()
        self.cells = cells

    def build(self, statistics: Statistics) -> None:
        """Lay out the cells; see the base class."""
        super().build(statistics)
        n = len(statistics.mean)
        self.require("cells", lambda v: len(v) == n and all(map(len, v)), f"cells for each of {n} columns")
        self.levels = Levels([len(cells) for cells in self.cells])
        low, high = torch.tensor([cell for cells in self.cells for cell in cells]).T
        for name, buffer in {"low": low, "high": high}.items():
            self.register_buffer(name, buffer.contiguous(), persistent=False)
        self.unit = Scaling("standard", statistics)
        self.encoded_shape, self.parameter_shape = (n + self.levels.total,), (1, self.levels.total)

    def encode(self, x: Tensor) -> Tensor:
        """Give the standardised value, its tails drawn in, and one column a cell; see the base class."""
        return torch.cat([torch.asinh(self.unit.encode(x)), self.levels.one_hot(self.cell_of(x)).to(x)], 1)

    def cell_of(self, x: Tensor) -> Tensor:
        """Position of the cell that values (n, columns) lie in, or lie nearest to."""
        each = x.index_select(1, self.levels.owner)
        distance = (self.low - each).clamp(min=0) + (each - self.high).clamp(min=0)
        return self.levels.most_likely(-distance)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density in intervals, log probability of single values; theta holds logits."""
        cell = self.cell_of(x)
        place = cell + self.levels.starts
        low, high = self.low[place], self.high[place]
        width = torch.where(high > low, high - low, 1.0)
        distance = ((low - x).clamp(min=0) + (x - high).clamp(min=0)) / self.unit.spread
        inside = self.levels.log_prob(theta.squeeze(1), cell) - width.log()
        return torch.where(distance > 1e-6, inside.clamp(max=0) + BEYOND - distance, inside)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected value."""
        return self.levels.expectation(theta.squeeze(1), (self.low + self.high) / 2)

    def sample(self, theta: Tensor) -> Tensor:
        """Draw a cell, and a value within."""
        place = self.levels.draw(theta.squeeze(1)) + self.levels.starts
        low, high = self.low[place], self.high[place]
        return low + (high - low) * torch.rand_like(low)
