"""Resolve the parameter ``prior`` of an estimator."""

from typing import Any

from isthmus.part import resolve
from isthmus.priors.base import Prior
from isthmus.priors.density import Density
from isthmus.priors.estimators import ESTIMATORS, is_estimator


def resolve_prior(choice: Any) -> Prior:
    """Convert a name, a prior or a density estimator to a prior that is not yet built.

    Raises
    ------
    TypeError, ValueError
        If the choice is none of these.
    """
    from isthmus import priors

    is_named_estimator = isinstance(choice, str) and choice in ESTIMATORS
    if is_named_estimator or (not isinstance(choice, Prior) and is_estimator(choice)):
        return Density(choice)
    prior: Prior = resolve(choice, priors, Prior, also=ESTIMATORS)
    return prior
