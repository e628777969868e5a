"""Numbers of any distribution."""

import math
from itertools import chain

import torch
from torch import Tensor

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import ColumnLogits, at_least_float32
from isthmus.likelihoods.scaling import Scaling
from isthmus.statistics import Statistics

# What is left, as a log share, of a cell's probability for values beyond all cells of a column: one in a million.
BEYOND = math.log(1e-6)

TINY = torch.finfo(torch.float32).tiny

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
    ends : bool, default=False
        Whether single values are open ends, such as 9999-12-31, which have no mean with real dates: a row is expected
        at its likeliest end if an end is likelier than not, and otherwise at the mean of its intervals.

    Raises
    ------
    ValueError
        At ``build``, if there are not cells for each column, or one is no pair (low, high) of finite numbers.

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
    least: Tensor

    def __init__(self, cells: tuple[Cells, ...] = (), ends: bool = False) -> None:
        super().__init__()
        self.cells = cells
        self.ends = ends

    def build(self, statistics: Statistics) -> None:
        """Lay out the cells; see the base class."""
        super().build(statistics)
        n, shape = len(statistics.mean), statistics.mean.shape
        expected = f"for each of {n} columns its cells, low <= high"
        self.require("cells", lambda v: shape == (len(v),) and all(map(_valid_cells, v)), expected)
        self.logits = ColumnLogits([len(cells) for cells in self.cells])
        self.unit = Scaling("standard", statistics)
        offset = 0.0 if statistics.offset is None else statistics.offset[self.logits.owner]
        for name, buffer in _cell_buffers(torch.tensor([*chain(*self.cells)], dtype=torch.float64).T, offset).items():
            self.register_buffer(name, buffer, persistent=False)
        self.encoded_shape, self.parameter_shape = (n + self.logits.total,), (1, self.logits.total)

    def encode(self, x: Tensor) -> Tensor:
        """Give the standardised value, its tails drawn in, and one column a cell; see the base class."""
        return torch.cat([torch.asinh(self.unit.encode(x)), self.logits.one_hot(self.cell_of(x)).to(x)], 1)

    def cell_of(self, x: Tensor) -> Tensor:
        """Position of the cell that values (n, columns) lie in, or lie nearest to."""
        low, high, least = (ends[self.logits.places].to(x) for ends in (self.low, self.high, self.least))
        distance = torch.maximum(low - x[..., None], x[..., None] - high)  # (n, columns, most cells)
        return torch.maximum(distance, least).argmin(-1)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log density in intervals, log probability of single values; theta holds logits."""
        cell = self.cell_of(x)
        place = cell + self.logits.starts
        low, high, log_width, least = (
            of_cells[place].to(x) for of_cells in (self.low, self.high, self.log_width, self.least)
        )
        distance = torch.maximum(low - x, x - high).clamp(min=0)
        # Beyond, values are no denser than if they were spread over the cell, or over the column's deviation.
        log_reach = torch.where(least > 0, torch.maximum(log_width, self.unit.spread.log()), 0.0)
        beyond = BEYOND - distance / self.unit.spread - log_reach
        return self.logits.log_prob(at_least_float32(theta).squeeze(1), cell) + torch.where(
            distance > 0, beyond, -log_width
        )

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected value."""
        logits, middle = at_least_float32(theta).squeeze(1), (self.low + self.high) / 2
        if self.ends:
            return _end_or_mean(self.logits, logits, middle, self.low == self.high)
        return self.logits.expectation(logits, middle)

    def sample(self, theta: Tensor) -> Tensor:
        """Draw a cell and a value within, in float64, so that single values come out as they are."""
        place = self.logits.draw(at_least_float32(theta).squeeze(1)) + self.logits.starts
        low, high = self.low[place], self.high[place]
        return low + (high - low) * torch.rand_like(low)


def _cell_buffers(cells: Tensor, offset: Tensor | float) -> dict[str, Tensor]:
    """Return ends and logarithms of widths of cells (2, n_cells), and how far their own values are at least."""
    low, high = cells
    is_interval = low < high
    log_width = torch.where(is_interval, high - low, 1.0).log()
    # A value within an interval is not quite as near to it as to the single value that it may be.
    return {"low": low - offset, "high": high - offset, "log_width": log_width, "least": is_interval * TINY}


def _end_or_mean(levels: ColumnLogits, logits: Tensor, middle: Tensor, at_end: Tensor) -> Tensor:
    """Return the likeliest end of each column where ends are likelier than not, and the mean of all else elsewhere."""
    share = levels.expectation(logits, at_end)
    sums = levels.expectation(logits, torch.where(at_end, 0.0, middle))
    place = levels.most_likely(logits.masked_fill(~at_end, -math.inf)) + levels.starts
    return torch.where(share > 0.5, middle[place], (sums / (1 - share).clamp(min=TINY)).to(middle))


def _valid_cells(cells: Cells) -> bool:
    return len(cells) > 0 and all(-math.inf < low <= high < math.inf for low, high in cells)
