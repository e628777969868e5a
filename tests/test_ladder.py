"""Two layers of codes against torch's distributions and exact likelihoods."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Independent, Normal, kl_divergence

from isthmus import Autoencoder, BaggedAutoencoders, zoo
from isthmus.backbones import MLP, Custom, Linear
from isthmus.bottlenecks import Ladder, Nested
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.part import Shapes
from isthmus.priors import Normal as NormalPrior
from isthmus.priors import Prior

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(200, 6))
Y = np.arange(200) % 3
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
DONE = torch.ones(())


def small(n_components=3, **options):
    options = {"backbone": MLP((8,)), "max_epochs": 3, "batch_size": 32, "random_state": 0, **options}
    options = {"bottleneck": Ladder(n_top=1, width=5), **options}
    return Autoencoder(n_components, **options)


def built(n_components=5, **options):
    """A bottleneck in float64, with random weights."""
    torch.manual_seed(0)
    part = Ladder(**options)
    part.set_prior(NormalPrior())
    _, z_shape = part.build(n_components, Shapes((1,)))
    part.prior.build(z_shape, Shapes((1,)))
    for parameter in part.parameters():
        torch.nn.init.normal_(parameter)
    return part.double()


WIDTHS = pytest.mark.parametrize("width", [None, 4])


def normal(mean, variance):
    return Independent(Normal(mean, variance.sqrt()), 1)


def distributions(part, h, top):
    """q(z1 | x, z2), p(z1 | z2), q(z2 | x) and p(z2) as torch's distributions, by the formulas of the paper."""
    n_bottom, n_top = part.prior.sizes
    mean, variance = h[:, : n_bottom + n_top], h[:, n_bottom + n_top :].exp()
    if part.width is None:
        prior_mean = top @ part.prior.net.weight.T + part.prior.net.bias
        prior_variance = part.prior.log_variance.exp().expand_as(prior_mean)
    else:
        first, _, last = part.prior.net
        hidden = top @ first.weight.T + first.bias
        out = (hidden / (1 + (-hidden).exp())) @ last.weight.T + last.bias
        prior_mean, prior_variance = out[..., :n_bottom], out[..., n_bottom:].exp()
    message, message_variance = mean[:, :n_bottom], variance[:, :n_bottom]
    q_variance = 1 / (1 / message_variance + 1 / prior_variance)
    q_mean = q_variance * (message / message_variance + prior_mean / prior_variance)
    zero, one = torch.zeros(n_top).to(h), torch.ones(n_top).to(h)
    above = normal(mean[:, n_bottom:], variance[:, n_bottom:]), normal(zero, one)
    return normal(q_mean, q_variance), normal(prior_mean, prior_variance), *above


# Against torch's distributions


@WIDTHS
def test_log_ratio_and_divergences_are_those_of_torchs_distributions(width):
    part, h = built(n_top=2, width=width, beta=3.0), torch.randn(7, 10, dtype=torch.float64)
    z, log_q = part.draw(h, 4)
    bottom, top = z[..., :3], z[..., 3:]
    q1, p1, q2, p2 = distributions(part, h, top)
    torch.testing.assert_close(log_q, q1.log_prob(bottom) + q2.log_prob(top))
    torch.testing.assert_close(part.prior.log_prob(z), p1.log_prob(bottom) + p2.log_prob(top))

    latent = part(h, None, DONE)
    q1, p1, q2, p2 = distributions(part, h, latent.z[..., 3:])
    below, above = kl_divergence(q1, p1), kl_divergence(q2, p2.expand([7]))
    torch.testing.assert_close(latent.costs["divergence"], 3 * (below + above))
    torch.testing.assert_close(latent.metrics["divergence_bottom"], below.mean())
    torch.testing.assert_close(latent.metrics["divergence_top"], above.mean())

    q1, p1, q2, p2 = distributions(part, h, h[:, 3:5])
    torch.testing.assert_close(part.divergence(h), kl_divergence(q1, p1) + kl_divergence(q2, p2.expand([7])))
    torch.testing.assert_close(part.code_mean(h), torch.cat([q1.mean, q2.mean], -1))
    torch.testing.assert_close(part.code_std(h), torch.cat([q1.stddev, q2.stddev], -1))


