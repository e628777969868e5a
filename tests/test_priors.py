"""Densities of codes: splines and flows compared with calculus, and draws of an estimator."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest, multivariate_normal, norm
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import make_moons
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity

from isthmus import Autoencoder
from isthmus.bottlenecks import Gaussian
from isthmus.functional import rational_quadratic
from isthmus.part import Shapes
from isthmus.priors import Density, Empirical, Flow, Normal
from isthmus.priors.estimators import fit_estimator
from isthmus.randomness import seeded

BOUND = 3.0


@pytest.fixture
def spline():
    """Numbers on both sides of the bounds, and the logits of a spline for each."""
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(-4, 4, 401, dtype=torch.float64)
    logits = [torch.randn(n, generator=generator, dtype=torch.float64).expand(401, n) for n in (8, 8, 7)]
    return x, logits


def test_the_inverse_of_a_spline_is_exact(spline):
    x, logits = spline
    y, slope = rational_quadratic(x, *logits, BOUND)
    again, same = rational_quadratic(y, *logits, BOUND, inverse=True)
    torch.testing.assert_close(again, x)
    torch.testing.assert_close(same, slope)
    assert (y.diff() > 0).all()
    assert not torch.allclose(y, x, atol=0.1)


def test_the_slope_of_a_spline_is_its_derivative(spline):
    x, logits = spline
    x.requires_grad_()
    y, slope = rational_quadratic(x, *logits, BOUND)
    (derivative,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope.exp(), derivative)


def test_a_spline_is_the_identity_beyond_its_bound_and_where_all_logits_are_0(spline):
    x, logits = spline
    y, slope = rational_quadratic(x, *logits, BOUND)
    beyond = x.abs() >= BOUND
    assert torch.equal(y[beyond], x[beyond])
    assert (slope[beyond] == 0).all()
    straight, flat = rational_quadratic(x, *(torch.zeros_like(some) for some in logits), BOUND)
    torch.testing.assert_close(straight, x)
    torch.testing.assert_close(flat, torch.zeros_like(x))


@pytest.fixture(scope="module")
def moons():
    return make_moons(1500, noise=0.1, random_state=0)[0] * [3, 10] + [5, 0]


@pytest.fixture(scope="module")
def flow(moons):
    return Flow(n_layers=4, width=32, random_state=0).fit(moons)


def test_a_flow_is_a_density(flow):
    across, up = np.linspace(-3, 15, 400), np.linspace(-20, 25, 400)
    grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    cell = (across[1] - across[0]) * (up[1] - up[0])
    assert np.exp(flow.score_samples(grid)).sum() * cell == pytest.approx(1, abs=0.01)


def test_a_flow_has_a_higher_likelihood_than_one_normal_distribution(flow):
    new = make_moons(1000, noise=0.1, random_state=1)[0] * [3, 10] + [5, 0]
    plain, mixture = (GaussianMixture(n, random_state=0).fit(new).score(new) for n in (1, 10))
    assert flow.score(new) > plain + 0.8 * (mixture - plain)
    drawn = flow.sample(1000)
    assert max(ks_2samp(drawn[:, i], new[:, i]).statistic for i in range(2)) < 0.1
    assert flow.score(drawn) == pytest.approx(flow.score(new), abs=0.15)


def test_a_flow_of_one_feature_is_that_of_the_quantiles():
    x = np.random.default_rng(0).gamma(3.0, size=(2000, 1))
    flow = Flow(n_layers=2, random_state=0).fit(x)
    assert ks_2samp(flow.sample(2000).ravel(), x.ravel()).statistic < 0.06


def test_a_flow_depends_on_its_seed_and_leaves_global_generators_unchanged(moons):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, second = (Flow(n_layers=1, width=8, random_state=3).fit(moons[:200]) for _ in range(2))
    np.testing.assert_array_equal(first.sample(9), second.sample(9))
    assert not np.array_equal(first.set_params(random_state=1).sample(9), first.set_params(random_state=2).sample(9))
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_a_flow_of_few_rows_and_of_a_constant_is_finite():
    rows = np.column_stack([np.arange(3.0), np.full(3, 7.0)])
    flow = Flow(n_layers=2, random_state=0).fit(rows)
    assert np.isfinite(flow.score_samples(rows)).all()
    assert np.isfinite(flow.sample(20)).all()


def test_a_flow_names_errors_in_parameters_and_rows(moons, flow):
    with pytest.raises(ValueError, match="n_layers of Flow must be a positive integer, got 0"):
        Flow(n_layers=0).fit(moons)
    with pytest.raises(ValueError, match="X has 3 features, but Flow is expecting 2"):
        flow.score_samples(np.zeros((2, 3)))


def sample(estimator, codes, n, seed=0):
    """Draw from a prior that is fitted to codes (n, d)."""
    prior = Density(estimator)
    prior.build(codes.shape[1:], Shapes(input=(5,)))
    prior.fit(torch.from_numpy(codes), None, seed)
    with seeded(seed):
        return prior.sample(n).numpy()


class Bootstrap(BaseEstimator):
    """Draws rows of fit with NumPy's global generator, as estimators without a random state do."""

    def fit(self, X):
        self.rows_ = X
        return self

    def sample(self, n):
        return self.rows_[np.random.randint(len(self.rows_), size=n)]


