"""Helpers of backbones that go through series step by step: readers, and writers that see what they wrote."""

from typing import Any

import torch
from torch import Tensor, nn

from isthmus.backbones.base import State
from isthmus.backbones.grids import Grid, Shape, Stage


class RecurrentCells(nn.Module):
    """Recurrent cells over steps (n, time, width), which can go on from where they stopped."""

    def __init__(self, net: nn.RNNBase) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, state: State = ()) -> tuple[Tensor, State]:
        """Steps to the states after each, and what is needed to go on."""
        layers_first: Any = tuple(part.transpose(0, 1).contiguous() for part in state)
        is_lstm = isinstance(self.net, nn.LSTM)
        states, last = self.net(x, None if not state else layers_first if is_lstm else layers_first[0])
        return states, tuple(part.transpose(0, 1) for part in (last if is_lstm else (last,)))


class RNNEncoder(nn.Module):
    """A recurrent net that reads series (n, channels, time); what it holds after the last known step, (n, width).

    Where values are missing, the last ``n_flags`` channels say so.
    """

    def __init__(self, net: nn.RNNBase, n_channels: int, n_flags: int = 0) -> None:
        super().__init__()
        # Many channels, such as those of tokens, are embedded in fewer: fewer products than straight into the gates.
        few = net.input_size == n_channels
        self.embed = nn.Identity() if few else nn.Linear(n_channels, net.input_size, bias=False)
        self.net, self.n_flags = net, n_flags

    def forward(self, x: Tensor) -> Tensor:
        """Values (n, channels, time) to the last state (n, width)."""
        states = self.net(self.embed(x.transpose(1, 2)))[0]
        if not self.n_flags:
            return states[:, -1]
        return states[torch.arange(len(x), device=x.device), last_observed_step(x[:, -self.n_flags :])]


def last_observed_step(flags: Tensor) -> Tensor:
    """Position (n,) of the last step at which something is known, by flags (n, channels, time); 0 if nothing is."""
    known = (flags == 0).any(1)
    steps = torch.arange(known.shape[1], device=flags.device)
    return torch.where(known, steps, 0).amax(1)


class RNNDecoder(nn.Module):
    """A recurrent net that gets the same numbers (n, width) at each of so many steps, (n, width, time).

    It writes backwards: the last steps, of which the reader knows most, come first.
    """

    def __init__(self, net: nn.RNNBase, n_steps: int) -> None:
        super().__init__()
        self.net, self.n_steps = net, n_steps

    def forward(self, x: Tensor) -> Tensor:
        """Numbers (n, width) to states (n, width, time)."""
        states = self.net(x[:, None].expand(-1, self.n_steps, -1))[0]
        return states.flip(1).transpose(1, 2)


class AutoregressiveDecoder(nn.Module):
    """Writes a series, each step from the code and from the steps before it.

    Parameters
    ----------
    net : Module
        Steps (n, time, width) and a state to steps and the next state; looks at no later steps.
    grid : Grid
    n_flags : int
        Channels of the encoder that the decoder does not see.
    n_code, width : int
        Numbers of the code, and of a step within ``net``.
    parameter_shape : tuple of int
        Of what is said of a whole series.
    word_dropout : float
        Share of the steps that are hidden from those after them in training.
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
        """Codes (n, n_code) and the encoded series to what is said of each step by those before it."""
        earlier = target.reshape(len(target), self.n_in, -1)[..., :-1]
        if self.training and self.word_dropout:
            earlier = earlier * (torch.rand_like(earlier[:, :1]) >= self.word_dropout)
        seen = nn.functional.pad(self.before(earlier.transpose(1, 2)), (0, 0, 1, 0))
        return self._say(self.net[0](seen + self.code(code)[:, None])[0])

    def initial_state(self, code: Tensor) -> State:
        """Return what is known before the first step."""
        return (self.code(code),)

    def step(self, state: State, before: Tensor | None) -> tuple[Tensor, State]:
        """Write the next step, given the encoded one before it."""
        code, *rest = state
        seen = code[:, None]
        if before is not None:
            seen = seen + self.before(before.reshape(len(before), 1, self.n_in))
        steps, rest = self.net[0](seen, tuple(rest))
        return self._say(steps), (code, *rest)

    def _say(self, steps: Tensor) -> Tensor:
        said = self.head(steps).transpose(1, 2)
        return said.reshape(len(said), *self.parameter_shape[:-1], -1)
