"""Fast implementations give the same numbers as simple ones."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import skip_emulated, small
from torch import nn, optim
from torch.autograd import gradcheck

from isthmus import functional as F
from isthmus import likelihoods
from isthmus.backbones import MLP
from isthmus.likelihoods import Gaussian, StudentT
from isthmus.likelihoods.scaling import FLOOR, _Floored
from isthmus.model.scoring import log_prob_at_mean
from isthmus.statistics import Statistics
from isthmus.training import fused, hardware, make_optimizer, optimizers
from isthmus.training.fused import FusedAdam, FusedAdamW
from isthmus.training.optimizers import OPTIMIZERS, ClippedSGD

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


def test_sums_over_no_rows_are_empty():
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


@pytest.mark.parametrize("scale", ["feature", "shared"])
def test_a_learned_scale_has_the_floor_and_the_gradient_of_its_formula(scale):
    likelihood = Gaussian(scale)
    likelihood.build(Statistics.of(torch.randn(50, 3, dtype=torch.float64) * torch.tensor([4, 1, 0.0])))
    noise = likelihood.double().noise
    with torch.no_grad():
        noise.raw.copy_(torch.tensor([1.0, -4.0, -2.0]) if scale == "feature" else torch.tensor(-4.0))
    expected = (
        0.5 * torch.log(torch.exp(2 * noise.raw) + FLOOR**2) * (1 - noise.constant.double()) + noise.unit.spread.log()
    )
    torch.testing.assert_close(noise.log_scale, expected)
    (slope,) = torch.autograd.grad(expected.sum(), noise.raw)
    (gradient,) = torch.autograd.grad(noise.log_scale.sum(), noise.raw)
    torch.testing.assert_close(gradient, slope)
    assert gradcheck(lambda raw: _Floored.apply(raw, noise.constant, noise.unit.spread), noise.raw)


@pytest.mark.parametrize("make", [Gaussian, StudentT, likelihoods.NegativeBinomial])
def test_log_scales_learn_ten_times_as_fast_as_weights(make):
    likelihood = make()
    likelihood.build(Statistics.of(torch.arange(12.0).view(4, 3)))
    model = nn.ModuleDict({"weights": nn.Linear(3, 3), "likelihood": likelihood})
    optimizer = make_optimizer("adamw", model, 0.01, 0.0)
    rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {rates[p] for p in model["weights"].parameters()} == {0.01}
    assert [rates[p] for p in likelihood.parameters()] == [pytest.approx(0.1)]


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
    values, divergence = log_prob_at_mean(model.module_.cpu(), torch.as_tensor(x))
    expected = (values.sum(-1) - divergence).numpy(force=True)
    np.testing.assert_allclose(model.score_samples(x), expected, rtol=1e-4, atol=1e-5)


def test_the_importance_bound_of_one_draw_equals_logsumexp():
    log_weights = doubles(1, 6)
    torch.testing.assert_close(F.importance_bound(log_weights), torch.logsumexp(log_weights, 0))


def test_norms_of_the_decoder_are_computed_only_if_used(monkeypatch):
    x = np.random.default_rng(0).normal(size=(60, 5))
    monkeypatch.setattr(MLP, "code_norms", lambda self: pytest.fail("asked without a regularizer"))
    small("autoencoder").fit(x)


def test_the_factor_of_the_codes_makes_their_covariance():
    model = small("autoencoder", n_components=3).fit(np.random.default_rng(0).normal(size=(200, 5)))
    prior, codes = model.module_.cpu().prior, torch.randn(50, 3) @ torch.tensor([[1.0, 0, 0], [3, 0, 1], [0, 2, 1]])
    prior.fit(codes, None, 0)
    torch.testing.assert_close(prior.factor @ prior.factor.T, torch.cov(codes.T), rtol=1e-4, atol=1e-5)
    prior.fit(codes[:1], None, 0)
    assert not prior.factor.any()


# Optimizers


ADAMS = [("adamw", FusedAdamW, optim.AdamW), ("adam", FusedAdam, optim.Adam)]


def train_net(make, n_steps=20):
    """Train a small net whose last layer has no gradient; return its weights and the optimizer."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2), nn.Linear(2, 2))
    groups = [{"params": [net[0].weight], "weight_decay": 0.1}, {"params": [*net[2:].parameters(), net[0].bias]}]
    optimizer = make(groups)
    for step in range(n_steps):
        optimizer.zero_grad()
        net[:3](torch.randn(8, 4, generator=torch.Generator().manual_seed(step))).square().sum().backward()
        optimizer.step()
    return list(net.parameters()), optimizer


@pytest.mark.parametrize(("name", "ours", "torchs"), ADAMS)
@pytest.mark.parametrize("options", [{}, {"amsgrad": True}, {"maximize": True}, {"eps": 1e-3, "betas": (0.5, 0.6)}])
def test_the_fused_step_equals_that_of_torch(name, ours, torchs, options):
    with torch.random.fork_rng():
        mine, optimizer = train_net(lambda groups: OPTIMIZERS[name](groups, lr=1e-2, **options))
        expected, other = train_net(lambda groups: torchs(groups, lr=1e-2, fused=True, **options))
    assert type(optimizer) is ours
    assert all(torch.equal(a, b) for a, b in zip(mine, expected, strict=True))
    state, theirs = optimizer.state_dict()["state"], other.state_dict()["state"]
    assert {i: values.keys() for i, values in state.items()} == {i: values.keys() for i, values in theirs.items()}
    assert all(torch.equal(state[i][name], theirs[i][name]) for i in state for name in state[i])


