"""Shares of topics."""

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Shape
from isthmus.backbones.mlp import are_widths


class ProdLDA(Backbone):
    """Decoder of a topic model: codes are logarithms of shares, and a row is what its topics agree on.

    The shares are the softmax of the code and sum up to 1. Each topic raises some values and lowers others, and the
    topics of a row multiply. So topics are sharper than their mixtures, other than in latent Dirichlet allocation.

    Parameters
    ----------
    hidden : tuple of int, default=(100,)
        Widths of the encoder.
    dropout : float, default=0.2
        Share of topics, and of the encoder's last units, dropped in training.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range, or there are less than two topics.

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
        """Make both nets; see the base class."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        self.require("hidden", are_widths, "a tuple of positive integers")
        self.require("dropout", lambda v: 0 <= v < 1, "in [0, 1)")
        if z_shape[0] < 2:
            raise ValueError(
                f"backbone ProdLDA needs n_components >= 2, got {z_shape[0]}: one topic has no share to vary"
            )
        widths, n_values = [prod(input_shape), *self.hidden], prod(parameter_shape)
        layers = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.Softplus())]
        # Normalised, both codes and logits vary from the start; otherwise topics that die early stay dead.
        to_code = (nn.Linear(widths[-1], h_shape[0]), nn.BatchNorm1d(h_shape[0], affine=False))
        self.encoder = nn.Sequential(nn.Flatten(), *layers, nn.Dropout(self.dropout), *to_code)
        to_logits = (nn.Linear(z_shape[0] + condition_width, n_values, bias=False), nn.BatchNorm1d(n_values))
        shares = (_TopicShares(z_shape[0]), nn.Dropout(self.dropout))
        self.decoder = nn.Sequential(*shares, *to_logits, nn.Unflatten(1, parameter_shape))


class _TopicShares(nn.Module):
    """Softmax of the code; what stands beside it stays as it is."""

    def __init__(self, n_topics: int) -> None:
        super().__init__()
        self.n_topics = n_topics

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z[:, : self.n_topics].softmax(-1), z[:, self.n_topics :]], -1)
