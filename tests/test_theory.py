"""Problems with known solutions: principal components, exact likelihoods, optimal denoising, a problem from 1986."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.linalg import subspace_angles
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from torch.func import jacrev, vmap

from isthmus import Autoencoder, zoo
from isthmus.backbones import MLP, Linear
from isthmus.bottlenecks import Deterministic, Gaussian
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.likelihoods.scaling import FLOOR
from isthmus.part import Shapes
from isthmus.priors import Normal
from isthmus.randomness import seeded
from isthmus.regularizers import Jacobian

X = load_iris().data
N_FEATURES = X.shape[1]
VARIANCES = np.linalg.eigvalsh(np.cov(X.T, bias=True))[::-1]  # of the principal components, largest first
MANY = np.tile(X, (20, 1))  # the same distribution with less noise in every step
OPTIONS = {"validation_fraction": 0, "random_state": 0}


def linear_vae(*, scale="shared", precision="float32", batch_size=50, learning_rate=0.05, max_epochs, **code):
    """Probabilistic PCA as an autoencoder."""
    return Autoencoder(
        2,
        backbone=Linear(),
        bottleneck=Gaussian(**code),
        likelihood=GaussianLikelihood(scale=scale, scaling="center"),
        precision=precision,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_epochs=max_epochs,
        **OPTIONS,
    )


def decoder_map(model):
    """Matrix (n_components, n_features) and offset of a linear decoder, in the data's units."""
    offset, *moved = model.inverse_transform(np.vstack([np.zeros(model.n_components), np.eye(model.n_components)]))
    return np.array(moved) - offset, offset


def noise_scale(model):
    """Return the standard deviation around the reconstruction, from the density at its mode."""
    likelihood, theta = model.module_.cpu().likelihood, torch.zeros(1, 1, N_FEATURES).to(model.module_.dtype)
    heights = likelihood.log_prob(theta, likelihood.mean(theta)).numpy(force=True)
    return math.exp(-heights[0, 0] - 0.5 * math.log(2 * math.pi))


def divergences(model):
    """KL divergence of every row and component from the standard normal, (n, n_components)."""
    mean, deviation = model.transform(X, return_std=True)
    return 0.5 * (mean**2 + deviation**2 - 1) - np.log(deviation)


def probabilistic_pca_optimum(n_components):
    """Return the maximum mean log-likelihood of probabilistic PCA (Tipping and Bishop, 1999, equation 7)."""
    kept, noise = VARIANCES[:n_components], VARIANCES[n_components:].mean()
    log_determinant = np.log(kept).sum() + (N_FEATURES - n_components) * math.log(noise)
    return -0.5 * (N_FEATURES * math.log(2 * math.pi) + log_determinant + N_FEATURES)


# Principal components


@pytest.mark.parametrize("tied", [False, True])
def test_linear_autoencoder_finds_the_subspace_of_pca(tied):
    model = zoo.linear(2, tied=tied, batch_size=50, max_epochs=150, learning_rate=0.03, **OPTIONS).fit(X)
    error = ((X - model.reconstruct(X)) ** 2).sum(1).mean()
    assert error == pytest.approx(VARIANCES[2:].sum(), rel=1e-4)
    angles = subspace_angles(decoder_map(model)[0].T, PCA(2).fit(X).components_.T)
    assert np.rad2deg(angles).max() < 0.1


