"""TopK and AuxK against brute force."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from isthmus import Autoencoder, BaggedAutoencoders, functional, zoo
from isthmus.backbones import MLP, Linear
from isthmus.bottlenecks import Nested, TopK
from isthmus.part import Shapes
from isthmus.regularizers import AuxK

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(200, 6))
Y = np.arange(200) % 3
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
DONE = torch.ones(())


def small(n_components=10, **options):
    options = {"backbone": MLP((8,)), "max_epochs": 3, "batch_size": 32, "random_state": 0, **options}
    options = {"bottleneck": TopK(3, dead_after=2), "regularizers": AuxK(k=4), **options}
    return Autoencoder(n_components, **options)


def built(n_components=10, n_nets=1, **options):
    part = TopK(**options)
    part.build(n_components, Shapes((6,), n_nets=n_nets))
    return part


@pytest.fixture(scope="module")
def model():
    return small().fit(X)


# The bottleneck


@pytest.mark.parametrize("k", [1, 4, 10])
def test_exactly_k_components_are_kept_and_they_are_the_largest(k):
    h = torch.rand(50, 10) + 0.1
    z = built(k=k).code_mean(h)
    assert ((z > 0).sum(1) == k).all()
    for row, code in zip(h.tolist(), z.tolist(), strict=True):
        limit = sorted(row)[-k]
        assert code == [value if value >= limit else 0 for value in row]


def test_of_equal_components_k_are_kept_and_negative_ones_become_zero():
    part = built(k=3)
    assert ((part.code_mean(torch.ones(5, 10)) > 0).sum(1) == 3).all()
    assert not part.code_mean(-torch.rand(5, 10)).any()
    h = torch.tensor([[2.0, -1, 1, *[-2.0] * 7]])
    assert torch.equal(part.code_mean(h), h.relu())
    assert (functional.keep_largest(h, 3)[0, :3] == h[0, :3]).all()


def test_gradients_reach_kept_components_only():
    h = torch.randn(5, 10, requires_grad=True)
    z = built(k=2).code_mean(h)
    z.sum().backward()
    assert torch.equal(h.grad, (z > 0).float())


def test_steps_without_activation_are_counted_for_each_net():
    part, expected = built(4, n_nets=2, k=1, dead_after=3), np.zeros((2, 4), int)
    for _ in range(12):
        h = torch.randn(6, 4) - torch.tensor([0.0, 0.0, 2.0, 9.0])
        metrics = part(h, None, DONE).metrics
        assert metrics["dead_share"] == (expected >= 3).mean()
        used = (part.code_mean(h) > 0).numpy()
        expected = np.where([used[::2].any(0), used[1::2].any(0)], 0, expected + 1)
        part.after_step(DONE)
        assert np.array_equal(part.idle, expected)
        assert np.array_equal(part.dead, expected >= 3)
    assert (part.idle[:, 3] == 12).all()


def test_validation_does_not_change_the_counters():
    part = built(k=2).eval()
    part(torch.rand(5, 10), None, DONE)
    assert not part.active.any()


# The term


def terms(model, x, idle):
    """Return the loss terms of a batch in training, with counters of steps without activity."""
    module = copy.deepcopy(model).module_.cpu().train()
    module.bottleneck.idle[:] = torch.tensor(idle)
    return module, module(torch.from_numpy(x)).terms


@pytest.mark.parametrize("rows", [X, HOLES], ids=["whole", "missing values"])
def test_the_term_is_that_of_brute_force(rows):
    """Linear decoder and normal noise: half the squared error of the residual in units of the noise, and a constant."""
    model = small(backbone=Linear(), precision="float64", regularizers=AuxK(weight=0.5, k=2)).fit(rows)
    idle = [0, 9, 9, 0, 9, 0, 9, 0, 9, 0]
    module, found = terms(model, rows, idle)
    with torch.no_grad():
        x = module.to_model(torch.from_numpy(rows))
        u, unit = module.encode_input(x), module.likelihood.noise.unit
        h = module.backbone.encode(u)
        weight = torch.stack([module._decode_parameters(e[None], None, x[:1])[0, 0] for e in torch.eye(10).double()])
        weight = weight - module._decode_parameters(torch.zeros(1, 10).double(), None, x[:1])[0, 0]
        main = module._decode_parameters(module.bottleneck.code_mean(h), None, x)[:, 0]
        sigma = module.likelihood.noise.log_scale.exp()
    for i in range(len(rows)):
        best = sorted((j for j in range(10) if idle[j]), key=lambda j: -float(h[i, j]))[:2]
        estimate = sum(max(float(h[i, j]), 0.0) * weight[j] for j in best)
        error = (x[i] - unit.decode(main[i] + estimate)) / sigma
        expected = 0.5 * (0.5 * error.square() + sigma.log() + 0.5 * np.log(2 * np.pi))[~x[i].isnan()].sum()
        torch.testing.assert_close(found["aux_k"][i].detach(), expected)


def test_gradients_reach_dead_components_only(model):
    module, found = terms(model, X, [0] * 5 + [9] * 5)
    found["aux_k"].sum().backward()
    gradients = [w.grad for w in module.parameters() if w.grad is not None and w.shape[0] == 10 and w.ndim == 2]
    assert len(gradients) == 1
    assert not gradients[0][:5].any()
    assert gradients[0][5:].any()


def test_without_dead_components_the_term_is_zero(model):
    module, found = terms(model, X, [0] * 10)
    assert not found["aux_k"].any()
    found["aux_k"].sum().backward()
    assert not any(w.grad is not None and w.grad.any() for w in module.parameters())


@pytest.mark.parametrize("bottleneck", ["deterministic", "gaussian", Nested()])
def test_other_bottlenecks_have_no_dead_components(bottleneck):
    with pytest.raises(ValueError, match="regularizer AuxK needs codes of bottleneck='top_k', got (Det|Gau|Nes)"):
        small(bottleneck=bottleneck).fit(X)


# Estimators


def test_the_term_revives_dead_components():
    """An overcomplete code of digits, whose 64 pixels have 61 that vary."""
    rows = load_digits().data
    shares, errors = {}, {}
    for weight in (0.0, 1 / 32):
        options = {"max_epochs": 40, "batch_size": 100, "learning_rate": 0.01, "patience": None, "random_state": 0}
        net = zoo.top_k(256, weight=weight, dead_after=20, **options).fit(rows)
        shares[weight] = net.history_[-1]["dead_share"]
        errors[weight] = np.square(net.reconstruct(rows) - rows).mean() / rows.var(0).mean()
    print(f"dead without AuxK {shares[0]:.1%}, with it {shares[1 / 32]:.1%}; unexplained {errors}")
    assert shares[1 / 32] < 0.5 * shares[0]


def test_codes_have_at_most_k_components_above_zero_and_none_below(model):
    codes = model.transform(X)
    assert (codes >= 0).all()
    assert 0 < (codes > 0).sum(1).max() <= 3
    assert all(0 <= row["dead_share"] <= 1 for row in model.history_)


def test_partial_fit_continues_the_counters():
    again = small(regularizers=()).partial_fit(X)
    before = again.module_.bottleneck.idle.clone()
    again.partial_fit(X)
    idle = again.module_.bottleneck.idle
    assert ((idle > before) | (idle <= 7)).all()


def test_each_net_of_a_bag_has_counters():
    model = BaggedAutoencoders(small(max_epochs=5), 3, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.module_.bottleneck.idle.shape == (3, 10)


def test_the_second_decoding_leaves_batch_normalisation_as_it_is():
    """With a weight of 0 the term has no gradients, so that all running statistics are those of a model without it."""
    options = {"backbone": MLP((8,), norm="batch"), "max_epochs": 3, "random_state": 0}
    nets = [small(regularizers=part, **options).fit(X) for part in ((), AuxK(weight=0.0))]
    states = [net.module_.state_dict() for net in nets]
    running = [name for name in states[0] if "running" in name and "decoder" in name]
    assert running
    for name in running:
        torch.testing.assert_close(states[1][name], states[0][name], rtol=0, atol=0)
