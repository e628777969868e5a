"""Categories."""

from torch import Tensor

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.levels import Levels
from isthmus.part import is_count
from isthmus.statistics import Statistics


class Categorical(Likelihood):
    """Columns of categories, each a position in the list of its levels; they enter as one column a level.

    Parameters
    ----------
    n_levels : tuple of int or "auto", default="auto"
        Number of levels of each column. "auto" takes the largest position seen in fit.

    Raises
    ------
    ValueError
        At ``build``, if there is not one number for each column, or a value is no position.

    References
    ----------
    Nazabal et al., Handling incomplete heterogeneous data using VAEs, Pattern Recognition 107, 2020, arXiv:1807.03653.

    Examples
    --------
    >>> from isthmus.likelihoods import Categorical
    >>> Categorical((3, 7))
    Categorical(n_levels=(3, 7))
    """

    def __init__(self, n_levels: tuple[int, ...] | str = "auto") -> None:
        super().__init__()
        self.n_levels = n_levels

    def build(self, statistics: Statistics) -> None:
        """Lay out the levels; see the base class."""
        super().build(statistics)
        n_columns = len(statistics.mean)
        self.require("n_levels", lambda v: v == "auto" or _are_sizes(v, n_columns), f"a tuple of {n_columns} sizes")
        sizes = (statistics.high + 1).int().tolist() if isinstance(self.n_levels, str) else self.n_levels
        self.levels = Levels(sizes)
        self.encoded_shape, self.parameter_shape = (self.levels.total,), (1, self.levels.total)
        # One past the last level: what is missing enters as zeros.
        self.typical.copy_(self.levels.last + 1)
        self.numeric.fill_(False)

    def encode(self, x: Tensor) -> Tensor:
        """One column a level; see the base class."""
        return self.levels.one_hot(x.long()).to(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log probability; theta holds logits."""
        return self.levels.log_prob(theta.squeeze(1), x.long())

    def mean(self, theta: Tensor) -> Tensor:
        """Return the most likely level: there is nothing between two."""
        return self.levels.most_likely(theta.squeeze(1)).to(theta)

    def sample(self, theta: Tensor) -> Tensor:
        """Draw levels."""
        return self.levels.draw(theta.squeeze(1)).to(theta)


def _are_sizes(sizes: tuple[int, ...], n_columns: int) -> bool:
    return len(sizes) == n_columns and all(map(is_count, sizes))
