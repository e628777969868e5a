"""Hidden cells."""

import math

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.statistics import Statistics


class Masking(Corruption):
    """Hides a random share of the cells, exactly as if they were missing; the encoder is told which.

    Parameters
    ----------
    fraction : float or tuple of two floats, default=0.3
        Chance of each cell to be hidden; a pair draws the chance of each row evenly from between.

    Raises
    ------
    ValueError
        At ``build``, if the fraction is not in [0, 1).

    References
    ----------
    Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008.

    Examples
    --------
    >>> from isthmus.corruptions import Masking
    >>> Masking((0.0, 0.8))
    Masking(fraction=(0.0, 0.8))
    """

    hides = True

    def __init__(self, fraction: float | tuple[float, float] = 0.3) -> None:
        super().__init__()
        self.fraction = fraction

    def build(self, statistics: Statistics) -> None:
        """Check the fraction; see the base class."""
        low, high = self._limits()
        self.require("fraction", 0 <= low <= high < 1, "in [0, 1), or a rising pair of such")

    def forward(self, x: Tensor) -> Tensor:
        """Hide cells; see the base class."""
        low, high = self._limits()
        rows = (len(x), *[1] * (x.ndim - 1))
        chance = low + (high - low) * torch.rand(rows, device=x.device)
        return torch.where(torch.rand(x.shape, device=x.device) < chance, math.nan, x)

    def _limits(self) -> tuple[float, float]:
        return self.fraction if isinstance(self.fraction, tuple | list) else (self.fraction, self.fraction)
