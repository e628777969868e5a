"""The backbone of topic models."""

import math
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.backbones.base import Backbone
from isthmus.backbones.grids import Shape

# Words that a topic shares with all texts at the start, relative to the words of a topic of mean size.
SMOOTHING = 0.1

Values = np.ndarray[Any, Any]


class ProdLDA(Backbone):
    """Topic model: codes are logits of topic proportions, and each row is a weighted product of topics [1].

    The proportions of topics are the softmax of the code times sqrt((1 - 1 / n_topics) / concentration): for a standard
    normal code, this approximates a Dirichlet distribution with this concentration [1, equation 3]. Each topic has
    logits of all values, which are averaged with the proportions as weights. The mixture of topics in latent Dirichlet
    allocation is never more concentrated than its topics; a product of topics can be.

    The encoder is linear. Training starts from a factor analysis of the rows: the first singular vectors of tf-idf,
    rotated by varimax, estimate the topics of texts that have few topics each [2].

    Parameters
    ----------
    concentration : float, default=0.05
        Concentration of the prior of topic proportions; smaller values favor fewer topics per row.
    dropout : float, default=0.2
        Dropout rate of topics.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or there are fewer than two topics.

    References
    ----------
    [1] Srivastava and Sutton, Autoencoding variational inference for topic models (ProdLDA), ICLR 2017,
    arXiv:1703.01488.
    [2] Rohe and Zeng, Vintage factor analysis with varimax performs statistical inference, Journal of the Royal
    Statistical Society B 85, 2023, arXiv:2004.05387.

    Examples
    --------
    >>> from isthmus.backbones import ProdLDA
    >>> ProdLDA(concentration=0.02)
    ProdLDA(concentration=0.02)
    """

    auto_learning_rate = 2e-2
    n_initial_rows = 20_000

    def __init__(self, concentration: float = 0.05, dropout: float = 0.2) -> None:
        super().__init__()
        self.concentration = concentration
        self.dropout = dropout

    def build(
        self, input_shape: Shape, parameter_shape: Shape, h_shape: Shape, z_shape: Shape, condition_width: int
    ) -> None:
        """Check the parameters and create both nets."""
        super().build(input_shape, parameter_shape, h_shape, z_shape, condition_width)
        self.require("concentration", lambda v: 0 < v < math.inf, "a positive number")
        self.require("dropout", lambda v: 0 <= v < 1, "in [0, 1)")
        n_topics, n_values = z_shape[0], prod(parameter_shape)
        if n_topics < 2:
            raise ValueError(
                f"backbone ProdLDA needs n_components >= 2, got {n_topics}; the proportion of one topic is always 1"
            )
        shares = _TopicShares(n_topics, math.sqrt((1 - 1 / n_topics) / self.concentration))
        to_logits = nn.Linear(n_topics + condition_width, n_values, bias=False)
        self.encoder = nn.Sequential(nn.Flatten(), _ToCode(prod(input_shape), h_shape[0]))
        self.decoder = nn.Sequential(shares, nn.Dropout(self.dropout), to_logits, nn.Unflatten(1, parameter_shape))

    @torch.no_grad()
    def shares(self, z: Tensor) -> Tensor:
        """Return the proportions of topics.

        Parameters
        ----------
        z : Tensor of shape (n, n_topics)
            Codes.

        Returns
        -------
        Tensor of shape (n, n_topics)
            Each row sums to 1.
        """
        return self.decoder[0](z)  # type: ignore[index]

    @torch.no_grad()
    def initialize(self, batches: Iterable[Tensor]) -> None:
        """Set the topics to rotated singular vectors of tf-idf, as far as the rank of the rows permits.

        Values below 0 are not frequencies of words, and leave the weights as they were drawn.
        """
        to_code, to_logits = self.encoder[1], self.decoder[2]  # type: ignore[index]
        n_words = to_logits.out_features
        rows = sparse.vstack([sparse.csr_array(u.flatten(1)[:, :n_words].float().numpy()) for u in batches])
        if rows.min() < 0:
            return
        directions = find_topic_directions(rows, self.z_shape[0], int(torch.randint(2**31, ()))).astype(np.float32)
        scores, n_found = np.asarray(rows @ directions), directions.shape[1]
        unit = float(np.std(scores)) or 1.0  # 0 for equal rows
        to_code.weight[:n_found] = 0.0
        to_code.weight[:n_found, :n_words] = torch.from_numpy(directions.T / unit)
        to_code.bias[:n_found] = -float(np.mean(scores)) / unit
        members = sparse.csr_array(np.where(scores == scores.max(1, keepdims=True), scores.clip(0), 0))
        to_logits.weight[:, :n_found] = torch.from_numpy(log_ratios((members.T @ rows).toarray()).T)


class _ToCode(nn.Linear):
    """Linear map of rows whose norm is about the root of their width, so that small changes of weights are large."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out)
        self.learning_rate_factor = 1 / math.sqrt(n_in)


class _TopicShares(nn.Module):
    """Softmax of the scaled code; the label after it is unchanged."""

    def __init__(self, n_topics: int, scale: float) -> None:
        super().__init__()
        self.n_topics, self.scale = n_topics, scale

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([(self.scale * z[:, : self.n_topics]).softmax(-1), z[:, self.n_topics :]], -1)


def find_topic_directions(rows: Any, n_topics: int, seed: int) -> Values:
    """Return directions in the space of words, (n_words, n), along which the rows of each topic lie; n <= n_topics.

    They are the first right singular vectors of tf-idf, each row of which has norm 1. The rotation makes the left
    singular vectors as sparse as possible, so that each row has few topics. The skewness of scores along each direction
    is positive: a topic is a positive part of few rows.
    """
    inverse_frequency = 1 + np.log((1 + rows.shape[0]) / (1 + (rows > 0).sum(0)))
    weighted = sparse.csr_array(normalize(rows.multiply(inverse_frequency).tocsr()))
    rank = min(n_topics, *rows.shape)
    left, sizes, right = randomized_svd(weighted, rank, random_state=seed)
    rotation = F.varimax(torch.from_numpy(left.astype(np.float64))).numpy()
    skewness = ((left * sizes @ rotation) ** 3).sum(0)
    return inverse_frequency[:, None] * (right.T @ (rotation * np.where(skewness < 0, -1.0, 1.0)))


def log_ratios(sums: Values) -> Values:
    """Return logs of the proportions of words in each topic, relative to those in all topics, for sums (k, n_words)."""
    overall = sums.sum(0) + 1e-3 * sums.mean()
    common = SMOOTHING * sums.sum(1).mean() * overall / overall.sum()
    smoothed = sums + common
    return np.log(smoothed / smoothed.sum(1, keepdims=True)) - np.log(overall / overall.sum())
