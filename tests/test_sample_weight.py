"""Weights of rows: in the loss, in the statistics, in scikit-learn's routing, and equal to repeated rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import Autoencoder, BaggedAutoencoders
from isthmus.backbones import MLP, Linear
from isthmus.data import Chunks, Windows, as_source, with_labels
from isthmus.data.bootstrap import make_bootstrap
from isthmus.data.validation import compute_statistics
from isthmus.data.weights import split_off_weights
from isthmus.likelihoods import Gaussian
from isthmus.schema import Condition

FIGURES = ("count", "mean", "m2", "low", "high")


def weighted(X, weight):
    return as_source(X).with_weights(np.asarray(weight, dtype=float))


def fitted(X, sample_weight=None, **params):
    options = {"backbone": MLP((8,)), "max_epochs": 20, "random_state": 0, "precision": "float64"} | params
    return Autoencoder(2, **options).fit(X, sample_weight=sample_weight)


# Statistics


@pytest.mark.parametrize("missing", [False, True])
def test_weighted_statistics_are_those_of_repeated_rows(rng, missing):
    X, repeats = rng.normal(3, 2, (50, 4)), rng.integers(1, 5, 50)
    if missing:
        X[rng.random(X.shape) < 0.2] = np.nan
    found, expected = (
        compute_statistics(weighted(X, repeats)),
        compute_statistics(as_source(np.repeat(X, repeats, axis=0))),
    )
    scale = len(X) / repeats.sum()
    assert found.n_rows == pytest.approx(len(X))
    torch.testing.assert_close(found.count, expected.count * scale)
    torch.testing.assert_close(found.m2, expected.m2 * scale)
    torch.testing.assert_close(found.deviation, expected.deviation)
    for name in ("mean", "low", "high"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    assert found.missing == expected.missing == missing


def test_statistics_of_shares_merge_to_those_of_all_rows(rng):
    X, weight = rng.normal(size=(301, 3)), rng.random(301) + 0.1
    source = weighted(X, weight)
    parts = [compute_statistics(source, (rank, 3)) for rank in range(3)]
    merged, whole = parts[0].merge(parts[1]).merge(parts[2]), compute_statistics(source)
    for name in FIGURES:
        torch.testing.assert_close(getattr(merged, name), getattr(whole, name))
    assert not merged.missing


# Batches


def test_weights_stay_with_their_rows(rng):
    X, weight = np.arange(40.0).reshape(20, 2), rng.random(20) + 0.1
    source = weighted(X, weight).take(np.array([3, 7, 7, 19, 0]))
    for seed in (None, 1):
        batches = list(source.batches(2, seed))
        rows = torch.cat([batch.x for batch in batches])[:, 0].long().numpy() // 2
        found = torch.cat([batch.weight for batch in batches]).numpy()
        np.testing.assert_allclose(found, weight[rows] / weight[[3, 7, 7, 19, 0]].mean())
    kept, aside = weighted(X, weight).split(5, 0)
    for part in (kept, aside):
        assert float(next(part.batches(20)).weight.mean()) == pytest.approx(1)


def test_bags_contain_the_weights_of_their_rows():
    X = np.arange(40.0).reshape(40, 1)
    bags = make_bootstrap(weighted(X, X[:, 0] + 1), 4, 0.5, 0)
    for batch in bags.batches(8, 0):
        nets = batch.x[:, 0].reshape(-1, 4), batch.weight.reshape(-1, 4)
        ratio = nets[1] / (nets[0] + 1)
        assert (ratio - ratio[:1]).abs().max() < 1e-9


def test_labels_and_weights_follow_selected_rows():
    X, y = np.arange(12.0).reshape(6, 2), np.array([4, 1, 3])
    source = with_labels(as_source(X).take(np.array([4, 1, 3])), Condition.of(np.arange(6.0)), y)
    batch = next(source.with_weights(y + 1.0).batches(3))
    np.testing.assert_array_equal(batch.x[:, 0] / 2, y)
    np.testing.assert_allclose(batch.weight, (y + 1) / (y + 1).mean())
    scaled = Condition.of(np.arange(6.0)).encode(y.astype(float))
    np.testing.assert_array_equal(batch.y, scaled)


def test_a_conditional_model_never_sees_labels_of_weight_zero(rng):
    y = np.repeat(["never", "a", "b"], 40)
    model = Autoencoder(1, backbone=MLP((8,)), conditional=True, max_epochs=1, random_state=0)
    model.fit(rng.normal(size=(120, 2)), y, sample_weight=np.repeat([0, 1, 2], 40))
    assert model.schema_.condition.categories == ("a", "b")


def test_resampled_rows_are_as_frequent_as_their_weights():
    X = np.repeat([[0.0], [1.0]], 5000, axis=0)
    drawn = weighted(X, np.repeat([1.0, 3.0], 5000)).resample(0)
    assert drawn.weight is None
    assert float(next(drawn.batches(len(drawn))).x.mean()) == pytest.approx(0.75, abs=0.02)
    plain = as_source(X)
    assert plain.resample(0) is plain


# Training


def test_the_weighted_gradient_is_on_average_that_of_repeated_rows(rng):
    """A linear net with plain gradient descent and one batch of all rows, so the order of rows has no effect."""
    X, repeats = rng.normal(size=(40, 3)), rng.integers(1, 4, 40)
    params = {
        "backbone": Linear(),
        "likelihood": Gaussian(scale=1.0),
        "optimizer": "sgd",
        "schedule": "constant",
        "validation_fraction": 0.0,
        "batch_size": 1000,
        "max_epochs": 15,
    }
    one, other = fitted(X, repeats, **params), fitted(np.repeat(X, repeats, axis=0), **params)
    np.testing.assert_allclose(one.score_samples(X), other.score_samples(X), rtol=1e-8)
    losses = [[row["loss"] for row in model.history_] for model in (one, other)]
    np.testing.assert_allclose(*losses, rtol=1e-8)


def test_the_loss_in_batches_adds_up_to_the_weighted_mean(rng):
    X, weight = rng.normal(size=(230, 3)), rng.random(230) * 3
    model = fitted(X, weight, learning_rate=1e-12, max_epochs=1, validation_fraction=0.0, batch_size=32)
    expected = -np.average(model.score_samples(X), weights=weight)
    assert model.history_[0]["loss"] == pytest.approx(expected, rel=1e-6)


def test_the_validation_bound_is_weighted(rng):
    X, weight = rng.normal(size=(100, 3)), rng.random(100) * 3
    model = fitted(X, weight, learning_rate=1e-12, max_epochs=1, validation_fraction=0.2)
    unweighted = fitted(X, learning_rate=1e-12, max_epochs=1, validation_fraction=0.2)
    scores = -model.score_samples(X)
    assert model.history_[0]["valid_negative_bound"] != unweighted.history_[0]["valid_negative_bound"]
    assert scores.min() < model.history_[0]["valid_negative_bound"] < scores.max()


def test_rows_of_large_weight_are_rebuilt_better(rng):
    """Rows along two axes: the single component is the axis with the larger weight, as in a weighted PCA."""
    X = np.zeros((400, 2))
    X[:200, 0], X[200:, 1] = rng.normal(size=(2, 200))
    for heavy in (0, 1):
        weight = np.where(np.arange(400) // 200 == heavy, 1.0, 0.02)
        model = Autoencoder(1, backbone=Linear(), likelihood=Gaussian(scale=0.5), max_epochs=200, random_state=0)
        model.fit(X, sample_weight=weight)
        error = np.abs(model.reconstruct(X) - X).sum(1)
        assert error[np.arange(400) // 200 == heavy].mean() < error[np.arange(400) // 200 != heavy].mean() / 3


@pytest.mark.parametrize("frame", [False, True])
def test_rows_of_weight_zero_do_not_change_the_model(rng, frame):
    """They have no effect on scaling, categories, validation rows or order."""
    X, weight = rng.normal(size=(120, 3)), np.repeat([1.0, 2.0, 0.0], 40)
    X[weight == 0] = 1e6
    if frame:
        X = pd.DataFrame(X, columns=list("abc")).assign(k=np.repeat(["u", "v", "never"], 40))
    kept = X[weight > 0]
    params = {} if frame else {"likelihood": "gaussian"}
    one, other = fitted(X, weight, **params), fitted(kept, weight[weight > 0], **params)
    np.testing.assert_array_equal(one.transform(kept), other.transform(kept))
    assert one.history_[-1]["loss"] == other.history_[-1]["loss"]
    if frame:
        assert "never" not in one.sample(200, random_state=0)["k"].to_list()


@pytest.mark.parametrize("sample_weight", [1.0, 7.5, np.full(200, 0.1)])
def test_equal_weights_give_the_unweighted_model(blobs, sample_weight):
    weight = sample_weight if np.isscalar(sample_weight) else np.full(len(blobs), 0.1)
    np.testing.assert_array_equal(
        small("vae").fit(blobs, sample_weight=weight).transform(blobs), small("vae").fit(blobs).transform(blobs)
    )


def test_priors_fitted_to_codes_use_the_weights(rng):
    X = np.concatenate([rng.normal(-4, 0.1, (300, 2)), rng.normal(4, 0.1, (300, 2))])
    model = fitted(X, np.repeat([1.0, 99.0], 300), validation_fraction=0.0)
    drawn = model.sample(500, random_state=0)
    assert np.abs(drawn.mean(0) - 4).max() < 1


def test_partial_fit_weighs_rows(rng):
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 100, axis=0) + 0.1 * rng.normal(size=(200, 2))
    weight = np.repeat([1.0, 50.0], 100)
    model = Autoencoder(1, backbone=MLP((8,)), random_state=0)
    for _ in range(30):
        model.partial_fit(X, sample_weight=weight)
    errors = np.abs(model.reconstruct(X) - X).mean(1)
    assert errors[100:].mean() < errors[:100].mean()


def test_an_ensemble_weighs_rows(rng):
    X, weight = rng.normal(size=(200, 3)), rng.random(200)
    net = Autoencoder(2, backbone=MLP((8,)), max_epochs=3)
    one, same, other = (
        BaggedAutoencoders(clone(net), 4, random_state=0).fit(X, sample_weight=w) for w in (weight, 2 * weight, None)
    )
    np.testing.assert_allclose(one.score_samples(X), same.score_samples(X), rtol=1e-6)
    assert not np.allclose(one.score_samples(X), other.score_samples(X), rtol=1e-3)


# In use


def test_pipelines_and_cross_validation_route_weights(blobs, rng):
    weight = rng.random(len(blobs))
    with config_context(enable_metadata_routing=True):
        model = small("vae").set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        pipeline.fit(blobs, sample_weight=weight)
        X = pipeline[0].transform(blobs)
        np.testing.assert_array_equal(pipeline.transform(blobs), small("vae").fit(X, sample_weight=weight).transform(X))
        found = cross_validate(model, blobs, cv=2, params={"sample_weight": weight}, error_score="raise")
    assert np.isfinite(found["test_score"]).all()


BAD = {
    "too few": ([1.0, 2.0], ValueError, r"sample_weight.shape == \(2,\), expected \(20,\)"),
    "negative": (np.linspace(-1, 1, 20), ValueError, "Negative values"),
    "missing": (np.full(20, np.nan), ValueError, "NaN"),
    "all zero": (np.zeros(20), ValueError, "zero"),
}


@pytest.mark.parametrize(("weight", "error", "message"), BAD.values(), ids=BAD)
def test_bad_weights_are_refused(weight, error, message, rng):
    with pytest.raises(error, match=message):
        fitted(rng.normal(size=(20, 3)), weight)


def test_weights_of_streams_are_refused(rng):
    stream = Chunks(lambda: [rng.normal(size=(50, 3)).astype(np.float32)] * 2)
    with pytest.raises(TypeError, match="sample_weight goes with rows in memory, got Chunks; load its rows first"):
        fitted(stream, np.arange(1.0, 101.0))


def test_windows_take_weights(rng):
    windows = Windows(rng.normal(size=(300, 1)), 16)
    rows, _, weight = split_off_weights(windows, None, np.arange(len(windows)))
    assert len(rows) == len(weight) == len(windows) - 1
    assert np.isfinite(fitted(windows, np.arange(len(windows)), max_epochs=2).score_samples(windows)).all()


def test_trimming_refuses_weights(blobs):
    with pytest.raises(ValueError, match=r"trim=0.1 and sample_weight cannot be combined"):
        Autoencoder(trim=0.1).fit(blobs, sample_weight=np.arange(len(blobs)))
