"""Probabilities compared with known frequencies of simulated mixtures."""

import numpy as np
import pytest
from scipy import stats

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.probability import (
    LocalFalseDiscoveryRate,
    PlattScaling,
    Probability,
    ShiftedGamma,
    decreasing_density,
    fit_null,
)


def squares(rng, n, odd):
    """Half squared lengths of five normal numbers, as a Gaussian likelihood scores them; anomalies are farther out."""
    return -rng.chisquare(5, n) / 2 - odd * (4 + 6 * rng.random(n))


def normal(rng, n, odd):
    return rng.normal(size=n) - 4.0 * odd


def mixture(draw, n, share, seed):
    rng = np.random.default_rng(seed)
    odd = rng.random(n) < share
    return draw(rng, n, odd), odd


def worst_bin(probability, odd):
    """Return the largest difference of probability and frequency over ten bins, weighted by their shares of rows."""
    bins = np.clip((probability * 10).astype(int), 0, 9)
    return max(abs(probability[bins == b].mean() - odd[bins == b].mean()) * (bins == b).mean() for b in set(bins))


@pytest.mark.parametrize("draw", [squares, normal])
@pytest.mark.parametrize("share", [0.02, 0.1])
@pytest.mark.parametrize("labelled", [True, False])
def test_probabilities_are_frequencies(draw, share, labelled):
    scores, odd = mixture(draw, 5000, share, 0)
    labels = np.where(odd, -1, 1) if labelled else np.zeros(5000, dtype=int)
    probability = Probability(Calibration(scores, labels))
    assert isinstance(probability.curve, PlattScaling if labelled else LocalFalseDiscoveryRate)
    fresh, fresh_odd = mixture(draw, 50_000, share, 1)
    found = probability(fresh)
    assert found.mean() == pytest.approx(share, abs=0.025)
    assert worst_bin(found, fresh_odd) < 0.03
    assert found[fresh_odd].mean() > 0.4 > 0.05 > found[~fresh_odd].mean()


@pytest.mark.parametrize("draw", [squares, normal])
@pytest.mark.parametrize("n_rows", [30, 300, 3000])
def test_clean_rows_are_not_called_anomalies(draw, n_rows):
    scores, _ = mixture(draw, n_rows, 0.0, 2)
    fresh, _ = mixture(draw, 10_000, 0.0, 3)
    probability = LocalFalseDiscoveryRate.fit(np.sort(scores))
    assert probability(fresh).mean() < 0.1
    assert probability(np.array([scores.min() - 50 * scores.std()]))[0] > 0.95


@pytest.mark.parametrize("labelled", [True, False])
def test_probabilities_never_rise_with_the_score(labelled):
    scores, odd = mixture(squares, 500, 0.1, 4)
    labels = np.where(odd, -1, 1) if labelled else np.zeros(500, dtype=int)
    found = Probability(Calibration(scores, labels))(np.linspace(-1e6, 10, 2000))
    assert (np.diff(found) <= 1e-12).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_unknown_rows_do_not_move_the_labelled_curve():
    scores, odd = mixture(normal, 400, 0.2, 5)
    labels = np.where(odd, -1, 1)
    more = Calibration(np.append(scores, [-50.0] * 100), np.append(labels, [0] * 100))
    x = np.linspace(-6, 3, 20)
    np.testing.assert_allclose(Probability(more)(x), Probability(Calibration(scores, labels))(x))


def test_the_null_distribution_is_a_shifted_gamma():
    law, x = ShiftedGamma(2.0, 3.0, 0.8), np.linspace(-3, 20, 30)
    reference = stats.pearson3(0.8, loc=2.0, scale=3.0)
    np.testing.assert_allclose(law.log_density(x), reference.logpdf(x))
    np.testing.assert_allclose(law.cdf(x), reference.cdf(x))
    np.testing.assert_allclose(law.survival(x), reference.sf(x))


@pytest.mark.parametrize("skewness", [0.1, 0.7, 1.5])
def test_the_null_distribution_is_estimated_despite_anomalies(skewness):
    rng = np.random.default_rng(0)
    clean = stats.pearson3.rvs(skewness, loc=5.0, scale=2.0, size=9500, random_state=rng)
    law, share = fit_null(np.sort(np.concatenate([clean, rng.uniform(15, 40, 500)])))
    assert (law.mean, law.deviation) == pytest.approx((5.0, 2.0), abs=0.25)
    assert law.skewness == pytest.approx(skewness, abs=0.25)
    assert share == pytest.approx(0.95, abs=0.045)


def test_equal_scores_have_a_null_distribution():
    probability = LocalFalseDiscoveryRate.fit(np.full(50, 3.0))
    np.testing.assert_allclose(probability(np.array([3.0, 4.0, -100.0])), [0.0, 0.0, 1.0], atol=1e-6)


def test_the_falling_density_is_the_slope_of_the_least_concave_majorant(rng):
    p = np.sort(rng.random(60) ** 2)
    places, density = decreasing_density(p)
    assert (np.diff(density) <= 1e-9).all()
    edges = np.concatenate([[0.0], p, [1.0]])
    assert (density * np.diff(edges)).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(places, edges[:-1] + np.diff(edges) / 2)
    height = np.concatenate([[0.0], np.cumsum(density * np.diff(edges))])
    steps = np.concatenate([[0.0], np.arange(60) / 60, [1.0]])
    assert (height >= steps - 1e-12).all()
    # It touches the function at every bend, so it is the smallest one.
    bends = np.flatnonzero(np.diff(density) < -1e-9) + 1
    np.testing.assert_allclose(height[bends], steps[bends], atol=1e-12)
