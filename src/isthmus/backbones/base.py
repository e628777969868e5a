"""The contract of a backbone."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus.part import Part


class Backbone(Part):
    """Knows a geometry and makes an encoder and a decoder for it.

    ``build`` sets ``encoder``, ``decoder`` and ``code_out``; the methods only use them. ``n_nets`` are how many nets
    there are side by side, of which each row goes through one.
    """

    role: ClassVar[str] = "backbone"
    n_nets: int = 1
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

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Codes (n, code_out) to parameters (n, *parameter_shape)."""
        return self.decoder(z if condition is None else torch.cat([z, condition], -1))

    @property
    def decodes_alone(self) -> bool:
        """Whether the decoder needs nothing of the encoder's."""
        return True

    def forget_encoder(self) -> None:
        """Keep the decoder alone.

        Raises
        ------
        ValueError
            If it has weights of the encoder's.
        """
        if not self.decodes_alone:
            raise ValueError(f"the decoder of {self!r} shares weights with the encoder: save the whole estimator")
        self.encoder = Absent()

    def code_norms(self) -> Tensor | None:
        """Length of the decoder's first weights for each component of the code, or None where there are none."""
        first = next((layer for layer in self.decoder.modules() if isinstance(layer, nn.Linear)), None)
        return None if first is None else first.weight[:, : self.code_out].norm(dim=0)


class Absent(nn.Module):
    """Stands where an encoder was."""

    def forward(self, u: Tensor) -> Tensor:
        """Raise ``ValueError``."""
        raise ValueError("this is the decoder of an autoencoder, saved without its encoder")
