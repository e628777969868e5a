"""The mixture of posteriors of learned pseudo-inputs as a prior."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from conftest import small
from torch import distributions as D

from isthmus import Autoencoder, BaggedAutoencoders, Decoder, load, save
from isthmus.backbones import MLP
from isthmus.bottlenecks import Gaussian, Nested
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.model.scoring import divergence
from isthmus.part import Shapes
from isthmus.priors import Vamp

RNG = np.random.default_rng(0)
# Six clusters that are far from each other.
CENTERS = 8.0 * np.eye(6)
X = CENTERS[np.arange(300) % 6] + RNG.normal(size=(300, 6))
Z, Q_MEAN, Q_LOG_VARIANCE = torch.randn(3, 3, 6, 2, generator=torch.Generator().manual_seed(0)).unbind()


def linear_posterior(u):
    """Moments that depend on the row: net i % 2 moves its rows by 3 * (i % 2)."""
    shift = 3.0 * (torch.arange(len(u)) % 2)[:, None]
    return u[:, :2] + shift, 0.3 * u[:, 2:4]


def bound_prior(n_nets=1, n_pseudo_inputs=5):
    prior = Vamp(n_pseudo_inputs)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        prior.build((2,), Shapes((4,), n_nets=n_nets))
    prior.bind(linear_posterior)
    return prior


def of_torch(prior, net=0, n_nets=1):
    mean, log_variance = linear_posterior(prior.pseudo_inputs.detach())
    parts = D.Independent(D.Normal(mean[net::n_nets], torch.exp(log_variance[net::n_nets] / 2)), 1)
    return D.MixtureSameFamily(D.Categorical(torch.ones(len(mean) // n_nets)), parts)


# Formulas


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n_nets", [1, 2])
def test_log_density_is_that_of_torch(n_nets, training):
    prior = bound_prior(n_nets).train(training)
    expected = torch.stack([of_torch(prior, i % n_nets, n_nets).log_prob(Z[:, i]) for i in range(6)], 1)
    torch.testing.assert_close(prior.log_prob(Z), expected)


def test_cross_entropy_is_an_upper_bound():
    prior = bound_prior()
    mean, log_variance = Q_MEAN[0], Q_LOG_VARIANCE[0]
    torch.manual_seed(0)
    drawn = mean + torch.exp(log_variance / 2) * torch.randn(20_000, *mean.shape)
    exact = -prior.log_prob(drawn).mean(0)
    assert (prior.cross_entropy(mean, log_variance) > exact).all()


def test_cross_entropy_of_one_component_is_exact():
    prior, q = bound_prior(n_pseudo_inputs=1), D.Normal(Q_MEAN[0], torch.exp(Q_LOG_VARIANCE[0] / 2))
    mean, log_variance = linear_posterior(prior.pseudo_inputs.detach())
    p = D.Normal(mean, torch.exp(log_variance / 2))
    expected = (D.kl_divergence(q, p) + q.entropy()).sum(-1)
    torch.testing.assert_close(prior.cross_entropy(Q_MEAN[0], Q_LOG_VARIANCE[0]), expected)


@pytest.mark.parametrize("n_nets", [1, 2])
def test_samples_have_the_moments_of_the_mixture(n_nets):
    prior = bound_prior(n_nets).eval()
    torch.manual_seed(0)
    drawn = prior.sample(40_000)
    for net in range(n_nets):
        mixture = of_torch(prior, net, n_nets)
        torch.testing.assert_close(drawn[net::n_nets].mean(0), mixture.mean, atol=0.05, rtol=0)
        torch.testing.assert_close(drawn[net::n_nets].var(0), mixture.variance, atol=0.1, rtol=0.05)
    means = prior.sample(50, temperature=0.0)
    assert torch.cdist(means, prior.mean.flatten(0, 1)).min(1).values.max() < 1e-3


# Models


def vamp_net(**options):
    return small("vamp_vae", n_pseudo_inputs=7, max_epochs=6, **options)


@pytest.fixture(scope="module")
def fitted():
    return vamp_net().fit(X)


def test_clusters_have_a_better_bound_than_with_the_normal_prior():
    """Six clusters with little noise and a fixed scale: a normal prior does not fit the gaps between them."""
    rng = np.random.default_rng(1)
    centers = 6 * rng.normal(size=(6, 10))
    rows = centers[rng.integers(6, size=1200)] + rng.normal(size=(1200, 10))
    options = {
        "likelihood": GaussianLikelihood(scale=1.0, scaling="none"),
        "backbone": MLP((64,)),
        "max_epochs": 100,
        "batch_size": 64,
        "learning_rate": 5e-3,
        "patience": None,
    }
    bounds = [
        small(name, **options).fit(rows[:900]).score_samples(rows[900:], n_draws=64, random_state=0).mean()
        for name in ("vamp_vae", "vae")
    ]
    assert bounds[0] >= bounds[1] + 1.5


def test_training_reaches_pseudo_inputs_and_not_running_statistics():
    model = small("vamp_vae", backbone=MLP((8,), norm="batch"), max_epochs=1).fit(X).module_.cpu().train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers() if "running" in name}
    prior = model.prior
    z = torch.zeros(1, 4, 2)
    together = prior.log_prob(z)
    together.sum().backward()
    assert prior.pseudo_inputs.grad.abs().sum() > 0
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers() if name in before)
    assert before


def test_the_mixture_follows_the_current_weights(fitted):
    model = copy.deepcopy(fitted.module_).cpu()
    prior = model.prior
    for kept, computed in zip((prior.mean, prior.log_variance), prior._encode(), strict=True):
        torch.testing.assert_close(kept, computed)
    old = model.prior.log_prob(torch.zeros(1, 1, 2))
    with torch.no_grad():
        model.prior.pseudo_inputs.add_(1.0)
        model.prior.after_step(torch.ones(()))
    assert not torch.equal(model.prior.log_prob(torch.zeros(1, 1, 2)), old)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_encode_with_their_own_weights(fitted, copied):
    model = copied(fitted.module_)
    assert model.prior.posterior.__self__ is model
    assert len(list(model.parameters())) == len(list(fitted.module_.parameters()))
    torch.testing.assert_close(model.prior._encode(), fitted.module_.prior._encode())


def test_a_decoder_draws_from_the_mixture_of_its_weights(tmp_path):
    net = vamp_net(validation_fraction=0).fit(X).partial_fit(X[:50])
    prior = net.module_.prior
    torch.testing.assert_close((prior.mean, prior.log_variance), prior._encode())
    save(Decoder(net), tmp_path / "decoder.safetensors")
    drawn = load(tmp_path / "decoder.safetensors").sample(9, random_state=0)
    np.testing.assert_array_equal(drawn, net.sample(9, random_state=0))


@pytest.mark.parametrize("bottleneck", [Gaussian(n_draws=3), Gaussian(free_bits=0.1)], ids=repr)
def test_scores_of_several_draws_and_free_bits_are_finite(bottleneck):
    net = small("vamp_vae", bottleneck=bottleneck).fit(X)
    assert np.isfinite(net.score_samples(X)).all()
    assert np.isfinite(net.score_samples(X, n_draws=3, random_state=0)).all()


@pytest.mark.parametrize("bottleneck", ["deterministic", "vector_quantized"])
def test_codes_without_a_normal_distribution_are_refused(bottleneck):
    with pytest.raises(ValueError, match=r"prior Vamp\(\) needs codes with a normal distribution"):
        Autoencoder(2, bottleneck=bottleneck, prior="vamp", max_epochs=1).fit(X)


def test_the_number_of_pseudo_inputs_is_checked():
    with pytest.raises(ValueError, match=r"prior\.n_pseudo_inputs of Vamp must be a positive integer, got 0"):
        small("vamp_vae", n_pseudo_inputs=0).fit(X)
    assert math.isfinite(small("vamp_vae", n_pseudo_inputs=1).fit(X).score(X))


def test_a_prior_whose_components_depend_on_each_other_does_not_go_with_cut_components():
    with pytest.raises(ValueError, match=r"got bottleneck Gaussian\(\) with prior Vamp\(\), whose components depend"):
        Autoencoder(2, bottleneck=Nested(Gaussian()), prior="vamp", max_epochs=1).fit(X)


def test_each_net_of_an_ensemble_has_its_own_mixture():
    model = BaggedAutoencoders(small("vamp_vae", prior=Vamp(3)), 2, random_state=0).fit(X).module_.cpu()
    x, latent = torch.from_numpy(X[:4]).repeat_interleave(2, 0), torch.zeros(1, 2, 2)
    assert model.prior.pseudo_inputs.shape[0] == 3 * 2
    density = model.prior.log_prob(latent)
    with torch.no_grad():
        model.prior.pseudo_inputs[1::2] += 1.0  # those of the second net
        model.prior.after_step(0.0)
    changed = model.prior.log_prob(latent)
    assert torch.equal(density[:, 0], changed[:, 0])
    assert not torch.equal(density[:, 1], changed[:, 1])
    assert divergence(model, x).isfinite().all()
