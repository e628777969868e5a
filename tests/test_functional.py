"""Every function of ``isthmus.functional`` against torch.distributions, SciPy or brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats
from torch import distributions, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jacrev, vmap

from isthmus import functional as F

FEW = settings(max_examples=60, derandomize=True, database=None)
N_DRAWS = 20_000
GENERATOR = torch.Generator().manual_seed(0)


def reals(size):
    return st.floats(-size, size, allow_nan=False)


def double(value):
    return torch.as_tensor(value, dtype=torch.float64)


def inputs(*shape, low=-2.0, high=2.0):
    values = low + (high - low) * torch.rand(*shape, dtype=torch.float64, generator=GENERATOR)
    return values.requires_grad_()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


# Normal


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.5, 2.0), (-3.0, -4.0), (0.0, 6.0)])
def test_draws_have_the_deviation_exp_of_half_the_log_variance(mean, log_variance):
    z = F.sample_normal(double([[mean]]), double([[log_variance]]), N_DRAWS).flatten().numpy()
    deviation = math.exp(log_variance / 2)
    assert z.mean() == pytest.approx(mean, abs=5 * deviation / math.sqrt(N_DRAWS))
    assert z.std() == pytest.approx(deviation, rel=5 / math.sqrt(2 * N_DRAWS))
    assert stats.kstest(z, stats.norm(mean, deviation).cdf).pvalue > 1e-3


def test_draws_of_rows_components_and_repetitions_are_independent():
    z = F.sample_normal(torch.zeros(2, 3), torch.zeros(2, 3), N_DRAWS)
    assert z.shape == (N_DRAWS, 2, 3)
    np.testing.assert_allclose(np.corrcoef(z.flatten(1).T), np.eye(6), atol=5 / math.sqrt(N_DRAWS))


def test_draws_are_differentiable_in_mean_and_log_variance():
    def draw(mean, log_variance):
        torch.manual_seed(1)
        return F.sample_normal(mean, log_variance, 2)

    assert gradcheck(draw, (inputs(3, 2), inputs(3, 2)))


@FEW
@given(x=reals(1e3), mean=reals(1e3), log_scale=reals(6))
def test_normal_log_prob_is_that_of_scipy(x, mean, log_scale):
    ours = F.normal_log_prob(double(x), double(mean), double(log_scale)).item()
    assert ours == pytest.approx(stats.norm.logpdf(x, mean, math.exp(log_scale)), rel=1e-9, abs=1e-9)


@FEW
@given(mean=reals(1e3), log_variance=st.floats(-28, 14))
def test_divergence_of_normals_is_that_of_torch_also_for_tiny_and_huge_variances(mean, log_variance):
    posterior = distributions.Normal(double(mean), torch.exp(double(log_variance) / 2))
    expected = distributions.kl_divergence(posterior, distributions.Normal(double(0), double(1)))
    torch.testing.assert_close(F.kl_normal(double(mean), double(log_variance)), expected, rtol=1e-9, atol=1e-9)


def test_divergence_vanishes_exactly_at_the_prior():
    assert F.kl_normal(torch.zeros(1), torch.zeros(1)).item() == 0.0


def test_entropy_is_that_of_scipy():
    log_variance = inputs(4, 3).detach()
    expected = stats.norm(scale=np.exp(log_variance.numpy() / 2)).entropy().sum(1)
    np.testing.assert_allclose(F.entropy_normal(log_variance), expected)


# Importance bound


def test_importance_bound_of_one_draw_is_its_log_weight():
    log_weights = torch.randn(1, 7)
    torch.testing.assert_close(F.importance_bound(log_weights), log_weights[0], rtol=0, atol=0)


@FEW
@given(st.lists(reals(5), min_size=1, max_size=9), reals(1e5))
def test_importance_bound_is_the_log_of_the_mean_weight_however_small_the_weights(log_weights, shift):
    expected = math.log(np.mean(np.exp(log_weights))) + shift
    assert F.importance_bound(double(log_weights) + shift).item() == pytest.approx(expected, abs=1e-9)


def test_importance_bound_lies_between_the_mean_and_the_largest_log_weight():
    log_weights = torch.randn(10, 100) * 10
    bound = F.importance_bound(log_weights)
    assert (log_weights.mean(0) < bound).all()
    assert (bound < log_weights.amax(0)).all()


# Student's t


@FEW
@given(x=reals(1e4), loc=reals(1e2), log_scale=reals(5), df=st.floats(1.01, 100))
def test_student_t_log_prob_is_that_of_scipy(x, loc, log_scale, df):
    ours = F.student_t_log_prob(double(x), double(loc), double(log_scale), df).item()
    assert ours == pytest.approx(stats.t.logpdf(x, df, loc, math.exp(log_scale)), rel=1e-8, abs=1e-8)


# Bernoulli


@FEW
@given(x=st.sampled_from([0.0, 1.0]), logits=reals(1e4))
def test_bernoulli_log_prob_is_that_of_torch_also_for_extreme_logits(x, logits):
    expected = distributions.Bernoulli(logits=double(logits)).log_prob(double(x))
    torch.testing.assert_close(F.bernoulli_log_prob(double(x), double(logits)), expected)


@FEW
@given(x=st.floats(0, 1), logits=reals(30))
def test_between_zero_and_one_bernoulli_log_prob_is_the_negative_cross_entropy(x, logits):
    p = special.expit(logits)
    expected = special.xlogy(x, p) + special.xlogy(1 - x, special.expit(-logits))
    assert F.bernoulli_log_prob(double(x), double(logits)).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@FEW
@given(target=st.floats(0.01, 0.99), activity=st.floats(1e-6, 1 - 1e-6))
def test_divergence_of_bernoulli_distributions_is_that_of_torch(target, activity):
    coins = [distributions.Bernoulli(probs=double(p)) for p in (target, activity)]
    torch.testing.assert_close(
        F.kl_bernoulli(target, double(activity)), distributions.kl_divergence(*coins), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("activity", [0.0, 1.0])
def test_divergence_from_a_dead_or_stuck_unit_is_large_and_finite(activity):
    divergence = F.kl_bernoulli(0.05, torch.tensor(activity))
    assert 0.5 < divergence < 100


# Continuous Bernoulli: a truncated exponential distribution on [0, 1]

LOGITS = [-300.0, -20.0, -1.0, -0.06, -0.04, -1e-3, -1e-9, 0.0, 1e-12, 1e-4, 0.0499, 0.0501, 0.5, 7.0, 100.0]


def truncated_exponential(logits):
    """Return SciPy's distribution with the same density; it decreases, so increasing densities are mirrored."""
    size = max(abs(logits), 1e-8)
    return stats.truncexpon(b=size, scale=1 / size)


