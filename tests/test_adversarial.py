"""The discriminator against closed forms, manual gradients and a two-sample test."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import expit
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits

from isthmus import Autoencoder, BaggedAutoencoders, zoo
from isthmus.backbones import MLP
from isthmus.bottlenecks import Deterministic, Nested, TopK
from isthmus.part import Shapes
from isthmus.priors import Empirical, Normal, Vamp
from isthmus.regularizers import Adversarial, Step

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(200, 6))
Y = np.arange(200) % 3
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)


def small(**options):
    options = {
        "backbone": MLP((8,)),
        "max_epochs": 3,
        "batch_size": 32,
        "random_state": 0,
        "validation_fraction": 0,
        **options,
    }
    return zoo.adversarial(2, **options)


def built(condition=0, **options):
    """Return a bottleneck of 3 codes and a regularizer for it."""
    bottleneck, shapes = Deterministic(), Shapes((3,), condition)
    bottleneck.set_prior(Normal())
    h, z = bottleneck.build(3, shapes)
    shapes = shapes._replace(h=h, z=z)
    bottleneck.prior.build(z, shapes)
    torch.manual_seed(0)
    part = Adversarial(**options)
    part.build(shapes, bottleneck)
    return bottleneck, part


def step(bottleneck, h, y=None):
    """Return the step of a training, with the values that the regularizer uses."""
    latent, nothing = bottleneck(h, y, torch.ones(())), (None,) * 2
    return Step(h, h, h, latent, h, y, torch.ones(()), *nothing, None, bottleneck, None, 1)


def terms(part, bottleneck, h, y=None):
    """Return the terms, and the draws of the prior that the discriminator got."""
    torch.manual_seed(1)
    found = part(step(bottleneck, h, y))
    torch.manual_seed(1)
    return found, torch.randn(len(h), 3).to(h)


# The terms


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_terms_of_a_fixed_critic_in_closed_form(dtype):
    bottleneck, part = built(weight=0.7, noise=0.0)
    part = part.to(dtype)
    torch.nn.init.zeros_(part.discriminator[-1].weight)
    torch.nn.init.constant_(part.discriminator[-1].bias, 0.3)
    found, _ = terms(part, bottleneck, torch.randn(5, 3, dtype=dtype))
    p = expit(0.3)
    for name, expected in (("discriminator", -math.log(p) - math.log(1 - p)), ("adversarial", -0.7 * math.log(p))):
        assert found[name].dtype == dtype
        torch.testing.assert_close(found[name], torch.full((5,), expected, dtype=dtype))


def test_terms_are_cross_entropies_and_the_critic_reads_labels():
    bottleneck, part = built(condition=2, weight=2.0, noise=0.0)
    h, y = torch.randn(6, 3), torch.eye(2).repeat(3, 1)
    found, drawn = terms(part, bottleneck, h, y)
    of_codes, of_draws = (part.discriminator(torch.cat([rows, y], 1))[:, 0] for rows in (h, drawn))
    ones, zeros = torch.ones(6), torch.zeros(6)
    by_hand = binary_cross_entropy_with_logits(of_draws, ones, reduction="none")
    by_hand = by_hand + binary_cross_entropy_with_logits(of_codes, zeros, reduction="none")
    torch.testing.assert_close(found["discriminator"], by_hand)
    torch.testing.assert_close(
        found["adversarial"], 2.0 * binary_cross_entropy_with_logits(of_codes, ones, reduction="none")
    )
    assert not torch.allclose(of_codes, part.discriminator(torch.cat([h, 1 - y], 1))[:, 0])


def test_each_side_learns_from_its_own_term_alone():
    bottleneck, part = built(weight=3.0, noise=0.0)
    h = torch.randn(7, 3, requires_grad=True)
    found, drawn = terms(part, bottleneck, h)
    sum(term.mean() for term in found.values()).backward()
    weights = {name: value.detach().clone().requires_grad_() for name, value in part.discriminator.named_parameters()}

    def log_odds(rows):
        return functional_call(part.discriminator, weights, (rows,))[:, 0]

    own = -(torch.log(torch.sigmoid(log_odds(drawn))) + torch.log(1 - torch.sigmoid(log_odds(h.detach())))).mean()
    for expected, parameter in zip(
        torch.autograd.grad(own, list(weights.values())), part.discriminator.parameters(), strict=True
    ):
        torch.testing.assert_close(parameter.grad, expected)
    misleading = -3.0 * torch.log(torch.sigmoid(log_odds(h))).mean()
    torch.testing.assert_close(h.grad, torch.autograd.grad(misleading, h)[0])


def test_noise_is_added_to_codes_and_draws():
    bottleneck, part = built(noise=0.5)
    h = torch.zeros(4000, 3)
    torch.testing.assert_close(part._make_input(h, None).std(), torch.tensor(0.5), rtol=0.05, atol=0)
    quiet = built(noise=0.0)[1]
    assert torch.equal(quiet._make_input(h, None), h)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Adversarial(-1), r"regularizer.weight of Adversarial must be >= 0, got -1"),
        (Adversarial(width=0), r"regularizer.width of Adversarial must be a positive integer, got 0"),
        (Adversarial(noise=-0.1), r"regularizer.noise of Adversarial must be >= 0, got -0.1"),
    ],
)
def test_parameters_out_of_range_are_refused(part, message):
    with pytest.raises(ValueError, match=message):
        small(regularizers=part).fit(X)


# The distribution of codes


def discrepancy(a, b):
    """Squared MMD with a Gaussian kernel of the median distance, and its 95 % quantile if the rows are exchangeable.

    Gretton et al., A kernel two-sample test, JMLR 13, 2012.
    """
    rows, generator = np.concatenate([a, b]), np.random.default_rng(0)
    squares = cdist(rows, rows, "sqeuclidean")
    kernel = np.exp(-squares / np.median(squares[np.triu_indices(len(rows), 1)]))
    signs = np.repeat([1 / len(a), -1 / len(b)], [len(a), len(b)])
    permuted = [generator.permutation(signs) for _ in range(500)]
    return signs @ kernel @ signs, np.quantile([s @ kernel @ s for s in permuted], 0.95)


@pytest.mark.parametrize(("read", "n_components"), [(load_diabetes, 2), (load_diabetes, 3), (load_breast_cancer, 3)])
def test_codes_of_held_out_rows_are_distributed_as_the_prior(read, n_components):
    rows, held_out = train_test_split(read().data, test_size=0.3, random_state=0)
    drawn = np.random.default_rng(1).normal(size=(len(held_out), n_components))
    model = zoo.adversarial(n_components, validation_fraction=0, max_epochs=30, random_state=1).fit(rows)
    found, limit = discrepancy(model.transform(held_out), drawn)
    plain = zoo.autoencoder(n_components, learning_rate=2e-3, max_epochs=30, random_state=1).fit(rows)
    codes = plain.transform(held_out)
    without, _ = discrepancy(codes / codes.std(0), drawn)
    print(
        f"{read.__name__} {n_components}: MMD^2 {found:.5f}, 95 % quantile {limit:.5f}, not adversarial {without:.5f}"
    )
    assert found < min(limit, without)


# Estimators


def test_partial_fit_trains_the_critic_too():
    model = small().partial_fit(X)
    discriminator = model.module_.regularizers[0].discriminator[0].weight.clone()
    model.partial_fit(X)
    assert not torch.equal(model.module_.regularizers[0].discriminator[0].weight, discriminator)


def test_nets_of_an_ensemble_share_a_critic():
    model = BaggedAutoencoders(small(), 3, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.module_.regularizers[0].discriminator[0].in_features == 2


def test_the_regularizer_takes_stochastic_codes_and_a_trained_prior():
    model = small(bottleneck="gaussian", prior=Vamp(4)).fit(X)
    assert {"discriminator", "adversarial"} < model.history_[-1].keys()
    assert np.isfinite(model.sample(50, random_state=0)).all()


def test_the_name_adversarial_selects_the_regularizer():
    model = Autoencoder(2, regularizers="adversarial", max_epochs=1, random_state=0).fit(X)
    assert "discriminator" in model.history_[0]


def test_codes_are_normal_unless_another_prior_is_chosen():
    model = Autoencoder(2, regularizers="adversarial", max_epochs=1, random_state=0).fit(X)
    assert isinstance(model.module_.prior, Normal)
    draws = model.module_.sample_codes(20_000, None, 1.0).cpu()
    torch.testing.assert_close(draws.mT.cov(), torch.eye(2), atol=0.05, rtol=0)
    assert isinstance(
        zoo.adversarial(2, prior="empirical", max_epochs=1, random_state=0).fit(X).module_.prior, Empirical
    )


@pytest.mark.parametrize(
    "bottleneck", ["vector_quantized", TopK(1), Deterministic("relu"), Nested(Deterministic("tanh"))]
)
def test_codes_in_a_range_cannot_follow_the_prior(bottleneck):
    message = (
        r"regularizer Adversarial needs codes that can have every value, .* codes of (Vec|Top|Det|Nes).*\) cannot be"
    )
    with pytest.raises(ValueError, match=message):
        small(bottleneck=bottleneck).fit(X)
