"""Priors: distributions over codes, trained with the model or fitted to its codes afterwards."""

from isthmus.priors.base import Prior as Prior
from isthmus.priors.choosing import resolve_prior as resolve_prior
from isthmus.priors.density import Density
from isthmus.priors.empirical import Empirical
from isthmus.priors.flow import Flow as Flow
from isthmus.priors.normal import Normal
from isthmus.priors.vamp import Vamp

__all__ = ["Density", "Empirical", "Normal", "Vamp"]