@WIDTHS
def test_the_mean_ratio_of_many_draws_is_the_divergence_and_that_of_densities_is_1(width):
    part = built(n_top=2, width=width)
    h = torch.randn(3, 10, dtype=torch.float64) / 3
    h[:, 5:] -= 1.0
    with torch.no_grad():
        z, log_q = part.draw(h, 200_000)
        log_ratio = log_q - part.prior.log_prob(z)
        costs = part(h.repeat(20_000, 1), None, DONE).costs["divergence"][0].view(20_000, 3)
    error = log_ratio.std(0) / math.sqrt(200_000) + costs.std(0) / math.sqrt(20_000)
    assert (abs(log_ratio.mean(0) - costs.mean(0)) < 5 * error).all()


def test_the_prior_draws_from_its_density():
    """With a linear net z is normal: N(b, A A' + S) and N(0, I), with covariance A."""
    prior = built(n_top=2).prior
    weight, bias, variance = (
        value.detach().numpy() for value in (prior.net.weight, prior.net.bias, prior.log_variance.exp())
    )
    covariance = np.block([[weight @ weight.T + np.diag(variance), weight], [weight.T, np.eye(2)]])
    exact = stats.multivariate_normal(np.append(bias, [0, 0]), covariance)
    z = torch.randn(9, 5, dtype=torch.float64)
    np.testing.assert_allclose(prior.log_prob(z[None])[0].detach(), exact.logpdf(z))
    drawn = prior.sample(200_000).detach().numpy()
    np.testing.assert_allclose(drawn.mean(0), exact.mean, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.02 * covariance.max())
    torch.manual_seed(0)
    colder = prior.sample(200_000, temperature=0.5).detach().numpy()
    np.testing.assert_allclose(np.cov(colder.T), covariance / 4, atol=0.01 * covariance.max())


def test_the_weight_of_the_divergence_rises():
    part, h = built(warmup=0.5, beta=2.0), torch.randn(7, 10, dtype=torch.float64)
    ratios = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        torch.manual_seed(1)
        ratios.append(part(h, None, torch.tensor(progress)).costs["divergence"])
    torch.testing.assert_close(torch.stack(ratios[:3]), torch.tensor([0, 0.5, 1.0]).view(3, 1, 1) * ratios[3])


# Exact likelihoods


@pytest.fixture(scope="module")
def chain():
    """Rows of a chain z2 -> z1 -> x, and the covariance of x."""
    rng = np.random.default_rng(3)
    down, out = 1.5 * rng.normal(size=(3, 2)), rng.normal(size=(8, 3))
    covariance = out @ (down @ down.T + np.eye(3)) @ out.T + 0.25 * np.eye(8)
    return rng.multivariate_normal(np.ones(8), covariance, size=4000), covariance


def test_the_bound_of_a_linear_ladder_reaches_the_exact_likelihood(chain):
    rows, covariance = chain
    net = Autoencoder(
        5,
        backbone=Linear(),
        bottleneck=Ladder(n_top=2),
        likelihood=GaussianLikelihood(scale="shared", scaling="center"),
        batch_size=200,
        learning_rate=0.02,
        max_epochs=60,
        validation_fraction=0,
        random_state=0,
    ).fit(rows)
    offset, *moved = net.inverse_transform(np.vstack([np.zeros(5), np.eye(5)]))
    directions, prior = np.array(moved) - offset, net.module_.prior
    weight, bias, variance = (
        value.numpy(force=True) for value in (prior.net.weight, prior.net.bias, prior.log_variance.exp())
    )
    layers = np.block([[weight @ weight.T + np.diag(variance), weight], [weight.T, np.eye(2)]])
    likelihood, theta = net.module_.cpu().likelihood, torch.zeros(1, 1, 8)
    height = likelihood.log_prob(theta, likelihood.mean(theta)).numpy(force=True)[0, 0]
    noise = math.exp(-height - 0.5 * math.log(2 * math.pi))
    fitted = directions.T @ layers @ directions + noise**2 * np.eye(8)
    own = stats.multivariate_normal(offset + np.append(bias, [0, 0]) @ directions, fitted).logpdf(rows).mean()
    true = stats.multivariate_normal(np.ones(8), covariance).logpdf(rows).mean()
    bound = net.score_samples(rows, n_draws=200).mean()
    training = -net.history_[-1]["negative_bound"]
    print(f"bound {bound:.4f} (training {training:.4f}), own likelihood {own:.4f}, true {true:.4f}")
    print({name: value for name, value in net.history_[-1].items() if "divergence" in name})
    assert bound == pytest.approx(own, rel=0.005)
    assert bound == pytest.approx(true, rel=0.005)
    assert training == pytest.approx(true, rel=0.005)
    assert bound < own + 0.01


