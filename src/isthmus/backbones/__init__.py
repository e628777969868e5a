"""Backbones: an encoder and a decoder for one geometry of the data."""

from isthmus.backbones.base import Backbone as Backbone
from isthmus.backbones.choosing import choose as choose
from isthmus.backbones.conv import Conv
from isthmus.backbones.custom import Custom
from isthmus.backbones.linear import Linear
from isthmus.backbones.mlp import MLP
from isthmus.backbones.prod_lda import ProdLDA
from isthmus.backbones.recurrent import Recurrent
from isthmus.backbones.tcn import TCN
from isthmus.backbones.transformer import Transformer

__all__ = ["MLP", "TCN", "Conv", "Custom", "Linear", "ProdLDA", "Recurrent", "Transformer"]
