"""Densities by name, and fitted to codes with what numbers they need chosen by the codes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from isthmus.densities.flow import Flow
from isthmus.densities.per_label import PerLabel
from isthmus.part import did_you_mean
from isthmus.randomness import N_SEEDS

Values = np.ndarray[Any, Any]

# Rows that are looked at to count different codes, and codes that make a cluster of a mixture: so many at least, and
# so many for each component, for fewer have no covariance.
N_COUNTED, MIN_CLUSTER, MIN_A_COMPONENT = 10_000, 10, 2
# Codes that a bandwidth is chosen by, and the candidates, in deviations of the codes.
N_CHOOSING, BANDWIDTHS = 2_000, 2.0 ** np.arange(-5, 0.5, 0.5)


def mixture(codes: Values, seed: int) -> Any:
    """Make a mixture of 20 normal distributions."""
    return GaussianMixture(20, reg_covar=1e-4, max_iter=300, random_state=seed % N_SEEDS)


def kde(codes: Values, seed: int) -> Any:
    """Make a kernel density of the bandwidth under which held-out codes are likeliest."""
    some = np.random.default_rng(seed).permutation(codes)[:N_CHOOSING]
    spread = float(np.sqrt(codes.var(0).mean())) or 1.0
    n_folds = min(3, len(some))
    if n_folds < 2:
        return KernelDensity(bandwidth=spread)
    search = GridSearchCV(KernelDensity(), {"bandwidth": spread * BANDWIDTHS}, cv=n_folds).fit(some)
    # The best bandwidth falls with the number of codes (Scott, Multivariate density estimation, 1992).
    shrinks = (len(some) * (n_folds - 1) / n_folds / len(codes)) ** (1 / (codes.shape[1] + 4))
    return KernelDensity(bandwidth=search.best_params_["bandwidth"] * shrinks)


def flow(codes: Values, seed: int) -> Any:
    """Make a flow."""
    return Flow(random_state=seed % N_SEEDS)


NAMES: dict[str, Callable[[Values, int], Any]] = {"flow": flow, "kde": kde, "mixture": mixture}


def check_density(density: Any) -> None:
    """Raise ``ValueError`` unless a parameter is a name, or can be fitted and sampled from, or None."""
    if isinstance(density, str) and density not in NAMES:
        raise ValueError(f"density must be one of {sorted(NAMES)}, got {density!r}{did_you_mean(density, NAMES)}")
    verbs = [getattr(density, verb, None) for verb in ("fit", "sample", "get_params")]
    if isinstance(density, type) or not (density is None or isinstance(density, str) or all(map(callable, verbs))):
        expected = "None, a name, or an estimator with fit and sample such as a mixture"
        raise ValueError(f"density must be {expected}, got {density!r}")


def fit_density(density: Any, codes: Values, seed: int) -> Any:
    """Fit a density to codes.

    Parameters
    ----------
    density : str or estimator
        A name, or what is cloned.
    codes : ndarray of shape (n, n_components)
    seed : int
        For densities that have no random state of their own.
    """
    # In float32, covariances lose their rank.
    codes = codes.astype(np.float64)
    density = NAMES[density](codes, seed) if isinstance(density, str) else clone(density)
    params = density.get_params(deep=False)
    if "n_components" in params:
        n_different = len(np.unique(codes[:N_COUNTED], axis=0))
        most = max(1, n_different // max(MIN_CLUSTER, MIN_A_COMPONENT * codes.shape[1]))
        density.set_params(n_components=min(params["n_components"], most))
    if params.get("random_state", 0) is None:
        density.set_params(random_state=seed % N_SEEDS)
    return density.fit(codes)


def fit_per_label(density: Any, codes: Values, labels: Values, n_labels: int, seed: int) -> PerLabel:
    """Fit a density to the codes of each of so many labels, numbered from 0; rare ones share that of all codes."""
    members = [codes[labels == label] for label in range(n_labels)]
    rare = [len(some) < MIN_CLUSTER for some in members]
    of_all = fit_density(density, codes, seed) if any(rare) else None
    return PerLabel(
        [of_all if few else fit_density(density, some, seed) for some, few in zip(members, rare, strict=True)]
    )
