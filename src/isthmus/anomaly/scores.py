"""Kinds of scores: what of a fitted estimator says how normal a row is. Higher is more normal."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.mixture import GaussianMixture
from sklearn.utils import get_tags

from isthmus.anomaly.novelty import Novelty
from isthmus.randomness import N_SEEDS, mix
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]
KINDS = ("full", "encoder", "decoder", "latent")
# One nat is as far in scores as the median is from this quantile, if the tail between them is exponential.
TAIL = 0.01
NATS_OF_TAIL = math.log(0.5 / TAIL)
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
    """A fitted estimator, the kinds of scores to take from it, and what else makes a row odd: what fit never saw.

    The estimator is shown rows with typical values in the place of those that fit never saw, which count by their
    surprise instead.

    Parameters
    ----------
    estimator : object
        Fitted, with ``score_samples`` for "full", ``divergence`` for "encoder", ``transform`` for "latent".
    kinds : tuple of str
        Several are standardised and added.
    codes : Codes or None
        Where the codes of training rows lie; only for "latent".
    novelty : Novelty
        What fit saw.
    centre, spread : ndarray of shape (n_kinds,)
        What each kind is standardised by.
    nat : float
        What a nat of surprise is in units of the score.
    """

    estimator: Any
    kinds: tuple[str, ...]
    codes: "Codes | None" = None
    novelty: Novelty = Novelty()
    centre: Values = field(default_factory=lambda: np.zeros(1))
    spread: Values = field(default_factory=lambda: np.ones(1))
    nat: float = 1.0

    @classmethod
    def fit(cls, estimator: Any, kinds: tuple[str, ...], X: Any, seed: int) -> "Scorer":
        """Fit an estimator on rows."""
        estimator = estimator.fit(X)
        codes = Codes.of(_ask(estimator, "transform", "latent")(X), seed) if "latent" in kinds else None
        return cls(estimator, kinds, codes, _seen_by(estimator, X))

    @property
    def held_out(self) -> Values | None:
        """Measures (n, n_kinds + 1) of the training rows by nets that have not seen them, if the estimator has some."""
        scores = getattr(self.estimator, "held_out_scores_", None) if self.kinds == ("full",) else None
        if scores is None:
            return None
        found = self.novelty.held_out
        surprise = np.zeros(len(scores)) if found is None or not len(found) else found
        return np.column_stack([np.asarray(scores, dtype=np.float64), -surprise])

    def measure(self, X: Any) -> Values:
        """Score rows by every kind, and last by minus their surprise in nats, (n, n_kinds + 1).

        Scores are -inf where the estimator's arithmetic overflows.
        """
        found = self.novelty.find(X)
        rest = self.novelty.settle(X, found)
        with np.errstate(over="ignore", divide="ignore"):
            scores = [np.asarray(self._score(kind, rest), dtype=np.float64) for kind in self.kinds]
        surprise = np.zeros(len(scores[0])) + self.novelty.surprise(found)
        return np.stack([*scores, -surprise], 1)

    def standardise(self, measured: Values) -> None:
        """Let the kinds weigh alike: by median and interquartile range of held-out rows. One kind stays as it is.

        A nat is the distance from the median to a low quantile, divided by the nats that this quantile is worth.
        """
        if len(self.kinds) > 1:
            low, self.centre, high = np.quantile(measured[:, :-1], [0.25, 0.5, 0.75], axis=0)
            self.spread = np.where(high > low, high - low, 1.0)
        scores = self._combine_kinds(measured)
        low, middle = np.quantile(scores[np.isfinite(scores)], [TAIL, 0.5]) if np.isfinite(scores).any() else (0, 0)
        self.nat = float(middle - low) / NATS_OF_TAIL if middle > low else 1.0

    def combine(self, measured: Values) -> Values:
        """Join the kinds and the surprise to one score, (n,).

        Raises
        ------
        ValueError
            If a score is not a number.
        """
        scores = self._combine_kinds(measured) + self.nat * measured[:, -1]
        if np.isnan(scores).any():
            raise ValueError(f"{type(self.estimator).__name__} gave row {int(np.isnan(scores).argmax())} the score NaN")
        return scores

    def settled(self, X: Any) -> Any:
        """Return rows with typical values in the place of those that fit never saw."""
        return self.novelty.settle(X, self.novelty.find(X))

    def without_novelty(self) -> "Scorer":
        """Return a scorer by the estimator alone."""
        return replace(self, novelty=Novelty())

    def __call__(self, X: Any) -> Values:
        """Score rows, (n,)."""
        return self.combine(self.measure(X))

    def _combine_kinds(self, measured: Values) -> Values:
        scores: Values = ((measured[:, :-1] - self.centre) / self.spread).sum(1)
        return scores

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


def judges_rows_together(estimator: Any) -> bool:
    """Whether an estimator scores rows by those around them, as time points of a series."""
    is_ours = isinstance(getattr(estimator, "schema_", None), Schema)
    return not is_ours and getattr(estimator, "contributions", None) is not None


def _seen_by(estimator: Any, X: Any) -> Novelty:
    """Learn what a fitted estimator saw, where the columns of its rows mean something each.

    They do not as places in a text, an image or a series.
    """
    schema = getattr(estimator, "schema_", None)
    schema = schema if isinstance(schema, Schema) else None
    if judges_rows_together(estimator) or (schema and (schema.n_categories or schema.vocabulary or schema.ragged)):
        return Novelty()
    if schema and len(schema.shape) != 1:
        return Novelty()
    takes_missing = not isinstance(estimator, BaseEstimator) or get_tags(estimator).input_tags.allow_nan
    return Novelty.of(X, schema, refuses_missing=not takes_missing)


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