def test_sample_of_a_density_estimator_needs_no_random_state():
    codes = np.random.default_rng(0).normal(size=(50, 2))
    before = np.random.get_state()[1].copy()
    drawn = [sample(Bootstrap(), codes, 30, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert set(map(tuple, drawn[0])) <= set(map(tuple, codes))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    model = Autoencoder(2, prior=Bootstrap(), max_epochs=1, random_state=0).fit(codes)
    np.testing.assert_array_equal(model.sample(3, random_state=1), model.sample(3, random_state=1))


def test_log_densities_of_priors_are_those_of_scipy_and_scikit_learn():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) + 1
    z = torch.from_numpy(codes[:6])[None].repeat(2, 1, 1)
    mixture = GaussianMixture(2, random_state=0)
    expected = {
        Normal(): multivariate_normal(np.zeros(3)).logpdf(codes[:6]),
        Empirical(): multivariate_normal(codes.mean(0), np.cov(codes.T)).logpdf(codes[:6]),
        Density(mixture): clone(mixture).fit(codes).score_samples(codes[:6]),
    }
    for prior, log_prob in expected.items():
        prior.build((3,), Shapes(input=(5,)))
        prior.double().fit(torch.from_numpy(codes), None, 0)
        np.testing.assert_allclose(prior.log_prob(z), np.stack([log_prob] * 2), rtol=1e-4)


def test_the_density_of_labels_is_that_of_their_codes_and_without_labels_a_mixture():
    rng = np.random.default_rng(0)
    codes, y = (
        rng.normal(size=(300, 1)) + np.repeat([0, 5], [100, 200])[:, None],
        np.eye(2)[np.repeat([0, 1], [100, 200])],
    )
    prior = Density(GaussianMixture(1))
    prior.build((1,), Shapes(input=(5,), condition=2, n_labels=2))
    prior.fit(torch.from_numpy(codes), torch.from_numpy(y), 0)
    each = [norm(part.mean(), part.std()).logpdf(codes[:5, 0]) for part in (codes[:100], codes[100:])]
    z = torch.from_numpy(codes[:5])[None]
    for label in range(2):
        asked = torch.eye(2)[label].expand(5, 2)
        np.testing.assert_allclose(prior.log_prob(z, asked)[0], each[label], rtol=1e-2)
    np.testing.assert_allclose(
        prior.log_prob(z)[0], np.logaddexp(each[0] + np.log(1 / 3), each[1] + np.log(2 / 3)), rtol=1e-2
    )


def test_the_bandwidth_is_about_the_best_for_normal_codes():
    codes = np.random.default_rng(0).normal(5, 2, size=(3000, 1))
    found = fit_estimator("kde", codes, 0)
    # Silverman, 1986: 1.06 standard deviations times n^(-1/5) for normal rows.
    assert found.bandwidth == pytest.approx(1.06 * 2 * 3000**-0.2, rel=0.5)
    assert isinstance(fit_estimator("kde", codes[:1], 0), KernelDensity)


@pytest.mark.parametrize("name", ["mixture", "kde", "flow"])
def test_names_select_densities_of_the_codes(name):
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(-4, 1, (300, 2)), rng.normal(4, 0.5, (300, 2))])
    drawn = sample(name, codes, 2000)
    assert max(ks_2samp(drawn[:, i], codes[:, i]).statistic for i in range(2)) < 0.12


def test_draws_of_a_mixture_are_not_ordered_by_component():
    codes = np.repeat([[0.0], [100.0]], 50, axis=0) + np.random.default_rng(0).normal(size=(100, 1))
    high = sample(GaussianMixture(2), codes, 400).ravel() > 50
    assert kstest(np.flatnonzero(high), "uniform", (0, 400)).pvalue > 0.01


def test_a_mixture_without_a_seed_gets_one_and_is_not_changed():
    numpy_state = np.random.get_state()[1].copy()
    template = BayesianGaussianMixture(n_components=3)
    codes = np.random.default_rng(0).normal(size=(25, 2))
    first, second = (fit_estimator(template, codes, 0) for _ in range(2))
    np.testing.assert_array_equal(first.means_, second.means_)
    assert first.n_components == 2, "ten different codes to a cluster"
    assert (template.n_components, template.random_state) == (3, None)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)


