"""Scores of rows from a fitted estimator: its score or parts of its score, and novel values. Higher is more normal."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.mixture import GaussianMixture
from sklearn.utils import get_tags

from isthmus.anomaly.novelty import Novelty
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.randomness import N_SEEDS, mix
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]
KINDS = ("full", "encoder", "decoder", "latent")
# Units of the score per nat of surprise: the distance between the median score and this quantile, divided by the
# number of nats between them in an exponential tail.
TAIL = 0.01
NATS_OF_TAIL = math.log(0.5 / TAIL)
# Largest number of components of the mixture of codes, and distinct codes per component. Not tuned.
MAX_COMPONENTS, MIN_CODES = 5, 10


def read_kinds(score_from: Any) -> tuple[str, ...]:
    """Return the kinds of scores that the parameter ``score_from`` names.

    Raises
    ------
    ValueError
        If ``score_from`` is not one of ``KINDS`` or a tuple of them.
    """
    kinds = score_from if isinstance(score_from, tuple) and score_from else (score_from,)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"score_from must be one of {list(KINDS)} or a tuple of them, got {score_from!r}")
    return kinds


@dataclass
class Scorer:
    """Scores rows by a fitted estimator and by values that were not in the training rows.

    The estimator gets rows in which typical values replace the novel ones; the surprise of the novel values is
    subtracted from its score.

    Parameters
    ----------
    estimator : object
        Fitted, with ``score_samples`` for "full", ``divergence`` for "encoder", ``transform`` for "latent".
    kinds : tuple of str
        Several kinds are standardised and added.
    codes : CodeDensity or None
        Density of the training codes; for "latent" only.
    novelty : Novelty
        Values of the training rows.
    scale : RobustScale
        Scale of each kind, (n_kinds,); the identity for a single kind.
    nat : float
        Units of the score per nat of surprise.
    """

    estimator: Any
    kinds: tuple[str, ...]
    codes: "CodeDensity | None" = None
    novelty: Novelty = Novelty()
    scale: RobustScale = field(default_factory=lambda: RobustScale(np.zeros(1), np.ones(1)))
    nat: float = 1.0

    @classmethod
    def fit(cls, estimator: Any, kinds: tuple[str, ...], X: Any, seed: int) -> "Scorer":
        """Fit an estimator on rows."""
        estimator = estimator.fit(X)
        codes = CodeDensity.fit(_method(estimator, "transform", "latent")(X), seed) if "latent" in kinds else None
        return cls(estimator, kinds, codes, _fit_novelty(estimator, X))

    @property
    def held_out(self) -> Values | None:
        """Measures (n, n_kinds + 1) of the training rows by nets that have not seen them; None if there are none."""
        scores = getattr(self.estimator, "held_out_scores_", None) if self.kinds == ("full",) else None
        if scores is None:
            return None
        surprise = self.novelty.held_out
        surprise = np.zeros(len(scores)) if surprise is None or not len(surprise) else surprise
        return np.column_stack([np.asarray(scores, dtype=np.float64), -surprise])

    def measure(self, X: Any) -> Values:
        """Return the score of each kind, and last minus the surprise in nats, (n, n_kinds + 1).

        Scores are -inf where the estimator's arithmetic overflows.
        """
        found = self.novelty.find(X)
        rows = self.novelty.replace_novel(X, found)
        with np.errstate(over="ignore", divide="ignore"):
            scores = [np.asarray(self._score(kind, rows), dtype=np.float64) for kind in self.kinds]
        surprise = np.zeros(len(scores[0])) + self.novelty.surprise(found)
        return np.stack([*scores, -surprise], 1)

    def standardise(self, measured: Values) -> None:
        """Learn from measures of held-out rows the scale of each kind, if there are several, and of a nat."""
        if len(self.kinds) > 1:
            self.scale = RobustScale.fit(measured[:, :-1])
        scores = self._add_kinds(measured)
        low, middle = np.quantile(scores[np.isfinite(scores)], [TAIL, 0.5]) if np.isfinite(scores).any() else (0, 0)
        self.nat = float(middle - low) / NATS_OF_TAIL if middle > low else 1.0

    def combine(self, measured: Values) -> Values:
        """Combine the kinds and the surprise to one score per row, (n,).

        Raises
        ------
        ValueError
            If a score is NaN.
        """
        scores = self._add_kinds(measured) + self.nat * measured[:, -1]
        if np.isnan(scores).any():
            raise ValueError(f"{type(self.estimator).__name__} gave row {int(np.isnan(scores).argmax())} the score NaN")
        return scores

    def without_novel_values(self, X: Any) -> Any:
        """Return rows in which typical values replace novel ones."""
        return self.novelty.replace_novel(X, self.novelty.find(X))

    def without_novelty(self) -> "Scorer":
        """Return a scorer that uses the estimator alone."""
        return replace(self, novelty=Novelty())

    def __call__(self, X: Any) -> Values:
        """Score rows, (n,)."""
        return self.combine(self.measure(X))

    def _add_kinds(self, measured: Values) -> Values:
        return self.scale(measured[:, :-1]).sum(1)

    def _score(self, kind: str, X: Any) -> Values:
        if kind == "full":
            return _method(self.estimator, "score_samples", kind)(X)
        if kind == "latent" and self.codes is not None:
            return self.codes.log_prob(self.estimator.transform(X))
        divergence = _method(self.estimator, "divergence", kind)(X)
        return -divergence if kind == "encoder" else self.estimator.score_samples(X) + divergence


@dataclass
class CodeDensity:
    """A Gaussian mixture of standardised codes of the training rows.

    Parameters
    ----------
    mean, deviation : ndarray of shape (n_components,)
    mixture : GaussianMixture
    """

    mean: Values
    deviation: Values
    mixture: GaussianMixture

    @classmethod
    def fit(cls, codes: Any, seed: int) -> "CodeDensity":
        """Fit the mixture, with fewer components where there are few distinct codes."""
        codes = np.asarray(codes, dtype=np.float64)
        mean, deviation = codes.mean(0), codes.std(0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        n_components = min(MAX_COMPONENTS, max(1, len(np.unique(codes, axis=0)) // MIN_CODES))
        mixture = GaussianMixture(n_components, reg_covar=1e-3, random_state=seed % N_SEEDS)
        return cls(mean, deviation, mixture.fit((codes - mean) / deviation))

    def log_prob(self, codes: Any) -> Values:
        """Log density of the standardised codes, (n,)."""
        return self.mixture.score_samples((np.asarray(codes, dtype=np.float64) - self.mean) / self.deviation)


def scores_rows_jointly(estimator: Any) -> bool:
    """Whether the score of a row depends on the rows around it, as for time points of a series."""
    is_ours = isinstance(getattr(estimator, "schema_", None), Schema)
    return not is_ours and getattr(estimator, "contributions", None) is not None


def _fit_novelty(estimator: Any, X: Any) -> Novelty:
    """Learn the values of the columns, if the rows are those of a table: not texts, images or series."""
    schema = getattr(estimator, "schema_", None)
    schema = schema if isinstance(schema, Schema) else None
    if scores_rows_jointly(estimator) or (schema and (schema.n_categories or schema.vocabulary or schema.ragged)):
        return Novelty()
    if schema and len(schema.shape) != 1:
        return Novelty()
    takes_missing = not isinstance(estimator, BaseEstimator) or get_tags(estimator).input_tags.allow_nan
    return Novelty.fit(X, schema, refuses_missing=not takes_missing)


def clone_with_seeds(estimator: Any, seed: int) -> Any:
    """Return a clone in which each ``random_state`` is a different seed."""
    estimator = clone(estimator)
    names = sorted(name for name in estimator.get_params() if name.split("__")[-1] == "random_state")
    return estimator.set_params(**{name: mix(seed, i) % N_SEEDS for i, name in enumerate(names)})


def prefer_densities(estimator: Any) -> Any:
    """Set each ``likelihood="auto"`` of an estimator to "density", because rows are compared by their densities."""
    chosen = [name for name, value in estimator.get_params().items() if isinstance(value, str) and value == "auto"]
    return estimator.set_params(**{name: "density" for name in chosen if name.split("__")[-1] == "likelihood"})


def _method(estimator: Any, name: str, kind: str) -> Any:
    method = getattr(estimator, name, None)
    if method is None:
        got = type(estimator).__name__
        raise ValueError(f"score_from={kind!r} needs an estimator with {name!r}, got {got}")
    return method
