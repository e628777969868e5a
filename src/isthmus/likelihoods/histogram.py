"""Numbers of any distribution."""

import math
from itertools import chain

import torch
from torch import Tensor

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.levels import Levels, digits
from isthmus.likelihoods.scaling import Scaling
from isthmus.statistics import Statistics

# What is left, as a log share, of a cell's probability for values beyond all cells of a column: one in a million.
BEYOND = math.log(1e-6)
# A value this close to another, as a share of its size, may be the same one in float32.
ROUNDING = 2.0**-24

Cells = tuple[tuple[float, float], ...]


class Histogram(Likelihood):
    """Columns of numbers whose distribution has spikes, gaps or heavy tails: a probability for each of many cells.

    A cell is an interval, evenly filled, or a single value that many rows share, such as the zeros of a zero-inflated
    amount. Scores add log densities of the first and log probabilities of the second. A value beyond all cells is worth
    little, and less the further away it is.

    Parameters
    ----------
    cells : tuple, default=()
        For each column its cells, each a pair (low, high); low equals high where it is a single value. Where cells
        overlap, a single value goes before an interval, and an earlier interval before a later one.

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
    log_width: Tensor
    is_value: Tensor

    def __init__(self, cells: tuple[Cells, ...] = ()) -> None:
        super().__init__()
        self.cells = cells

    def build(self, statistics: Statistics) -> None:
        """Lay out the cells; see the base class."""
        super().build(statistics)
        n = statistics.mean.numel()
        expected = f"for each of {n} columns its cells, low <= high"
        self.require("cells", lambda v: len(v) == n and all(map(_are_cells, v)), expected)
        self.levels = Levels([len(cells) for cells in self.cells])
        self.unit = Scaling("standard", statistics)
        low, high = torch.tensor([*chain(*self.cells)], dtype=torch.float64).T
        widths = torch.where(high > low, high - low, 1.0)
        offset = 0.0 if statistics.offset is None else statistics.offset[self.levels.owner]
        buffers = {"low": low - offset, "high": high - offset, "log_width": widths.log(), "is_value": low == high}
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)
        self.encoded_shape, self.parameter_shape = (n + self.levels.total,), (1, self.levels.total)

    def encode(self, x: Tensor) -> Tensor:
        """Give the standardised value, its tails drawn in, and one column a cell; see the base class."""
        return torch.cat([torch.asinh(self.unit.encode(x)), self.levels.one_hot(self.cell_of(x)).to(x)], 1)

    def cell_of(self, x: Tensor) -> Tensor:
        """Position of the cell that values (n, columns) lie in, or lie nearest to."""
        each = x.index_select(1, self.levels.owner)
        distance = torch.maximum(self.low.to(x) - each, each - self.high.to(x))
        # To a single value's neighbours in float32, no interval is as near as the single value itself.
        within = _rounding(x).index_select(1, self.levels.owner).masked_fill(self.is_value, 0.0)
        return self.levels.most_likely(-torch.maximum(distance, within))

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density in intervals, log probability of single values; theta holds logits."""
        cell = self.cell_of(x)
        place = cell + self.levels.starts
        low, high, log_width = (of_cells[place].to(x) for of_cells in (self.low, self.high, self.log_width))
        log_share = self.levels.log_prob(digits(theta).squeeze(1), cell)
        distance = (torch.maximum(low - x, x - high) - _rounding(x)).clamp(min=0)
        # No denser beyond the cells than evenly spread over the cell or over the column's deviation.
        log_reach = torch.where(self.is_value[place], 0.0, torch.maximum(log_width, self.unit.spread.log()))
        beyond = BEYOND - distance / self.unit.spread - log_reach
        return log_share + torch.where(distance > 0, beyond, -log_width)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected value."""
        return self.levels.expectation(digits(theta).squeeze(1), (self.low + self.high) / 2)

    def sample(self, theta: Tensor) -> Tensor:
        """Draw a cell and a value within, in float64, so that single values come out as they are."""
        place = self.levels.draw(digits(theta).squeeze(1)) + self.levels.starts
        low, high = self.low[place], self.high[place]
        return low + (high - low) * torch.rand_like(low)


def _are_cells(cells: Cells) -> bool:
    return len(cells) > 0 and all(-math.inf < low <= high < math.inf for low, high in cells)


def _rounding(x: Tensor) -> Tensor:
    """How far values may have moved when they were rounded to float32."""
    return (ROUNDING * x.abs()).clamp(min=torch.finfo(torch.float32).tiny)
