"""Likelihoods: distributions of the data given the decoder's output."""

from isthmus.likelihoods.base import Likelihood as Likelihood
from isthmus.likelihoods.bernoulli import Bernoulli
from isthmus.likelihoods.categorical import Categorical
from isthmus.likelihoods.choosing import choose as choose
from isthmus.likelihoods.continuous_bernoulli import ContinuousBernoulli
from isthmus.likelihoods.date import Date
from isthmus.likelihoods.embedded import Embedded
from isthmus.likelihoods.gaussian import Gaussian
from isthmus.likelihoods.histogram import Histogram
from isthmus.likelihoods.log_normal import LogNormal
from isthmus.likelihoods.logistic import Logistic
from isthmus.likelihoods.mixed import Mixed
from isthmus.likelihoods.mixture import Mixture
from isthmus.likelihoods.multinomial import Multinomial
from isthmus.likelihoods.negative_binomial import NegativeBinomial
from isthmus.likelihoods.poisson import Poisson
from isthmus.likelihoods.quantile import Quantile
from isthmus.likelihoods.student_t import StudentT

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "Date",
    "Embedded",
    "Gaussian",
    "Histogram",
    "LogNormal",
    "Logistic",
    "Mixed",
    "Mixture",
    "Multinomial",
    "NegativeBinomial",
    "Poisson",
    "Quantile",
    "StudentT",
]
