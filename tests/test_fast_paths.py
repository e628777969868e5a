"""Every shortcut gives the numbers of the long way."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import small
from torch import nn, optim
from torch.autograd import gradcheck

from isthmus import functional as F
from isthmus import likelihoods
from isthmus.backbones import MLP
from isthmus.likelihoods import Gaussian, StudentT
from isthmus.likelihoods.scaling import FLOOR, GAIN
from isthmus.statistics import Statistics
from isthmus.training import hardware, make_optimizer

GAUSSIANS = [
    Gaussian(),
    Gaussian("shared", "center", bounded=True),
    Gaussian(0.7, "none"),
    StudentT(),
]


def doubles(*shape):
    values = np.random.default_rng(sum(shape, len(shape))).normal(size=shape)
    return torch.tensor(values, requires_grad=True)


# Likelihoods


@pytest.mark.parametrize("shape", [(4,), (3, 2), (2, 3, 2)])
@pytest.mark.parametrize("shared", [True, False])
def test_the_sum_over_a_row_and_its_gradients_are_those_of_the_density(shape, shared):
    x, mean, log_scale = doubles(7, *shape).detach(), doubles(7, *shape), doubles(*(() if shared else shape))
    rows = F.normal_row_log_prob(x, mean, log_scale)
    torch.testing.assert_close(rows, F.normal_log_prob(x, mean, log_scale).flatten(1).sum(-1))
    assert gradcheck(lambda *inputs: F.normal_row_log_prob(x, *inputs), (mean, log_scale))


def test_no_rows_have_no_sums():
    assert F.normal_row_log_prob(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(3)).shape == (0,)


@pytest.mark.parametrize("likelihood", GAUSSIANS + ["bernoulli", "continuous_bernoulli"], ids=str)
def test_every_likelihood_sums_its_own_densities(likelihood):
    if isinstance(likelihood, str):
        likelihood = {"bernoulli": likelihoods.Bernoulli, "continuous_bernoulli": likelihoods.ContinuousBernoulli}[
            likelihood
        ]()
    x = torch.rand(20, 5, generator=torch.Generator().manual_seed(0)).round(decimals=2)
    likelihood.build(Statistics.of(x))
    theta = torch.randn(20, likelihood.n_parameters, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(likelihood.row_log_prob(theta, x), likelihood.log_prob(theta, x).sum(-1))


def test_a_learned_scale_has_the_floor_and_the_small_gradient_that_it_should():
    likelihood = Gaussian()
    likelihood.build(Statistics.of(torch.randn(50, 3, dtype=torch.float64) * 4))
    with torch.no_grad():
        likelihood.noise.raw.copy_(torch.tensor([0.1, -0.4, -2.0]))
    noise = likelihood.noise
    expected = 0.5 * torch.log(torch.exp(2 * GAIN * noise.raw) + FLOOR**2) + noise.unit.spread.log()
    torch.testing.assert_close(noise.log_scale, expected)
    (slope,) = torch.autograd.grad(expected.sum(), noise.raw)
    (gradient,) = torch.autograd.grad(noise.log_scale.sum(), noise.raw)
    torch.testing.assert_close(gradient, slope / GAIN**2)


@pytest.mark.parametrize("scaling", ["standard", "center", "none"])
@pytest.mark.parametrize("scale", ["feature", "shared"])
def test_learned_scales_have_gradients_of_their_own_and_constant_features_none(scale, scaling):
    x = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * torch.tensor([1, 9, 0])
    likelihood = Gaussian(scale, scaling)
    likelihood.build(Statistics.of(x))
    likelihood.double()
    theta = torch.zeros(50, 1, 3, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(likelihood.log_prob(theta, x).sum(), likelihood.noise.raw)
    (rows,) = torch.autograd.grad(likelihood.row_log_prob(theta, x).sum(), likelihood.noise.raw)
    torch.testing.assert_close(rows, gradient)
    assert gradient.shape == ((3,) if scale == "feature" else ())
    assert scale == "shared" or (gradient[:2] != 0).all() and gradient[2] == 0


@pytest.mark.parametrize("options", [{}, {"bottleneck": "gaussian"}, {"likelihood": "student_t"}])
def test_the_score_is_the_sum_of_what_the_values_score(options):
    x = np.random.default_rng(0).normal(size=(100, 5))
    model = small("autoencoder", **options).fit(x)
    values, divergence = model.module_.plug_in(torch.as_tensor(x))
    expected = (values.sum(-1) - divergence).numpy(force=True)
    np.testing.assert_allclose(model.score_samples(x), expected, rtol=1e-4, atol=1e-5)


def test_one_draw_needs_no_mean_of_weights():
    log_weights = doubles(1, 6)
    torch.testing.assert_close(F.importance_bound(log_weights), torch.logsumexp(log_weights, 0))


def test_norms_of_the_code_are_not_computed_for_nobody(monkeypatch):
    x = np.random.default_rng(0).normal(size=(60, 5))
    monkeypatch.setattr(MLP, "code_norms", lambda self: pytest.fail("asked without a regularizer"))
    small("autoencoder").fit(x)


def test_the_factor_of_the_codes_makes_their_covariance():
    model = small("autoencoder", n_components=3).fit(np.random.default_rng(0).normal(size=(200, 5)))
    bottleneck, codes = model.module_.bottleneck, torch.randn(50, 3) @ torch.tensor([[1.0, 0, 0], [3, 0, 1], [0, 2, 1]])
    bottleneck.settle(codes)
    torch.testing.assert_close(bottleneck.factor @ bottleneck.factor.T, torch.cov(codes.T), rtol=1e-4, atol=1e-5)
    bottleneck.settle(codes[:1])
    assert not bottleneck.factor.any()


# Optimizers


@pytest.mark.parametrize(("name", "theirs"), [("adamw", optim.AdamW), ("adam", optim.Adam)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_our_step_is_that_of_torch(name, theirs, weight_decay):
    nets = [nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2), nn.Linear(2, 2)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    ours = make_optimizer(name, nets[0], 1e-2, weight_decay)
    groups = [{**group, "params": params_of(nets[1], group, nets[0])} for group in ours.param_groups]
    optimizers = [ours, theirs([{k: g[k] for k in ("params", "weight_decay")} for g in groups], lr=1e-2, fused=True)]
    for step in range(20):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        for net, optimizer in zip(nets, optimizers, strict=True):
            optimizer.zero_grad()
            net[:3](x).square().sum().backward()  # the last layer has no gradient
            optimizer.step()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(a, b)
    assert ours.state_dict()["state"].keys() == optimizers[1].state_dict()["state"].keys()


def params_of(net, group, other):
    """The parameters of ``net`` that stand where those of a group stand in ``other``."""
    wanted = {id(p) for p in group["params"]}
    return [p for p, q in zip(net.parameters(), other.parameters(), strict=True) if id(q) in wanted]


def test_a_fit_does_not_import_torchs_compiler():
    program = (
        "import sys, numpy as np, isthmus\n"
        "isthmus.Autoencoder(2, max_epochs=1).fit(np.random.default_rng(0).normal(size=(50, 3)))\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Threads


def test_small_steps_take_one_thread_and_large_ones_all_and_afterwards_all_is_as_before():
    before = torch.get_num_threads()
    with hardware.limit_threads(nn.Linear(30, 30), 256):
        assert torch.get_num_threads() == 1
    with hardware.limit_threads(nn.Linear(1000, 1000), 4096):
        assert torch.get_num_threads() == before
    with pytest.raises(KeyError), hardware.limit_threads(nn.Linear(2, 2), 1):
        raise KeyError
    assert torch.get_num_threads() == before


# Lower precision


def test_bfloat16_uses_the_weights_of_each_step(blobs):
    """Weights that were cast once an epoch would be those of its start: the loss would hardly fall."""
    options = {"max_epochs": 3, "batch_size": 8, "learning_rate": 0.01, "schedule": "constant"}
    losses = {
        precision: small("autoencoder", precision=precision, **options).fit(blobs).history_[-1]["loss"]
        for precision in ("float32", "bfloat16")
    }
    assert losses["bfloat16"] == pytest.approx(losses["float32"], abs=0.5)


def test_only_large_steps_lower_their_precision_by_themselves(monkeypatch):
    monkeypatch.setattr(hardware, "_is_fast_in_bfloat16", lambda device: True)
    assert not hardware.uses_bfloat16("auto", nn.Linear(30, 30), 256)
    assert hardware.uses_bfloat16("auto", nn.Linear(1000, 1000), 256)
    assert hardware.uses_bfloat16("bfloat16", nn.Linear(2, 2), 1)
    assert not hardware.uses_bfloat16("float32", nn.Linear(1000, 1000), 256)
