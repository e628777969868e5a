"""Categories."""

import torch
from torch import Tensor

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.levels import Levels, SharedLevels, digits
from isthmus.part import is_count
from isthmus.statistics import Statistics


class Categorical(Likelihood):
    """Categories, each value a position in the list of its levels; they enter as a column or a channel a level.

    Parameters
    ----------
    n_levels : tuple of int or int, default=()
        Number of levels of each column; or of every value alike, such as the tokens of a text or the tiles of a level,
        in samples of any shape.
    end : int or None, default=None
        Level after which a row is over, if there is one and all values share their levels: what comes after it along
        the last axis is missing.

    Raises
    ------
    ValueError
        At ``build``, if there is not one number for each column, or a value is none of the positions.

    References
    ----------
    Nazabal et al., Handling incomplete heterogeneous data using VAEs, Pattern Recognition 107, 2020, arXiv:1807.03653.

    Examples
    --------
    >>> from isthmus.likelihoods import Categorical
    >>> Categorical((3, 7))
    Categorical(n_levels=(3, 7))
    >>> Categorical(256)
    Categorical(n_levels=256)
    """

    whole = True
    shifts = False

    def __init__(self, n_levels: tuple[int, ...] | int = (), end: int | None = None) -> None:
        super().__init__()
        self.n_levels = n_levels
        self.end = end

    def build(self, statistics: Statistics) -> None:
        """Lay out the levels; see the base class."""
        super().build(statistics)
        self.levels = self._levels_for(tuple(statistics.mean.shape))
        check_positions(statistics.low, statistics.high, self.levels.last)
        self.encoded_shape, self.parameter_shape = self.levels.encoded_shape, self.levels.parameter_shape
        # One past the last level: what is missing enters as zeros.
        self.typical.copy_(self.levels.last + 1)
        self.numeric.fill_(False)
        self.alike = isinstance(self.levels, SharedLevels)
        self.integral = self.end is None
        self.require("end", lambda v: v is None or (self.alike and 0 <= v < self.n_levels), "None or one of the levels")

    def _levels_for(self, shape: tuple[int, ...]) -> Levels | SharedLevels:
        n_levels = self.n_levels
        if not isinstance(n_levels, tuple):
            expected = f"an integer of at least 2, or positive integers of shape {shape}"
            self.require("n_levels", lambda v: is_count(v) and v > 1, expected)
            return SharedLevels(n_levels, shape)
        expected = f"positive integers of shape {shape}, or one of at least 2"
        self.require("n_levels", lambda v: (len(v),) == shape and all(map(is_count, v)), expected)
        return Levels(n_levels)

    def check_support(self, x: Tensor) -> None:
        """Raise ``ValueError`` if a value of new rows is none of the positions; NaN never is wrong."""
        super().check_support(x)
        if len(x):
            check_positions(*torch.aminmax(x.nan_to_num(0.0), dim=0), self.levels.last)

    def encode(self, x: Tensor) -> Tensor:
        """One column or channel a level; see the base class."""
        return self.levels.one_hot(x.long()).to(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log probability; theta holds logits."""
        return self.levels.log_prob(digits(theta).squeeze(1), x.long())

    def mean(self, theta: Tensor) -> Tensor:
        """Return the most likely level: there is nothing between two."""
        theta = digits(theta)
        return self.finish(self.levels.most_likely(theta.squeeze(1)).to(theta))

    def sample(self, theta: Tensor) -> Tensor:
        """Draw levels."""
        theta = digits(theta)
        return self.finish(self.levels.draw(theta.squeeze(1)).to(theta))

    def finish(self, x: Tensor) -> Tensor:
        """Nothing comes after the end; see the base class."""
        if self.end is None:
            return x
        ends = (x == self.end).int()
        return x.masked_fill(ends.cumsum(-1) > ends, torch.nan)


def check_positions(low: Tensor, high: Tensor, last: Tensor) -> None:
    """Raise ``ValueError`` if the smallest or the largest of a value is none of its positions."""
    last = last.cpu()
    wrong = ((low < 0) | (high > last)).nonzero()
    if len(wrong):
        i = tuple(wrong[0].tolist())
        raise ValueError(
            f"likelihood Categorical needs positions from 0 to {last[i]} in column {i[0] if len(i) == 1 else i}, "
            f"the data reach from {low[i]:g} to {high[i]:g}"
        )