# Parameters


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Ladder(0), r"bottleneck.n_top of Ladder must be None or a positive integer below n_components=3, got 0"),
        (Ladder(3), r"bottleneck.n_top of Ladder must be None or a positive integer below n_components=3, got 3"),
        (Ladder(1.5), r"bottleneck.n_top of Ladder must be None or .*, got 1.5"),
        (Ladder(width=0), r"bottleneck.width of Ladder must be None or a positive integer, got 0"),
        (Ladder(beta=-1), r"bottleneck.beta of Ladder must be >= 0, got -1"),
        (Ladder(warmup=2), r"bottleneck.warmup of Ladder must be in \[0, 1\], got 2"),
    ],
)
def test_parameters_out_of_range_are_refused(part, message):
    with pytest.raises(ValueError, match=message):
        small(bottleneck=part).fit(X)


def test_one_component_cannot_be_divided_into_two_layers():
    with pytest.raises(ValueError, match="n_components must be at least 2 for the two layers of Ladder, got 1"):
        small(1, bottleneck=Ladder()).fit(X)


class Other(Prior):
    def build(self, z_shape, shapes): ...

    def log_prob(self, z, y=None): ...

    def sample(self, n, y=None, temperature=1.0): ...


def test_another_trained_prior_is_refused():
    with pytest.raises(ValueError, match=r"prior of Ladder must be 'normal' or fitted after training, got Other\(\)"):
        small(prior=Other()).fit(X)


@pytest.mark.parametrize(("n_components", "n_top", "sizes"), [(2, None, (1, 1)), (5, None, (3, 2)), (5, 4, (1, 4))])
def test_the_upper_layer_has_half_of_the_components_by_default(n_components, n_top, sizes):
    assert built(n_components, n_top=n_top).prior.sizes == sizes


# Estimators


@pytest.fixture(scope="module")
def model():
    return small().fit(X)


def test_partial_fit_trains_the_prior(model):
    other = copy.deepcopy(model).partial_fit(X)
    before, after = (each.module_.prior.net[0].weight for each in (model, other))
    assert not torch.equal(before, after)


def test_the_divergence_of_each_layer_is_in_the_history(model):
    assert {"divergence_bottom", "divergence_top"} <= model.history_[-1].keys()


def test_custom_nets_take_codes_of_both_layers():
    assert np.isfinite(small(2, backbone=Custom()).fit(X).score_samples(X)).all()


def test_nets_of_an_ensemble_share_the_prior():
    bags = BaggedAutoencoders(small(max_epochs=5), 3, random_state=0).fit(X)
    assert np.isfinite(bags.score_samples(X)).all()
    assert bags.module_.prior.sizes == (2, 1)


def test_a_hidden_layer_makes_the_prior_of_a_linear_decoder_more_than_normal():
    """Rows in two clusters: the ladder is better than the best normal distribution, whose bound is exact."""
    rng = np.random.default_rng(0)
    rows = rng.choice([-4.0, 4.0], (2000, 1)) * np.array([1.0, -1.0, 0.5]) + rng.normal(size=(2000, 3))
    best_normal = stats.multivariate_normal(rows.mean(0), np.cov(rows.T)).logpdf(rows).mean()
    options = {"backbone": Linear(), "learning_rate": 0.02, "batch_size": 100, "max_epochs": 40, "random_state": 0}
    net = zoo.ladder_vae(2, width=16, **options).fit(rows)
    bound = net.score_samples(rows, n_draws=100, random_state=0).mean()
    sides = net.sample(4000, random_state=0)[:, 0]
    print(f"bound {bound:.3f}, best normal {best_normal:.3f}, kurtosis {stats.kurtosis(sides):.2f}")
    print({name: value for name, value in net.history_[-1].items() if "divergence" in name})
    assert bound > best_normal + 0.2
    assert stats.kurtosis(sides) < -1


def test_codes_of_two_layers_cannot_be_truncated():
    with pytest.raises(
        ValueError, match=r"got bottleneck Ladder\(\) with prior TwoLayers\(\), whose components depend"
    ):
        Autoencoder(3, bottleneck=Nested(Ladder()), max_epochs=1).fit(X)
