"""Linear encoders that start at PCA, shortcuts beside nets, and when an autoencoder has them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from isthmus import Autoencoder, BaggedAutoencoders, load, save
from isthmus.backbones import MLP
from isthmus.backbones.mlp import LinearEncoder, ResidualNet
from isthmus.baselines import compare

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 4)) + 0.3 * RNG.normal(size=(300, 4))
FRAME = pd.DataFrame(NUMBERS, columns=list("abcd")).assign(
    size=np.array(["small", "medium", "large"])[np.digitize(NUMBERS[:, 0], [-0.5, 0.5])], e=1e4 * RNG.normal(size=300)
)
IMAGES = load_digits().data[:300]
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
    model = Autoencoder(3, backbone=MLP(linear="encoder"), **STILL, **options).fit(rows)
    expected = PCA(3, svd_solver="full").fit_transform(encode(model, rows).numpy().astype(float))
    expected /= expected.std(0)
    codes = model.transform(rows)
    np.testing.assert_allclose(codes * np.sign((codes * expected).sum(0)), expected, atol=1e-4)


def test_components_beyond_the_rank_keep_the_weights_that_were_drawn():
    encoder = LinearEncoder(5, 4)
    drawn = encoder[1].weight.detach().clone()
    with torch.no_grad():
        encoder.start_at_pca(torch.tensor(RNG.normal(size=(50, 2)) @ RNG.normal(size=(2, 5))).float())
    assert torch.equal(encoder[1].weight[2:], drawn[2:])
    assert not torch.isclose(encoder[1].weight[:2], drawn[:2]).any()


def test_the_encoder_learns_at_a_tenth_of_the_rate():
    state = Autoencoder(2, learning_rate=0.01).prepare(FRAME).state
    slow = [p for group in state.optimizer.param_groups if group["lr"] == 0.001 for p in group["params"]]
    assert slow == list(state.model.backbone.encoder.parameters())


LINEAR = [
    (FRAME, {}),
    (FRAME, {"backbone": "auto"}),
    (FRAME, {"backbone": MLP(dropout=0.1)}),
    (FRAME, {"backbone": MLP((8,), linear="encoder"), "bottleneck": "gaussian"}),
    (NUMBERS, {"backbone": MLP(linear="encoder")}),
]
SHORTCUTS = [
    (NUMBERS, {}),
    (FRAME[["a", "b", "c"]], {}),
    (HOLES[["a", "b", "c"]], {"backbone": MLP(norm="batch")}),
    (FRAME, {"backbone": MLP((8,), linear="shortcut"), "corruption": "swap"}),
]
NONLINEAR = [
    (IMAGES, {"backbone": "mlp"}),
    (NUMBERS, {"likelihood": "density"}),
    (FRAME, {"bottleneck": "gaussian"}),
    (FRAME, {"regularizers": "l2"}),
    (FRAME, {"corruption": "swap"}),
    (FRAME, {"backbone": MLP((8,))}),
    (NUMBERS, {"backbone": MLP((8,))}),
    (FRAME, {"backbone": MLP(linear=None)}),
]
CASES = [
    (*case, part)
    for part, cases in {"encoder": LINEAR, "shortcut": SHORTCUTS, None: NONLINEAR}.items()
    for case in cases
]


@pytest.mark.parametrize(("rows", "options", "part"), CASES)
def test_the_linear_part_depends_on_data_and_purpose(rows, options, part):
    backbone = Autoencoder(2, **options).prepare(rows).state.model.backbone
    assert isinstance(backbone.encoder, LinearEncoder) == (part == "encoder")
    n_shortcuts = sum(isinstance(module, ResidualNet) for module in backbone.modules())
    assert n_shortcuts == (2 if part == "shortcut" else 0)


def test_a_net_with_shortcuts_starts_as_a_linear_autoencoder():
    model = Autoencoder(2, backbone=MLP(linear="shortcut"), **STILL).fit(NUMBERS)
    ends = model.reconstruct(NUMBERS[:2])
    middle = model.reconstruct(NUMBERS[:2].mean(0, keepdims=True))
    np.testing.assert_allclose(middle, ends.mean(0, keepdims=True), atol=1e-5)


def test_the_net_beside_a_shortcut_learns_at_a_third_of_the_rate():
    state = Autoencoder(2, learning_rate=0.01).prepare(NUMBERS).state
    groups = {id(p): group["lr"] for group in state.optimizer.param_groups for p in group["params"]}
    for module in (module for module in state.model.modules() if isinstance(module, ResidualNet)):
        assert {groups[id(p)] for p in module.net.parameters()} == {0.003}
        assert {groups[id(p)] for p in module.shortcut.parameters()} == {0.01}


@pytest.mark.parametrize("k", [4, 8])
def test_few_rows_are_reconstructed_about_as_well_as_by_pca(k):
    train, test = train_test_split(load_wine().data, test_size=1 / 3, random_state=0)
    errors = compare(Autoencoder(k, random_state=0).fit(train), train, test)
    assert errors["model"] < 1.1 * errors["PCA"]


def test_nets_with_shortcuts_can_be_bagged():
    net = Autoencoder(2, backbone=MLP((8,), linear="shortcut"), max_epochs=1)
    nets = BaggedAutoencoders(net, 2, random_state=0).fit(NUMBERS)
    assert np.isfinite(nets.score_samples(NUMBERS)).all()


def test_partial_fit_starts_once():
    model = Autoencoder(2, **STILL).partial_fit(FRAME)
    first = model.module_.backbone.encoder[1].weight.clone()
    model.partial_fit(FRAME.assign(a=FRAME["b"]))
    assert torch.equal(model.module_.backbone.encoder[1].weight, first)


def test_a_saved_model_has_the_same_codes(tmp_path):
    model = Autoencoder(2, max_epochs=2, random_state=0).fit(FRAME)
    save(model, tmp_path / "model.isthmus")
    np.testing.assert_array_equal(load(tmp_path / "model.isthmus").transform(FRAME), model.transform(FRAME))


def test_rows_of_large_weight_count_more():
    weight = np.where(np.arange(len(FRAME)) < 20, 1e6, 1.0)
    codes = Autoencoder(2, **STILL).fit(FRAME, sample_weight=weight).transform(FRAME)[:20]
    np.testing.assert_allclose(codes.std(0), 1, atol=0.4)


def test_nets_of_an_ensemble_differ():
    net = Autoencoder(2, backbone=MLP((8,), linear="encoder"), max_epochs=1)
    layers = BaggedAutoencoders(net, 2, random_state=0).fit(FRAME).estimator_.module_.backbone.encoder.layers
    assert not torch.isclose(layers[0].weight[0], layers[0].weight[1]).any()


def test_other_values_are_refused():
    with pytest.raises(ValueError, match='linear of MLP must be "auto", "encoder", "shortcut" or None, got True'):
        Autoencoder(2, backbone=MLP(linear=True)).fit(NUMBERS)
