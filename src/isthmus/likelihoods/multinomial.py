"""Rows of counts."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.column_logits import at_least_float32
from isthmus.likelihoods.counts import smoothed_mean
from isthmus.statistics import Statistics

ENCODINGS = ("log", "proportions")
# Count that marks a missing value.
MISSING = -1.0


class Multinomial(Likelihood):
    """Rows of counts, such as the words of a text or the purchases of a customer: models the proportion of each value.

    Scores are conditional on the total count of a row. Means have the mean total of the training rows, and samples have
    it on average. Missing values are left out of the row.

    Parameters
    ----------
    encoding : {"log", "proportions"}, default="log"
        Input of the encoder: log(1 + count) divided by its Euclidean norm over the row, or counts divided by their sum.
        Both make long and short rows comparable.

    Raises
    ------
    ValueError
        At ``build``, if the encoding is unknown, or a value is negative or not an integer.

    References
    ----------
    Liang, Krishnan, Hoffman and Jebara, Variational autoencoders for collaborative filtering, WWW 2018,
    arXiv:1802.05814.

    Examples
    --------
    >>> from isthmus.likelihoods import Multinomial
    >>> Multinomial("proportions")
    Multinomial(encoding='proportions')
    """

    support = (0.0, math.inf)
    integer_support = True
    total: Tensor
    log_base: Tensor

    def __init__(self, encoding: str = "log") -> None:
        super().__init__()
        self.encoding = encoding

    def build(self, statistics: Statistics) -> None:
        """Compute the proportions and the mean total of the training rows."""
        self.require("encoding", lambda v: v in ENCODINGS, f"one of {ENCODINGS}")
        super().build(statistics)
        self.register_buffer("total", statistics.mean.sum().float())
        self.register_buffer("log_base", smoothed_mean(statistics).log().float())
        # Values with this count are left out of the softmax.
        self.fill_value.fill_(MISSING)

    def encode(self, x: Tensor) -> Tensor:
        """Return counts relative to the row; all are 1 if the counts of the row are equal."""
        counted = x.clamp(min=0).flatten(1)
        if self.encoding == "proportions":
            u = counted / counted.sum(1, keepdim=True).clamp(min=1) * counted.shape[1]
        else:
            u = torch.nn.functional.normalize(torch.log1p(counted)) * math.sqrt(counted.shape[1])
        return u.view_as(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return terms of the log probability of each row; theta holds logits relative to the training proportions."""
        return F.multinomial_log_prob(x.flatten(1), self._logits(theta)).view_as(x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return expected counts for the mean total."""
        return self.total * self._logits(theta).softmax(1).view_as(theta[:, 0])

    def sample(self, theta: Tensor) -> Tensor:
        """Sample independent Poisson counts, whose total varies around the mean total."""
        return torch.poisson(self.mean(theta))

    def _logits(self, theta: Tensor) -> Tensor:
        return (at_least_float32(theta).squeeze(1) + self.log_base).flatten(1)
