"""How likely a row is an anomaly: from labels where there are some, and from the shape of the scores where not."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammainc, gammaincc, gammaln, xlogy
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.rows import ANOMALY, NORMAL, Values

# Share of the rows, the most normal ones, to which the null is fitted, and rows that are enough for it.
CENTRE, N_NULL = 0.8, 5000
# Skewness that is expected, the deviation of its log, and the share of anomalies that is expected.
SKEWNESS, DOUBT, ANOMALIES = 1.0, 1.0, 0.05
# From nearly normal to nearly exponential: beyond, the density has no bound.
SKEWNESSES = (0.02, 1.95)


class Probability:
    """Turns scores into probabilities of an anomaly.

    By labels where calibration rows have some of both kinds, and else by the scores alone. The curve is fitted when it
    is first asked for: streams are calibrated more often than that.

    Parameters
    ----------
    calibration : Calibration
    """

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration

    def __call__(self, scores: Values) -> Values:
        """Return the probability of an anomaly for each of (n,) scores."""
        return self.curve(scores)

    @cached_property
    def curve(self) -> "Labelled | LocalFalseDiscoveryRate":
        """Fit the one or the other."""
        both = {NORMAL, ANOMALY} <= set(self._calibration.labels.tolist())
        return Labelled.of(self._calibration) if both else LocalFalseDiscoveryRate.of(self._calibration.normal)


@dataclass
class Labelled:
    """A logistic curve over held-out scores (Platt, Probabilistic outputs for support vector machines, 1999).

    Scores are tamed by an inverse hyperbolic sine first: those of anomalies may be a million times lower than others.

    Parameters
    ----------
    centre, spread : float
        Median and interquartile range of normal rows.
    curve : LogisticRegression
    """

    centre: float
    spread: float
    curve: LogisticRegression

    @classmethod
    def of(cls, calibration: Calibration) -> "Labelled":
        """Fit the curve to rows with a label."""
        scores, labels = calibration.scores, calibration.labels
        low, centre, high = np.quantile(scores[labels == NORMAL], [0.25, 0.5, 0.75])
        fitted = cls(float(centre), float(high - low) or 1.0, LogisticRegression())
        known = np.isin(labels, (NORMAL, ANOMALY))
        fitted.curve.fit(fitted._tamed(scores[known]), labels[known] == ANOMALY)
        return fitted

    def __call__(self, scores: Values) -> Values:
        """Return the probability of an anomaly."""
        return self.curve.predict_proba(self._tamed(scores))[:, 1]

    def _tamed(self, scores: Values) -> Values:
        return np.arcsinh((scores - self.centre) / self.spread)[:, None]


@dataclass
class Law:
    """A shifted gamma distribution: squares of residuals follow it, and without skewness it is the normal one.

    Parameters
    ----------
    mean, deviation, skewness : float
    """

    mean: float
    deviation: float
    skewness: float

    @property
    def shape(self) -> float:
        """Of the gamma distribution."""
        return 4 / self.skewness**2

    def log_density(self, x: Values) -> Values:
        """Return the log density."""
        z = self._standard(x)
        constant = math.log(self.shape**0.5 / self.deviation) - gammaln(self.shape)
        return np.where(z > 0, xlogy(self.shape - 1, z) - z + constant, -np.inf)

    def below(self, x: Any) -> Any:
        """Return the probability of a smaller value."""
        return gammainc(self.shape, self._standard(x))

    def beyond(self, x: Any) -> Any:
        """Return the probability of a larger value."""
        return gammaincc(self.shape, self._standard(x))

    def _standard(self, x: Any) -> Any:
        return np.maximum(self.shape + (x - self.mean) / self.deviation * self.shape**0.5, 0)


@dataclass
class LocalFalseDiscoveryRate:
    """One less the local false discovery rate, against a null that the centre of the scores shows [1].

    Most rows are taken to be normal. Their distances (scores turned round) follow a shifted gamma distribution, whose
    parameters the most normal four fifths tell. Under it distances become p-values, uniform but for anomalies. Their
    density can only fall, which makes it Grenander's, and probabilities never rise with the score [2]. A row beyond all
    calibration rows is held against their number: it would be one of ``n + 1``.

    Parameters
    ----------
    null : Law
        Of normal distances.
    share : float
        Of normal rows.
    places, density : ndarray of shape (n_places,)
        Where the density of p-values is known, and its falling values.
    n_rows : int

    References
    ----------
    [1] Efron, Large-scale simultaneous hypothesis testing: the choice of a null hypothesis, JASA 99, 2004.
    [2] Strimmer, A unified approach to false discovery rate estimation, BMC Bioinformatics 9, 2008.
    """

    null: "Law"
    share: float
    places: Values
    density: Values
    n_rows: int

    @classmethod
    def of(cls, scores: Values) -> "LocalFalseDiscoveryRate":
        """Fit null and density to scores (n,), sorted."""
        distances = -scores[::-1]
        null, share = fit_null(distances)
        places, density = falling_density(null.beyond(distances))
        return cls(null, share, places, density, len(scores))

    def __call__(self, scores: Values) -> Values:
        """Return the probability of an anomaly."""
        p = np.maximum(self.null.beyond(-scores), np.finfo(float).tiny)
        density = np.maximum(np.interp(p, self.places, self.density), 1 / ((self.n_rows + 1) * p))
        return 1 - np.minimum(1, self.share / np.maximum(density, self.share))


def fit_null(distances: Values) -> tuple[Law, float]:
    """Law of normal distances and their share, from distances (n,), sorted, of which most are normal.

    Maximum likelihood of the most normal ones, and of how many lie beyond, with weak expectations of the skewness and
    the share, which few rows cannot tell.
    """
    some = np.quantile(distances, (np.arange(N_NULL) + 0.5) / N_NULL) if len(distances) > N_NULL else distances
    low, centre, high = np.quantile(some, [0.25, 0.5, 0.75])
    spread = max(float(high - low) / 1.35, 1e-9 * max(1.0, abs(centre)))
    standard = (some - centre) / spread
    cut = np.quantile(standard, CENTRE)
    inside = standard[standard <= cut]
    share_inside = len(inside) / len(standard)

    def law_of(x: Values) -> Law:
        return Law(float(x[0]), math.exp(x[1]), float(np.clip(SKEWNESS * math.exp(x[2]), *SKEWNESSES)))

    def share_of(law: Law) -> float:
        return min(1.0, share_inside / max(law.below(cut), share_inside))

    def misfit(x: Values) -> float:
        law = law_of(x)
        share = share_of(law)
        beyond = max(1 - share * law.below(cut), 1e-12)
        log_likelihood = (law.log_density(inside) + math.log(share)).sum() + (1 - share_inside) * len(some) * math.log(
            beyond
        )
        return float(min(-log_likelihood, 1e9) + (x[2] / DOUBT) ** 2 / 2 + (1 - share) / ANOMALIES)

    # From little skewness on: much of it would give the most normal rows no density at all.
    start = np.array([0.0, 0.1, math.log(0.3 / SKEWNESS)])
    simplex = start + 0.4 * np.eye(4, 3, -1)
    best = minimize(misfit, start, method="Nelder-Mead", options={"initial_simplex": simplex, "fatol": 1e-3}).x
    law = law_of(best)
    return Law(centre + spread * law.mean, spread * law.deviation, law.skewness), share_of(law)


def falling_density(p: Values) -> tuple[Values, Values]:
    """Middles and heights of the steps of the density of p-values (n,), which falls.

    The slopes of the least concave majorant of their distribution function (Grenander, 1956). A value counts from its
    place on: the smallest would else make a peak of itself.
    """
    edges = np.unique(np.concatenate([[0.0, 1.0], p]))
    width = np.diff(edges)
    counts = np.histogram(p, edges)[0]
    density = isotonic_regression(counts / len(p) / width, sample_weight=width, increasing=False)
    return edges[:-1] + width / 2, density