@pytest.mark.parametrize(("name", "ours", "torchs"), ADAMS)
@pytest.mark.parametrize("option", [{"fused": False}, {"foreach": True}, {"differentiable": True}])
def test_options_that_the_fused_step_lacks_choose_torchs_own(name, ours, torchs, option):
    optimizer = OPTIMIZERS[name]([{"params": [nn.Parameter(torch.zeros(1))]}], lr=1e-2, **option)
    assert type(optimizer) is torchs
    assert optimizer.defaults.items() >= option.items()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ((torch, "__version__"), "9.0.0"),
        ((fused, "ARGUMENTS"), ("self",)),
        ((fused, "KERNELS"), ("_no_such_kernel_",)),
    ],
    ids=["version", "arguments", "name"],
)
def test_an_unknown_torch_is_recognized(where, value, monkeypatch):
    assert fused.is_known()
    monkeypatch.setattr(*where, value)
    assert not fused.is_known()


@skip_emulated("torch has no fused optimizer for it")
def test_training_with_the_optimizer_of_torch_gives_equal_weights(monkeypatch):
    x = np.random.default_rng(0).normal(size=(60, 5))
    kinds, results = [], []
    for known in (True, False):
        monkeypatch.setattr(fused, "IS_KNOWN", known)
        monkeypatch.setattr(optimizers, "IS_KNOWN", known)
        callbacks = [lambda state: kinds.append(type(state.optimizer))]
        results.append(small("autoencoder", max_epochs=1, callbacks=callbacks).fit(x).transform(x))
    assert kinds == [FusedAdamW, optim.AdamW]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_hooks_of_an_optimizer_run_once_a_step_and_closures_compute_the_gradients(name):
    weight, calls = nn.Parameter(torch.ones(1)), []
    # Torch wraps the step of a class when its first object is made; hooks must not run twice.
    for kind in (optim.AdamW, optim.Adam, optim.SGD):
        kind([weight], lr=0.1)
    optimizer = OPTIMIZERS[name]([{"params": [weight]}], lr=0.1)
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))

    def closure():
        calls.append("closure")
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1
    assert calls == ["before", "closure", "after"]
    assert weight.item() < 1


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_gradient_descent_equals_that_of_torch_on_clipped_gradients(weight_decay):
    weights = [nn.Parameter(torch.tensor([3.0, 4.0])) for _ in range(2)]
    options = {"lr": 0.1, "weight_decay": weight_decay}
    ours, theirs = ClippedSGD(weights[:1], **options), optim.SGD(weights[1:], momentum=0.9, nesterov=True, **options)
    for _ in range(10):
        for weight, optimizer in zip(weights, (ours, theirs), strict=True):
            optimizer.zero_grad()
            (0.5 * weight.square().sum()).backward()
        weights[1].grad /= weights[1].grad.norm().clamp(min=1.0)
        ours.step()
        theirs.step()
    torch.testing.assert_close(*weights)
    assert weights[0].norm() < 4


def test_a_fit_does_not_import_torchs_compiler():
    program = (
        "import sys, numpy as np, isthmus\n"
        "isthmus.Autoencoder(2, max_epochs=1).fit(np.random.default_rng(0).normal(size=(50, 3)))\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Threads


def test_small_steps_use_one_thread_large_ones_all_and_the_setting_is_restored():
    before = torch.get_num_threads()
    with hardware.limit_threads(nn.Linear(30, 30), 256):
        assert torch.get_num_threads() == 1
    with hardware.limit_threads(nn.Linear(1000, 1000), 4096):
        assert torch.get_num_threads() == before
    with pytest.raises(KeyError), hardware.limit_threads(nn.Linear(2, 2), 1):
        raise KeyError
    assert torch.get_num_threads() == before


# Lower precision


@skip_emulated("torch cannot lower the precision of its operations")
def test_bfloat16_uses_the_weights_of_each_step(blobs):
    """If weights were cast once per epoch, they would stay those of its start, and the loss would hardly decrease."""
    options = {"max_epochs": 3, "batch_size": 8, "learning_rate": 0.01, "schedule": "constant"}
    losses = {
        precision: small("autoencoder", precision=precision, **options).fit(blobs).history_[-1]["loss"]
        for precision in ("float32", "bfloat16")
    }
    assert losses["bfloat16"] == pytest.approx(losses["float32"], abs=0.5)


def test_automatic_precision_is_lower_only_for_large_steps(monkeypatch):
    monkeypatch.setattr(hardware, "_is_fast_in_bfloat16", lambda device: True)
    assert not hardware.uses_bfloat16("auto", nn.Linear(30, 30), 256)
    assert hardware.uses_bfloat16("auto", nn.Linear(1000, 1000), 256)
    assert hardware.uses_bfloat16("bfloat16", nn.Linear(2, 2), 1)
    assert not hardware.uses_bfloat16("float32", nn.Linear(1000, 1000), 256)
