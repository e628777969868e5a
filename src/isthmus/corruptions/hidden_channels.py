"""Channels that are hidden from the encoder."""

import math

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.part import is_count
from isthmus.statistics import Statistics


class HiddenChannels(Corruption):
    """Hides the last channels of every sample, and computes the loss on them only: the net learns to predict them.

    The channels of flat rows are columns. ``reconstruct`` predicts the channels for rows in which they are missing.

    Parameters
    ----------
    n : int, default=1
        Number of hidden channels.

    Raises
    ------
    ValueError
        At ``build``, if ``n`` is not a positive integer below the number of channels.

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
        """Check the parameter."""
        n_channels = statistics.mean.shape[0]
        expected = f"a positive integer below {n_channels}, the number of channels"
        self.require("n", lambda v: is_count(v) and v < n_channels, expected)

    def target(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """Return a copy in which all values but those of hidden channels are NaN."""
        hidden = torch.full_like(x, math.nan)
        hidden[:, -self.n :] = x[:, -self.n :]
        return hidden

    def forward(self, x: Tensor) -> Tensor:
        """Return a copy in which the last ``n`` channels are NaN."""
        corrupted = x.clone()
        corrupted[:, -self.n :] = math.nan
        return corrupted
