"""Linear shortcuts that start at PCA, and when an autoencoder has them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from isthmus import Autoencoder, BaggedAutoencoders, load, save
from isthmus.backbones import MLP
from isthmus.backbones.mlp import ResidualNet, Shortcut
from isthmus.baselines import compare

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 4)) + 0.3 * RNG.normal(size=(300, 4))
FRAME = pd.DataFrame(NUMBERS, columns=list("abcd")).assign(
    size=np.array(["small", "medium", "large"])[np.digitize(NUMBERS[:, 0], [-0.5, 0.5])], e=1e4 * RNG.normal(size=300)
)
# So small that no weight changes.
STILL = {"learning_rate": 1e-30, "max_epochs": 1, "validation_fraction": 0, "random_state": 0}


def encode(model, X):
    """Return the input of the encoder."""
    source = model.read_rows(X)
    x = next(source.batches(len(source))).x.to(model.module_.device)
    return model.module_.encode_input(model.module_.to_model(x)).flatten(1).cpu()


HOLES = FRAME.mask(RNG.random(FRAME.shape) < 0.1)


@pytest.mark.parametrize(
    ("rows", "options"), [(FRAME, {}), (HOLES, {}), (FRAME, {"precision": "float64"}), (NUMBERS, {})]
)
def test_codes_start_at_the_whitened_components_of_the_encoded_rows(rows, options):
    model = Autoencoder(3, **STILL, **options).fit(rows)
    expected = PCA(3, svd_solver="full").fit_transform(encode(model, rows).numpy().astype(float))
    expected /= expected.std(0)
    codes = model.transform(rows)
    np.testing.assert_allclose(codes * np.sign((codes * expected).sum(0)), expected, atol=1e-4)


def rebuild(values, k):
    """Return values rebuilt by PCA of standardized columns."""
    mean, deviation = values.mean(0), values.std(0)
    pca = PCA(k, svd_solver="full").fit((values - mean) / deviation)
    return pca.inverse_transform(pca.transform((values - mean) / deviation)) * deviation + mean


@pytest.mark.parametrize("k", [1, 2, 4])
def test_reconstructions_start_at_those_of_pca(k):
    np.testing.assert_allclose(
        Autoencoder(k, **STILL).fit(NUMBERS).reconstruct(NUMBERS), rebuild(NUMBERS, k), atol=1e-5
    )


def test_reconstructions_of_mixed_columns_start_at_those_of_pca():
    frame = pd.DataFrame(NUMBERS, columns=list("abcd"))
    frame["c"] = np.exp(frame["c"])
    model = Autoencoder(2, schema={"c": "positive"}, **STILL).fit(frame)
    encoded = encode(model, frame).numpy().astype(float)
    pca = PCA(2, svd_solver="full").fit(encoded)
    expected = pca.inverse_transform(pca.transform(encoded)).clip(encoded.min(0), encoded.max(0))
    np.testing.assert_allclose(encode(model, model.reconstruct(frame)), expected, atol=1e-4)


def test_noise_starts_at_the_residuals_of_pca():
    model = Autoencoder(2, **STILL).fit(NUMBERS)
    residuals = np.sqrt(np.mean((rebuild(NUMBERS, 2) - NUMBERS) ** 2, axis=0))
    floored = np.sqrt(residuals**2 + (0.01 * NUMBERS.std(0)) ** 2)
    np.testing.assert_allclose(model.module_.likelihood.noise.log_scale.exp().detach(), floored, rtol=1e-4)


def test_rows_of_a_smaller_rank_start_exact():
    rows = RNG.normal(size=(50, 2)) @ RNG.normal(size=(2, 5))
    np.testing.assert_allclose(Autoencoder(4, **STILL).fit(rows).reconstruct(rows), rows, atol=1e-5)


def test_shortcuts_learn_at_a_tenth_of_the_rate():
    state = Autoencoder(2, learning_rate=0.01).prepare(FRAME).state
    slow = {p for group in state.optimizer.param_groups if group["lr"] == 0.001 for p in group["params"]}
    shortcuts = [module for module in state.model.modules() if isinstance(module, Shortcut)]
    assert len(shortcuts) == 2
    assert slow == {p for module in shortcuts for p in module.parameters()}


@pytest.mark.parametrize(("name", "k"), [("wine", 4), ("wine", 8), ("diabetes", 4)])
def test_few_rows_are_reconstructed_as_well_as_by_pca(name, k):
    rows = {"wine": load_wine, "diabetes": load_diabetes}[name]().data
    train, test = train_test_split(rows, test_size=1 / 3, random_state=0)
    errors = compare(Autoencoder(k, random_state=0).fit(train), train, test)
    assert errors["model"] < 1.02 * errors["PCA"]


WITH = [
    (NUMBERS, {}),
    (FRAME, {}),
    (FRAME, {"backbone": "auto"}),
    (FRAME, {"backbone": MLP((8,), dropout=0.1)}),
    (FRAME, {"backbone": MLP((8,), shortcut=True), "bottleneck": "gaussian"}),
]
WITHOUT = [
    (FRAME, {"likelihood": "density"}),
    (FRAME, {"bottleneck": "gaussian"}),
    (FRAME, {"regularizers": "l2"}),
    (FRAME, {"corruption": "swap"}),
    (FRAME, {"backbone": MLP(shortcut=False)}),
]


@pytest.mark.parametrize(
    ("rows", "options", "expected"), [(*case, True) for case in WITH] + [(*case, False) for case in WITHOUT]
)
def test_plain_autoencoders_have_shortcuts(rows, options, expected):
    model = Autoencoder(2, **options).prepare(rows).state.model
    assert any(isinstance(module, ResidualNet) for module in model.modules()) == expected


def test_partial_fit_starts_once():
    model = Autoencoder(2, **STILL).partial_fit(FRAME)
    first = model.module_.backbone.encoder[1].linear.weight.clone()
    model.partial_fit(FRAME.assign(a=FRAME["b"]))
    assert torch.equal(model.module_.backbone.encoder[1].linear.weight, first)


def test_a_saved_model_has_the_same_codes(tmp_path):
    model = Autoencoder(2, max_epochs=2, random_state=0).fit(FRAME)
    save(model, tmp_path / "model.isthmus")
    np.testing.assert_array_equal(load(tmp_path / "model.isthmus").transform(FRAME), model.transform(FRAME))


def test_rows_of_large_weight_count_more():
    weight = np.where(np.arange(len(FRAME)) < 20, 1e6, 1.0)
    codes = Autoencoder(2, **STILL).fit(FRAME, sample_weight=weight).transform(FRAME)[:20]
    np.testing.assert_allclose(codes.std(0), 1, atol=0.4)


def test_nets_of_an_ensemble_differ():
    net = Autoencoder(2, backbone=MLP((8,), shortcut=True), max_epochs=1)
    nets = BaggedAutoencoders(net, 2, random_state=0).fit(FRAME).estimator_.module_.backbone.encoder.nets
    assert not torch.isclose(nets[0][1].linear.weight, nets[1][1].linear.weight).any()


def test_other_values_are_refused():
    with pytest.raises(ValueError, match=r'shortcut of MLP must be "auto", True or False, got \'yes\''):
        Autoencoder(2, backbone=MLP(shortcut="yes")).fit(NUMBERS)
