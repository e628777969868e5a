"""The contract of a backbone."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isthmus.part import Part

# What an autoregressive decoder carries from step to step: tensors of n rows.
State = tuple[Tensor, ...]


class Backbone(Part):
    """An encoder and a decoder for one geometry of the data.

    ``build`` sets ``encoder``, ``decoder`` and ``code_out``; the other methods only use them. ``n_nets`` is the number
    of nets side by side, of which each row passes through one. ``n_flags``, set before ``build``, is the number of
    trailing channels of the encoded input that mark missing values; samples of shape (d,) have one channel, and so
    have their flags.

    An ``autoregressive`` decoder writes along the last axis, each step given the code and the steps before it.
    ``decode`` takes all steps of an encoded row at once, and the parameters of each step depend on earlier steps only;
    ``initial_state`` and ``step`` generate new rows. For tokens, the most probable row stands for the mean: beam search
    with ``beam_width`` candidates finds it approximately.
    """

    role: ClassVar[str] = "backbone"
    n_nets: int = 1
    n_flags: int = 0
    autoregressive: bool = False
    beam_width: int = 1
    encoder: nn.Module
    decoder: nn.Module
    code_out: int

    @abstractmethod
    def build(
        self,
        input_shape: tuple[int, ...],
        parameter_shape: tuple[int, ...],
        code_in: int,
        code_out: int,
        condition_width: int,
    ) -> None:
        """Make both nets.

        Parameters
        ----------
        input_shape : tuple of int
            Of one encoded sample.
        parameter_shape : tuple of int
            Of what the decoder says of one sample: (parameters a value, *shape of the sample).
        code_in, code_out : int
            Numbers that the bottleneck wants and gives.
        condition_width : int
            Numbers of the encoded label, which the decoder sees beside the code; 0 without labels.
        """

    def encode(self, u: Tensor) -> Tensor:
        """Encoded input (n, *input_shape) to what the bottleneck wants (n, code_in)."""
        return self.encoder(u)

    def decode(self, z: Tensor, condition: Tensor | None = None, target: Tensor | None = None) -> Tensor:
        """Codes (n, code_out) to parameters (n, *parameter_shape).

        Parameters
        ----------
        z : Tensor of shape (n, code_out)
        condition : Tensor of shape (n, condition_width) or None
        target : Tensor of shape (n, *encoded shape) or None
            What is to be written, encoded and without flags: only for autoregressive decoders.
        """
        code = z if condition is None else torch.cat([z, condition], -1)
        return self.decoder(code, target) if self.autoregressive else self.decoder(code)

    def initial_state(self, z: Tensor, condition: Tensor | None = None) -> State:
        """Return what an autoregressive decoder knows before the first step: tensors of n rows."""
        writer: Any = self.decoder
        return writer.initial_state(z if condition is None else torch.cat([z, condition], -1))

    def step(self, state: State, before: Tensor | None) -> tuple[Tensor, State]:
        """Write one step, (n, *parameter_shape[:-1], 1), given the encoded step before, if there is one."""
        writer: Any = self.decoder
        return writer.step(state, before)

    @property
    def decoder_is_independent(self) -> bool:
        """Whether the decoder needs nothing of the encoder's."""
        return True

    def drop_encoder(self) -> None:
        """Keep the decoder alone.

        Raises
        ------
        ValueError
            If it has weights of the encoder's.
        """
        if not self.decoder_is_independent:
            raise ValueError(f"the decoder of {self!r} shares weights with the encoder: save the whole estimator")
        self.encoder = MissingEncoder()

    def code_norms(self) -> Tensor | None:
        """Length of the decoder's first weights for each component of the code, or None where there are none."""
        first = next((layer for layer in self.decoder.modules() if isinstance(layer, nn.Linear)), None)
        return None if first is None else first.weight[:, : self.code_out].norm(dim=0)


class MissingEncoder(nn.Module):
    """Stands where an encoder was."""

    def forward(self, u: Tensor) -> Tensor:
        """Raise ``ValueError``."""
        raise ValueError("this is the decoder of an autoencoder, saved without its encoder")
