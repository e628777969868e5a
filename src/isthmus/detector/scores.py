"""Kinds of scores: what of a fitted estimator says how normal a row is. Higher is more normal."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from isthmus.randomness import N_SEEDS, mix

Values = np.ndarray[Any, Any]
KINDS = ("full", "encoder", "decoder", "latent")
# Clusters of codes at most, and codes that make one.
N_CLUSTERS, MIN_CLUSTER = 5, 10


def kinds_of(score_from: Any) -> tuple[str, ...]:
    """Return the kinds that the parameter ``score_from`` names.

    Raises
    ------
    ValueError
        If it names none, or one that does not exist.
    """
    kinds = score_from if isinstance(score_from, tuple) and score_from else (score_from,)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"score_from must be one of {list(KINDS)} or a tuple of them, got {score_from!r}")
    return kinds


@dataclass
class Scorer:
    """A fitted estimator and the kinds of scores to take from it.

    Parameters
    ----------
    estimator : object
        Fitted, with ``score_samples`` for "full", ``divergence`` for "encoder", ``transform`` for "latent".
    kinds : tuple of str
        Several are standardised and added.
    codes : Codes or None
        Where the codes of training rows lie; only for "latent".
    centre, spread : ndarray of shape (n_kinds,)
        What each kind is standardised by.
    """

    estimator: Any
    kinds: tuple[str, ...]
    codes: "Codes | None" = None
    centre: Values = field(default_factory=lambda: np.zeros(1))
    spread: Values = field(default_factory=lambda: np.ones(1))

    @classmethod
    def fit(cls, estimator: Any, kinds: tuple[str, ...], X: Any, seed: int) -> "Scorer":
        """Fit an estimator on rows."""
        estimator = estimator.fit(X)
        codes = Codes.of(_ask(estimator, "transform", "latent")(X), seed) if "latent" in kinds else None
        return cls(estimator, kinds, codes)

    @property
    def held_out(self) -> Values | None:
        """Scores (n, 1) of the training rows by nets that have not seen them, if the estimator has some."""
        scores = getattr(self.estimator, "held_out_scores_", None) if self.kinds == ("full",) else None
        return None if scores is None else np.asarray(scores, dtype=np.float64)[:, None]

    def measure(self, X: Any) -> Values:
        """Score rows by every kind, (n, n_kinds); -inf where the estimator's arithmetic overflows."""
        with np.errstate(over="ignore", divide="ignore"):
            return self._measure(X)

    def _measure(self, X: Any) -> Values:
        return np.stack([np.asarray(self._score(kind, X), dtype=np.float64) for kind in self.kinds], 1)

    def standardise(self, measured: Values) -> None:
        """Let the kinds weigh alike: by median and interquartile range of held-out rows. One kind stays as it is."""
        if len(self.kinds) > 1:
            low, self.centre, high = np.quantile(measured, [0.25, 0.5, 0.75], axis=0)
            self.spread = np.where(high > low, high - low, 1.0)

    def combine(self, measured: Values) -> Values:
        """Join the kinds to one score, (n,).

        Raises
        ------
        ValueError
            If a score is not a number.
        """
        scores = ((measured - self.centre) / self.spread).sum(1)
        if np.isnan(scores).any():
            raise ValueError(f"{type(self.estimator).__name__} gave row {int(np.isnan(scores).argmax())} the score NaN")
        return scores

    def __call__(self, X: Any) -> Values:
        """Score rows, (n,)."""
        return self.combine(self.measure(X))

    def _score(self, kind: str, X: Any) -> Values:
        if kind == "full":
            return _ask(self.estimator, "score_samples", kind)(X)
        if kind == "latent" and self.codes is not None:
            return self.codes.score(self.estimator.transform(X))
        divergence = _ask(self.estimator, "divergence", kind)(X)
        return -divergence if kind == "encoder" else self.estimator.score_samples(X) + divergence


@dataclass
class Codes:
    """Where the codes of training rows lie: a Gaussian mixture over standardised codes.

    Parameters
    ----------
    mean, deviation : ndarray of shape (n_components,)
    mixture : GaussianMixture
    """

    mean: Values
    deviation: Values
    mixture: GaussianMixture

    @classmethod
    def of(cls, codes: Any, seed: int) -> "Codes":
        """Fit the mixture, of fewer clusters where there are few different codes to each."""
        codes = np.asarray(codes, dtype=np.float64)
        mean, deviation = codes.mean(0), codes.std(0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        n_clusters = min(N_CLUSTERS, max(1, len(np.unique(codes, axis=0)) // MIN_CLUSTER))
        mixture = GaussianMixture(n_clusters, reg_covar=1e-3, random_state=seed % N_SEEDS)
        return cls(mean, deviation, mixture.fit((codes - mean) / deviation))

    def score(self, codes: Any) -> Values:
        """Log density of codes."""
        return self.mixture.score_samples((np.asarray(codes, dtype=np.float64) - self.mean) / self.deviation)


def with_seeds(estimator: Any, seed: int) -> Any:
    """Return a clone each of whose random states is a seed of its own."""
    estimator = clone(estimator)
    names = sorted(name for name in estimator.get_params() if name.split("__")[-1] == "random_state")
    return estimator.set_params(**{name: mix(seed, i) % N_SEEDS for i, name in enumerate(names)})


def _ask(estimator: Any, method: str, kind: str) -> Any:
    found = getattr(estimator, method, None)
    if found is None:
        raise ValueError(
            f"score_from={kind!r} needs an estimator with {method!r}, and {type(estimator).__name__} has none"
        )
    return found