@pytest.mark.parametrize("logits", LOGITS)
def test_continuous_bernoulli_integrates_to_one(logits):
    def density(x):
        return F.continuous_bernoulli_log_prob(double(x), double(logits)).exp().item()

    width = min(0.5, 20 / max(abs(logits), 1.0))  # most of the mass is at one end
    total, _ = integrate.quad(density, 0, 1, points=[width, 1 - width])
    assert total == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("x", [0.0, 0.2, 0.9, 1.0])
def test_continuous_bernoulli_log_prob_is_that_of_a_truncated_exponential(logits, x):
    expected = truncated_exponential(logits).logpdf(1 - x if logits > 0 else x)
    ours = F.continuous_bernoulli_log_prob(double(x), double(logits)).item()
    assert ours == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("logits", LOGITS)
def test_continuous_bernoulli_mean_is_that_of_a_truncated_exponential(logits):
    mean = truncated_exponential(logits).mean() if abs(logits) > 1e-3 else 0.5 - abs(logits) / 12
    expected = 1 - mean if logits > 0 else mean
    assert F.continuous_bernoulli_mean(double(logits)).item() == pytest.approx(expected, rel=1e-7)


@FEW
@given(logits=st.one_of(reals(1e3), reals(0.1), reals(1e-6)))
def test_continuous_bernoulli_mean_is_the_slope_of_its_log_normaliser(logits):
    logits = double(logits).requires_grad_()
    F.continuous_bernoulli_log_prob(double(0.0), logits).backward()
    torch.testing.assert_close(-logits.grad, F.continuous_bernoulli_mean(logits.detach()), rtol=1e-8, atol=1e-8)


