"""Corruptions of the encoder's input during training."""

from isthmus.corruptions.base import Corruption as Corruption
from isthmus.corruptions.base import corrupt as corrupt
from isthmus.corruptions.gaussian_noise import GaussianNoise
from isthmus.corruptions.hidden_channels import HiddenChannels
from isthmus.corruptions.masking import Masking
from isthmus.corruptions.masking import predicts_hidden_cells as predicts_hidden_cells
from isthmus.corruptions.salt_pepper import SaltPepper
from isthmus.corruptions.swap import Swap
from isthmus.corruptions.zeroing import Zeroing

__all__ = ["GaussianNoise", "HiddenChannels", "Masking", "SaltPepper", "Swap", "Zeroing"]
