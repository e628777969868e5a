"""Every likelihood compared with SciPy's distributions, in the units of the data."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.preprocessing import MinMaxScaler

from isthmus import Autoencoder, likelihoods
from isthmus.backbones import MLP
from isthmus.bottlenecks import Deterministic
from isthmus.corruptions import GaussianNoise
from isthmus.likelihoods import Bernoulli, ContinuousBernoulli, Date, Gaussian, LogNormal, StudentT
from isthmus.likelihoods.scaling import FLOOR
from isthmus.model.scoring import log_prob_at_mean
from isthmus.regularizers import Jacobian
from isthmus.schema import Schema
from isthmus.statistics import Statistics

REAL = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)).double() * torch.tensor([0.5, 3.0, 20.0])
REAL += torch.tensor([0.0, -10.0, 100.0])
POSITIVE = torch.exp(
    (REAL - REAL.mean(0)) / REAL.std(0) * torch.tensor([0.3, 1.0, 2.0]) + torch.tensor([0.0, 3.0, -5.0])
)
UNIT = torch.sigmoid(REAL[:, :1].double() * torch.tensor([1.0, 2.0, 4.0]))
THETA = torch.tensor([[[-0.3, -1.2, -2.0]]], dtype=torch.float64)  # one row, one parameter, three features
SHARE = 0.4  # share of the scaling's standard deviation to which learned scales are set
N_DRAWS = 20_000

SCALES, SCALINGS = ("feature", "shared", 1.7), ("standard", "center", "none")
NORMAL = [Gaussian(*pair) for pair in product(SCALES, SCALINGS)] + [Gaussian(beta=0.5), Gaussian(2.0, bounded=True)]
HEAVY = [StudentT(3.0, *pair) for pair in product(SCALES, SCALINGS)]
CONTINUOUS = [*NORMAL, *HEAVY, ContinuousBernoulli(), LogNormal(), Date()]
ALL = [*CONTINUOUS, Bernoulli()]
# Likelihoods with different parameters for each value: see test_likelihoods_of_tables.py.
OF_LEVELS = {"Categorical", "Embedded", "Histogram", "Mixed"}
# test_mixture.py has the tests of mixtures.
OF_MIXTURES = {"Mixture"}
# test_likelihoods_of_counts.py has the tests of these.
OF_COUNTS = {"Logistic", "Multinomial", "NegativeBinomial", "Poisson", "Quantile"}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def data_for(likelihood):
    if isinstance(likelihood, LogNormal):
        return POSITIVE
    return UNIT if isinstance(likelihood, Bernoulli | ContinuousBernoulli) else REAL


def built(likelihood, x=None):
    """Build on data, with learned scales set to a share of their unit."""
    likelihood = type(likelihood)(**likelihood.get_params())
    likelihood.build(Statistics.of(data_for(likelihood) if x is None else x))
    for raw in likelihood.parameters():
        raw.data.fill_(math.log(SHARE))
    return likelihood.double()


def expected_scale(likelihood):
    """Return the scale that ``scale`` and ``scaling`` mean: one number per feature, in the units of the data."""
    if isinstance(likelihood, Date):
        return REAL.numpy().std(0) * np.hypot(SHARE, FLOOR)
    if isinstance(likelihood, LogNormal):
        return deviation_of_logarithms() * np.hypot(SHARE, FLOOR)
    if not isinstance(likelihood.scale, str):
        return np.full(3, likelihood.scale)
    deviation = REAL.numpy().std(0)
    common = np.full(3, np.sqrt((deviation**2).mean()))
    unit = {"standard": deviation, "center": common, "none": np.ones(3)}[likelihood.scaling]
    return unit * np.hypot(SHARE, FLOOR)


def deviation_of_logarithms():
    """Of log-normal values, by their mean and deviation."""
    x = POSITIVE.numpy()
    return np.sqrt(np.log1p((x.std(0) / x.mean(0)) ** 2))


def references(likelihood):
    """SciPy's distribution of each feature at THETA."""
    if isinstance(likelihood, ContinuousBernoulli):
        return [stats.truncexpon(b=-logit, scale=-1 / logit) for logit in THETA.flatten().tolist()]
    mean = likelihood.mean(THETA)[0].numpy(force=True)
    if isinstance(likelihood, LogNormal):
        return [stats.lognorm(s, scale=median) for median, s in zip(mean, expected_scale(likelihood), strict=True)]
    family = stats.norm if isinstance(likelihood, Gaussian | Date) else stats.t(likelihood.df).dist
    shape = () if isinstance(likelihood, Gaussian | Date) else (likelihood.df,)
    return [family(*shape, m, s) for m, s in zip(mean, expected_scale(likelihood), strict=True)]


