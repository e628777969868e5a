"""Recurrent nets for series."""

from typing import Any

from torch import nn

from isthmus.backbones.autoregressive import AutoregressiveDecoder, RecurrentCells, RNNDecoder, RNNEncoder
from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Grid, Reshape, Shape, Stage
from isthmus.part import is_count

CELLS: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(Backbone):
    """Recurrent encoder, whose last hidden state gives the code, and recurrent decoder in reverse order of time [1].

    Samples are (channels, time), or (time,) for one channel. Shorter series end in missing values.

    Parameters
    ----------
    width : int, default=64
        Width of the hidden state.
    n_layers : int, default=1
        Number of recurrent layers of the encoder and of the decoder.
    cell : {"gru", "lstm"}, default="gru"
        Gated recurrent unit [2], or long short-term memory.
    autoregressive : bool, default=False
        Whether the decoder generates steps in order of time, each given the code and the steps before it: for tokens.
    word_dropout : float, default=0.0
        Fraction of steps that are hidden from an autoregressive decoder in training, so that it uses the code [3].
    beam_width : int, default=1
        Number of candidates of the beam search for the most probable row of tokens; 1 is greedy search.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range or samples are not series.

    References
    ----------
    [1] Srivastava, Mansimov and Salakhutdinov, Unsupervised learning of video representations using LSTMs, ICML 2015,
    arXiv:1502.04681.
    [2] Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, arXiv:1406.1078.
    [3] Bowman et al., Generating sentences from a continuous space, CoNLL 2016, arXiv:1511.06349.

    Examples
    --------
    >>> from isthmus.backbones import Recurrent
    >>> Recurrent(width=32, cell="lstm")
    Recurrent(cell='lstm', width=32)
    """

    def __init__(
        self,
        width: int = 64,
        n_layers: int = 1,
        cell: str = "gru",
        autoregressive: bool = False,
        word_dropout: float = 0.0,
        beam_width: int = 1,
    ) -> None:
        super().__init__()
        self.width = width
        self.n_layers = n_layers
        self.cell = cell
        self.autoregressive = autoregressive
        self.word_dropout = word_dropout
        self.beam_width = beam_width

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Check the parameters and create both nets."""
        check_parameters(self)
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        grid = Grid.from_shapes(self, input_shape, parameter_shape, max_axes=1)
        n_code, n_read = z_shape[0] + condition_width, min(grid.channels_in, self.width)
        self.encoder = nn.Sequential(
            Reshape(grid.channels_in, *grid.sizes),
            Stage(grid.sizes[0], RNNEncoder(net(self, n_read), grid.channels_in, self.n_flags)),
            nn.Linear(self.width, h_shape[0]),
        )
        if self.autoregressive:
            self.decoder = AutoregressiveDecoder(
                RecurrentCells(net(self, self.width)),
                grid,
                self.n_flags,
                n_code,
                self.width,
                parameter_shape,
                self.word_dropout,
            )
        else:
            self.decoder = make_rnn_decoder(self, grid, parameter_shape, n_code)


def check_parameters(part: Recurrent) -> None:
    """Raise ``ValueError`` if a parameter is out of range."""
    for name in ("width", "n_layers", "beam_width"):
        part.require(name, is_count, "a positive integer")
    part.require("cell", lambda v: v in CELLS, f"one of {sorted(CELLS)}")
    part.require("word_dropout", lambda v: 0 <= v < 1, "in [0, 1)")


def net(part: Recurrent, n_in: int) -> nn.RNNBase:
    """Return a recurrent net with ``n_in`` input channels."""
    made: nn.RNNBase = CELLS[part.cell](n_in, part.width, part.n_layers, batch_first=True)
    return made


def make_rnn_decoder(part: Recurrent, grid: Grid, parameter_shape: Shape, n_code: int) -> nn.Module:
    """Return a decoder that gets the code at each step, and not the steps before it."""
    decoder = RNNDecoder(net(part, part.width), grid.sizes[0])
    return nn.Sequential(
        nn.Linear(n_code, part.width),
        Stage(grid.sizes[0], decoder, nn.Conv1d(part.width, grid.channels_out, 1)),
        nn.Flatten(),
        nn.Unflatten(1, parameter_shape),
    )
