"""Density estimators by name, whose numbers are chosen from the codes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from isthmus.priors.flow import Flow
from isthmus.randomness import N_SEEDS

Values = np.ndarray[Any, Any]

# Rows among which distinct codes are counted, which bounds the time.
N_COUNTED = 10_000
# Fewest distinct codes for each cluster of a mixture: in all, and for each dimension, below which a covariance is
# singular.
MIN_PER_CLUSTER, MIN_PER_DIMENSION = 10, 2
# Rows by which a bandwidth is chosen, which bounds the time, and its candidates in standard deviations of the codes.
N_SELECT, BANDWIDTHS = 2_000, 2.0 ** np.arange(-5, 0.5, 0.5)


def mixture(codes: Values, seed: int) -> Any:
    """Make a mixture of 20 normal distributions."""
    return GaussianMixture(20, reg_covar=1e-4, max_iter=300, random_state=seed % N_SEEDS)


def kde(codes: Values, seed: int) -> Any:
    """Make a kernel density of the bandwidth under which held-out codes are likeliest."""
    some = np.random.default_rng(seed).permutation(codes)[:N_SELECT]
    spread = float(np.sqrt(codes.var(0).mean())) or 1.0
    n_folds = min(3, len(some))
    if n_folds < 2:
        return KernelDensity(bandwidth=spread)
    search = GridSearchCV(KernelDensity(), {"bandwidth": spread * BANDWIDTHS}, cv=n_folds).fit(some)
    # The best bandwidth falls with the number of codes (Scott, Multivariate density estimation, 1992).
    shrinkage = (len(some) * (n_folds - 1) / n_folds / len(codes)) ** (1 / (codes.shape[1] + 4))
    return KernelDensity(bandwidth=search.best_params_["bandwidth"] * shrinkage)


def flow(codes: Values, seed: int) -> Any:
    """Make a flow."""
    return Flow(random_state=seed % N_SEEDS)


ESTIMATORS: dict[str, Callable[[Values, int], Any]] = {"flow": flow, "kde": kde, "mixture": mixture}


def is_estimator(value: Any) -> bool:
    """Whether a value can be cloned, fitted and sampled from."""
    methods = [getattr(value, method, None) for method in ("fit", "sample", "get_params")]
    return not isinstance(value, type) and all(map(callable, methods))


def fit_estimator(estimator: Any, codes: Values, seed: int) -> Any:
    """Fit a density estimator to codes.

    Parameters
    ----------
    estimator : str or estimator
        A name, or what is cloned.
    codes : ndarray of shape (n, n_components), float64
    seed : int
        For estimators that have no random state of their own.
    """
    estimator = ESTIMATORS[estimator](codes, seed) if isinstance(estimator, str) else clone(estimator)
    params = estimator.get_params(deep=False)
    if "n_components" in params:
        n_distinct = len(np.unique(codes[:N_COUNTED], axis=0))
        largest = max(1, n_distinct // max(MIN_PER_CLUSTER, MIN_PER_DIMENSION * codes.shape[1]))
        estimator.set_params(n_components=min(params["n_components"], largest))
    if params.get("random_state", 0) is None:
        estimator.set_params(random_state=seed % N_SEEDS)
    return estimator.fit(codes)
