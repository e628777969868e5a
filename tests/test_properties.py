"""What holds for every combination of bottleneck, regularizer and normalisation."""

import numpy as np
import pytest
import torch
from torch import nn

from isthmus import Autoencoder
from isthmus.backbones import MLP, Conv
from isthmus.bottlenecks import Deterministic, Gaussian, Ladder, Nested, VectorQuantized
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.regularizers import L1, L2, Jacobian, KLSparsity

TABLE = np.random.default_rng(0).normal(size=(32, 6))
SERIES = np.random.default_rng(0).normal(size=(32, 4, 6)).cumsum(-1)
BACKBONES = {
    "mlp": (MLP((8,), norm=None), TABLE),
    "mlp batch": (MLP((8,), norm="batch"), TABLE),
    "mlp layer": (MLP((8,), norm="layer"), TABLE),
    "conv": (Conv((4,), norm=None), SERIES),
    "conv layer": (Conv((4,), norm="layer"), SERIES),
    "conv group": (Conv((4,), norm="group"), SERIES),
}
BOTTLENECKS = [
    Deterministic(),
    Deterministic("sigmoid"),
    Gaussian(),
    Gaussian(n_draws=3),
    Gaussian(capacity=1.0),
    Ladder(),
    Nested(),
    Nested(Gaussian()),
    VectorQuantized(8),
]
REGULARIZERS = (L1(), L2(), Jacobian(n_probes=2), Jacobian(n_probes=None))

every_backbone = pytest.mark.parametrize("backbone", BACKBONES)
every_bottleneck = pytest.mark.parametrize("bottleneck", BOTTLENECKS, ids=repr)


def fitted(backbone, bottleneck, regularizers, rows, **options):
    options |= {"max_epochs": 1, "validation_fraction": 0, "precision": "float64", "random_state": 0}
    return Autoencoder(2, backbone=backbone, bottleneck=bottleneck, regularizers=regularizers, **options).fit(rows)


def trained(backbone, bottleneck, regularizers=REGULARIZERS):
    """Return a model in training mode, and rows for it."""
    backbone, rows = BACKBONES[backbone]
    model = fitted(backbone, bottleneck, regularizers, rows).module_.train()
    return model, torch.from_numpy(rows).to(model.device)


def terms(model, x, seed=0):
    torch.manual_seed(seed)
    return {name: term.detach() for name, term in model(x).terms.items()}


def batch_norms(model):
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


@every_backbone
@every_bottleneck
def test_terms_of_a_row_do_not_depend_on_other_rows(backbone, bottleneck):
    model, x = trained(backbone, bottleneck)
    for module in batch_norms(model):
        module.eval()  # with running statistics, batch normalisation treats rows independently
    others = x.clone()
    others[1:] = others[1:].flip(0) * 3 + 1
    before, after = terms(model, x), terms(model, others)
    assert set(before) == {"negative_bound", "l1", "l2", "jacobian"}
    for name, term in before.items():
        assert term.shape == (len(x),)
        torch.testing.assert_close(after[name][0], term[0], msg=name)
        assert not torch.isclose(after[name][1:], term[1:]).all()


@pytest.mark.parametrize(
    ("bottleneck", "regularizers", "name"),
    [(Deterministic("sigmoid"), KLSparsity(), "kl_sparsity"), (Gaussian(free_bits=0.5), (), "negative_bound")],
)
def test_terms_that_depend_on_the_whole_batch_are_documented(bottleneck, regularizers, name):
    model, x = trained("mlp", bottleneck, regularizers)
    others = x.clone()
    others[1:] = others[1:] * 30
    changed = terms(model, others)[name] - terms(model, x)[name]
    assert changed.flatten()[0] != 0
    part = regularizers or bottleneck
    assert "batch" in type(part).__doc__


@pytest.mark.parametrize("bottleneck", [Deterministic(), Gaussian()], ids=repr)
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_the_jacobian_of_a_training_step_is_that_of_each_row_alone(norm, bottleneck):
    likelihood = GaussianLikelihood(scaling="none")  # so that the encoded input is the row itself
    estimator = fitted(MLP((8,), norm=norm), bottleneck, Jacobian(1.0, n_probes=None), TABLE, likelihood=likelihood)
    model, x = estimator.module_.train(), np.tile(TABLE, (30, 1))
    for module in batch_norms(model):
        module.momentum = 1.0  # the running statistics are those of the last batch
    found = terms(model, torch.from_numpy(x))["jacobian"][: len(TABLE)]
    model.eval()
    steps = 1e-5 * np.eye(TABLE.shape[1])
    columns = [(estimator.transform(TABLE + d) - estimator.transform(TABLE - d)) / 2e-5 for d in steps]
    np.testing.assert_allclose(found, np.square(columns).sum((0, 2)), rtol=0.01)


@every_backbone
@every_bottleneck
def test_a_training_step_changes_no_state_but_that_of_batch_normalisation_once(backbone, bottleneck):
    model, x = trained(backbone, bottleneck)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    terms(model, x)
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert value == before[name] + 1
        elif not name.endswith(("running_mean", "running_var")):
            assert torch.equal(value, before[name]), name