@FEW
@given(x=st.floats(0, 1, width=32), logits=st.one_of(reals(1e3), reals(0.1), reals(1e-6)))
def test_continuous_bernoulli_is_accurate_in_single_precision(x, logits):
    x, logits = torch.tensor(x), torch.tensor(logits, dtype=torch.float32)
    for function in (F.continuous_bernoulli_log_prob, lambda _, logits: F.continuous_bernoulli_mean(logits)):
        exact = function(x.double(), logits.double()).float()
        torch.testing.assert_close(function(x, logits), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("logits", LOGITS)
def test_draws_of_the_continuous_bernoulli_follow_its_distribution(logits):
    x = F.sample_continuous_bernoulli(torch.full((N_DRAWS,), logits)).double().numpy()
    assert x.min() >= 0
    assert x.max() <= 1
    assert stats.kstest(1 - x if logits > 0 else x, truncated_exponential(logits).cdf).pvalue > 1e-3


# Trimming


@pytest.mark.parametrize(("share", "n_kept"), [(0.0, 10), (0.05, 10), (0.1, 9), (0.25, 8), (0.99, 1)])
def test_trimmed_losses_are_the_smallest(share, n_kept):
    losses = torch.randn(10)
    kept = F.drop_largest(losses, share).sort().values
    torch.testing.assert_close(kept, losses.sort().values[:n_kept], rtol=0, atol=0)


# Gradients


@pytest.mark.parametrize(
    ("function", "tensors"),
    [
        (F.normal_log_prob, (inputs(4), inputs(4), inputs(4))),
        (F.kl_normal, (inputs(4), inputs(4))),
        (F.entropy_normal, (inputs(2, 3),)),
        (F.importance_bound, (inputs(5, 3),)),
        (lambda losses: F.drop_largest(losses, 0.3), (inputs(7),)),
        (lambda x, loc, log_scale: F.student_t_log_prob(x, loc, log_scale, 4.0), (inputs(4), inputs(4), inputs(4))),
        (F.bernoulli_log_prob, (inputs(4, low=0, high=1), inputs(4))),
        (F.continuous_bernoulli_log_prob, (inputs(4, low=0, high=1), inputs(4))),
        (F.continuous_bernoulli_log_prob, (inputs(4, low=0, high=1), inputs(4, low=-0.01, high=0.01))),
        (F.continuous_bernoulli_mean, (inputs(4),)),
        (F.continuous_bernoulli_mean, (inputs(4, low=-0.01, high=0.01),)),
        (lambda activity: F.kl_bernoulli(0.1, activity), (inputs(4, low=0.1, high=0.9),)),
    ],
)
def test_gradients_are_those_of_finite_differences(function, tensors):
    assert gradcheck(function, tensors)
    assert gradgradcheck(function, tensors)


# Jacobian


def two_layers():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def brute_force(net, u):
    return vmap(jacrev(net))(u).flatten(1).square().sum(-1)


def test_exact_squared_jacobian_is_that_of_brute_force():
    net, u = two_layers(), inputs(7, 6)
    torch.testing.assert_close(F.squared_jacobian(net(u), u), brute_force(net, u))


def test_a_scaled_gradient_is_multiplied_and_the_values_stay():
    x, weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True), torch.tensor([0.0, 0.5, 2.0])
    assert torch.equal(F.scale_gradient(x, weight), x)
    (slope,) = torch.autograd.grad(F.scale_gradient(x, weight).pow(3).sum(), x, create_graph=True)
    torch.testing.assert_close(slope, 3 * x.square() * weight)
    torch.testing.assert_close(torch.autograd.grad(slope.sum(), x)[0], 6 * x * weight.square())


def test_squared_jacobian_of_images_sums_over_all_their_values():
    net, u = nn.Sequential(nn.Flatten(), two_layers()), inputs(4, 2, 3)
    torch.testing.assert_close(F.squared_jacobian(net(u), u), brute_force(net[1], u.flatten(1)))


def test_estimated_squared_jacobian_is_unbiased():
    net, u = two_layers(), inputs(4, 6)
    code = net(u)
    estimates = torch.stack([F.squared_jacobian(code, u, 1).detach() for _ in range(2_000)])
    error = 5 * estimates.std(0) / math.sqrt(len(estimates))
    assert estimates.std(0).gt(0).all()
    assert (estimates.mean(0) - brute_force(net, u)).abs().le(error).all()


def test_several_probes_are_averaged():
    net, u = two_layers(), inputs(4, 6)
    code = net(u)
    spreads = [torch.stack([F.squared_jacobian(code, u, n).detach() for _ in range(300)]).std(0).mean() for n in (1, 4)]
    assert spreads[1] / spreads[0] == pytest.approx(0.5, rel=0.15)


def test_squared_jacobian_of_one_sigmoid_layer_is_the_closed_form_of_rifai():
    layer, u = nn.Linear(6, 4).double(), inputs(5, 6)
    h = torch.sigmoid(layer(u))
    closed = ((h * (1 - h)).square() * layer.weight.square().sum(1)).sum(-1)
    torch.testing.assert_close(F.squared_jacobian(h, u), closed)


