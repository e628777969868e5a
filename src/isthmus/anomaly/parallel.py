"""Several nets of one architecture in parallel, as one backbone."""

from collections.abc import Sequence
from typing import cast

import torch
from sklearn.base import clone
from torch import Tensor, nn

from isthmus.backbones import Backbone
from isthmus.backbones.grids import Shape
from isthmus.schema import Schema

# Layers without weights that act on each element, so that all nets can share them.
ELEMENTWISE = (nn.SiLU, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.Dropout)
RESHAPING = (nn.Flatten, nn.Unflatten)
STACKABLE = (nn.Linear, *RESHAPING, *ELEMENTWISE)


class Parallel(Backbone):
    """Several nets of one architecture: row i of a batch goes through net i % n_nets.

    Each layer of all fully connected nets is one batched product; other nets run one after the other.

    Parameters
    ----------
    backbone : Backbone
        The architecture. It is not built; each net gets a clone.
    n_nets : int, default=8
    """

    def __init__(self, backbone: Backbone, n_nets: int = 8) -> None:
        super().__init__()
        self.backbone = backbone
        self.n_nets = n_nets

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Build the encoders and decoders of all nets."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        if self.backbone.autoregressive:
            raise ValueError("an ensemble needs a backbone that decodes all values at once, got autoregressive=True")
        nets: list[Backbone] = []
        for _ in range(self.n_nets):
            net = clone(self.backbone)
            net.n_flags, net.values_per_sample = self.n_flags, self.values_per_sample
            net.build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
            nets.append(net)
        self.layer_width, self.auto_learning_rate = nets[0].layer_width, nets[0].auto_learning_rate
        self.encoder = _combine([net.encoder for net in nets])
        self.decoder = _combine([net.decoder for net in nets])

    def code_norms(self) -> Tensor | None:
        """Norms of the first weights of the decoder of each net for each component of z, (n_nets, k)."""
        first = next((layer for layer in self.decoder.modules() if isinstance(layer, StackedLinear)), None)
        if first is not None:
            return first.weight[:, :, : self.z_shape[0]].norm(dim=1)
        nets = list(self.decoder.nets) if isinstance(self.decoder, OneByOne) else []
        layers = [next((layer for layer in net.modules() if isinstance(layer, nn.Linear)), None) for net in nets]
        weights = [layer.weight for layer in layers if layer is not None]
        return torch.stack([weight[:, : self.z_shape[0]].norm(dim=0) for weight in weights]) if weights else None


def _combine(nets: Sequence[nn.Module]) -> nn.Module:
    stackable = isinstance(nets[0], nn.Sequential) and all(isinstance(layer, STACKABLE) for layer in nets[0])
    return Stacked(cast(Sequence[nn.Sequential], nets)) if stackable else OneByOne(nets)


class Stacked(nn.Module):
    """Sequences of equal layers, with one batched product per layer.

    Values between the layers have the shape (n_nets, features, n): products are fastest if the last axis is long, and
    the number of features can be small, as for codes.
    """

    def __init__(self, nets: Sequence[nn.Sequential]) -> None:
        super().__init__()
        self.n_nets = len(nets)
        positions = zip(*nets, strict=True)
        self.layers = nn.Sequential(*[_stack(each) for each in positions if not isinstance(each[0], RESHAPING)])
        self.reshape = nn.Sequential(*[layer for layer in nets[0] if isinstance(layer, nn.Unflatten)])

    def forward(self, x: Tensor) -> Tensor:
        """Map interleaved rows of the nets to results in the same order."""
        results = self.layers(x.flatten(1).unflatten(0, (-1, self.n_nets)).permute(1, 2, 0))
        return self.reshape(results.permute(2, 0, 1).flatten(0, 1))


class OneByOne(nn.Module):
    """Nets of any architecture, each called with its own rows."""

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x: Tensor) -> Tensor:
        """Map interleaved rows of the nets to results in the same order."""
        rows = x.unflatten(0, (-1, len(self.nets))).unbind(1)
        return torch.stack([net(own) for net, own in zip(self.nets, rows, strict=True)], 1).flatten(0, 1)


class StackedLinear(nn.Module):
    """Affine maps of all nets: values (n_nets, n_in, n) to (n_nets, n_out, n)."""

    weights_decay = True

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.cat([layer.bias.detach() for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        """Apply all maps."""
        return torch.baddbmm(self.bias.view(len(x), -1, 1), self.weight, x)


def _stack(layers: Sequence[nn.Module]) -> nn.Module:
    """Combine the layers at one position of all nets."""
    return StackedLinear(cast(Sequence[nn.Linear], layers)) if isinstance(layers[0], nn.Linear) else layers[0]


def find_consensus(each: Tensor, schema: Schema) -> Tensor:
    """Return the mean over nets of rows (n, n_nets, *shape), or the most frequent category."""
    values = each.mean(1)
    if schema.categorical:
        values[:, schema.categorical] = each[:, :, schema.categorical].mode(1).values
    return values
