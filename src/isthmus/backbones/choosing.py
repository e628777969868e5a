"""What ``backbone="auto"`` means."""

from isthmus.backbones.base import Backbone
from isthmus.backbones.conv import Conv
from isthmus.backbones.mlp import MLP
from isthmus.backbones.recurrent import Recurrent


def choose(shape: tuple[int, ...], tokens: bool) -> Backbone:
    """Choose a backbone for samples of a shape.

    Parameters
    ----------
    shape : tuple of int
    tokens : bool
        Whether all values are levels of the same kind.

    Returns
    -------
    Backbone
        For rows of tokens, and for channels of them over time, a recurrent one that writes step by step; for series,
        images and volumes a convolutional one; for vectors a fully connected one.
    """
    if tokens and len(shape) <= 2:
        return Recurrent(autoregressive=True)
    return Conv() if 2 <= len(shape) <= 4 else MLP()
