"""The backbone of topic models."""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Shape
from isthmus.backbones.mlp import are_widths


class ProdLDA(Backbone):
    """Topic model: codes are logits of topic proportions, and each row is a weighted product of topics.

    The proportions of topics are the softmax of the code. Each topic has logits of all values, which are averaged with
    the proportions as weights. The mixture of topics in latent Dirichlet allocation is never more concentrated than its
    topics; a product of topics can be.

    Parameters
    ----------
    hidden : tuple of int, default=(100,)
        Widths of the encoder.
    dropout : float, default=0.2
        Dropout rate of topics, and of the last hidden layer of the encoder.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or there are fewer than two topics.

    References
    ----------
    Srivastava and Sutton, Autoencoding variational inference for topic models (ProdLDA), ICLR 2017, arXiv:1703.01488.

    Examples
    --------
    >>> from isthmus.backbones import ProdLDA
    >>> ProdLDA(hidden=(100, 100))
    ProdLDA(hidden=(100, 100))
    """

    def __init__(self, hidden: tuple[int, ...] = (100,), dropout: float = 0.2) -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = dropout

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Check the parameters and create both nets."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        self.require("hidden", are_widths, "a tuple of positive integers")
        self.require("dropout", lambda v: 0 <= v < 1, "in [0, 1)")
        if z_shape[0] < 2:
            raise ValueError(
                f"backbone ProdLDA needs n_components >= 2, got {z_shape[0]}; the proportion of one topic is always 1"
            )
        widths, n_values = [prod(input_shape), *self.hidden], prod(parameter_shape)
        layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.Softplus())]
        # Batch normalization of codes and logits prevents topics from collapsing early (Srivastava and Sutton, 2017).
        to_code = (nn.Linear(widths[-1], h_shape[0]), nn.BatchNorm1d(h_shape[0], affine=False))
        self.encoder = nn.Sequential(nn.Flatten(), *layers, nn.Dropout(self.dropout), *to_code)
        to_logits = (nn.Linear(z_shape[0] + condition_width, n_values, bias=False), nn.BatchNorm1d(n_values))
        shares = (_TopicShares(z_shape[0]), nn.Dropout(self.dropout))
        self.decoder = nn.Sequential(*shares, *to_logits, nn.Unflatten(1, parameter_shape))


class _TopicShares(nn.Module):
    """Softmax of the code; the label after it is unchanged."""

    def __init__(self, n_topics: int) -> None:
        super().__init__()
        self.n_topics = n_topics

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z[:, : self.n_topics].softmax(-1), z[:, self.n_topics :]], -1)
