"""Nets of the user, and backbones that are chosen by the shape of the data."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from isthmus import Autoencoder, load, save
from isthmus.backbones import MLP, Conv, Custom, Recurrent
from isthmus.likelihoods import Categorical, Gaussian

X = np.random.default_rng(0).normal(size=(80, 2)) @ np.random.default_rng(1).normal(size=(2, 6))


def hidden(shape):
    width = shape if isinstance(shape, int) else int(np.prod(shape))
    return nn.Sequential(nn.Flatten(), nn.Linear(width, 16), nn.Tanh())


def fitted(backbone, **options):
    options = {"max_epochs": 60, "learning_rate": 0.02, "batch_size": 32, "random_state": 0, **options}
    return Autoencoder(2, backbone=backbone, **options).fit(X)


def test_nets_made_by_a_function_depend_on_random_state():
    one, again, other = (fitted(Custom(hidden, hidden), random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.transform(X), again.transform(X))
    assert not np.allclose(one.transform(X), other.transform(X))
    assert np.square(one.reconstruct(X) - X).mean() < 0.1 * X.var()


def test_given_nets_are_copied_with_their_weights_before_training():
    net = nn.Linear(6, 5)
    before = net.weight.clone()
    model = fitted(Custom(net, hidden), max_epochs=1, learning_rate=1e-9)
    assert torch.equal(net.weight, before)
    torch.testing.assert_close(model.module_.backbone.encoder[0].weight.cpu(), before, atol=1e-6, rtol=0)
    assert clone(model).get_params()["backbone__encoder_net"].weight.equal(before)


def test_without_nets_the_maps_are_linear():
    model = fitted(Custom(), likelihood=Gaussian(scale="shared", scaling="center"))
    names = [name for name, _ in model.module_.backbone.named_parameters()]
    assert names == ["encoder.2.weight", "encoder.2.bias", "decoder.2.weight", "decoder.2.bias"]


@pytest.mark.parametrize(("net", "shown"), [(3, "3"), (lambda shape: "net", "'net'")])
def test_an_argument_that_is_no_net_and_makes_none_is_refused(net, shown):
    with pytest.raises(
        TypeError, match=f"backbone.encoder_net of Custom must be a Module or a callable that returns one, got {shown}"
    ):
        fitted(Custom(net))


def test_models_with_custom_nets_cannot_be_saved(tmp_path):
    with pytest.raises(ValueError, match="Custom.decoder_net cannot be saved"):
        save(fitted(Custom(hidden, hidden), max_epochs=1), tmp_path / "model")


@pytest.mark.parametrize(
    ("shape", "likelihood", "expected"),
    [
        ((6,), "auto", MLP),
        ((2, 9), "auto", Conv),
        ((3, 8, 8), "auto", Conv),
        ((6,), Categorical(3), Recurrent),
        ((6,), Categorical((3,) * 6), MLP),
        ((2, 6), Categorical(3), Recurrent),
        ((1, 5, 5), Categorical(3), Conv),
    ],
)
def test_the_shape_chooses_the_backbone(shape, likelihood, expected, tmp_path):
    rows = np.random.default_rng(0).integers(3, size=(30, *shape)).astype(float)
    model = Autoencoder(backbone="auto", likelihood=likelihood, max_epochs=1, random_state=0).fit(rows)
    assert isinstance(model.module_.backbone, expected)
    save(model, tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").transform(rows), model.transform(rows))
