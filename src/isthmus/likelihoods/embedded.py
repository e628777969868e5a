"""Columns of very many categories."""

import math

import torch
from torch import Tensor, nn

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import at_least_float32
from isthmus.part import is_count
from isthmus.statistics import Statistics


class Embedded(Likelihood):
    """One column with very many categories, which have learned embeddings instead of a one-hot encoding.

    The encoder gets the embedding, and a logit is the product of the embedding with the decoder's output [1]. So there
    are ``n_categories * width`` weights instead of ``n_categories`` times the number of hidden units.

    Parameters
    ----------
    n_categories : int, default=2
        Number of categories, whose positions are the values.
    width : int, default=16
        Dimension of the embeddings.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, if there is not exactly one column, or if a value is not a valid
        position.

    References
    ----------
    [1] Press and Wolf, Using the output embedding to improve language models, EACL 2017, arXiv:1608.05859.

    Examples
    --------
    >>> from isthmus.likelihoods import Embedded
    >>> Embedded(10_000)
    Embedded(n_categories=10000)
    """

    integer_support = True
    translation_invariant = False

    def __init__(self, n_categories: int = 2, width: int = 16) -> None:
        super().__init__()
        self.n_categories = n_categories
        self.width = width

    @property
    def support(self) -> tuple[float, float]:
        """The first and the last position."""
        return 0, self.n_categories - 1

    def build(self, statistics: Statistics) -> None:
        """Create the embeddings."""
        one = statistics.mean.shape == (1,)
        self.require("n_categories", lambda v: is_count(v) and one, "a positive integer, for rows of a single column")
        self.require("width", is_count, "a positive integer")
        super().build(statistics)
        # The last embedding, of zeros, stands for missing values.
        self.points = nn.Embedding(self.n_categories + 1, self.width, padding_idx=self.n_categories)
        self.bias = nn.Parameter(torch.zeros(self.n_categories))
        self.encoded_shape, self.parameter_shape = (self.width,), (1, self.width)
        self.fill_value.fill_(self.n_categories)
        self.numeric.fill_(False)

    def encode(self, x: Tensor) -> Tensor:
        """Return the embeddings."""
        return self.points(x.long().squeeze(1))

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log probabilities of the categories, (n, 1)."""
        index = x.long().clamp(max=self.n_categories - 1)
        return torch.log_softmax(self._logits(theta), -1).gather(1, index)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the most probable category."""
        return self._logits(theta).argmax(-1, keepdim=True).to(at_least_float32(theta))

    def sample(self, theta: Tensor) -> Tensor:
        """Sample categories."""
        return torch.multinomial(self._logits(theta).softmax(-1), 1).to(at_least_float32(theta))

    def _logits(self, theta: Tensor) -> Tensor:
        points = self.points.weight[:-1]
        return at_least_float32(theta.squeeze(1) @ points.T) / math.sqrt(self.width) + self.bias
