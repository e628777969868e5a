"""Rubin's rules, compared with manual results and with a posterior in closed form."""

import math

import numpy as np
import pytest
from scipy import stats

from isthmus.metrics import pool_estimates


def test_pooled_estimates_equal_rubins_rules_computed_by_hand():
    # W = 0.5; B = ((-1)^2 + 0 + 1^2) / 2 = 1; T = 0.5 + 4/3 * 1; df = 2 * (1 + 0.5 / (4/3))^2.
    pooled = pool_estimates([1.0, 2.0, 3.0], [0.4, 0.5, 0.6])
    assert pooled.estimate == pytest.approx(2.0)
    assert pooled.within == pytest.approx(0.5)
    assert pooled.between == pytest.approx(1.0)
    assert pooled.variance == pytest.approx(0.5 + 4 / 3)
    assert pooled.df == pytest.approx(2 * (1 + 0.5 / (4 / 3)) ** 2)
    low, high = pooled.interval(0.9)
    reach = stats.t.ppf(0.95, pooled.df) * math.sqrt(pooled.variance)
    assert (low, high) == pytest.approx((2 - reach, 2 + reach))


def test_equal_estimates_are_those_of_complete_data():
    pooled = pool_estimates([3.0] * 5, [0.25] * 5)
    assert pooled.interval() == pytest.approx(stats.norm.interval(0.95, 3.0, 0.5))
    assert pool_estimates([3.0] * 5, [0.25] * 5, complete_df=7).interval() == pytest.approx(
        stats.t.interval(0.95, 7, 3.0, 0.5)
    )


def test_few_rows_leave_fewer_degrees_of_freedom():
    # share = (4/3) / (11/6) = 8/11; rubin = 2 / share^2; observed = 11/13 * 10 * 3/11 (Barnard and Rubin 1999).
    pooled = pool_estimates([1.0, 2.0, 3.0], [0.5] * 3, complete_df=10)
    rubin, observed = 2 / (8 / 11) ** 2, 11 / 13 * 10 * 3 / 11
    assert pooled.df == pytest.approx(1 / (1 / rubin + 1 / observed))


def test_intervals_cover_a_mean_of_which_half_the_values_are_missing():
    """Draws from the exact posterior predictive distribution: 95 % intervals contain the mean in 95 % of the cases."""
    rng, n, m, n_trials = np.random.default_rng(0), 40, 10, 2000
    covered = 0
    for x in rng.normal(size=(n_trials, n // 2)):
        # Posterior of mean and variance of a normal distribution under Jeffreys' prior.
        variances = x.var(ddof=1) * (len(x) - 1) / rng.chisquare(len(x) - 1, m)
        means = x.mean() + np.sqrt(variances / len(x)) * rng.normal(size=m)
        missing = means[:, None] + np.sqrt(variances)[:, None] * rng.normal(size=(m, n - len(x)))
        complete = np.hstack([np.tile(x, (m, 1)), missing])
        low, high = pool_estimates(complete.mean(1), complete.var(1, ddof=1) / n, complete_df=n - 1).interval()
        covered += low <= 0 <= high
    assert covered / n_trials == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("estimates", "variances", "message"),
    [
        ([1.0], [1.0], "at least 2"),
        ([1.0, 2.0], [1.0], "one length"),
        ([1.0, np.nan], [1.0, 1.0], "finite"),
        ([1.0, 2.0], [1.0, -1.0], ">= 0"),
    ],
)
def test_estimates_that_cannot_be_pooled_are_refused(estimates, variances, message):
    with pytest.raises(ValueError, match=message):
        pool_estimates(estimates, variances)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_confidence_levels_must_be_probabilities(level):
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        pool_estimates([1.0, 2.0], [1.0, 1.0]).interval(level)
