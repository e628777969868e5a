"""Density estimators by name, with hyperparameters chosen from the codes."""

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

# Number of codes among which distinct codes are counted. Bounds the time; not tuned.
N_COUNTED = 10_000
# Smallest number of distinct codes per cluster of a mixture, and per cluster and dimension. A covariance of d or fewer
# codes in d dimensions is singular; twice as many leave a margin. Larger values allow fewer clusters; not tuned.
MIN_PER_CLUSTER, MIN_PER_DIMENSION = 10, 2
# Number of codes for the choice of a bandwidth: bounds the time, which grows with its square; not tuned. Candidate
# bandwidths in standard deviations of the codes.
N_SELECT, BANDWIDTHS = 2_000, 2.0 ** np.arange(-5, 0.5, 0.5)


def mixture(codes: Values, seed: int) -> Any:
    """Return a mixture of 20 normal distributions."""
    return GaussianMixture(20, reg_covar=1e-4, max_iter=300, random_state=seed % N_SEEDS)


def kde(codes: Values, seed: int) -> Any:
    """Return a kernel density with the bandwidth of the largest cross-validated likelihood."""
    sampled = np.random.default_rng(seed).permutation(codes)[:N_SELECT]
    spread = float(np.sqrt(codes.var(0).mean())) or 1.0
    n_folds = min(3, len(sampled))
    if n_folds < 2:
        return KernelDensity(bandwidth=spread)
    search = GridSearchCV(KernelDensity(), {"bandwidth": spread * BANDWIDTHS}, cv=n_folds).fit(sampled)
    # The best bandwidth falls with the number of codes (Scott, Multivariate density estimation, 1992).
    shrinkage = (len(sampled) * (n_folds - 1) / n_folds / len(codes)) ** (1 / (codes.shape[1] + 4))
    return KernelDensity(bandwidth=search.best_params_["bandwidth"] * shrinkage)


def flow(codes: Values, seed: int) -> Any:
    """Return a normalizing flow."""
    return Flow(random_state=seed % N_SEEDS)


ESTIMATORS: dict[str, Callable[[Values, int], Any]] = {"flow": flow, "kde": kde, "mixture": mixture}


def is_estimator(value: Any) -> bool:
    """Return whether a value has the methods of a density estimator."""
    methods = [getattr(value, method, None) for method in ("fit", "sample", "get_params")]
    return not isinstance(value, type) and all(map(callable, methods))


def fit_estimator(estimator: Any, codes: Values, seed: int) -> Any:
    """Fit a density estimator to codes.

    Parameters
    ----------
    estimator : str or estimator
        Name of an estimator, or an estimator that is cloned.
    codes : ndarray of shape (n, n_components), float64
    seed : int
        Seed of estimators with ``random_state=None``.
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
