"""Backbones: the geometry of the data, as an encoder and a decoder."""

from isthmus.backbones.base import Backbone as Backbone
from isthmus.backbones.linear import Linear
from isthmus.backbones.mlp import MLP

__all__ = ["MLP", "Linear"]
