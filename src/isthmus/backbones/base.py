"""The interface of a backbone."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from isthmus.backbones.grids import Shape
from isthmus.part import Part

# State of an autoregressive decoder between steps: tensors of n rows.
State = tuple[Tensor, ...]


class Backbone(Part):
    """An encoder and a decoder for one geometry of the data.

    ``build`` sets ``encoder``, ``decoder`` and ``z_shape``; the other methods only use them. ``n_nets`` is the number
    of parallel nets; each row passes through one of them. ``n_flags``, which is set before ``build``, is the number of
    last channels of the encoded input that mark missing values; samples of shape (d,) have one channel of values and
    one of flags.

    ``values_per_sample`` is also set before ``build``: the number of values of a sample, in which a column of a table
    counts once, however many columns encode it. ``layer_width`` is the width of the widest layer of a fully connected
    net, or ``values_per_sample`` if that is larger. Default learning rate and number of steps depend on it. It is 0 for
    other nets, whose default learning rate is ``auto_learning_rate``.

    An ``autoregressive`` decoder generates rows along the last axis, each step given the code and the steps before it.
    ``decode`` gets all steps of an encoded row at once, and the parameters of each step depend on earlier steps only;
    ``initial_state`` and ``step`` generate new rows. Tokens have no mean; the most probable row replaces it, which beam
    search with ``beam_width`` candidates finds approximately.

    ``preferred_linear_part`` is also set before ``build``: which ``linear`` part of an ``MLP`` is best for the data and
    the purpose of the model.

    ``n_initial_rows`` is about the largest number of training rows that ``initialize`` gets.
    """

    role: ClassVar[str] = "backbone"
    n_nets: int = 1
    n_flags: int = 0
    values_per_sample: int = 0
    layer_width: int = 0
    preferred_linear_part: str | None = None
    auto_learning_rate: float = 2e-3
    autoregressive: bool = False
    beam_width: int = 1
    n_initial_rows: int = 0
    encoder: nn.Module
    decoder: nn.Module
    z_shape: Shape

    @abstractmethod
    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Create both nets. Subclasses first call this method, which checks the shapes and stores ``z_shape``.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one encoded sample.
        parameter_shape : tuple of int
            Shape of the decoder's output for one sample: (parameters per value, *shape of the sample).
        h_shape, z_shape : tuple of int
            Shape of the encoder's output, and of the decoder's input: (k,) for a flat code, or (channels, *positions)
            with the ``code_positions`` of this backbone for a spatial one.
        condition_width : int
            Width of the encoded label, which the decoder gets in addition to the code; 0 without labels.

        Raises
        ------
        ValueError
            If the backbone does not support a code of this shape.
        """
        positions = self.code_positions(input_shape, parameter_shape)
        for shape in (h_shape, z_shape):
            if shape[1:] not in ((), positions):
                spatial = f" or (channels, {', '.join(map(str, positions))})" if positions else ""
                raise ValueError(f"backbone {type(self).__name__} needs codes of shape (k,){spatial}, got {shape}")
        self.z_shape = z_shape

    def initialize(self, batches: Iterable[Tensor]) -> None:
        """Set weights before training by encoded training rows.

        Parameters
        ----------
        batches : iterable of Tensor of shape (n, *input_shape)
            Batches of rows, on the processor.
        """

    def code_positions(self, input_shape: Shape, parameter_shape: Shape) -> Shape:
        """Return the positions of a spatial code.

        It needs no ``build``.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one encoded sample.
        parameter_shape : tuple of int
            Shape of the decoder's output for one sample.

        Returns
        -------
        tuple of int
            The positions; () if only flat codes are supported.
        """
        return ()

    def encode(self, u: Tensor) -> Tensor:
        """Map encoded input to the input of the bottleneck.

        Parameters
        ----------
        u : Tensor of shape (n, *input_shape)
            Encoded input.

        Returns
        -------
        Tensor of shape (n, *h_shape)
            Output of the encoder.
        """
        return self.encoder(u)

    def decode(self, z: Tensor, condition: Tensor | None = None, target: Tensor | None = None) -> Tensor:
        """Map codes to parameters of the likelihood.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
            Latent variables.
        condition : Tensor of shape (n, condition_width) or None, default=None
            Encoded labels.
        target : Tensor of shape (n, *encoded shape) or None, default=None
            The encoded row without flags, for autoregressive decoders only.

        Returns
        -------
        Tensor of shape (n, *parameter_shape)
            Output of the decoder.
        """
        code = concatenate(z, condition)
        return self.decoder(code, target) if self.autoregressive else self.decoder(code)

    def initial_state(self, z: Tensor, condition: Tensor | None = None) -> State:
        """Return the state of an autoregressive decoder before the first step.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
            Latent variables.
        condition : Tensor of shape (n, condition_width) or None, default=None
            Encoded labels.

        Returns
        -------
        tuple of Tensor
            Tensors of n rows.
        """
        decoder: Any = self.decoder
        return decoder.initial_state(concatenate(z, condition))

    def step(self, state: State, before: Tensor | None) -> tuple[Tensor, State]:
        """Return the parameters of the next step of an autoregressive decoder.

        ``before`` is the encoded previous step; None for the first step.

        Parameters
        ----------
        state : tuple of Tensor
            State before the step.
        before : Tensor or None
            The encoded previous step; None for the first step.

        Returns
        -------
        theta : Tensor of shape (n, *parameter_shape[:-1], 1)
            Parameters of the step.
        state : tuple of Tensor
            State after the step.
        """
        decoder: Any = self.decoder
        return decoder.step(state, before)

    @property
    def decoder_is_independent(self) -> bool:
        """Whether the decoder shares no weights with the encoder."""
        return True

    def drop_encoder(self) -> None:
        """Remove the encoder.

        Raises
        ------
        ValueError
            If the decoder shares weights with it.
        """
        if not self.decoder_is_independent:
            raise ValueError(f"the decoder of {self!r} shares weights with the encoder; save the estimator instead")
        self.encoder = MissingEncoder()

    def code_norms(self) -> Tensor | None:
        """Return the norm of the decoder's first weights for each component of a flat code.

        Return None for spatial codes, and if the decoder has no linear layer.

        Returns
        -------
        Tensor of shape (n_nets, k) or None
            The norms; None for spatial codes, and if the decoder has no linear layer.
        """
        first = next((layer for layer in self.decoder.modules() if isinstance(layer, nn.Linear)), None)
        return None if first is None or self.z_shape[1:] else first.weight[None, :, : self.z_shape[0]].norm(dim=1)


class MissingEncoder(nn.Module):
    """Placeholder for an encoder that was removed."""

    def forward(self, u: Tensor) -> Tensor:
        """Raise ``ValueError``."""
        raise ValueError("this is the decoder of an autoencoder, saved without its encoder")


def concatenate(z: Tensor, condition: Tensor | None) -> Tensor:
    """Append a condition (n, width) to the channels of codes (n, channels, *positions), the same at each position."""
    if condition is None:
        return z
    positions = z.shape[2:]
    return torch.cat([z, condition.view(*condition.shape, *[1] * len(positions)).expand(-1, -1, *positions)], 1)
