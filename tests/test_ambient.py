"""The caller's settings of torch do not change results, and are restored afterwards."""

import contextlib

import numpy as np
import pandas
import pytest
import torch
from conftest import small
from sklearn.datasets import make_blobs

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, ExemplarDistance, load, save
from isthmus.bottlenecks import Gaussian
from isthmus.data import Windows, as_source
from isthmus.latent import interpolate, traverse
from isthmus.priors import Flow

X = make_blobs(60, 4, random_state=0)[0]
LABELS = np.arange(60) % 2
rng = np.random.default_rng(0)
TABLE = pandas.DataFrame({"x": X[:, 0], "n": rng.poisson(2, 60), "t": rng.choice(["a", "b", "c"], 60)})
TABLE.loc[3, "x"] = None


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


STATES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default dtype float64": lambda: default_dtype(torch.float64),
    "default dtype bfloat16": lambda: default_dtype(torch.bfloat16),
    "default device meta": lambda: default_device("meta"),
    "within the device meta": lambda: torch.device("meta"),
}
every_state = pytest.mark.parametrize("state", STATES.values(), ids=STATES)


def answers_of_autoencoder():
    model = small("vae", prior=Flow(n_layers=1, width=8), batch_size=16).fit(X)
    yield model.transform(X)
    yield from model.transform(X, return_std=True)
    yield model.reconstruct(X)
    yield model.sample(5)
    yield model.inverse_transform(model.transform(X[:3]), sample_values=True)
    yield model.score_samples(X, n_draws=3)
    yield model.contributions(X)
    yield model.divergence(X)
    yield [row["loss"] for row in model.partial_fit(X).history_]
    yield interpolate(model, X[0], X[1])
    yield traverse(model, X[:1])


def answers_of_conditional_model():
    model = small("conditional_vae", batch_size=16).fit(X, LABELS)
    yield model.transform(X)
    yield model.reconstruct(X)
    yield model.score_samples(X, LABELS)
    yield model.sample(4, y=1)


def answers_of_table():
    model = Autoencoder(2, bottleneck=Gaussian(), corruption="masking", max_epochs=2, random_state=0).fit(TABLE)
    yield model.transform(TABLE)
    yield model.impute(TABLE)
    yield model.impute(TABLE, n_draws=2)[1]
    yield model.sample(5, given={"t": "a"})
    yield model.contributions(TABLE)


def answers_of_regularized_model():
    model = small("contractive", max_epochs=2).fit(X)
    yield model.transform(X)


def answers_of_convolutions():
    model = small("convolutional", max_epochs=1).fit(rng_images())
    yield model.transform(rng_images())


def rng_images():
    return np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8)


def answers_of_detectors():
    detector = AnomalyDetector(small("vae"), n_folds=2, random_state=0).fit(X)
    yield detector.score_samples(X)
    yield detector.p_values(X)
    yield detector.predict_proba(X)
    yield detector.explain(X[:2]).by_value
    for kind in (BaggedAutoencoders, ExemplarDistance):
        model = kind(small("vae"), random_state=0).fit(X)
        yield model.score_samples(X)


def answers_of_windows():
    windows = Windows(np.sin(np.arange(80.0)), 8)
    model = small("recurrent", max_epochs=1).fit(windows)
    yield model.transform(windows)
    yield as_source(torch.from_numpy(X)).take(np.arange(3)).values


CASES = [value for name, value in sorted(globals().items()) if name.startswith("answers_of")]
every_case = pytest.mark.parametrize("answers", CASES, ids=lambda case: case.__name__[11:])
EXPECTED = {}


@every_case
@every_state
def test_results_do_not_depend_on_the_callers_settings(answers, state):
    expected = EXPECTED.setdefault(answers, list(answers()))
    with state():
        before = settings()
        found = list(answers())
        assert settings() == before
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, pandas.DataFrame):
            pandas.testing.assert_frame_equal(one, other)
        else:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def settings():
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_dtype(),
        torch.empty(0).device,
    )


@every_state
def test_models_are_saved_and_loaded_under_any_global_setting(state, tmp_path):
    model = small("vae").fit(X)
    with state():
        save(model, tmp_path / "m.safetensors")
        again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    again.partial_fit(X)


@pytest.mark.parametrize("name", ["no_grad", "inference_mode"])
def test_tensors_made_without_gradients_can_be_fitted(name):
    with STATES[name]():
        rows = torch.from_numpy(X).clone()
    np.testing.assert_array_equal(
        small("contractive").fit(rows).transform(rows), small("contractive").fit(X).transform(X)
    )