def log_prob(likelihood, x):
    return likelihood.log_prob(THETA, torch.as_tensor(x)).numpy(force=True)


def draws(likelihood):
    return likelihood.sample(THETA.expand(N_DRAWS, -1, -1)).numpy(force=True)


def test_every_likelihood_is_tested():
    assert {type(likelihood).__name__ for likelihood in ALL} | OF_LEVELS | OF_COUNTS | OF_MIXTURES == set(
        likelihoods.__all__
    )


# Densities


@pytest.mark.parametrize("likelihood", CONTINUOUS, ids=repr)
def test_log_prob_is_that_of_scipy_in_the_datas_units(likelihood):
    likelihood = built(likelihood)
    x = data_for(likelihood).numpy()
    expected = np.stack([d.logpdf(x[:, i]) for i, d in enumerate(references(likelihood))], 1)
    np.testing.assert_allclose(log_prob(likelihood, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("likelihood", CONTINUOUS, ids=repr)
@pytest.mark.parametrize("feature", range(3))
def test_densities_integrate_to_one_over_the_datas_units(likelihood, feature):
    likelihood = built(likelihood)
    centre = likelihood.mean(THETA)[0].detach().clone()
    # From the variable of integration to the value, and the slope of that.
    change, limits = (lambda t: (centre[feature] + t, 1.0)), (-np.inf, np.inf)
    if isinstance(likelihood, ContinuousBernoulli):
        change, limits = (lambda t: (t, 1.0)), (0, 1)
    if isinstance(likelihood, LogNormal):
        change = lambda t: (math.exp(t), math.exp(t))  # noqa: E731
        limits = (math.log(likelihood.floor[feature]), 50.0)

    def density(t):
        x = centre.clone()
        x[feature], slope = change(t)
        return math.exp(log_prob(likelihood, x[None])[0, feature]) * slope

    assert integrate.quad(density, *limits)[0] == pytest.approx(1.0, abs=1e-6)


def test_probabilities_of_binary_values_sum_to_one_and_are_those_of_scipy():
    likelihood = built(Bernoulli())
    zeros, ones = np.exp(log_prob(likelihood, torch.zeros(1, 3))), np.exp(log_prob(likelihood, torch.ones(1, 3)))
    np.testing.assert_allclose(zeros + ones, 1.0)
    np.testing.assert_allclose(ones, stats.bernoulli.pmf(1, special.expit(THETA[0].numpy())))
    assert set(np.unique(draws(likelihood))) == {0.0, 1.0}


@pytest.mark.parametrize("scale", ["feature", "shared"])
@pytest.mark.parametrize("scaling", ["standard", "center"])
@pytest.mark.parametrize("family", [Gaussian, StudentT])
def test_densities_are_scaled_with_the_unit(family, scale, scaling):
    likelihood = family(scale=scale, scaling=scaling)
    here, there = built(likelihood, REAL), built(likelihood, 1000 * REAL)
    change = log_prob(there, 1000 * REAL) - log_prob(here, REAL)
    np.testing.assert_allclose(change, -math.log(1000), atol=1e-4)


# Means and samples


@pytest.mark.parametrize("likelihood", ALL, ids=repr)
def test_mean_is_the_average_of_many_samples(likelihood):
    likelihood = built(likelihood)
    x = draws(likelihood)
    if isinstance(likelihood, LogNormal):  # whose mean is that of the logarithms
        below = (x < likelihood.mean(THETA)[0].numpy(force=True)).mean(0)
        np.testing.assert_allclose(below, 0.5, atol=5 * 0.5 / math.sqrt(N_DRAWS))
        return
    error = 5 * x.std(0) / math.sqrt(N_DRAWS)
    np.testing.assert_array_less(np.abs(x.mean(0) - likelihood.mean(THETA)[0].numpy(force=True)), error)


@pytest.mark.parametrize("likelihood", CONTINUOUS, ids=repr)
def test_samples_follow_the_density(likelihood):
    likelihood = built(likelihood)
    for column, reference in zip(draws(likelihood).T, references(likelihood), strict=True):
        assert stats.kstest(column, reference.cdf).pvalue > 1e-3


def best_fit(likelihood, x):
    """Maximise the likelihood of one theta for all rows, together with learned scales."""
    theta = torch.zeros(1, 1, x.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([theta, *likelihood.parameters()], max_iter=500, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -likelihood.log_prob(theta, x).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return theta.detach()


@pytest.mark.parametrize("likelihood", [Gaussian(), Bernoulli(), ContinuousBernoulli()], ids=repr)
def test_with_one_theta_for_all_rows_the_best_fit_has_the_mean_of_the_data(likelihood):
    x, likelihood = data_for(likelihood), built(likelihood)
    theta = best_fit(likelihood, x)
    np.testing.assert_allclose(likelihood.mean(theta)[0].numpy(force=True), x.mean(0), rtol=1e-4, atol=1e-3)


def test_the_best_scale_of_a_gaussian_is_the_deviation_of_the_residuals():
    likelihood = built(Gaussian())
    x = likelihood.sample(best_fit(likelihood, REAL).expand(N_DRAWS, -1, -1))
    np.testing.assert_allclose(x.std(0).numpy(force=True), REAL.std(0), rtol=0.03)


def test_the_best_fit_of_students_t_is_that_of_scipy():
    likelihood = built(StudentT(df=4.0))
    x = REAL.clone()
    x[:25] += 40 * x.std(0)  # outliers
    theta = best_fit(likelihood, x)
    total = likelihood.log_prob(theta, x).sum(0).detach()
    for column, mean, ours in zip(x.T.numpy(), likelihood.mean(theta)[0].tolist(), total.tolist(), strict=True):
        _, loc, scale = stats.t.fit(column, fdf=4.0, loc=np.median(column), scale=column.std() / 9)
        assert mean == pytest.approx(loc, abs=0.02 * scale)
        assert ours == pytest.approx(stats.t.logpdf(column, 4.0, loc, scale).sum(), rel=1e-3)


# Scaling and range


@pytest.mark.parametrize("likelihood", [*NORMAL[:-1], *HEAVY, LogNormal(), Date(periods=())], ids=repr)
def test_the_mean_at_the_encoded_value_is_the_value(likelihood):
    likelihood, x = built(likelihood), data_for(likelihood)
    torch.testing.assert_close(likelihood.mean(likelihood.encode(x)[:, None]), x)


@pytest.mark.parametrize("family", [Gaussian, StudentT])
def test_values_enter_the_net_as_the_scaling_says(family):
    standard, center, none = [built(family(scaling=scaling)).encode(REAL) for scaling in SCALINGS]
    torch.testing.assert_close(standard.std(0, correction=0), torch.ones(3).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(center.var(0, correction=0).mean(), torch.tensor(1.0).double(), rtol=1e-6, atol=0)
    np.testing.assert_allclose(center.std(0) / center.std(0)[0], REAL.std(0) / REAL.std(0)[0], rtol=1e-6)
    for u in (standard, center):
        torch.testing.assert_close(u.mean(0), torch.zeros(3).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(none, REAL, rtol=0, atol=0)


def test_bounded_means_stay_in_the_range_of_the_data_and_start_at_the_mean():
    likelihood = built(Gaussian(bounded=True), UNIT)
    theta = torch.tensor([-1e6, 0.0, 1e6]).double()[:, None, None].expand(-1, -1, 3)
    low, middle, high = likelihood.mean(theta).detach()
    torch.testing.assert_close(low, UNIT.min().expand(3), rtol=0, atol=1e-6)
    torch.testing.assert_close(middle, UNIT.mean(0), rtol=0, atol=1e-6)
    torch.testing.assert_close(high, UNIT.max().expand(3), rtol=0, atol=1e-6)


@pytest.mark.parametrize("likelihood", ALL, ids=repr)
def test_missing_values_are_filled_with_the_mean(likelihood):
    x = data_for(likelihood).clone()
    x[::2, 1] = torch.nan
    filled = built(likelihood, x).fill(x)
    torch.testing.assert_close(filled[::2, 1], x[1::2, 1].mean().expand(250), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(filled[1::2], x[1::2], rtol=0, atol=0)


@pytest.mark.parametrize("family", [Bernoulli, ContinuousBernoulli])
@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_values_outside_the_unit_interval_are_refused(family, value):
    x = UNIT.clone()
    x[7, 2] = value
    with pytest.raises(ValueError, match=rf"{family.__name__} needs values in \[0(\.0)?, 1(\.0)?\].* {value}"):
        built(family(), x)


# Positive values


def test_mean_and_deviation_of_log_normal_values_give_those_of_their_logarithms():
    mu, sigma = np.array([0.0, 3.0, -5.0]), np.array([0.1, 1.0, 2.0])
    exact = [stats.lognorm(s, scale=np.exp(m)) for m, s in zip(mu, sigma, strict=True)]
    moments = {
        "mean": [d.mean() for d in exact],
        "m2": [d.var() for d in exact],
        "low": [0.1] * 3,
        "high": [9] * 3,
    }
    tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in moments.items()}
    likelihood = LogNormal()
    likelihood.build(Statistics(1, torch.ones(3), integers=torch.zeros(3, dtype=torch.bool), **tensors))
    np.testing.assert_allclose(likelihood.noise.unit.center, mu, atol=1e-6)
    np.testing.assert_allclose(likelihood.noise.unit.spread, sigma, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_new_values_that_are_not_positive_score_low_but_finite(dtype):
    likelihood = built(LogNormal()).to(dtype)
    theta = torch.zeros(6, 1, 3, dtype=dtype)
    x = torch.tensor([-1e12, -1.0, 0.0, 1e-45, 1e-30, 1e30], dtype=dtype)[:, None].expand(-1, 3)
    low, usual = likelihood.log_prob(theta, x), likelihood.log_prob(theta[:1], POSITIVE[:1].to(dtype))
    assert torch.isfinite(low).all()
    assert torch.isfinite(likelihood.encode(x)).all()
    assert (low < usual).all()


@pytest.mark.parametrize("low", [0.0, -2.5])
def test_training_values_that_are_not_positive_are_refused(low):
    x = POSITIVE.clone()
    x[3, 1] = low
    with pytest.raises(ValueError, match=rf"LogNormal needs values > 0, got {low:g}"):
        built(LogNormal(), x)


def test_training_values_with_equal_logarithms_are_refused():
    statistics = Statistics.of(1e9 + torch.rand(50, 1, dtype=torch.float64))
    with pytest.raises(ValueError, match="LogNormal needs values that vary more"):
        LogNormal().build(statistics.minus(statistics.origin))


# Dates


def test_values_one_period_apart_have_equal_phase():
    likelihood = Date(periods=(7.0, 1.0))
    days = torch.tensor([[0.0], [0.25], [3.5], [6.75]])
    likelihood.build(Statistics.of(torch.cat([days, days + 14_000])))
    now, later = likelihood.encode(days), likelihood.encode(days + 2_000 * 7)
    assert torch.equal(now[:, 1:], later[:, 1:])
    assert not torch.equal(now[:, 0], later[:, 0])
    angle = 2 * math.pi * days / torch.tensor([7.0, 1.0])
    torch.testing.assert_close(now[:, 1:], torch.cat([angle.sin(), angle.cos()], 1))


def test_a_year_is_one_period_also_for_dates_before_the_first():
    likelihood = Date()
    likelihood.build(Statistics.of(torch.rand(50, 2) * 1000))
    assert likelihood.encoded_shape == (10,)
    x = torch.tensor([[100.0, 200.0]])
    before, after = likelihood.encode(x - 3 * 365.2425), likelihood.encode(x + 20 * 365.2425)
    assert before.shape == (1, 10)
    yearly = [2, 4, 6, 8]  # sines of two columns by two periods, then cosines
    torch.testing.assert_close(before[:, yearly], after[:, yearly], rtol=0, atol=1e-4)


# Learned scales have a floor


@pytest.fixture(scope="module")
def copied_and_constant():
    """Four columns (noise, its copy, noise, a constant) and a fit to them."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    x = np.column_stack([x[:, 0], x[:, 0], x[:, 1], np.full(200, 7.0)])
    options = {"max_epochs": 200, "learning_rate": 0.02, "batch_size": 200, "validation_fraction": 0}
    return x, Autoencoder(2, backbone=MLP((16,)), likelihood=Gaussian(), random_state=0, **options).fit(x)


def test_a_learned_scale_never_falls_below_its_floor(copied_and_constant):
    x, model = copied_and_constant
    best = stats.norm.logpdf(0, scale=FLOOR * x[:, :3].std(0))
    log_prob = log_prob_at_mean(model.module_.cpu(), torch.as_tensor(x))[0].numpy(force=True)
    assert (log_prob[:, :3] <= best + 1e-4).all()
    assert (log_prob[:, :3].max(0) > best - 3.0).all()  # the scale has decreased towards the floor


def test_the_density_of_a_constant_column_is_bounded_and_other_values_are_finite(copied_and_constant):
    x, model = copied_and_constant
    moved = x[:5] + [0, 0, 0, 1e-3]
    np.testing.assert_allclose(model.score_samples(moved), model.score_samples(x[:5]), atol=0.1)
    log_prob = log_prob_at_mean(model.module_.cpu(), torch.as_tensor(x))[0].numpy(force=True)
    np.testing.assert_allclose(log_prob[:, 3], stats.norm.logpdf(0), atol=0.01)


def test_no_column_dominates_the_score_of_normal_rows(copied_and_constant):
    x, model = copied_and_constant
    spread = model.contributions(x)[:, :4].std(0)
    assert spread[3] < 0.01
    assert spread[:3].max() / spread[:3].sum() < 0.8


def test_binarize_draws_new_values_each_time_and_keeps_missing_values():
    likelihood = built(Bernoulli(binarize=True))
    x = torch.tensor([[0.0, 0.3, 1.0, math.nan]]).expand(N_DRAWS, -1)
    assert built(Bernoulli()).sample_targets(x) is x
    first, second = likelihood.sample_targets(x), likelihood.sample_targets(x)
    assert not torch.equal(first[:, 1], second[:, 1])
    assert set(first[:, 1].tolist()) == {0.0, 1.0}
    assert first[:, 1].mean().item() == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / N_DRAWS))
    assert (first[:, 0] == 0).all()
    assert (first[:, 2] == 1).all()
    assert first[:, 3].isnan().all()


# Weights of columns


@pytest.mark.parametrize("kind", [Gaussian, LogNormal, Date])
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_multiplies_the_gradient_of_the_mean_by_a_power_of_the_relative_scale(kind, beta):
    """With relative scale s, the gradient in standard units is residual / s^2 * s^(2 beta); scores are the same."""
    plain, weighted = built(kind()), built(kind(beta=beta))
    x = data_for(plain)[:5]
    assert torch.equal(weighted.log_prob(THETA, x), plain.log_prob(THETA, x))
    theta = THETA.expand(5, -1, -1).clone().requires_grad_()
    slopes = [torch.autograd.grad(each.log_prob(theta, x).sum(), (theta, each.noise.raw)) for each in (weighted, plain)]
    residual = (weighted.encode(x)[:, :3] - theta.detach()[:, 0]).double()
    expected = residual * np.hypot(SHARE, FLOOR) ** (2 * beta - 2)
    torch.testing.assert_close(slopes[0][0][:, 0], expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(slopes[0][1], slopes[1][1])


def test_sums_over_rows_have_the_same_weighted_gradients():
    likelihood, theta = built(Gaussian(beta=1.0)), THETA.expand(5, -1, -1).clone().requires_grad_()
    sums = likelihood.log_prob(theta, REAL[:5]).sum(), likelihood.row_log_prob(theta, REAL[:5]).sum()
    torch.testing.assert_close(*(torch.autograd.grad(each, theta)[0] for each in sums))


@pytest.mark.parametrize("beta", [-0.1, 1.5])
@pytest.mark.parametrize("kind", [Gaussian, LogNormal, Date])
def test_a_beta_out_of_range_is_refused(kind, beta):
    with pytest.raises(ValueError, match=r"beta of \w+ must be in \[0, 1\]"):
        kind(beta=beta).build(Statistics.of(POSITIVE))


# The automatic choice


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([[0, 1], [1, 0], [1, 1]], Bernoulli()),
        ([[0, math.nan], [1, 0], [1, 1]], Bernoulli()),
        ([[0, 1], [1, 0], [1, 2]], Gaussian()),
        ([[0.0, 0.5], [1.0, 0.0], [0.5, 1.0]], Gaussian()),
        (load_digits().data, Gaussian(scale="shared", scaling="center", bounded=True)),
        (load_wine().data, Gaussian()),
        ([[0.1], [0.7], [0.4]], Gaussian()),
    ],
    ids=["binary", "binary with missing", "other integers", "one range", "pixels", "units of their own", "one column"],
)
def test_the_automatic_likelihood_depends_on_the_values(x, expected):
    x = torch.as_tensor(np.asarray(x, dtype=float))
    chosen = likelihoods.choose(Statistics.of(x), Schema(tuple(x.shape[1:])))
    assert repr(chosen) == repr(expected)


@pytest.mark.parametrize(
    ("net", "beta"),
    [
        (Autoencoder(), 1.0),
        (Autoencoder(bottleneck=Deterministic("tanh")), 1.0),
        (Autoencoder(corruption=GaussianNoise()), 0.0),
        (Autoencoder(likelihood="density"), 0.0),
        (Autoencoder(bottleneck="gaussian"), 0.0),
        (Autoencoder(bottleneck="nested"), 0.0),
        (Autoencoder(regularizers=Jacobian()), 0.0),
    ],
    ids=["plain", "activation", "denoising", "density", "variational", "nested", "contractive"],
)
def test_only_a_plain_autoencoder_weighs_columns(net, beta):
    fitted = net.set_params(max_epochs=1, random_state=0).fit(load_iris().data)
    assert repr(fitted.likelihood_) == repr(Gaussian(beta=beta))


def agreement(n_columns):
    """A questionnaire, 1 to 5, whose answers all depend on one opinion."""
    rng = np.random.default_rng(0)
    return np.clip((3 + rng.normal(size=(300, 1)) + rng.normal(size=(300, n_columns))).round(), 1, 5)


def smooth_series(n_columns):
    return np.random.default_rng(0).normal(size=(300, n_columns)).cumsum(1)


@pytest.mark.parametrize(
    ("x", "pixels"),
    [
        *[(load(return_X_y=True)[0], False) for load in (load_iris, load_wine, load_breast_cancer, load_diabetes)],
        *[(make(n), False) for make in (agreement, smooth_series) for n in (16, 20, 64)],
        (load_digits().data, True),
    ],
    ids=["iris", "wine", "cancer", "diabetes", *["answers"] * 3, *["series"] * 3, "digits"],
)
def test_values_are_recognised_as_pixels_by_correlation_and_not_by_range(x, pixels):
    """A MinMaxScaler does not change the likelihood, and neither does the size of chunks."""
    for values in (x, MinMaxScaler().fit_transform(x)):
        values = torch.from_numpy(values)
        halves = Statistics.of(values[::2]).merge(Statistics.of(values[1::2], torch.ones(len(values[1::2]))))
        merged = Statistics.empty(values.shape[1:]).merge(halves)
        assert Statistics.of(values).are_pixels == merged.are_pixels == pixels
        if pixels:
            torch.testing.assert_close(merged.comoments, Statistics.of(values).comoments)
