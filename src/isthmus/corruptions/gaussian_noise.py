"""Additive noise."""

import torch
from torch import Tensor

from isthmus.corruptions.base import Corruption
from isthmus.statistics import Statistics

UNITS = ("std", "data")


class GaussianNoise(Corruption):
    """Adds normal noise, as in the classic denoising autoencoder.

    Parameters
    ----------
    scale : float, default=0.3
        Standard deviation of the noise.
    unit : {"std", "data"}, default="std"
        Unit of the scale: the standard deviation of each feature in the training rows, or the unit of the data.
    clip : tuple of two floats or None, default=None
        Limits to which noisy values are clipped, in the unit of the data; None does not clip.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

    References
    ----------
    Vincent et al., Stacked denoising autoencoders, JMLR 11, 2010.

    Examples
    --------
    >>> from isthmus.corruptions import GaussianNoise
    >>> GaussianNoise(0.5, unit="data", clip=(0.0, 1.0))
    GaussianNoise(clip=(0.0, 1.0), scale=0.5, unit='data')
    """

    numeric_only = True

    spread: Tensor

    def __init__(self, scale: float = 0.3, unit: str = "std", clip: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.scale = scale
        self.unit = unit
        self.clip = clip

    def build(self, statistics: Statistics) -> None:
        """Check the parameters, and store the standard deviation of the noise of each feature."""
        self.require("scale", lambda v: v >= 0, ">= 0")
        self.require("unit", lambda v: v in UNITS, f"one of {UNITS}")
        expected = "None or a pair (low, high) with low < high"
        self.require("clip", lambda v: v is None or (len(v) == 2 and v[0] < v[1]), expected)
        deviation = statistics.deviation.float()
        unit = deviation if self.unit == "std" else torch.ones_like(deviation)
        self.register_buffer("spread", self.scale * unit)

    def forward(self, x: Tensor) -> Tensor:
        """Return noisy values, clipped to ``clip``."""
        noisy = x + self.spread * torch.randn_like(x)
        return noisy if self.clip is None else noisy.clamp(*self.clip)