def test_squared_jacobian_is_differentiable_in_the_weights():
    u, bias = inputs(3, 4), inputs(2)

    def penalty(weight):
        return F.squared_jacobian(torch.tanh(u @ weight.T + bias), u)

    assert gradcheck(penalty, (inputs(2, 4),))


# Counts


@FEW
@given(x=st.integers(0, 10_000), log_rate=reals(9))
def test_poisson_log_prob_is_that_of_scipy(x, log_rate):
    ours = F.poisson_log_prob(double(float(x)), double(log_rate)).item()
    assert ours == pytest.approx(stats.poisson.logpmf(x, math.exp(log_rate)), rel=1e-9, abs=1e-9)


@FEW
@given(x=st.integers(0, 10_000), log_mean=reals(9), log_size=reals(7))
def test_negative_binomial_log_prob_is_that_of_scipy(x, log_mean, log_size):
    size, mean = math.exp(log_size), math.exp(log_mean)
    ours = F.negative_binomial_log_prob(double(float(x)), double(log_mean), double(log_size)).item()
    assert ours == pytest.approx(stats.nbinom.logpmf(x, size, size / (size + mean)), rel=1e-7, abs=1e-7)


def test_the_negative_binomial_of_very_large_size_is_the_poisson_distribution_also_in_float32():
    x = torch.arange(60.0)
    ours = F.negative_binomial_log_prob(x, torch.tensor(math.log(20.0)), torch.tensor(14.0))
    np.testing.assert_allclose(ours, stats.poisson.logpmf(np.arange(60), 20.0), rtol=1e-3, atol=1e-3)


@FEW
@given(x=st.floats(0, 1e4), log_start=reals(12))
def test_log_rising_is_the_difference_of_two_log_gammas(x, log_start):
    start = math.exp(log_start)
    expected = math.log(special.poch(start, x)) if x < 20 else special.gammaln(start + x) - special.gammaln(start)
    assert F.log_rising_factorial(double(x), double(start)).item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_log_rising_is_more_accurate_in_float32_than_the_difference_of_log_gammas():
    x, start = torch.tensor(3.0), torch.tensor(1e6)
    exact = math.log(1e6 * (1e6 + 1) * (1e6 + 2))
    assert F.log_rising_factorial(x, start).item() == pytest.approx(exact, rel=1e-6)
    assert abs(torch.lgamma(x + start) - torch.lgamma(start) - exact) > 0.1


@pytest.mark.parametrize("logit", [-3.0, 0.5])
def test_zero_inflation_adds_to_the_zeros_of_the_counts(logit):
    x, share = np.arange(9), special.expit(logit)
    ours = F.zero_inflated_log_prob(double(x), double(stats.poisson.logpmf(x, 2.0)), double(logit))
    expected = (1 - share) * stats.poisson.pmf(x, 2.0) + share * (x == 0)
    np.testing.assert_allclose(ours.exp(), expected, rtol=1e-12)


@FEW
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 99))
def test_multinomial_log_prob_is_that_of_scipy_and_what_was_not_counted_adds_nothing(counts, seed):
    logits = double(np.random.default_rng(seed).normal(size=len(counts)) * 3)
    addends = F.multinomial_log_prob(double([counts]) * 1.0, logits[None])
    expected = stats.multinomial.logpmf(counts, sum(counts), logits.softmax(0).numpy())
    assert addends.sum().item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert not addends[0, np.array(counts) == 0].any()


def test_a_row_with_missing_counts_is_a_multinomial_of_the_others():
    x, logits = double([[3.0, -1.0, 0.0, 5.0, -1.0]]), inputs(1, 5)
    kept = [0, 2, 3]
    ours = F.multinomial_log_prob(x, logits)
    torch.testing.assert_close(ours[:, kept], F.multinomial_log_prob(x[:, kept], logits[:, kept]))
    assert not ours[0, [1, 4]].any()
    (slope,) = torch.autograd.grad(ours.sum(), logits)
    assert not slope[0, [1, 4]].any()


def test_a_row_of_missing_counts_only_has_probability_one_and_no_gradient():
    logits = inputs(1, 4).float().detach().requires_grad_()
    log_prob = F.multinomial_log_prob(-torch.ones(1, 4), logits)
    log_prob.sum().backward()
    assert not log_prob.any()
    assert not logits.grad.any()


# Ordered levels


