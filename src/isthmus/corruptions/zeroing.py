"""Values set to zero."""

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.statistics import Statistics


class Zeroing(Corruption):
    """Sets random values to 0. The encoder gets no flags for them, in contrast to ``Masking``.

    Useful for counts of words, clicks or purchases, where 0 often means "not observed": the net learns which counts
    occur together.

    Parameters
    ----------
    fraction : float, default=0.5
        Probability that a value is set to 0.

    Raises
    ------
    ValueError
        At ``build``, if the fraction is not in [0, 1).

    References
    ----------
    Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008;
    Liang et al., Variational autoencoders for collaborative filtering, WWW 2018, arXiv:1802.05814.

    Examples
    --------
    >>> from isthmus.corruptions import Zeroing
    >>> Zeroing(0.3)
    Zeroing(fraction=0.3)
    """

    numeric_only = True

    def __init__(self, fraction: float = 0.5) -> None:
        super().__init__()
        self.fraction = fraction

    def build(self, statistics: Statistics) -> None:
        """Check the fraction."""
        self.require("fraction", lambda v: 0 <= v < 1, "in [0, 1)")

    def forward(self, x: Tensor) -> Tensor:
        """Return a copy in which random values are 0; missing values stay missing."""
        return torch.where((torch.rand(x.shape, device=x.device) < self.fraction) & ~x.isnan(), 0.0, x)
