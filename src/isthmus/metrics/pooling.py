"""Pooled estimates from several imputed data sets."""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import stats


class PooledEstimate(NamedTuple):
    """An estimate pooled from several imputed data sets, with its variance.

    Parameters
    ----------
    estimate : float
        Mean of the estimates.
    variance : float
        Variance of the estimate: ``within`` + (1 + 1 / m) ``between``.
    within : float
        Mean of the variances of the imputed data sets: the sampling variance.
    between : float
        Variance of the estimates between imputed data sets, due to missing values.
    df : float
        Degrees of freedom of Student's t distribution of the estimate; infinite if all estimates are equal.

    Examples
    --------
    >>> from isthmus.metrics import pool_estimates
    >>> pooled = pool_estimates([1.0, 1.2, 0.8], [0.04, 0.05, 0.06])
    >>> round(pooled.within, 3), round(pooled.between, 3)
    (0.05, 0.04)
    """

    estimate: float
    variance: float
    within: float
    between: float
    df: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the estimate.

        Parameters
        ----------
        level : float, default=0.95
            Confidence level, between 0 and 1.

        Returns
        -------
        tuple of two floats
            Lower and upper end.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1, got {level!r}")
        half_width = stats.t.ppf((1 + level) / 2, self.df) * math.sqrt(self.variance)
        return float(self.estimate - half_width), float(self.estimate + half_width)


def pool_estimates(estimates: Any, variances: Any, complete_df: float = math.inf) -> PooledEstimate:
    """Pool the estimates from several imputed data sets by Rubin's rules.

    Compute the same estimate, such as a mean or a coefficient of a regression, and its squared standard error on each
    data set of ``impute(X, n_draws=m)``. Then the total variance is the mean W of the variances plus (1 + 1 / m) times
    the variance B of the estimates.

    The rules assume that the draws also reflect the uncertainty of the imputing model. Draws of one fitted model do
    not: with many missing values and few rows its intervals are too narrow (three of four 95 % intervals contained the
    truth in ``benchmarks/results/imputation.md``). Fit a model on bootstrapped rows for each imputation instead; in the
    same simulation all of these intervals contained it.

    Parameters
    ----------
    estimates : array-like of shape (m,)
        One estimate for each imputed data set, at least two.
    variances : array-like of shape (m,)
        Squared standard error of each estimate.
    complete_df : float, default=inf
        Degrees of freedom that the estimate would have without missing values, such as n - k of a regression [2].

    Returns
    -------
    PooledEstimate
        The estimate, its variance and degrees of freedom.

    Raises
    ------
    ValueError
        If the shapes differ, there are fewer than two estimates, or a variance is negative or not finite.

    References
    ----------
    [1] Rubin, Multiple imputation for nonresponse in surveys, Wiley, 1987. [2] Barnard and Rubin, Small-sample degrees
    of freedom with multiple imputation, Biometrika 86, 1999.

    Examples
    --------
    >>> from isthmus.metrics import pool_estimates
    >>> pooled = pool_estimates([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])
    >>> pooled.estimate, round(pooled.variance, 3), round(pooled.df, 3)
    (2.0, 1.833, 3.781)
    """
    estimates, variances = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    if estimates.ndim != 1 or estimates.shape != variances.shape or len(estimates) < 2:
        raise ValueError(
            "estimates and variances must be two arrays of one length, at least 2, got shapes "
            f"{estimates.shape} and {variances.shape}"
        )
    if not (np.isfinite(estimates).all() and np.isfinite(variances).all() and (variances >= 0).all()):
        raise ValueError(f"estimates must be finite and variances finite and >= 0, got {estimates} and {variances}")
    within, between = float(variances.mean()), float(estimates.var(ddof=1))
    added = (1 + 1 / len(estimates)) * between
    df = _degrees_of_freedom(within, added, len(estimates), complete_df)
    return PooledEstimate(float(estimates.mean()), within + added, within, between, df)


def _degrees_of_freedom(within: float, added: float, m: int, complete_df: float) -> float:
    """Return Rubin's degrees of freedom, or Barnard and Rubin's if those of the complete data are finite."""
    if added == 0:
        return complete_df
    share = added / (within + added)  # of the variance, due to missing values
    rubin = (m - 1) / share**2
    if complete_df == math.inf:
        return rubin
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    return rubin * observed / (rubin + observed) if observed > 0 else rubin
