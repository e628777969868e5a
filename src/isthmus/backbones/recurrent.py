"""Recurrent nets over time."""

from typing import Any

from torch import nn

from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Grid, Reader, Reshape, Shape, Stage, Writer
from isthmus.part import is_count

CELLS: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(Backbone):
    """A recurrent net reads the series and its last state becomes the code; another writes it backwards from there [1].

    Samples are (channels, time), or (time,) for one channel.

    Parameters
    ----------
    width : int, default=64
        Numbers of the state.
    n_layers : int, default=1
        Nets on top of each other.
    cell : {"gru", "lstm"}, default="gru"
        Gated recurrent unit [2], or long short-term memory.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range or samples are no series.

    References
    ----------
    [1] Srivastava, Mansimov and Salakhutdinov, Unsupervised learning of video representations using LSTMs, ICML 2015,
        arXiv:1502.04681.
    [2] Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, arXiv:1406.1078.

    Examples
    --------
    >>> from isthmus.backbones import Recurrent
    >>> Recurrent(width=32, cell="lstm")
    Recurrent(cell='lstm', width=32)
    """

    def __init__(self, width: int = 64, n_layers: int = 1, cell: str = "gru") -> None:
        super().__init__()
        self.width = width
        self.n_layers = n_layers
        self.cell = cell

    def build(
        self, input_shape: Shape, parameter_shape: Shape, code_in: int, code_out: int, condition_width: int
    ) -> None:
        """Make both nets; see the base class."""
        self.require("width", is_count, "a positive integer")
        self.require("n_layers", is_count, "a positive integer")
        self.require("cell", lambda v: v in CELLS, f"one of {sorted(CELLS)}")
        grid = Grid.of(self, input_shape, parameter_shape, most_axes=1)
        self.encoder = nn.Sequential(
            Reshape(grid.channels_in, *grid.sizes),
            Stage(grid.sizes[0], Reader(self._net(grid.channels_in))),
            nn.Linear(self.width, code_in),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code_out + condition_width, self.width),
            Stage(
                grid.sizes[0],
                Writer(self._net(self.width), grid.sizes[0]),
                nn.Conv1d(self.width, grid.channels_out, 1),
            ),
            nn.Flatten(),
            nn.Unflatten(1, parameter_shape),
        )
        self.code_out = code_out

    def _net(self, n_in: int) -> nn.RNNBase:
        net: nn.RNNBase = CELLS[self.cell](n_in, self.width, self.n_layers, batch_first=True)
        return net
