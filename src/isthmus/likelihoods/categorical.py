"""Categories."""

import torch
from torch import Tensor

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import ColumnLogits, SharedLogits, at_least_float32
from isthmus.part import is_count
from isthmus.statistics import Statistics


class Categorical(Likelihood):
    """Categories, given as positions in a list; they are encoded with one column or channel for each category.

    Parameters
    ----------
    n_categories : tuple of int or int, default=()
        Number of categories of each column; or one number that all values share, such as the tokens of a text or the
        tiles of a game level, in samples of any shape.
    end : int or None, default=None
        Category that ends a row, if all values share their categories; later values along the last axis are missing.

    Raises
    ------
    ValueError
        At ``build``, if ``n_categories`` does not have one number for each column, or a value is not a valid position.

    References
    ----------
    Nazabal et al., Handling incomplete heterogeneous data using VAEs, Pattern Recognition 107, 2020, arXiv:1807.03653.

    Examples
    --------
    >>> from isthmus.likelihoods import Categorical
    >>> Categorical((3, 7))
    Categorical(n_categories=(3, 7))
    >>> Categorical(256)
    Categorical(n_categories=256)
    """

    integer_support = True
    translation_invariant = False

    def __init__(self, n_categories: tuple[int, ...] | int = (), end: int | None = None) -> None:
        super().__init__()
        self.n_categories = n_categories
        self.end = end

    def build(self, statistics: Statistics) -> None:
        """Create the logits of each column, or those that all values share."""
        super().build(statistics)
        self.logits = self._make_logits(tuple(statistics.mean.shape))
        check_positions(statistics.low, statistics.high, self.logits.last)
        self.encoded_shape, self.parameter_shape = self.logits.encoded_shape, self.logits.parameter_shape
        # The position after the last category stands for a missing value and is encoded as zeros.
        self.fill_value.copy_(self.logits.last + 1)
        self.numeric.fill_(False)
        self.per_value = isinstance(self.logits, SharedLogits)
        self.returns_integers = self.end is None
        self.require(
            "end",
            lambda v: v is None or (self.per_value and 0 <= v < self.n_categories),
            "None or a category",
        )

    def _make_logits(self, shape: tuple[int, ...]) -> ColumnLogits | SharedLogits:
        n_categories = self.n_categories
        if not isinstance(n_categories, tuple):
            expected = f"an integer of at least 2, or positive integers of shape {shape}"
            self.require("n_categories", lambda v: is_count(v) and v > 1, expected)
            return SharedLogits(n_categories, shape)
        expected = f"positive integers of shape {shape}, or one of at least 2"
        self.require("n_categories", lambda v: (len(v),) == shape and all(map(is_count, v)), expected)
        return ColumnLogits(n_categories)

    def check_support(self, x: Tensor) -> None:
        """Raise ``ValueError`` if a value of new rows is not a valid position; NaN is allowed."""
        super().check_support(x)
        if len(x):
            check_positions(*torch.aminmax(x.nan_to_num(0.0), dim=0), self.logits.last)

    def encode(self, x: Tensor) -> Tensor:
        """Return one column or channel for each category."""
        return self.logits.one_hot(x.long()).to(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log probabilities; theta holds logits."""
        return self.logits.log_prob(at_least_float32(theta).squeeze(1), x.long())

    def mean(self, theta: Tensor) -> Tensor:
        """Return the most probable category, because categories have no mean."""
        theta = at_least_float32(theta)
        return self.mask_after_end(self.logits.most_likely(theta.squeeze(1)).to(theta))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample categories."""
        theta = at_least_float32(theta)
        return self.mask_after_end(self.logits.draw(theta.squeeze(1)).to(theta))

    def mask_after_end(self, x: Tensor) -> Tensor:
        """Set values after the category ``end`` to NaN."""
        if self.end is None:
            return x
        ends = (x == self.end).int()
        return x.masked_fill(ends.cumsum(-1) > ends, torch.nan)


def check_positions(low: Tensor, high: Tensor, last: Tensor) -> None:
    """Raise ``ValueError`` if the smallest or the largest value of a column is not a valid position."""
    last = last.cpu()
    wrong = ((low < 0) | (high > last)).nonzero()
    if len(wrong):
        i = tuple(wrong[0].tolist())
        raise ValueError(
            f"likelihood Categorical needs positions from 0 to {last[i]} in column {i[0] if len(i) == 1 else i}, "
            f"got values from {low[i]:g} to {high[i]:g}"
        )
