"""How likely a row is an anomaly: from labels where there are some, and from the shape of the scores where not."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.stats import gamma
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression

from isthmus.detector.calibration import Calibration
from isthmus.detector.rows import ANOMALY, NORMAL, Values

# Share of the rows, the most normal ones, to which the null is fitted, and rows to which it is thinned out.
CENTRE, N_CENTRE = 0.8, 1000
# Skewness that is expected, and the deviation of its log: what few rows cannot tell.
SKEWNESS, DOUBT = 0.5, 1.0


class Probability(Protocol):
    """Turns scores into probabilities."""

    def __call__(self, scores: Values) -> Values:
        """Return the probability of an anomaly for each of (n,) scores."""


def probability_of(calibration: Calibration) -> Probability:
    """Choose by what calibration rows have: labels of both kinds, or only scores."""
    both = {NORMAL, ANOMALY} <= set(calibration.labels.tolist())
    return Labelled.of(calibration) if both else LocalFalseDiscoveryRate.of(calibration.normal)


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
        scores, labels = calibration
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
class LocalFalseDiscoveryRate:
    """One less the local false discovery rate, against a null that the centre of the scores shows [1].

    Most rows are taken to be normal. A shifted gamma distribution, which the squares of residuals follow and which
    nears the normal one, is fitted to the distances (scores turned round) of the most normal four fifths, truncated.
    Under it, distances become p-values, uniform but for anomalies, and the density of all p-values, which can only fall,
    is Grenander's [2]: probabilities never rise with the score. A row beyond all calibration rows is held against their
    number: one that far would be expected among ``n + 1`` of its like.

    Parameters
    ----------
    null : (float, float, float)
        Mean, deviation and skewness of normal distances.
    share : float
        Of normal rows.
    places, density : ndarray of shape (n_places,)
        Where the density of p-values is known, and its falling values.
    n_rows : int

    References
    ----------
    [1] Efron, Large-scale simultaneous hypothesis testing: the choice of a null hypothesis, JASA 99, 2004. [2] Strimmer,
        A unified approach to false discovery rate estimation, BMC Bioinformatics 9, 2008.
    """

    null: tuple[float, float, float]
    share: float
    places: Values
    density: Values
    n_rows: int

    @classmethod
    def of(cls, scores: Values) -> "LocalFalseDiscoveryRate":
        """Fit null and density to scores (n,), sorted."""
        distances = -scores[::-1]
        cut = float(np.quantile(distances, CENTRE))
        null = fit_null(distances, cut)
        inside = float(np.mean(distances <= cut))
        share = min(1.0, inside / max(float(1 - _tail(null, cut)), 1e-9))
        places, density = falling_density(_tail(null, distances))
        return cls(null, share, places, density, len(scores))

    def __call__(self, scores: Values) -> Values:
        """Return the probability of an anomaly."""
        p = np.maximum(_tail(self.null, -scores), np.finfo(float).tiny)
        density = np.maximum(np.interp(p, self.places, self.density), 1 / ((self.n_rows + 1) * p))
        return 1 - np.minimum(1, self.share / np.maximum(density, self.share))


def fit_null(distances: Values, cut: float) -> tuple[float, float, float]:
    """Mean, deviation and skewness of the shifted gamma distribution that distances (n,) up to ``cut`` come from.

    Maximum likelihood of the truncated distribution, with a weak expectation of the skewness.
    """
    inside = distances[distances <= cut]
    some = np.quantile(inside, (np.arange(N_CENTRE) + 0.5) / N_CENTRE) if len(inside) > N_CENTRE else inside
    centre = float(np.median(distances))
    spread = float(np.subtract(*np.quantile(distances, [0.75, 0.25]))) / 1.35
    if spread <= 1e-9 * max(1.0, abs(centre)):
        return centre, max(1e-9, 1e-9 * abs(centre)), SKEWNESS
    standard, limit = (some - centre) / spread, (cut - centre) / spread

    def misfit(x: Values) -> float:
        law = _law((x[0], float(np.exp(x[1])), SKEWNESS * float(np.exp(x[2]))))
        log_likelihood = law.logpdf(standard).sum() - len(standard) * law.logcdf(limit)
        return float(-log_likelihood + (x[2] / DOUBT) ** 2 / 2) if np.isfinite(log_likelihood) else 1e300

    best = minimize(misfit, np.array([0.0, 0.2, -1.0]), method="Nelder-Mead", options={"maxiter": 400}).x
    return centre + spread * float(best[0]), spread * float(np.exp(best[1])), SKEWNESS * float(np.exp(best[2]))


def falling_density(p: Values) -> tuple[Values, Values]:
    """Middles and heights of the steps of the falling density of p-values (n,), less the smallest, which would see itself.

    The slopes of the least concave majorant of their distribution function (Grenander, 1956).
    """
    edges = np.unique(np.concatenate([[0.0, 1.0], p]))
    width = np.diff(edges)
    counts = np.histogram(p, edges)[0]
    density = isotonic_regression(counts / len(p) / width, sample_weight=width, increasing=False)
    return edges[:-1] + width / 2, density


def _law(null: tuple[float, float, float]) -> Any:
    mean, deviation, skewness = null
    shape = 4 / skewness**2
    return gamma(shape, loc=mean - deviation * shape**0.5, scale=deviation / shape**0.5)


def _tail(null: tuple[float, float, float], distances: Any) -> Values:
    return _law(null).sf(distances)