@FEW
@given(x=st.integers(0, 15), loc=reals(30), log_scale=reals(3))
def test_discretized_logistic_log_prob_is_the_mass_of_the_bin(x, loc, log_scale):
    ours = F.discretized_logistic_log_prob(double(float(x)), double(loc), double(log_scale), 15).item()
    logistic = stats.logistic(loc, math.exp(log_scale))
    ends = (-math.inf if x == 0 else x - 0.5, math.inf if x == 15 else x + 0.5)
    # From the nearer tail, because the difference of two numbers near 1 loses all digits.
    mass = max(logistic.cdf(ends[1]) - logistic.cdf(ends[0]), logistic.sf(ends[0]) - logistic.sf(ends[1]))
    assert math.exp(ours) == pytest.approx(mass, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("log_scale", [-9.0, 0.0, 9.0])
@pytest.mark.parametrize("loc", [-1e3, -0.4, 100.2, 255.0, 1e4])
def test_masses_of_all_levels_add_up_to_one_also_in_float32_and_keep_gradients_finite(loc, log_scale):
    parameters = [torch.tensor(value, requires_grad=True) for value in (loc, log_scale)]
    log_prob = F.discretized_logistic_log_prob(torch.arange(256.0), *parameters, 255)
    assert log_prob.exp().sum().item() == pytest.approx(1.0, abs=1e-4)
    assert all(torch.isfinite(slope) for slope in torch.autograd.grad(log_prob.sum(), parameters))


# Quantiles


@FEW
@given(x=reals(50), loc=reals(50), log_scale=reals(3), level=st.floats(0.02, 0.98))
def test_asymmetric_laplace_log_prob_is_that_of_scipy(x, loc, log_scale, level):
    ours = F.asymmetric_laplace_log_prob(double(x), double(loc), double(log_scale), double(level)).item()
    kappa = math.sqrt(level / (1 - level))
    scale = math.exp(log_scale) / math.sqrt(level * (1 - level))
    assert ours == pytest.approx(stats.laplace_asymmetric.logpdf(x, kappa, loc, scale), rel=1e-9, abs=1e-9)


def test_draws_by_one_quantile_are_asymmetric_laplace():
    draws = F.sample_by_quantiles(torch.full((N_DRAWS, 1), 3.0), torch.tensor([0.2]), torch.tensor(1.5)).numpy()
    reference = stats.laplace_asymmetric(math.sqrt(0.2 / 0.8), 3.0, 1.5 / math.sqrt(0.16))
    assert stats.kstest(draws, reference.cdf).pvalue > 1e-3


def test_draws_lie_below_each_quantile_as_often_as_its_level_says_and_evenly_between():
    quantiles, level = torch.tensor([-4.0, 0.0, 1.0, 10.0]), torch.tensor([0.1, 0.4, 0.5, 0.9])
    draws = F.sample_by_quantiles(quantiles.expand(N_DRAWS, -1), level, torch.tensor(2.0)).numpy()
    below = (draws[:, None] < quantiles.numpy()).mean(0)
    np.testing.assert_allclose(below, level, atol=5 * 0.5 / math.sqrt(N_DRAWS))
    between = draws[(draws > 1) & (draws < 10)]
    assert stats.kstest(between, stats.uniform(1, 9).cdf).pvalue > 1e-3
    assert stats.kstest(draws[draws > 10] - 10, stats.expon(scale=2.0 / 0.9).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("function", "n_parameters"),
    [
        (F.poisson_log_prob, 1),
        (F.negative_binomial_log_prob, 2),
        (lambda x, logits: F.zero_inflated_log_prob(x, -x, logits), 1),
        (F.multinomial_log_prob, 1),
        (lambda x, loc, log_scale: F.discretized_logistic_log_prob(x, 4 * loc, log_scale, 9), 2),
        (lambda x, loc, log_scale: F.asymmetric_laplace_log_prob(x, loc, log_scale, double(0.3)), 2),
    ],
)
def test_gradients_of_log_probabilities_are_those_of_finite_differences(function, n_parameters):
    x = double([[0.0, 3.0, 9.0], [1.0, 0.0, 2.0]])
    assert gradcheck(lambda *parameters: function(x, *parameters), tuple(inputs(2, 3) for _ in range(n_parameters)))
    if function is F.negative_binomial_log_prob:  # where Stirling's series begins
        assert gradcheck(lambda *parameters: function(x, *parameters), (inputs(2, 3), inputs(2, 3, low=3.0, high=6.0)))
