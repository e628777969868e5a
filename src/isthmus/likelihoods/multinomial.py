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
MISSING = -1.0


class Multinomial(Likelihood):
    """A row of counts, such as the words of a text or the purchases of a customer: what share each value has.

    How many are counted in all is taken as given: scores say how likely these counts are among all of that total.
    Expected and drawn rows are of about the mean total of the training rows. What is missing has no part in a row.

    Parameters
    ----------
    encoding : {"log", "proportions"}, default="log"
        How a row enters: logarithms of counts and one, or counts; over their length or their sum, so that long rows
        and short ones look alike.

    Raises
    ------
    ValueError
        At ``build``, if the encoding is unknown, or a value is negative or not whole.

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
        """Learn the shares and the mean total of the training rows; see the base class."""
        self.require("encoding", lambda v: v in ENCODINGS, f"one of {ENCODINGS}")
        super().build(statistics)
        self.register_buffer("total", statistics.mean.sum().float())
        self.register_buffer("log_base", smoothed_mean(statistics).log().float())
        # No count: what is missing keeps its place, so that the others can share the row.
        self.fill_value.fill_(MISSING)

    def encode(self, x: Tensor) -> Tensor:
        """Give each value's part in the row, about 1 where all are alike; see the base class."""
        counted = x.clamp(min=0).flatten(1)
        if self.encoding == "proportions":
            u = counted / counted.sum(1, keepdim=True).clamp(min=1) * counted.shape[1]
        else:
            u = torch.nn.functional.normalize(torch.log1p(counted)) * math.sqrt(counted.shape[1])
        return u.view_as(x)

    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Addends of the row's log probability; theta holds logits, less those of the training rows."""
        return F.multinomial_log_prob(x.flatten(1), self._logits(theta)).view_as(x)

    def mean(self, theta: Tensor) -> Tensor:
        """Return the expected counts in a row of the mean total."""
        return self.total * self._logits(theta).softmax(1).view_as(theta[:, 0])

    def sample(self, theta: Tensor) -> Tensor:
        """Draw rows whose totals scatter around the mean total as those of independent counts do."""
        return torch.poisson(self.mean(theta))

    def _logits(self, theta: Tensor) -> Tensor:
        return (at_least_float32(theta).squeeze(1) + self.log_base).flatten(1)
