"""Values set to the minimum or maximum of the feature."""

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.statistics import Statistics


class SaltPepper(Corruption):
    """Sets random values to the minimum or the maximum of the feature, with equal probability.

    Parameters
    ----------
    fraction : float, default=0.1
        Probability that a value is changed.

    Raises
    ------
    ValueError
        At ``build``, if the fraction is not in [0, 1].

    References
    ----------
    Vincent et al., Stacked denoising autoencoders, JMLR 11, 2010, section 3.3.

    Examples
    --------
    >>> from isthmus.corruptions import SaltPepper
    >>> SaltPepper(0.2)
    SaltPepper(fraction=0.2)
    """

    numeric_only = True

    low: Tensor
    high: Tensor

    def __init__(self, fraction: float = 0.1) -> None:
        super().__init__()
        self.fraction = fraction

    def build(self, statistics: Statistics) -> None:
        """Check the fraction, and store the range of each feature."""
        self.require("fraction", lambda v: 0 <= v <= 1, "in [0, 1]")
        # In float64, because float32 would round values far from 0.
        self.register_buffer("low", statistics.low)
        self.register_buffer("high", statistics.high)

    def forward(self, x: Tensor) -> Tensor:
        """Return a copy with extreme values; missing values stay missing."""
        u = torch.rand_like(x).masked_fill_(x.isnan(), 0.5)
        x = torch.where(u < self.fraction / 2, self.low.to(x.dtype), x)
        return torch.where(u > 1 - self.fraction / 2, self.high.to(x.dtype), x)
