"""``score``: a lower bound on log p(x) that searches maximise."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from isthmus import Autoencoder, load, save, zoo
from isthmus.backbones import Linear
from isthmus.likelihoods import Gaussian

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


def test_superfluous_components_leave_a_finite_score(rows):
    model = linear(24, max_epochs=20).fit(rows)
    assert np.isfinite(model.score(rows))


def test_the_score_survives_saving(rows, tmp_path):
    model = linear(2, max_epochs=2).fit(rows)
    save(model, tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").score(rows) == model.score(rows)
