"""Cells that are hidden from the encoder."""

import math
from typing import Any

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.statistics import Statistics

LOSS_CELLS = ("all", "hidden")


class Masking(Corruption):
    """Hides random cells as if they were missing; the encoder gets flags of missing values.

    Parameters
    ----------
    fraction : float or tuple of two floats, default=0.3
        Probability that a cell is hidden. For a pair, the probability of each row is uniform between the two.
    loss_on : {"all", "hidden"}, default="all"
        Whether the loss is computed on all cells [1] or on hidden cells only [2]. With "hidden", the net learns to
        impute and not to copy, and learned noise scales measure the uncertainty of imputed values.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

    References
    ----------
    [1] Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008.
    [2] Devlin et al., BERT, NAACL 2019, arXiv:1810.04805.

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
        """Check the parameters."""
        self.require("fraction", _is_valid_fraction, "in [0, 1), or a pair (low, high) of such numbers")
        self.require("loss_on", lambda v: v in LOSS_CELLS, f"one of {LOSS_CELLS}")

    def target(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """Return all values, or with ``loss_on="hidden"`` a copy in which visible values are NaN."""
        return x if self.loss_on == "all" else torch.where(corrupted.isnan(), x, math.nan)

    def forward(self, x: Tensor) -> Tensor:
        """Return a copy in which hidden cells are NaN."""
        low, high = _limits(self.fraction)
        rows = (len(x), *[1] * (x.ndim - 1))
        probability = low + (high - low) * torch.rand(rows, device=x.device)
        return torch.where(torch.rand(x.shape, device=x.device) < probability, math.nan, x)


def predicts_hidden_cells(corruption: Any) -> bool:
    """Return whether a net learns to impute: its loss is computed only on cells that are hidden at random.

    Parameters
    ----------
    corruption : Corruption, callable, str or None
        Parameter of an estimator, or part of a model.

    Examples
    --------
    >>> from isthmus.corruptions import Masking, predicts_hidden_cells
    >>> predicts_hidden_cells(Masking(0.3, loss_on="hidden")), predicts_hidden_cells(Masking(0.3))
    (True, False)
    """
    return isinstance(corruption, Masking) and corruption.loss_on == "hidden"


def _limits(fraction: float | tuple[float, float]) -> tuple[float, float]:
    return fraction if isinstance(fraction, tuple | list) else (fraction, fraction)


def _is_valid_fraction(fraction: float | tuple[float, float]) -> bool:
    low, high = _limits(fraction)
    return 0 <= low <= high < 1
