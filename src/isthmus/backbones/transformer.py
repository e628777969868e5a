"""Transformers over steps of series or patches of images."""

from math import prod

from torch import nn

from isthmus.backbones.attention import AttentionStack, CausalAttentionStack, PatchDecoder, PatchEncoder, n_patches
from isthmus.backbones.autoregressive import AutoregressiveDecoder
from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Grid, Reshape, Shape, Stage
from isthmus.part import is_count


class Transformer(Backbone):
    """Self-attention [2] over steps of series or patches of images [1]; the code depends on the features of all.

    Samples are (channels, time), (channels, height, width) or (channels, depth, height, width), of any size; (time,) is
    one channel. Shorter series end in missing values.

    Parameters
    ----------
    width : int, default=64
        Number of channels of each position.
    n_layers : int, default=2
        Number of attention blocks of the encoder and of the decoder.
    n_heads : int, default=4
        Number of attention heads; must divide ``width``.
    patch : int, default=1
        Size of a patch along each axis.
    autoregressive : bool, default=False
        Whether the decoder generates steps in order of time, each given the code and the steps before it: for tokens.
    dropout : float, default=0.0
        Dropout rate of the output of attention and of feed-forward nets.
    word_dropout : float, default=0.0
        Fraction of steps that are hidden from an autoregressive decoder in training.
    beam_width : int, default=1
        Number of candidates of the beam search for the most probable row of tokens; 1 is greedy search.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range or samples are not on a grid.

    References
    ----------
    [1] Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021, arXiv:2010.11929.
    [2] Vaswani et al., Attention is all you need, NIPS 2017, arXiv:1706.03762.

    Examples
    --------
    >>> from isthmus.backbones import Transformer
    >>> Transformer(width=32, patch=4)
    Transformer(patch=4, width=32)
    """

    def __init__(
        self,
        width: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
        patch: int = 1,
        autoregressive: bool = False,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        beam_width: int = 1,
    ) -> None:
        super().__init__()
        self.width = width
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.patch = patch
        self.autoregressive = autoregressive
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.beam_width = beam_width

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Check the parameters and create both nets."""
        check_parameters(self)
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        grid = Grid.from_shapes(self, input_shape, parameter_shape, max_axes=1 if self.autoregressive else 3)
        size, n_code = prod(n_patches(grid.sizes, self.patch)), z_shape[0] + condition_width
        net = (size, self.width, self.n_layers, self.n_heads, self.dropout)
        encoder = Stage(size, PatchEncoder(AttentionStack(*net), grid, self.patch, self.n_flags))
        last = nn.Linear(size * self.width, h_shape[0])
        self.encoder = nn.Sequential(Reshape(grid.channels_in, *grid.sizes), encoder, nn.Flatten(), last)
        if self.autoregressive:
            steps = CausalAttentionStack(*net)
            options = (self.width, parameter_shape, self.word_dropout)
            self.decoder = AutoregressiveDecoder(steps, grid, self.n_flags, n_code, *options)
        else:
            decoder = Stage(size, PatchDecoder(AttentionStack(*net), grid, self.patch))
            first, to_positions = nn.Linear(n_code, size * self.width), nn.Unflatten(1, (size, self.width))
            self.decoder = nn.Sequential(first, to_positions, decoder, nn.Flatten(), nn.Unflatten(1, parameter_shape))


def check_parameters(part: Transformer) -> None:
    """Raise ``ValueError`` if a parameter is out of range."""
    for name in ("width", "n_layers", "n_heads", "patch", "beam_width"):
        part.require(name, is_count, "a positive integer")
    part.require("n_heads", lambda v: part.width % v == 0, f"a divisor of the width, {part.width}")
    part.require("patch", lambda v: v == 1 or not part.autoregressive, "1 for an autoregressive decoder")
    for name in ("dropout", "word_dropout"):
        part.require(name, lambda v: 0 <= v < 1, "in [0, 1)")
