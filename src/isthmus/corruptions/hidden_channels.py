"""Hidden channels."""

import math

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.part import is_count
from isthmus.statistics import Statistics


class HiddenChannels(Corruption):
    """Hides the last channels of every sample, and takes the loss on them alone: the net learns to predict them.

    For flat rows, columns are channels. ``reconstruct`` predicts these channels for rows in which they are missing.

    Parameters
    ----------
    n : int, default=1
        Number of channels.

    Raises
    ------
    ValueError
        At ``build``, if the number is not positive, or leaves no channel to predict from.

    References
    ----------
    He, Chen, Xie, Li, Dollar and Girshick, Masked autoencoders are scalable vision learners, CVPR 2022,
    arXiv:2111.06377.

    Examples
    --------
    >>> import torch
    >>> from isthmus.corruptions import HiddenChannels
    >>> HiddenChannels(1)(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 2., nan]])
    """

    hides = True

    def __init__(self, n: int = 1) -> None:
        super().__init__()
        self.n = n

    def build(self, statistics: Statistics) -> None:
        """Check the number; see the base class."""
        n_channels = statistics.mean.shape[0]
        self.require("n", lambda v: is_count(v) and v < n_channels, f"a positive integer below {n_channels}")

    def target(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """Return the channels that were hidden."""
        hidden = torch.full_like(x, math.nan)
        hidden[:, -self.n :] = x[:, -self.n :]
        return hidden

    def forward(self, x: Tensor) -> Tensor:
        """Hide channels; see the base class."""
        corrupted = x.clone()
        corrupted[:, -self.n :] = math.nan
        return corrupted
