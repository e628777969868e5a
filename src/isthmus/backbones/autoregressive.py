"""Modules for series: recurrent encoders and decoders, and autoregressive decoders."""

from typing import Any

import torch
from torch import Tensor, nn

from isthmus.backbones.base import State
from isthmus.backbones.grids import Grid, Shape, Stage


class RecurrentCells(nn.Module):
    """Recurrent cells over steps (n, time, width), which can continue from a state."""

    def __init__(self, net: nn.RNNBase) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, state: State = ()) -> tuple[Tensor, State]:
        """Return the hidden state after each step, and the state to continue from."""
        layers_first: Any = tuple(part.transpose(0, 1).contiguous() for part in state)
        is_lstm = isinstance(self.net, nn.LSTM)
        states, last = self.net(x, None if not state else layers_first if is_lstm else layers_first[0])
        return states, tuple(part.transpose(0, 1) for part in (last if is_lstm else (last,)))


class RNNEncoder(nn.Module):
    """Encodes series (n, channels, time) to the hidden state (n, width) after the last observed step.

    The last ``n_flags`` channels mark missing values.
    """

    def __init__(self, net: nn.RNNBase, n_channels: int, n_flags: int = 0) -> None:
        super().__init__()
        # A linear map reduces many channels, such as those of tokens, because large inputs of the gates are slow.
        matches = net.input_size == n_channels
        self.embed = nn.Identity() if matches else nn.Linear(n_channels, net.input_size, bias=False)
        self.net, self.n_flags = net, n_flags

    def forward(self, x: Tensor) -> Tensor:
        """Map values (n, channels, time) to the last hidden state (n, width)."""
        states = self.net(self.embed(x.transpose(1, 2)))[0]
        if not self.n_flags:
            return states[:, -1]
        return states[torch.arange(x.shape[0], device=x.device), last_observed_step(x[:, -self.n_flags :])]


def last_observed_step(flags: Tensor) -> Tensor:
    """Return the last step (n,) with an observed value, given flags (n, channels, time); 0 if there is none."""
    known = (flags == 0).any(1)
    steps = torch.arange(known.shape[1], device=flags.device)
    return torch.where(known, steps, 0).amax(1)


class RNNDecoder(nn.Module):
    """Decodes features (n, width), the input of a recurrent net at each step, to (n, width, time).

    It decodes the last steps first, which the state of the encoder represents best.
    """

    def __init__(self, net: nn.RNNBase, n_steps: int) -> None:
        super().__init__()
        self.net, self.n_steps = net, n_steps

    def forward(self, x: Tensor) -> Tensor:
        """Map features (n, width) to hidden states (n, width, time)."""
        states = self.net(x[:, None].expand(-1, self.n_steps, -1))[0]
        return states.flip(1).transpose(1, 2)


class AutoregressiveDecoder(nn.Module):
    """Decodes a series, each step given the code and the steps before it.

    Parameters
    ----------
    net : Module
        Causal: maps steps (n, time, width) and a state to steps and the next state.
    grid : Grid
    n_flags : int
        Number of channels of flags, which the decoder does not get.
    n_code, width : int
        Width of the code, and of a step in ``net``.
    parameter_shape : tuple of int
        Shape of the parameters of a whole series.
    word_dropout : float
        Fraction of steps that are hidden from later steps in training.
    """

    def __init__(
        self,
        net: nn.Module,
        grid: Grid,
        n_flags: int,
        n_code: int,
        width: int,
        parameter_shape: Shape,
        word_dropout: float,
    ) -> None:
        super().__init__()
        n_in, n_steps = grid.channels_in - n_flags, grid.sizes[0]
        self.code = nn.Linear(n_code, width)
        self.before = Stage(n_steps, nn.Linear(n_in, width, bias=False))
        self.net = Stage(n_steps, net)
        self.head = Stage(n_steps, nn.Linear(width, grid.channels_out))
        self.n_in, self.parameter_shape, self.word_dropout = n_in, parameter_shape, word_dropout

    def forward(self, code: Tensor, target: Tensor) -> Tensor:
        """Map codes (n, n_code) and encoded series to parameters of each step, given the steps before it."""
        earlier = target.reshape(target.shape[0], self.n_in, -1)[..., :-1]
        if self.training and self.word_dropout:
            earlier = earlier * (torch.rand_like(earlier[:, :1]) >= self.word_dropout)
        inputs = nn.functional.pad(self.before(earlier.transpose(1, 2)), (0, 0, 1, 0))
        return self._decode(self.net[0](inputs + self.code(code)[:, None])[0])

    def initial_state(self, code: Tensor) -> State:
        """Return the state before the first step."""
        return (self.code(code),)

    def step(self, state: State, before: Tensor | None) -> tuple[Tensor, State]:
        """Return parameters of the next step, given the encoded previous one, and the next state."""
        code, *rest = state
        inputs = code[:, None]
        if before is not None:
            inputs = inputs + self.before(before.reshape(before.shape[0], 1, self.n_in))
        steps, rest = self.net[0](inputs, tuple(rest))
        return self._decode(steps), (code, *rest)

    def _decode(self, steps: Tensor) -> Tensor:
        parameters = self.head(steps).transpose(1, 2)
        return parameters.reshape(parameters.shape[0], *self.parameter_shape[:-1], -1)