def test_with_beta_one_a_linear_autoencoder_rebuilds_standardized_columns_as_pca_does():
    """Each of two pairs of columns has equal noise. The likelihood pays for one exact column more than for all four."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 4)) + 1.5 * np.repeat(rng.normal(size=(400, 2)), 2, axis=1)
    rows = (rows - rows.mean(0)) / rows.std(0)
    least = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[:2].sum() / 4
    for beta, smallest, largest in ((1.0, 1.0, 1.01), (0.0, 1.3, 3.0)):
        likelihood = GaussianLikelihood(beta=beta)
        model = zoo.linear(2, likelihood=likelihood, batch_size=100, max_epochs=150, learning_rate=0.03, **OPTIONS)
        rebuilt = model.fit(rows).reconstruct(rows)
        assert smallest * least <= np.square(rows - rebuilt).mean() <= largest * least
        scale = np.sqrt(np.square(rows - rebuilt).mean(0))
        if beta:  # the learned scales are those of maximum likelihood, so scores are log densities of the residuals
            expected = stats.norm.logpdf(rows, rebuilt, np.hypot(scale, FLOOR)).sum(1)
            np.testing.assert_allclose(model.score_samples(rows), expected, rtol=0.01, atol=0.02)


def test_linear_vae_reaches_the_exact_likelihood_of_probabilistic_pca():
    model = linear_vae(max_epochs=200).fit(X)
    scores = model.score_samples(X, n_draws=1000)
    # scikit-learn estimates the covariance with n - 1, so its score is slightly below the optimum.
    assert scores.mean() == pytest.approx(PCA(2).fit(X).score(X), rel=0.005)
    assert scores.mean() == pytest.approx(probabilistic_pca_optimum(2), rel=0.001)
    assert noise_scale(model) == pytest.approx(math.sqrt(VARIANCES[2:].mean()), rel=0.02)


def test_a_linear_vae_reaches_the_optimum_with_default_sizes():
    likelihood = GaussianLikelihood(scale="shared", scaling="center")
    model = zoo.vae(2, backbone=Linear(), likelihood=likelihood, **OPTIONS).fit(X)
    assert model.score_samples(X, n_draws=1000).mean() == pytest.approx(probabilistic_pca_optimum(2), rel=0.01)
    mean, deviation = model.transform(X, return_std=True)
    np.testing.assert_allclose(mean.var(0) + (deviation**2).mean(0), 1.0, atol=0.15)


# Bounds


@pytest.fixture(scope="module")
def half_trained():
    """A linear VAE with an incorrect posterior, so that bounds and exact values differ."""
    return linear_vae(max_epochs=15, precision="float64").fit(X)


@pytest.fixture(scope="module")
def exact(half_trained):
    """Return log p(x) of every row; the marginal of the model is a normal distribution."""
    directions, offset = decoder_map(half_trained)
    covariance = directions.T @ directions + noise_scale(half_trained) ** 2 * np.eye(N_FEATURES)
    return stats.multivariate_normal(offset, covariance).logpdf(X)


@pytest.fixture(scope="module")
def analytic_elbo(half_trained):
    """E_q log p(x | z) - KL(q | p) of every row, in closed form."""
    directions, offset = decoder_map(half_trained)
    noise = noise_scale(half_trained)
    mean, deviation = half_trained.transform(X, return_std=True)
    log_prob = stats.norm.logpdf(X, offset + mean @ directions, noise).sum(1)
    spread = 0.5 * (deviation**2 @ (directions**2).sum(1)) / noise**2
    return log_prob - spread - divergences(half_trained).sum(1)


def bounds(model, n_draws, n_repeats=150):
    """Mean of the bound on each row over repetitions, and its standard error."""
    each = np.stack([model.score_samples(X, n_draws=n_draws, random_state=i) for i in range(n_repeats)])
    return each.mean(0), each.std(0) / math.sqrt(n_repeats)


def test_the_bound_of_one_draw_is_the_elbo_on_average(half_trained, analytic_elbo):
    mean, error = bounds(half_trained, 1)
    assert (np.abs(mean - analytic_elbo) < 5 * error).all()


def test_more_draws_give_a_tighter_bound_that_never_passes_the_exact_value(half_trained, analytic_elbo, exact):
    (few, few_error), (many, many_error) = bounds(half_trained, 5), bounds(half_trained, 100)
    assert (analytic_elbo < few + 5 * few_error).all()
    assert (few < many + 5 * np.hypot(few_error, many_error)).all()
    assert (many < exact + 5 * many_error).all()
    gaps = exact.mean() - np.array([analytic_elbo.mean(), few.mean(), many.mean()])
    assert (gaps[:-1] > 2 * gaps[1:]).all()
    assert gaps[-1] < 0.01


def test_many_draws_reach_the_exact_value(half_trained, exact):
    np.testing.assert_allclose(half_trained.score_samples(X, n_draws=2_000), exact, atol=0.1)


def test_without_draws_the_score_is_the_plug_in_value_and_no_bound(half_trained, exact):
    log_prob = stats.norm.logpdf(X, half_trained.reconstruct(X), noise_scale(half_trained)).sum(1)
    plug_in = half_trained.score_samples(X)
    np.testing.assert_allclose(plug_in, log_prob - divergences(half_trained).sum(1), rtol=1e-6)
    assert (plug_in > exact).any()


@pytest.mark.parametrize("n_draws", [1, 5])
def test_at_beta_one_the_training_loss_is_the_negative_bound(half_trained, n_draws):
    model, x = half_trained.module_.cpu(), torch.from_numpy(X)
    torch.manual_seed(0)
    model.bottleneck.set_params(n_draws=n_draws)
    losses = torch.stack([model(x).terms["negative_bound"].detach() for _ in range(400)]).numpy()
    model.bottleneck.set_params(n_draws=1)
    mean, error = bounds(half_trained, n_draws)
    tolerance = 5 * np.hypot(error, losses.std(0) / math.sqrt(len(losses)))
    assert (np.abs(losses.mean(0) + mean) < tolerance).all()


# The divergence


@pytest.mark.parametrize("beta", [1.0, 4.0, 60.0])
def test_beta_sets_the_divergence_predicted_by_theory(beta):
    # Weighing the divergence by beta is the same as noise of beta times the variance. A component whose variance stands
    # out from it carries half the log of the ratio; another collapses (Lucas et al. 2019, arXiv:1911.02469).
    scale = 0.3
    model = linear_vae(scale=scale, beta=beta, batch_size=500, learning_rate=0.1, max_epochs=100).fit(MANY)
    expected = np.maximum(0, 0.5 * np.log(VARIANCES[:2] / (beta * scale**2))).sum()
    assert divergences(model).sum(1).mean() == pytest.approx(expected, rel=0.02, abs=0.01)


@pytest.mark.parametrize("capacity", [0.5, 2.0])
def test_capacity_controls_the_divergence(capacity):
    model = linear_vae(scale=0.3, beta=100.0, capacity=capacity, learning_rate=0.1, max_epochs=80).fit(X)
    assert divergences(model).sum(1).mean() == pytest.approx(capacity, rel=0.1)


def test_every_component_has_its_free_bits_at_any_beta():
    model = linear_vae(scale=0.3, beta=60.0, free_bits=0.5, batch_size=len(X), learning_rate=0.1, max_epochs=250).fit(X)
    np.testing.assert_allclose(divergences(model).mean(0), 0.5, rtol=0.02)


def gaussian(n_components, **options):
    bottleneck = Gaussian(**options)
    bottleneck.set_prior(Normal())
    bottleneck.build(n_components, Shapes(input=(5,)))
    return bottleneck


def price(h, progress=1.0, **code):
    bottleneck = gaussian(h.shape[1] // 2, **code)
    return bottleneck(h, None, torch.tensor(progress))


def test_the_code_costs_beta_times_its_divergence_from_the_prior():
    h = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    mean, log_variance = h.chunk(2, -1)
    divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(-1)
    torch.testing.assert_close(price(h).log_ratio[0], divergence)
    torch.testing.assert_close(price(h, beta=3.0).costs["divergence"][0], 3 * divergence)
    torch.testing.assert_close(price(h, capacity=2.0, progress=0.5).costs["divergence"][0], (divergence - 1).abs())
    torch.testing.assert_close(price(h, warmup=0.5, progress=0.25, beta=4.0).costs["divergence"][0], 2 * divergence)
    torch.testing.assert_close(price(h, warmup=0.5, progress=0.75, beta=4.0).costs["divergence"][0], 4 * divergence)


def test_the_cost_with_free_bits_is_at_least_the_free_bits():
    h = torch.tensor([[0.0, 3.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])  # components of divergence 0, and 4.5 and 0.5
    assert price(h, free_bits=0.25).costs["divergence"][0].tolist() == [0.25 + 4.5, 0.25 + 0.5]


def test_a_code_without_sampling_is_its_mean():
    bottleneck = gaussian(2, n_draws=3)
    h = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(bottleneck.code_mean(h), h[:, :2])
    assert bottleneck(h, None, torch.tensor(1.0)).z.shape == (3, 6, 2)


def test_the_mean_of_the_log_ratio_over_draws_is_the_divergence():
    h = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    bottleneck = gaussian(3)
    with seeded(0):
        z, log_q = bottleneck.draw(h, 20_000)
    ratios = log_q - bottleneck.prior.log_prob(z)
    error = 5 * ratios.std(0) / math.sqrt(20_000)
    assert (ratios.mean(0) - bottleneck.divergence(h)).abs().le(error).all()


# Other optima


def test_denoising_learns_the_shrinkage_that_is_optimal_on_a_gaussian_cloud():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + 5
    noise = 0.8
    likelihood = GaussianLikelihood(scale="shared", scaling="center")
    options = {"batch_size": 100, "max_epochs": 100, "learning_rate": 0.03, **OPTIONS}
    model = zoo.denoising(3, noise=noise, unit="data", backbone=Linear(), likelihood=likelihood, **options).fit(cloud)
    centre = cloud.mean(0, keepdims=True)
    learned = (model.reconstruct(centre + np.eye(3)) - model.reconstruct(centre)).T
    covariance = np.cov(cloud.T, bias=True)
    optimum = covariance @ np.linalg.inv(covariance + noise**2 * np.eye(3))
    np.testing.assert_allclose(learned, optimum, atol=0.02)
    np.testing.assert_allclose(model.reconstruct(centre), centre, atol=0.02)


@pytest.mark.parametrize("bottleneck", [Deterministic("sigmoid"), Gaussian()], ids=repr)
def test_the_contractive_term_of_a_training_step_is_the_brute_force_jacobian(bottleneck):
    backbone = MLP((6,), activation="tanh")
    options = {"backbone": backbone, "bottleneck": bottleneck, "regularizers": Jacobian(0.7, n_probes=None)}
    model = Autoencoder(2, max_epochs=1, precision="float64", random_state=0, **options).fit(X).module_.cpu().train()
    x = torch.from_numpy(X)
    rows = vmap(jacrev(lambda u: model.code_mean(u[None])[0]))(model.encode_input(x))
    torch.testing.assert_close(model(x).terms["jacobian"], 0.7 * rows.square().sum((1, 2)))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_encoder_problem_of_rumelhart_hinton_and_williams_is_solved(seed):
    # 8 units, 3 sigmoid units, 8 sigmoid units, gradient descent with momentum. From some starts a unit of the code
    # ends halfway, as the authors also observed; from these starts all codes are binary.
    patterns = np.eye(8)
    options = {"optimizer": "sgd", "learning_rate": 1.0, "batch_size": 8, "max_epochs": 50, "validation_fraction": 0}
    parts = {"backbone": Linear(), "bottleneck": Deterministic("sigmoid"), "likelihood": "bernoulli"}
    model = Autoencoder(3, **parts, **options, random_state=seed).fit(np.tile(patterns, (20, 1)))
    np.testing.assert_allclose(model.reconstruct(patterns), patterns, atol=0.1)
    assert len(np.unique(model.transform(patterns).round(), axis=0)) == 8
