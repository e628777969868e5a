"""Probability that a row is an anomaly: from labels if there are some, else from the distribution of the scores."""

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
from isthmus.anomaly.robust_scale import NORMAL_IQR, RobustScale
from isthmus.anomaly.rows import ANOMALY, NORMAL, Values

# The null distribution is fitted to this share of the rows, the most normal ones; the fit tolerates at most the rest as
# anomalies. More than N_NULL rows are represented by N_NULL quantiles. Not tuned.
CENTRAL_SHARE, N_NULL = 0.8, 5000
# Priors: median and standard deviation of the logarithm of the skewness (log-normal), and mean share of anomalies
# (exponential). They are weak and not tuned. Without priors, a few hundred rows do not separate anomalies from
# skewness.
SKEWNESS, LOG_SKEWNESS_STD, ANOMALY_SHARE = 1.0, 1.0, 0.05
# Range of the skewness, from almost normal to almost exponential: with more, the density is unbounded.
MIN_SKEWNESS, MAX_SKEWNESS = 0.02, 1.95


class Probability:
    """Converts scores to probabilities of an anomaly.

    Labels are used if there are some of both kinds. The curve is fitted at the first call, since streams are calibrated
    more often than probabilities are needed.

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
    def curve(self) -> "PlattScaling | LocalFalseDiscoveryRate":
        """The fitted curve, with or without labels."""
        both = {NORMAL, ANOMALY} <= set(self._calibration.labels.tolist())
        return PlattScaling.fit(self._calibration) if both else LocalFalseDiscoveryRate.fit(self._calibration.normal)


@dataclass
class PlattScaling:
    """A logistic curve over held-out scores (Platt, Probabilistic outputs for support vector machines, 1999).

    The inverse hyperbolic sine compresses scores first: those of anomalies can be a million times lower than others.

    Parameters
    ----------
    scale : RobustScale
        Of normal rows.
    curve : LogisticRegression
    """

    scale: RobustScale
    curve: LogisticRegression

    @classmethod
    def fit(cls, calibration: Calibration) -> "PlattScaling":
        """Fit the curve to rows with a label."""
        scores, labels = calibration.scores, calibration.labels
        fitted = cls(RobustScale.fit(scores[labels == NORMAL]), LogisticRegression())
        known = np.isin(labels, (NORMAL, ANOMALY))
        fitted.curve.fit(fitted._compress(scores[known]), labels[known] == ANOMALY)
        return fitted

    def __call__(self, scores: Values) -> Values:
        """Return the probability of an anomaly."""
        return self.curve.predict_proba(self._compress(scores))[:, 1]

    def _compress(self, scores: Values) -> Values:
        return np.arcsinh(self.scale(scores))[:, None]


@dataclass
class ShiftedGamma:
    """A shifted gamma distribution, which squared residuals follow; without skewness it is the normal distribution.

    Parameters
    ----------
    mean, deviation, skewness : float
    """

    mean: float
    deviation: float
    skewness: float

    @property
    def shape(self) -> float:
        """Shape parameter of the gamma distribution."""
        return 4 / self.skewness**2

    def log_density(self, x: Values) -> Values:
        """Return the log density."""
        z = self._standardise(x)
        constant = math.log(self.shape**0.5 / self.deviation) - gammaln(self.shape)
        return np.where(z > 0, xlogy(self.shape - 1, z) - z + constant, -np.inf)

    def cdf(self, x: Any) -> Any:
        """Return the probability of a smaller value."""
        return gammainc(self.shape, self._standardise(x))

    def survival(self, x: Any) -> Any:
        """Return the probability of a larger value."""
        return gammaincc(self.shape, self._standardise(x))

    def _standardise(self, x: Any) -> Any:
        return np.maximum(self.shape + (x - self.mean) / self.deviation * self.shape**0.5, 0)


@dataclass
class LocalFalseDiscoveryRate:
    """Probability of an anomaly as one minus the local false discovery rate, with an empirical null distribution [1].

    Most rows are assumed to be normal. Their distances (negative scores) follow a shifted gamma distribution, which is
    fitted to the most normal four fifths. It turns distances into p-values, which are uniform except for anomalies. The
    density of the p-values is estimated as a decreasing function (Grenander), so that probabilities do not increase
    with the score [2]. A row beyond all n calibration rows counts as one of n + 1.

    Parameters
    ----------
    null : ShiftedGamma
        Distribution of distances of normal rows.
    share : float
        Share of normal rows.
    places, density : ndarray of shape (n_places,)
        Points at which the density of the p-values is known, and its decreasing values.
    n_rows : int

    References
    ----------
    [1] Efron, Large-scale simultaneous hypothesis testing: the choice of a null hypothesis, JASA 99, 2004.
    [2] Strimmer, A unified approach to false discovery rate estimation, BMC Bioinformatics 9, 2008.
    """

    null: ShiftedGamma
    share: float
    places: Values
    density: Values
    n_rows: int

    @classmethod
    def fit(cls, scores: Values) -> "LocalFalseDiscoveryRate":
        """Fit the null distribution and the density to scores (n,), sorted."""
        distances = -scores[::-1]
        null, share = fit_null(distances)
        places, density = decreasing_density(null.survival(distances))
        return cls(null, share, places, density, len(scores))

    def __call__(self, scores: Values) -> Values:
        """Return the probability of an anomaly."""
        p = np.maximum(self.null.survival(-scores), np.finfo(float).tiny)
        density = np.maximum(np.interp(p, self.places, self.density), 1 / ((self.n_rows + 1) * p))
        return 1 - np.minimum(1, self.share / np.maximum(density, self.share))


def fit_null(distances: Values) -> tuple[ShiftedGamma, float]:
    """Return the distribution of normal distances and the share of normal rows, from sorted distances (n,).

    Maximum of the posterior density, given the most normal distances and the number of the others.
    """
    sample = np.quantile(distances, (np.arange(N_NULL) + 0.5) / N_NULL) if len(distances) > N_NULL else distances
    low, centre, high = np.quantile(sample, [0.25, 0.5, 0.75])
    spread = max(float(high - low) / NORMAL_IQR, 1e-9 * max(1.0, abs(centre)))
    standard = (sample - centre) / spread
    cut = np.quantile(standard, CENTRAL_SHARE)
    inside = standard[standard <= cut]
    share_inside = len(inside) / len(standard)

    def make_null(x: Values) -> ShiftedGamma:
        skewness = np.clip(SKEWNESS * math.exp(x[2]), MIN_SKEWNESS, MAX_SKEWNESS)
        return ShiftedGamma(float(x[0]), math.exp(x[1]), float(skewness))

    def share_normal(null: ShiftedGamma) -> float:
        return min(1.0, share_inside / max(null.cdf(cut), share_inside))

    def negative_log_posterior(x: Values) -> float:
        null = make_null(x)
        share = share_normal(null)
        log_outside = math.log(max(1 - share * null.cdf(cut), 1e-12))
        log_inside = (null.log_density(inside) + math.log(share)).sum()
        log_likelihood = log_inside + (1 - share_inside) * len(sample) * log_outside
        return float(min(-log_likelihood, 1e9) + (x[2] / LOG_SKEWNESS_STD) ** 2 / 2 + (1 - share) / ANOMALY_SHARE)

    # The search starts at a low skewness: a high one could give the most normal rows a density of 0.
    start = np.array([0.0, 0.1, math.log(0.3 / SKEWNESS)])
    simplex = start + 0.4 * np.eye(4, 3, -1)
    options = {"initial_simplex": simplex, "fatol": 1e-3}
    null = make_null(minimize(negative_log_posterior, start, method="Nelder-Mead", options=options).x)
    return ShiftedGamma(centre + spread * null.mean, spread * null.deviation, null.skewness), share_normal(null)


def decreasing_density(p: Values) -> tuple[Values, Values]:
    """Return midpoints and heights of the steps of the decreasing density of p-values (n,).

    The slopes of the least concave majorant of the distribution function (Grenander, 1956). Each p-value counts in the
    step that starts at it. In the step that ends at it, the smallest p-value alone would create a peak.
    """
    edges = np.unique(np.concatenate([[0.0, 1.0], p]))
    width = np.diff(edges)
    counts = np.histogram(p, edges)[0]
    density = isotonic_regression(counts / len(p) / width, sample_weight=width, increasing=False)
    return edges[:-1] + width / 2, density
