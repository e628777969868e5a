"""The choice of ``backbone="auto"``."""

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
        Whether all values have the same categories.

    Returns
    -------
    Backbone
        Autoregressive and recurrent for tokens, with or without channels; convolutional for series, images and volumes;
        fully connected for vectors.
    """
    if tokens and len(shape) <= 2:
        return Recurrent(autoregressive=True)
    return Conv() if 2 <= len(shape) <= 4 else MLP()
