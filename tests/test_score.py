"""``score``: a lower bound on log p(x) that searches maximise."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV

from isthmus import Autoencoder, load, save, zoo
from isthmus.backbones import Linear
from isthmus.bottlenecks import Gaussian as GaussianCode
from isthmus.bottlenecks import Ladder
from isthmus.likelihoods import Gaussian
from isthmus.model.scoring import log_weights
from isthmus.randomness import seeded

WIDTH = 20


@pytest.fixture(scope="module")
def rows():
    """Rows of a linear model with 3 latent variables and noise of variance 0.25."""
    rng = np.random.default_rng(0)
    loadings = np.linalg.qr(rng.normal(size=(WIDTH, 3)))[0].T * [[4.0], [3.0], [2.0]]
    return rng.normal(size=(1200, 3)) @ loadings + 0.5 * rng.normal(size=(1200, WIDTH))


def linear(n_components, **options):
    options = {"max_epochs": 60, "learning_rate": 0.02, "batch_size": 100, "random_state": 0, **options}
    likelihood = Gaussian(scale="shared", scaling="none")
    return Autoencoder(n_components, backbone=Linear(), likelihood=likelihood, **options)


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_the_score_of_linear_plain_codes_is_close_to_probabilistic_pca(rows, n_components):
    train, test = rows[:800], rows[800:]
    exact = PCA(n_components).fit(train).score(test)
    score = linear(n_components).fit(train).score(test)
    assert exact - 0.6 < score < exact


def test_grid_search_finds_the_number_of_latent_variables(rows):
    search = GridSearchCV(linear(1), {"n_components": [1, 2, 3, 5, 10]}, cv=2).fit(rows)
    assert search.best_params_ == {"n_components": 3}


def test_the_score_of_a_vae_is_the_bound_and_repeatable(rows):
    model = zoo.vae(2, max_epochs=3, random_state=0).fit(rows)
    assert model.score(rows) == model.score(rows)
    assert model.score(rows) == pytest.approx(model.score_samples(rows, n_draws=8, random_state=0).mean())


def test_an_index_costs_the_logarithm_of_the_number_of_vectors(rows):
    model = Autoencoder(2, bottleneck="vector_quantized", max_epochs=2, random_state=0).fit(rows)
    plug_in = model.score_samples(rows).mean()
    assert model.score(rows) == pytest.approx(plug_in - 2 * np.log(64), rel=1e-5)


def test_unused_components_give_a_finite_score(rows):
    model = linear(24, max_epochs=20).fit(rows)
    assert np.isfinite(model.score(rows))


def test_the_score_survives_saving(rows, tmp_path):
    model = linear(2, max_epochs=2).fit(rows)
    save(model, tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").score(rows) == model.score(rows)


def exact_log_prob(model, rows, mean, covariance):
    """Return the log density of rows under a linear decoder of normal codes."""
    module = model.module_.cpu()
    with torch.no_grad():
        at = torch.cat([torch.zeros(1, 2), torch.eye(2)])
        images = module.decode_latent(at).double().numpy()
        scale = float(module.likelihood.noise.log_scale.exp().flatten()[0])
    slope = images[1:] - images[0]
    total = slope.T @ covariance @ slope + scale**2 * np.eye(rows.shape[1])
    return multivariate_normal(images[0] + mean @ slope, total).logpdf(rows).mean()


@pytest.mark.parametrize("bottleneck", [GaussianCode(beta=0.2), Ladder(beta=0.2)])
def test_the_bound_is_that_of_the_model_that_sample_draws_from(rows, bottleneck):
    """A prior that is fitted after training replaces the one of the objective; the exact density is known."""
    model = linear(2, bottleneck=bottleneck, prior=GaussianMixture(1), max_epochs=20).fit(rows)
    fitted = model.module_.prior.fitted[0]
    exact = exact_log_prob(model, rows[:300], fitted.means_[0], fitted.covariances_[0])
    standard = exact_log_prob(model, rows[:300], np.zeros(2), np.eye(2))
    bound = model.score_samples(rows[:300], n_draws=200, random_state=0).mean()
    assert exact - 0.1 < bound < exact + 0.02
    assert abs(exact - standard) > 0.2


def test_without_labels_codes_are_averaged_over_the_prior_of_each_label(rows):
    labels = (rows @ np.ones(WIDTH) > 0).astype(int)
    model = linear(2, bottleneck="gaussian", prior=GaussianMixture(1), conditional=True, max_epochs=3).fit(rows, labels)
    module, x = model.module_.cpu(), torch.from_numpy(rows[:5])
    with seeded(0):
        whole = log_weights(module, x, None, 3)
    each = []
    for y in module.labels.each(5):
        with seeded(0):
            each.append(log_weights(module, x, y, 3))
    torch.testing.assert_close(whole, torch.logsumexp(torch.stack(each, -1) + module.labels.log_frequencies, -1))


def test_a_prior_without_a_density_is_refused(rows):
    class Draws(BaseEstimator):
        def fit(self, X):
            self.rows_ = X
            return self

        def sample(self, n):
            return self.rows_[:n]

    for bottleneck in ("deterministic", "gaussian"):
        model = linear(2, bottleneck=bottleneck, prior=Draws(), max_epochs=1).fit(rows)
        with pytest.raises(ValueError, match="the density of prior Draws is not known: it has no method score_samples"):
            model.score(rows)
        assert np.isfinite(model.score_samples(rows)).all()


def test_held_out_rows_choose_the_rank_of_a_linear_model():
    """Ten columns of rank 3: candidates up to as many components as columns."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 10)) + 0.5 * rng.normal(size=(600, 10))
    scores = [linear(k, max_epochs=40).fit(X[:400]).score(X[400:]) for k in range(1, 11)]
    assert int(np.argmax(scores)) + 1 == 3
