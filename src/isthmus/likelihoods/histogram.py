"""Numbers with any distribution."""

import math
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import ColumnLogits, at_least_float32
from isthmus.likelihoods.scaling import Scaling
from isthmus.statistics import Statistics

# Log of the factor by which the probability of the nearest cell is reduced for values outside all cells of a column.
# One in a million is far below the probability of any training value.
LOG_OUTSIDE = math.log(1e-6)

# Smallest positive normal number of float32, to avoid a division by 0 and to break ties.
TINY = torch.finfo(torch.float32).tiny

# Dtypes of values in a model.
DTYPES = ("float32", "float64")

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
        is then its most probable end if ends have a probability above 0.5, and otherwise the mean of its intervals.

    Raises
    ------
    ValueError
        At ``build``, if a column has no cells, or a cell is not a pair (low, high) of finite numbers.

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

    def __init__(self, cells: tuple[Cells, ...] = (), ends: bool = False) -> None:
        super().__init__()
        self.cells = cells
        self.ends = ends

    def build(self, statistics: Statistics) -> None:
        """Create the cells of each column."""
        super().build(statistics)
        n, shape = len(statistics.mean), statistics.mean.shape
        expected = f"a tuple of cells (low, high) with low <= high for each of {n} columns"
        self.require("cells", lambda v: shape == (len(v),) and all(map(_valid_cells, v)), expected)
        self.logits = ColumnLogits([len(cells) for cells in self.cells])
        self.unit = Scaling("standard", statistics)
        offset = 0.0 if statistics.offset is None else statistics.offset[self.logits.owner]
        cells = torch.tensor([*chain(*self.cells)], dtype=torch.float64).T - offset
        self.register_buffer("low", cells[0], persistent=False)
        self.register_buffer("high", cells[1], persistent=False)
        self.register_buffer("log_width", torch.where(self.low < self.high, self.high - self.low, 1.0).log(), False)
        self.nearest = nn.ModuleDict({name: _NearestCell(cells, self.logits.sizes, name) for name in DTYPES})
        self.encoded_shape, self.parameter_shape = (n + self.logits.total,), (1, self.logits.total)

    def encode(self, x: Tensor) -> Tensor:
        """Return asinh of the standardized values, and a one-hot encoding of their cells."""
        return torch.cat([torch.asinh(self.unit.encode(x)), self.logits.one_hot(self.cell_of(x)).to(x)], 1)

    def cell_of(self, x: Tensor) -> Tensor:
        """Return the index of the cell that contains each value, or of the nearest cell.

        Parameters
        ----------
        x : Tensor of shape (n, n_columns)
            Values in the unit of the data.

        Returns
        -------
        Tensor of int of shape (n, n_columns)
            Indices of cells within each column.
        """
        cell: Tensor = self.nearest[str(x.dtype).removeprefix("torch.")](x)
        return cell

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log densities for intervals and log probabilities for single values; theta holds logits."""
        cell = self.cell_of(x)
        place = cell + self.logits.starts
        low, high, log_width = (of_cells[place].to(x) for of_cells in (self.low, self.high, self.log_width))
        distance = torch.maximum(low - x, x - high).clamp(min=0)
        # Outside, the density is at most that of a uniform distribution over the cell, or over the standard deviation.
        log_range = torch.where(low < high, torch.maximum(log_width, self.unit.spread.log()), 0.0)
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


class _NearestCell(nn.Module):
    """Finds the nearest cell of each value by binary search.

    Parameters
    ----------
    cells : Tensor of shape (2, n_cells)
        Ends of the cells of all columns.
    sizes : list of int
        Number of cells of each column.
    dtype : {"float32", "float64"}
        The dtype of the values, to which ends are rounded.
    """

    edges: Tensor
    nearest: Tensor

    def __init__(self, cells: Tensor, sizes: list[int], dtype: str) -> None:
        super().__init__()
        rounded = cells.to(getattr(torch, dtype))
        edges, nearest = zip(*(_find_edges(own) for own in rounded.split(sizes, 1)), strict=True)
        self.register_buffer(
            "edges", pad_sequence([*edges], batch_first=True, padding_value=math.inf), persistent=False
        )
        self.register_buffer("nearest", pad_sequence([*nearest], batch_first=True), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return positions of cells for values (n, columns)."""
        return self.nearest.gather(1, torch.searchsorted(self.edges, x.T.contiguous(), right=True)).T


def _find_edges(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values from which another cell is the nearest, (n_edges,), and the nearest cells, (n_edges + 1,).

    The nearest cell can change at the ends of cells and half-way between them, and just after these points.
    """
    ends = cells.unique()
    points = torch.cat([ends, ends[1:].lerp(ends[:-1], 0.5)]).unique()
    edges = torch.stack([points, points.nextafter(torch.full_like(points, math.inf))], 1).flatten()
    margin = 1 + points[[0, -1]].abs()
    between = torch.cat([points[1:].lerp(points[:-1], 0.5), points[-1:] + margin[1:]])
    probes = torch.cat([points[:1] - margin[:1], torch.stack([points, between], 1).flatten()])
    nearest = _find_nearest(cells, probes)
    changes = nearest[1:] != nearest[:-1]
    return edges[changes], torch.cat([nearest[:1], nearest[1:][changes]])


def _find_nearest(cells: Tensor, x: Tensor) -> Tensor:
    """Return the position of the nearest of the cells (2, n_cells) for each of the values, (n,)."""
    low, high = cells
    # With a tiny distance from intervals, a single value has precedence over an interval that contains it.
    return torch.maximum(torch.maximum(low - x[:, None], x[:, None] - high), TINY * (low < high)).argmin(1)


def _end_or_mean(columns: ColumnLogits, logits: Tensor, middle: Tensor, at_end: Tensor) -> Tensor:
    """Return the most probable end if ends have a probability above 0.5, and otherwise the mean of the intervals."""
    share = columns.expectation(logits, at_end)
    sums = columns.expectation(logits, torch.where(at_end, 0.0, middle))
    place = columns.most_likely(logits.masked_fill(~at_end, -math.inf)) + columns.starts
    return torch.where(share > 0.5, middle[place], (sums / (1 - share).clamp(min=TINY)).to(middle))


def _valid_cells(cells: Cells) -> bool:
    return len(cells) > 0 and all(-math.inf < low <= high < math.inf for low, high in cells)
