"""Mixtures of normal distributions as a likelihood, against SciPy."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from isthmus import zoo
from isthmus.backbones import MLP
from isthmus.likelihoods import Mixture
from isthmus.likelihoods.scaling import FLOOR
from isthmus.statistics import Statistics

N_NORMALS, N_DRAWS = 3, 20_000
REAL = torch.from_numpy(np.random.default_rng(0).normal([5.0, -2.0], [2.0, 0.1], (400, 2)))
POSITIVE = REAL.sub(REAL.mean(0)).exp()
# One row of parameters: logits, means and log scales of three components in two columns.
THETA = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 3 * N_NORMALS, 2)))

kinds = pytest.mark.parametrize("log", [False, True])


def built(log):
    likelihood = Mixture(N_NORMALS, log=log)
    likelihood.build(Statistics.of(POSITIVE if log else REAL))
    return likelihood.double()


def components(likelihood, column):
    """Weights, means and scales of a column's components, in the unit of the values or of their logarithms."""
    logits, means, scales = THETA[0, :, column].numpy().reshape(3, N_NORMALS)
    centre, spread = (float(each[column]) for each in (likelihood.unit.center, likelihood.unit.spread))
    means = centre + spread * (means + 0.5 * np.array([-1, 0, 1]))
    return np.exp(logits) / np.exp(logits).sum(), means, spread * (0.7 * np.exp(scales) + FLOOR)


def density(likelihood, column, x):
    values = np.log(x) if likelihood.log else x
    slope = 1 / x if likelihood.log else 1.0
    each = [w * stats.norm.pdf(values, m, s) for w, m, s in zip(*components(likelihood, column), strict=True)]
    return sum(each) * slope


@kinds
def test_the_density_is_that_of_the_mixture(log):
    likelihood, x = built(log), POSITIVE if log else REAL
    log_prob = likelihood.log_prob(THETA, x).numpy()
    for column in range(2):
        np.testing.assert_allclose(np.exp(log_prob[:, column]), density(likelihood, column, x[:, column].numpy()), 1e-5)


@kinds
def test_draws_are_from_the_mixture(log):
    likelihood = built(log)
    torch.manual_seed(0)
    x = likelihood.sample(THETA.expand(N_DRAWS, -1, -1)).numpy()
    for column in range(2):
        weights, means, scales = components(likelihood, column)

        def cdf(x, weights=weights, means=means, scales=scales):
            values = np.log(x) if log else x
            return (weights * stats.norm.cdf(values[:, None], means, scales)).sum(1)

        assert stats.kstest(x[:, column], cdf).pvalue > 0.01


@kinds
def test_draws_are_at_most_one_range_beyond_the_training_values(log):
    likelihood, values = built(log), (POSITIVE.log() if log else REAL)
    low, high = values.amin(0), values.amax(0)
    far = torch.zeros(2, 3 * N_NORMALS, 2, dtype=torch.float64)
    far[:, N_NORMALS : 2 * N_NORMALS] = torch.tensor([-1e6, 1e6])[:, None, None]
    drawn = likelihood.sample(far)
    drawn = drawn.log() if log else drawn
    torch.testing.assert_close(drawn, torch.stack([2 * low - high, 2 * high - low]), rtol=1e-4, atol=1e-4)


@kinds
def test_the_mean_is_that_of_the_mixture_and_of_logarithms_with_a_limit(log):
    likelihood = built(log)
    highest = float(POSITIVE[:, 0].max()) if log else np.inf
    weights, means, scales = components(likelihood, 0)
    limits = np.array([(means - 9 * scales).min(), (means + 9 * scales).max()])

    def limited(u):
        value = np.exp(u) if log else u
        return min(value, highest) * (density(likelihood, 0, value) * (value if log else 1))

    expected, _ = integrate.quad(limited, *limits, limit=400, points=[np.log(highest)] if log else None)
    assert float(likelihood.mean(THETA)[0, 0]) == pytest.approx(expected, rel=1e-5)


def test_the_mean_of_a_wide_distribution_is_at_most_the_largest_training_value():
    likelihood = built(log=True)
    theta = torch.full_like(THETA, 50.0)
    assert (likelihood.mean(theta) <= POSITIVE.max(0).values * (1 + 1e-5)).all()


def test_periods_enter_the_net_as_the_phase_of_the_value():
    likelihood = Mixture(periods=(7.0,))
    likelihood.build(Statistics.of(REAL))
    u = likelihood.encode(torch.tensor([[1.0, 2.0], [8.0, 9.0]]))
    assert u.shape == (2, *likelihood.encoded_shape)
    torch.testing.assert_close(u[0, 2:], u[1, 2:], rtol=0, atol=1e-5)
    torch.testing.assert_close(u[0, 2:4], torch.sin(2 * torch.pi * torch.tensor([1.0, 2.0]) / 7), rtol=0, atol=1e-5)


def test_logarithms_need_positive_values():
    with pytest.raises(ValueError, match="Mixture needs values > 0"):
        Mixture(log=True).build(Statistics.of(REAL))


def test_the_spread_follows_the_row():
    """With one scale, all rows would be drawn with the same standard deviation."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 1500)
    X = np.column_stack([x, np.where(x > 0, 2.0, 0.2) * rng.normal(size=1500)])
    net = {"backbone": MLP((128,)), "learning_rate": 0.01}  # dropout blurs the step at 0
    model = zoo.imputer(4, max_epochs=30, random_state=0, **net).fit(X)
    assert isinstance(model.likelihood_, Mixture)
    holes = np.column_stack([np.repeat([-0.5, 0.5], 500), np.full(1000, np.nan)])
    (draw,) = model.impute(holes, n_draws=1, random_state=0)
    assert draw[:500, 1].std() == pytest.approx(0.2, rel=0.3)
    assert draw[500:, 1].std() == pytest.approx(2.0, rel=0.3)
