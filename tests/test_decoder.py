"""Decoders alone, saved without the encoder."""

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from sklearn.exceptions import NotFittedError

from isthmus import Autoencoder, Decoder, load, save, zoo
from isthmus.backbones import Conv, Recurrent

N = 60
LABELS = np.random.default_rng(0).integers(0, 3, N)
ROWS = np.random.default_rng(1).normal(LABELS[:, None], 1.0, size=(N, 12))
TABLE = pd.DataFrame(ROWS[:, :2], columns=["a", "b"]).assign(city=np.array(["Oslo", "Rome", "Bonn"])[LABELS])
FAST = {"max_epochs": 2, "random_state": 0}
CASES = {
    "rows": (zoo.vae(3, **FAST), ROWS),
    "labels": (zoo.conditional_vae(3, **FAST), ROWS),
    "images with labels": (
        zoo.conditional_vae(3, backbone=Conv((4, 8)), **FAST),
        (40 * ROWS + 100).clip(0, 255).astype(np.uint8).reshape(N, 3, 4),
    ),
    "a series": (zoo.recurrent(3, width=8, **FAST), ROWS[:, None]),
    "a temporal net": (zoo.tcn(3, width=4, **FAST), ROWS[:, None]),
    "a table": (zoo.tabular_vae(3, n_clusters=2, **FAST), TABLE),
    "double precision": (zoo.linear(3, precision="float64", **FAST), ROWS),
}


@pytest.fixture(scope="module", params=CASES)
def model(request):
    template, X = CASES[request.param]
    return template.fit(X, LABELS)


@pytest.fixture
def saved(model, tmp_path):
    save(Decoder(model), tmp_path / "decoder.safetensors")
    return tmp_path / "decoder.safetensors"


def labels_for(model):
    return LABELS[:7] if model.conditional else None


def assert_equal(found, expected):
    assert type(found) is type(expected)
    assert bool(np.all(np.asarray(found) == np.asarray(expected)))


def test_a_saved_decoder_gives_the_results_of_the_autoencoder(model, saved):
    again = load(saved)
    codes = np.random.default_rng(2).normal(size=(7, 3))
    assert isinstance(again, Decoder)
    assert_equal(again.inverse_transform(codes, labels_for(model)), model.inverse_transform(codes, labels_for(model)))
    assert_equal(again.inverse_transform(codes), model.inverse_transform(codes))
    assert_equal(again.sample(9, random_state=3), model.sample(9, random_state=3))
    save(again, saved.with_name("again"))
    assert_equal(load(saved.with_name("again")).sample(9), model.sample(9))


def test_saving_a_decoder_leaves_the_encoder_in_the_model(model, saved):
    with safe_open(saved, "np") as file:
        names = set(file.keys())
    whole = {f"module.{name}" for name in model.module_.state_dict()}
    assert whole - names == {name for name in whole if name.startswith("module.backbone.encoder.")} != set()
    X = next(X for template, X in CASES.values() if template is model)
    assert len(model.transform(X)) == N
    with pytest.raises(ValueError, match="saved without its encoder"):
        load(saved).estimator.transform(X)


def test_tied_weights_stay_tied_in_a_decoder(tmp_path):
    model = zoo.linear(2, tied=True, **FAST).fit(ROWS)
    with pytest.raises(ValueError, match=r"the decoder of Linear\(tied=True\) shares weights with the encoder"):
        save(Decoder(model), tmp_path / "decoder")
    assert not list(tmp_path.iterdir())


def test_a_decoder_needs_a_fitted_model(tmp_path):
    with pytest.raises(NotFittedError):
        save(Decoder(Autoencoder()), tmp_path / "decoder")


def test_autoregressive_decoders_can_be_saved(tmp_path):
    model = Autoencoder(2, backbone=Recurrent(8, autoregressive=True), **FAST).fit(ROWS[:, None])
    save(Decoder(model), tmp_path / "decoder")
    np.testing.assert_array_equal(load(tmp_path / "decoder").sample(3), model.sample(3))
