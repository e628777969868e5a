"""Contracts of the estimator with its parts, and training in steps."""

import numpy as np
import pytest
import torch
from torch.func import jacrev, vmap

from isthmus import Autoencoder, BaggedAutoencoders, problem, zoo
from isthmus.backbones import MLP
from isthmus.bottlenecks import Deterministic
from isthmus.data import as_source
from isthmus.priors import Normal
from isthmus.regularizers import L1, Jacobian

FIXED = {"backbone": MLP((8,)), "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(400, 5))


def test_fit_is_prepare_train_and_adopt(X):
    whole = Autoencoder(2, **FIXED).fit(X)
    steps = Autoencoder(2, **FIXED)
    prepared = steps.prepare(X)
    steps.train(prepared)
    np.testing.assert_array_equal(steps.adopt(prepared).transform(X), whole.transform(X))


def test_a_problem_without_watched_rows_trains_on_all(X):
    assert len(Autoencoder(2, **FIXED).prepare(X).rows) == 360
    prepared = Autoencoder(2, **FIXED).prepare(X, validate=False)
    assert (len(prepared.rows), prepared.valid) == (400, None)


def test_metrics_reach_the_history_and_not_the_loss(X):
    row = zoo.vae(2, beta=0.5, **FIXED).fit(X).history_[-1]
    assert row["loss"] == pytest.approx(row["negative_bound"])
    assert row["divergence"] > 0


def test_the_contractive_term_uses_running_statistics_of_batch_normalisation(X):
    options = {**FIXED, "backbone": MLP((6,), norm="batch"), "regularizers": Jacobian(0.7, n_probes=None)}
    module = Autoencoder(2, precision="float64", **options).fit(X).module_.cpu()
    x = torch.from_numpy(X[:50])
    norm = next(layer for layer in module.modules() if isinstance(layer, torch.nn.BatchNorm1d))
    seen = int(norm.num_batches_tracked)
    terms = module.train()(x).terms
    assert int(norm.num_batches_tracked) == seen + 1
    module.eval()
    rows = vmap(jacrev(lambda u: module.code_mean(u[None])[0]))(module.encode_input(x))
    torch.testing.assert_close(terms["jacobian"], 0.7 * rows.square().sum((1, 2)))


def test_a_sparse_ensemble_weighs_codes_by_the_decoder_norms_of_each_net(X):
    net = Autoencoder(2, regularizers=L1(0.5), **FIXED)
    module = BaggedAutoencoders(net, 3, random_state=0).fit(X).module_.cpu().train()
    x = torch.from_numpy(X[:12]).float()
    z = module.code_mean(module.encode_input(module.to_model(x)))
    norms = module.backbone.code_norms()
    assert norms.shape == (3, 2)
    expected = torch.stack([0.5 * (row.abs() * norms[i % 3]).sum() for i, row in enumerate(z)])
    torch.testing.assert_close(module(x).terms["l1"], expected)


def moments(model):
    mean, factor = model.module_.prior.mean.cpu().numpy(), model.module_.prior.factor.cpu().numpy()
    return mean.copy(), factor @ factor.T


def test_partial_fit_fits_the_prior_to_the_rows_of_all_calls(X):
    model = Autoencoder(2, **FIXED)
    low, high = X[X[:, 0] < 0], X[X[:, 0] >= 0]
    for rows in (low, high):
        model.partial_fit(rows)
    codes = model.transform(X)
    mean, covariance = moments(model)
    np.testing.assert_allclose(mean, codes.mean(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(covariance, np.cov(codes.T), rtol=1e-3, atol=1e-4)


def test_a_few_rows_after_fit_do_not_replace_the_prior(X):
    model = Autoencoder(2, **FIXED).fit(X)
    before = moments(model)
    model.partial_fit(X[:20])
    for now, then in zip(moments(model), before, strict=True):
        np.testing.assert_array_equal(now, then)
    model.partial_fit(X)
    assert not np.array_equal(moments(model)[0], before[0])


def test_a_joint_prior_of_plain_codes_is_what_samples_are_drawn_from(X):
    model = Autoencoder(2, bottleneck=Deterministic("relu"), prior=Normal(), **FIXED).fit(X)
    assert isinstance(model.module_.prior, Normal)
    drawn = model.module_.sample_codes(4000, None, 1.0)
    assert drawn.min() == 0.0
    assert float((drawn == 0).double().mean()) == pytest.approx(0.5, abs=0.05)


def test_a_reservoir_samples_rows_in_proportion_to_their_weights(monkeypatch):
    monkeypatch.setattr(problem, "N_KEPT", 200)
    rows = np.arange(3000.0)[:, None]
    source, weight = as_source(rows), np.where(rows[:, 0] < 1000, 4.0, 1.0)
    kept, counts = np.zeros(3000), 20
    for seed in range(counts):
        reservoir = problem.Reservoir()
        reservoir.add(source.with_weights(weight), source.schema, seed)
        (batch,) = reservoir.as_batches(source.schema).batches(200)
        kept[batch.x[:, 0].long()] += 1
    assert kept.sum() == 200 * counts
    # Few rows are kept, so that rows are drawn in proportion to their weights: 4000 of 6000.
    assert kept[:1000].sum() / kept.sum() == pytest.approx(2 / 3, abs=0.03)