class Wide(Normal):
    """A normal distribution with a learned standard deviation."""

    def build(self, z_shape, shapes):
        super().build(z_shape, shapes)
        self.log_scale = torch.nn.Parameter(torch.ones(()))

    def log_prob(self, z, y=None):
        return super().log_prob(z / self.log_scale.exp()) - self.log_scale * z.shape[-1]

    def sample(self, n, y=None, temperature=1.0):
        return self.log_scale.exp() * super().sample(n, y, temperature).to(self.log_scale)

    def divergence(self, mean, log_variance):
        return None


def test_a_prior_with_parameters_is_trained_and_sampled():
    x = np.random.default_rng(0).normal(size=(300, 3))
    model = Autoencoder(2, bottleneck="gaussian", prior=Wide(), max_epochs=3, random_state=0).fit(x)
    assert model.module_.prior.log_scale != 1
    assert model.sample(5, random_state=0).shape == (5, 3)


@pytest.fixture(scope="module")
def two_kinds():
    """Rows whose label is obvious, so that codes contain it although the encoder does not get labels."""
    rng = np.random.default_rng(0)
    y = np.repeat(["left", "right"], 300)
    return rng.normal(np.where(y == "left", -5, 5)[:, None], 1.0, (600, 4)), y


@pytest.mark.parametrize("density", ["mixture", KernelDensity(bandwidth=0.1)])
def test_conditional_models_draw_the_codes_of_the_label(two_kinds, density):
    X, y = two_kinds
    model = Autoencoder(2, conditional=True, prior=density, max_epochs=60, random_state=0).fit(X, y)
    assert len(model.module_.prior.fitted) == 2
    asked = np.random.default_rng(1).permutation(y)
    found = np.where(model.sample(600, y=asked, random_state=0).mean(1) < 0, "left", "right")
    assert (found == asked).mean() > 0.99
    assert (model.sample(50, y="left", random_state=0).mean(1) < 0).all()
    assert (model.sample(400, random_state=0).mean(1) < 0).mean() == pytest.approx(0.5, abs=0.1)
    given = model.sample(50, y="right", given={0: 5.0}, random_state=0)
    assert (given[:, 0] == 5).all()
    assert (given.mean(1) > 0).all()


def test_rare_labels_share_the_density_of_all_codes(two_kinds):
    X, y = two_kinds
    y = np.concatenate([["seldom"], y[1:]])
    # So few and small steps that the decoder does not depend on the label, whose only row is left.
    options = {"max_epochs": 2, "learning_rate": 2e-3, "random_state": 0}
    model = Autoencoder(2, conditional=True, prior="mixture", **options).fit(X, y)
    drawn = model.sample(300, y="seldom", random_state=0)
    assert (drawn.mean(1) < 0).mean() == pytest.approx(0.5, abs=0.1)


def test_conditional_models_of_numbers_have_one_density(two_kinds):
    X, _ = two_kinds
    model = Autoencoder(1, conditional=True, prior="mixture", max_epochs=2, random_state=0).fit(X, X[:, 0])
    assert len(model.module_.prior.fitted) == 1
    assert model.sample(5, y=0.5).shape == (5, 4)


def test_codes_can_be_sampled_from_a_flow():
    x = np.random.default_rng(0).uniform(size=(1000, 1)) * [1.0, -2.0]
    model = Autoencoder(1, prior=Flow(n_layers=2), max_epochs=60, random_state=0).fit(x)
    drawn = model.sample(2000, sample_values=False, random_state=0)
    assert kstest(drawn[:, 0], "uniform").statistic < 0.1
    assert kstest(drawn[:, 0], norm(0.5, x[:, 0].std()).cdf).pvalue < 1e-6
    np.testing.assert_array_equal(drawn, model.sample(2000, sample_values=False, random_state=0))


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (
            "mixtur",
            r"prior must be one of .*'flow', 'kde', 'mixture', 'nor.*got 'mixtur'; did you mean 'mixture'",
        ),
        (Gaussian(), "prior must be a Prior or the name of one, got Gaussian"),
        (
            GaussianMixture,
            "prior must be a Prior or the name of one, got the class GaussianMixture; create an instance",
        ),
        (3, "prior must be a Prior or the name of one, got 3"),
        (Density("kd"), "prior.estimator of Density must be one of .* or an estimator with fit, sample"),
    ],
)
def test_bad_densities_are_refused(density, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(prior=density).fit(np.zeros((5, 2)))


def test_a_wrong_number_of_labels_is_refused(two_kinds):
    X, y = two_kinds
    model = Autoencoder(2, conditional=True, prior="mixture", max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="y must be one label or 3 labels, one for each row, got 2"):
        model.sample(3, y=["left", "right"])
