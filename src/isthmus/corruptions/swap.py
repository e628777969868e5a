"""Values replaced by those of other rows."""

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.statistics import Statistics


class Swap(Corruption):
    """Replaces random values by those of other rows of the batch, which preserves the distribution of each feature.

    Parameters
    ----------
    fraction : float, default=0.15
        Probability that a value is replaced.

    Raises
    ------
    ValueError
        At ``build``, if the fraction is not in [0, 1].

    References
    ----------
    Jahrer, Porto Seguro winning solution, 2017 ("swap noise");
    Bahri et al., SCARF, ICLR 2022, arXiv:2106.15147.

    Examples
    --------
    >>> from isthmus.corruptions import Swap
    >>> Swap()
    Swap()
    """

    def __init__(self, fraction: float = 0.15) -> None:
        super().__init__()
        self.fraction = fraction

    def build(self, statistics: Statistics) -> None:
        """Check the fraction."""
        self.require("fraction", lambda v: 0 <= v <= 1, "in [0, 1]")

    def forward(self, x: Tensor) -> Tensor:
        """Return a copy with values of random other rows; missing values do not change and do not replace others."""
        flat = x.flatten(1)
        donors = flat.gather(0, torch.randint_like(flat, len(flat), dtype=torch.long))
        swapped = (torch.rand_like(flat) < self.fraction) & ~(flat.isnan() | donors.isnan())
        return torch.where(swapped, donors, flat).reshape(x.shape)
