"""Numbers with any distribution."""

import math
from itertools import chain

import torch
from torch import Tensor

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import ColumnLogits, at_least_float32
from isthmus.likelihoods.scaling import Scaling
from isthmus.statistics import Statistics

# Log of the factor by which the probability of the nearest cell is reduced for values outside all cells of a column.
# One in a million is far below the probability of any training value.
LOG_OUTSIDE = math.log(1e-6)

TINY = torch.finfo(torch.float32).tiny

Cells = tuple[tuple[float, float], ...]


class Histogram(Likelihood):
    """Columns of numbers with point masses, gaps or heavy tails: a probability for each of many cells.

    A cell is an interval with a uniform density, or a single value that many rows share, such as the zeros of a
    zero-inflated amount. Scores add log densities of intervals and log probabilities of single values. A value outside
    all cells has a low score, which decreases with its distance.

    Parameters
    ----------
    cells : tuple, default=()
        The cells of each column as pairs (low, high); low equals high for a single value. Where cells overlap, a single
        value has precedence over an interval, and an earlier interval over a later one.
    ends : bool, default=False
        Whether single values are open ends, such as 9999-12-31, which cannot be averaged with dates. The mean of a row
        is then its most likely end if ends have a probability above 0.5, and otherwise the mean of its intervals.

    Raises
    ------
    ValueError
        At ``build``, if there are not cells for each column, or one is not a pair (low, high) of finite numbers.

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
        """Create the layout of the cells."""
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
        """Return asinh of the standardised value, and one column for each cell."""
        return torch.cat([torch.asinh(self.unit.encode(x)), self.logits.one_hot(self.cell_of(x)).to(x)], 1)

    def cell_of(self, x: Tensor) -> Tensor:
        """Return the positions of the cells that contain values (n, columns), or that are nearest."""
        low, high, least = (ends[self.logits.places].to(x) for ends in (self.low, self.high, self.least))
        distance = torch.maximum(low - x[..., None], x[..., None] - high)  # (n, columns, most cells)
        return torch.maximum(distance, least).argmin(-1)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities for intervals and log probabilities for single values; theta holds logits."""
        cell = self.cell_of(x)
        place = cell + self.logits.starts
        low, high, log_width, least = (
            of_cells[place].to(x) for of_cells in (self.low, self.high, self.log_width, self.least)
        )
        distance = torch.maximum(low - x, x - high).clamp(min=0)
        # Outside, the density is at most that of a uniform distribution over the cell, or over the standard deviation.
        log_range = torch.where(least > 0, torch.maximum(log_width, self.unit.spread.log()), 0.0)
        outside = LOG_OUTSIDE - distance / self.unit.spread - log_range
        return self.logits.log_prob(at_least_float32(theta).squeeze(1), cell) + torch.where(
            distance > 0, outside, -log_width
        )

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected value."""
        logits, middle = at_least_float32(theta).squeeze(1), (self.low + self.high) / 2
        if self.ends:
            return _end_or_mean(self.logits, logits, middle, self.low == self.high)
        return self.logits.expectation(logits, middle)

    def sample(self, theta: Tensor) -> Tensor:
        """Sample a cell and a value in it, in float64, so that single values are exact."""
        place = self.logits.draw(at_least_float32(theta).squeeze(1)) + self.logits.starts
        low, high = self.low[place], self.high[place]
        return low + (high - low) * torch.rand_like(low)


def _cell_buffers(cells: Tensor, offset: Tensor | float) -> dict[str, Tensor]:
    """Return the ends and log widths of cells (2, n_cells), and the smallest distance from values within."""
    low, high = cells
    is_interval = low < high
    log_width = torch.where(is_interval, high - low, 1.0).log()
    # A tiny distance from intervals gives precedence to a single value at the same place.
    return {"low": low - offset, "high": high - offset, "log_width": log_width, "least": is_interval * TINY}


def _end_or_mean(columns: ColumnLogits, logits: Tensor, middle: Tensor, at_end: Tensor) -> Tensor:
    """Return the most likely end where ends have a probability above 0.5, and the mean of the intervals elsewhere."""
    share = columns.expectation(logits, at_end)
    sums = columns.expectation(logits, torch.where(at_end, 0.0, middle))
    place = columns.most_likely(logits.masked_fill(~at_end, -math.inf)) + columns.starts
    return torch.where(share > 0.5, middle[place], (sums / (1 - share).clamp(min=TINY)).to(middle))


def _valid_cells(cells: Cells) -> bool:
    return len(cells) > 0 and all(-math.inf < low <= high < math.inf for low, high in cells)
