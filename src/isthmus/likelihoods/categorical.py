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

    def __init__(self, n_levels: tuple[int, ...] | int = ()) -> None:
        super().__init__()
        self.n_levels = n_levels

    def build(self, statistics: Statistics) -> None:
        """Lay out the levels; see the base class."""
        super().build(statistics)
        self.levels = self._levels_for(tuple(statistics.mean.shape))
        self._check_positions(statistics.low, statistics.high)
        self.encoded_shape, self.parameter_shape = self.levels.encoded_shape, self.levels.parameter_shape
        # One past the last level: what is missing enters as zeros.
        self.typical.copy_(self.levels.last + 1)
        self.numeric.fill_(False)

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
        if len(x):
            self._check_positions(*torch.aminmax(x.nan_to_num(0.0), dim=0))

    def _check_positions(self, low: Tensor, high: Tensor) -> None:
        last = self.levels.last.cpu()
        wrong = ((low < 0) | (high > last)).nonzero()
        if len(wrong):
            i = tuple(wrong[0].tolist())
            raise ValueError(
                f"likelihood Categorical needs positions from 0 to {last[i]} in column {i[0] if len(i) == 1 else i}, "
                f"the data reach from {low[i]:g} to {high[i]:g}"
            )

    def encode(self, x: Tensor) -> Tensor:
        """One column or channel a level; see the base class."""
        return self.levels.one_hot(x.long()).to(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log probability; theta holds logits."""
        return self.levels.log_prob(digits(theta).squeeze(1), x.long())

    def mean(self, theta: Tensor) -> Tensor:
        """Return the most likely level: there is nothing between two."""
        theta = digits(theta)
        return self.levels.most_likely(theta.squeeze(1)).to(theta)

    def sample(self, theta: Tensor) -> Tensor:
        """Draw levels."""
        theta = digits(theta)
        return self.levels.draw(theta.squeeze(1)).to(theta)
