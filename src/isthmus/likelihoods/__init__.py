"""Likelihoods: what kind of values the data are."""

from isthmus.likelihoods.base import Likelihood as Likelihood
from isthmus.likelihoods.bernoulli import Bernoulli
from isthmus.likelihoods.continuous_bernoulli import ContinuousBernoulli
from isthmus.likelihoods.gaussian import Gaussian
from isthmus.likelihoods.student_t import StudentT
from isthmus.statistics import Statistics

__all__ = ["Bernoulli", "ContinuousBernoulli", "Gaussian", "StudentT"]


def choose(statistics: Statistics) -> Likelihood:
    """Choose what ``likelihood="auto"`` means for the data.

    Bernoulli for exactly {0, 1}. Gaussian with one shared scale where the values share a range, as pixels do: an error
    counts the same wherever it falls, and none falls outside. Gaussian with a scale a feature for columns that have
    units of their own.
    """
    if statistics.binary:
        return Bernoulli()
    if statistics.shares_a_range:
        return Gaussian(scale="shared", scaling="center", bounded=True)
    return Gaussian()
