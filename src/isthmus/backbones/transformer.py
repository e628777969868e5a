"""Transformers over steps or patches."""

from torch import nn

from isthmus.backbones.attention import AttentionStack, CausalAttentionStack, PatchDecoder, PatchEncoder, n_positions
from isthmus.backbones.autoregressive import AutoregressiveDecoder
from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Grid, Reshape, Shape, Stage
from isthmus.part import is_count


class Transformer(Backbone):
    """Steps of series, or patches of images [1], look at each other [2]; all together become the code.

    Samples are (channels, time), (channels, height, width) or (channels, depth, height, width), of any size; (time,) is
    one channel. Shorter series end in missing values.

    Parameters
    ----------
    width : int, default=64
        Channels of every place.
    n_layers : int, default=2
        Blocks of encoder and of decoder.
    n_heads : int, default=4
        Looks that a place takes at once; a divisor of the width.
    patch : int, default=1
        Values along each axis that make a place.
    autoregressive : bool, default=False
        Whether to write series forwards, each step from the code and the steps before it: for tokens.
    dropout : float, default=0.0
        Share of what blocks add that is dropped in training.
    word_dropout : float, default=0.0
        Share of the steps that an autoregressive decoder does not see in training.
    beam_width : int, default=1
        Beginnings of a row of tokens that are kept at each step, to find the likeliest row; 1 is greedy.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range or samples do not lie on a grid.

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
        """Make both nets; see the base class."""
        check_parameters(self)
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        grid = Grid.from_shapes(self, input_shape, parameter_shape, max_axes=1 if self.autoregressive else 3)
        size, n_code = n_positions(grid, self.patch), z_shape[0] + condition_width
        said = (self.width, parameter_shape, self.word_dropout)
        net = (size, self.width, self.n_layers, self.n_heads, self.dropout)
        reader = Stage(size, PatchEncoder(AttentionStack(*net), grid, self.patch, self.n_flags))
        shaped, last = Reshape(grid.channels_in, *grid.sizes), nn.Linear(size * self.width, h_shape[0])
        self.encoder = nn.Sequential(shaped, reader, nn.Flatten(), last)
        if self.autoregressive:
            self.decoder = AutoregressiveDecoder(CausalAttentionStack(*net), grid, self.n_flags, n_code, *said)
        else:
            writer = Stage(size, PatchDecoder(AttentionStack(*net), grid, self.patch))
            first, places = nn.Linear(n_code, size * self.width), nn.Unflatten(1, (size, self.width))
            self.decoder = nn.Sequential(first, places, writer, nn.Flatten(), nn.Unflatten(1, parameter_shape))


def check_parameters(part: Transformer) -> None:
    """Raise ``ValueError`` for a parameter out of its range."""
    for name in ("width", "n_layers", "n_heads", "patch", "beam_width"):
        part.require(name, is_count, "a positive integer")
    part.require("n_heads", lambda v: part.width % v == 0, f"a divisor of the width, {part.width}")
    part.require("patch", lambda v: v == 1 or not part.autoregressive, "1 for an autoregressive decoder")
    for name in ("dropout", "word_dropout"):
        part.require(name, lambda v: 0 <= v < 1, "in [0, 1)")
