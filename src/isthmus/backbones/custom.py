"""Nets that the user provides."""

from collections.abc import Callable
from copy import deepcopy
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Shape
from isthmus.errors import InputTypeError


class Custom(Backbone):
    """Two nets of the user. Their outputs are flattened, and a linear layer maps them to the required width.

    Parameters
    ----------
    encoder_net : Module, callable or None, default=None
        Maps encoded samples (n, *input_shape) to (n, ...). A callable creates the net from ``input_shape``, and its
        weights depend on the random state. A Module is copied with its weights. None: samples are only flattened.
    decoder_net : Module, callable or None, default=None
        Maps codes and labels (n, n_code) to (n, ...). A callable creates the net from ``n_code``.

    Raises
    ------
    TypeError
        At ``build``, if a net is neither a Module nor a callable that returns one.

    References
    ----------
    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006.

    Examples
    --------
    >>> from torch import nn
    >>> from isthmus.backbones import Custom
    >>> Custom(nn.Tanh())
    Custom(encoder_net=Tanh())
    """

    def __init__(self, encoder_net: Any = None, decoder_net: Any = None) -> None:
        super().__init__()
        self.encoder_net: Any
        self.decoder_net: Any
        # Not registered as submodules, because copies of them are trained.
        object.__setattr__(self, "encoder_net", encoder_net)
        object.__setattr__(self, "decoder_net", decoder_net)

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Create both nets."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        n_code = z_shape[0] + condition_width
        encoder_net, decoder_net = (
            make_net("encoder_net", self.encoder_net, input_shape),
            make_net("decoder_net", self.decoder_net, n_code),
        )
        self.encoder = nn.Sequential(
            encoder_net, nn.Flatten(), nn.Linear(n_outputs(encoder_net, input_shape), h_shape[0])
        )
        self.decoder = nn.Sequential(
            decoder_net,
            nn.Flatten(),
            nn.Linear(n_outputs(decoder_net, (n_code,)), prod(parameter_shape)),
            nn.Unflatten(1, parameter_shape),
        )


def make_net(name: str, net: nn.Module | Callable[[Any], nn.Module] | None, shape: Any) -> nn.Module:
    """Return a copy of a net, or the net that a callable creates for a shape.

    Raises
    ------
    TypeError
        If it is not a Module.
    """
    if net is None:
        return nn.Identity()
    made = deepcopy(net) if isinstance(net, nn.Module) else net(shape) if callable(net) else net
    if not isinstance(made, nn.Module):
        raise InputTypeError(f"backbone.{name} of Custom must be a Module or a callable that returns one, got {made!r}")
    return made


def n_outputs(net: nn.Module, shape: Shape) -> int:
    """Return the number of outputs of a net per sample, measured with two samples of zeros."""
    was_training = net.training
    with torch.no_grad():
        outputs: Tensor = net.eval()(torch.zeros(2, *shape))
    net.train(was_training)
    return outputs[0].numel()
