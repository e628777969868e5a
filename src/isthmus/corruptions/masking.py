"""Hidden cells."""

import math

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.statistics import Statistics

LOSS_ON = ("all", "hidden")


class Masking(Corruption):
    """Hides a random share of the cells, exactly as if they were missing; the encoder is told which.

    Parameters
    ----------
    fraction : float or tuple of two floats, default=0.3
        Chance of each cell to be hidden; a pair draws the chance of each row evenly from between.
    loss_on : {"all", "hidden"}, default="all"
        Which cells the loss judges: all of them [1], or only those hidden, so that the net learns to fill gaps and not
        to copy, and learned scales say how uncertain a filling is [2].

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range.

    References
    ----------
    [1] Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008. [2] Devlin et
        al., BERT, NAACL 2019, arXiv:1810.04805.

    Examples
    --------
    >>> from isthmus.corruptions import Masking
    >>> Masking((0.0, 0.8))
    Masking(fraction=(0.0, 0.8))
    """

    hides = True

    def __init__(self, fraction: float | tuple[float, float] = 0.3, loss_on: str = "all") -> None:
        super().__init__()
        self.fraction = fraction
        self.loss_on = loss_on

    def build(self, statistics: Statistics) -> None:
        """Check the fraction; see the base class."""
        self.require("fraction", _is_share, "in [0, 1), or a rising pair of such")
        self.require("loss_on", lambda v: v in LOSS_ON, f"one of {LOSS_ON}")

    def target(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """Return the values that the loss takes: all cells, or those that were hidden."""
        return x if self.loss_on == "all" else torch.where(corrupted.isnan(), x, math.nan)

    def forward(self, x: Tensor) -> Tensor:
        """Hide cells; see the base class."""
        low, high = _limits(self.fraction)
        rows = (len(x), *[1] * (x.ndim - 1))
        chance = low + (high - low) * torch.rand(rows, device=x.device)
        return torch.where(torch.rand(x.shape, device=x.device) < chance, math.nan, x)


def _limits(fraction: float | tuple[float, float]) -> tuple[float, float]:
    return fraction if isinstance(fraction, tuple | list) else (fraction, fraction)


def _is_share(fraction: float | tuple[float, float]) -> bool:
    low, high = _limits(fraction)
    return 0 <= low <= high < 1
