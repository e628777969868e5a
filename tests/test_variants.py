"""What every variant of the zoo can do. A new function of the zoo is tested without a change of this file."""

import copy
import pickle
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from conftest import is_for_series, is_for_tokens, rows_for, small
from scipy.stats import ks_2samp
from sklearn.base import clone
from test_checkpoint import assert_equal, persist

from isthmus import BaggedAutoencoders, Decoder, load, save, zoo
from isthmus.bottlenecks import Nested, VectorQuantized
from isthmus.corruptions import Masking
from isthmus.doctor import examine
from isthmus.latent import interpolate, suggest_n_components, traverse
from isthmus.likelihoods import Multinomial
from isthmus.part import Part
from isthmus.regularizers import L1, L2, Jacobian, KLSparsity

N = 120
Y = np.arange(N) % 2
RNG = np.random.default_rng(0)
HIDDEN = RNG.random((N, 12)) < 0.1

every_variant = pytest.mark.parametrize("name", zoo.__all__)


def takes_any_numbers(model):
    return not is_for_tokens(model) and not isinstance(model.likelihood, Multinomial)


every_variant_for_numbers = pytest.mark.parametrize(
    "name", [name for name in zoo.__all__ if takes_any_numbers(small(name))]
)


@cache
def fitted(name):
    """Shared by tests that do not change it."""
    return small(name, batch_size=32).fit(rows_for(name, N), Y)


@cache
def trained(name):
    """Fitted until it is good at its task."""
    return small(name, max_epochs=30, batch_size=32, learning_rate=0.02).fit(rows_for(name, 300), np.arange(300) % 2)


def labels_of(model):
    return Y if model.conditional else None


@contextmanager
def skipped_where_nested_codes_are_refused():
    """Skip variants whose prior does not go with cut components; test_ladder.py and test_vamp.py test the message."""
    try:
        yield
    except ValueError as error:
        if "components depend on each other" not in str(error):
            raise
        pytest.skip(str(error))


# Results


@every_variant
def test_results_have_the_right_shapes_and_finite_values(name):
    model, X = fitted(name), rows_for(name, N)
    codes, deviation = model.transform(X, return_std=True)
    rebuilt, decoded, drawn = model.reconstruct(X), model.inverse_transform(codes), model.sample(7, random_state=0)
    scores, contributions = model.score_samples(X), model.contributions(X)
    assert codes.shape == deviation.shape == (N, 2)
    assert rebuilt.shape == decoded.shape == X.shape
    assert drawn.shape == (7, X.shape[1])
    assert scores.shape == (N,)
    assert scores.dtype == np.float64
    assert contributions.shape == (N, X.shape[1] + 2)
    for values in (codes, deviation, rebuilt, decoded, drawn, scores, contributions):
        assert np.isfinite(values).all()
    assert (deviation > 0).all() == model.module_.bottleneck.stochastic


@every_variant
def test_contributions_add_up_to_the_score(name):
    model, X = fitted(name), rows_for(name, N)
    for y in (None, labels_of(model)):
        np.testing.assert_allclose(model.contributions(X, y).sum(1), model.score_samples(X, y), rtol=1e-5, atol=1e-4)


@every_variant
def test_contributions_of_training_rows_are_zero_on_average_beside_the_base(name):
    X = rows_for(name, N)
    model = small(name, validation_fraction=0.0, precision="float64").fit(X, Y)
    contributions = model.contributions(X, labels_of(model))
    np.testing.assert_allclose(contributions[:, :-1].mean(0), 0, atol=1e-6 * np.abs(contributions).max())
    np.testing.assert_allclose(contributions[:, -1], contributions[0, -1])


@every_variant
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_results_of_a_row_do_not_depend_on_other_rows(name, precision, tolerance):
    X = rows_for(name, N)
    model = fitted(name) if precision == "float32" else small(name, precision=precision).fit(X, Y)
    order = np.random.default_rng(1).permutation(N)
    for result in (model.transform, model.reconstruct, model.score_samples, model.contributions):
        together = result(X)
        alone = np.concatenate([result(X[i : i + 1]) for i in range(10)])
        in_chunks = np.concatenate([result(X[i : i + 37]) for i in range(0, N, 37)])
        close = {"rtol": tolerance, "atol": tolerance * np.abs(together).max()}
        np.testing.assert_allclose(alone, together[:10], **close)
        np.testing.assert_allclose(in_chunks, together, **close)
        np.testing.assert_allclose(result(X[order]), together[order], **close)


@every_variant
def test_scores_of_several_draws_depend_on_the_seed_alone(name):
    model, X = fitted(name), rows_for(name, N)
    if not model.module_.bottleneck.stochastic:
        with pytest.raises(ValueError, match="is deterministic"):
            model.score_samples(X, n_draws=3)
        with pytest.raises(ValueError, match="is deterministic"):
            model.divergence(X)
        return
    first, again, other = (model.score_samples(X, n_draws=3, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.isfinite(first).all()
    assert not np.array_equal(first, other)
    assert np.isfinite(model.divergence(X)).all()


# Training


@every_variant
def test_the_loss_falls(name):
    first, last = (trained(name).history_[epoch] for epoch in (0, 9))
    assert last["loss"] < first["loss"]
    if trained(name).validation_fraction:  # an imputer holds no rows out
        assert last["valid_negative_bound"] < first["valid_negative_bound"]


@every_variant_for_numbers
def test_reconstructions_are_better_than_the_mean(name):
    X = rows_for(name, 300)
    model = trained(name)
    error = np.square(model.reconstruct(X, np.arange(300) % 2 if model.conditional else None) - X).mean(0)
    assert error.mean() < 0.8 * X.var(0).mean()
    assert (error < 1.05 * X.var(0)).all()


@every_variant_for_numbers
def test_samples_resemble_the_rows(name):
    X = rows_for(name, 300)
    drawn = trained(name).sample(300, random_state=0)
    assert max(ks_2samp(drawn[:, j], X[:, j]).statistic for j in range(X.shape[1])) < 0.25
    np.testing.assert_array_equal(drawn, trained(name).sample(300, random_state=0))
    assert not np.array_equal(drawn, trained(name).sample(300, random_state=1))


@every_variant
def test_the_seed_alone_decides_and_global_generators_stay_as_they_are(name):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    model, X = fitted(name), rows_for(name, N)
    again = clone(model)
    assert not [attribute for attribute in vars(again) if attribute.endswith("_")]
    assert repr(again) == repr(model) == repr(small(name, batch_size=32))
    assert_equal(again.fit(X, Y), model)
    np.testing.assert_array_equal(again.sample(9), model.sample(9))
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert not np.array_equal(again.set_params(random_state=6).fit(X, Y).transform(X), model.transform(X))


@every_variant
def test_a_killed_fit_resumes_bit_for_bit(name, tmp_path):
    """It has four steps an epoch, and is killed after each third."""

    def fit(callbacks):
        return small(name, batch_size=32, callbacks=callbacks).fit(rows_for(name, N), Y)

    model, deaths = persist(fit, tmp_path, 3)
    assert deaths >= 2
    assert_equal(model, fitted(name))


@every_variant
def test_partial_fit_starts_and_continues_training(name):
    X = rows_for(name, N)
    model = small(name, batch_size=32).partial_fit(X, Y)
    first = model.transform(X)
    model.partial_fit(X, Y)
    assert len(model.history_) == 2
    assert not np.array_equal(model.transform(X), first)
    assert np.isfinite(model.score_samples(X)).all()
    went_on = copy.deepcopy(fitted(name)).partial_fit(X, Y)
    assert len(went_on.history_) == 3
    weights = fitted(name).module_.state_dict()
    assert not all(torch.equal(value, weights[key]) for key, value in went_on.module_.state_dict().items())


# Copies and files


def assert_bit_equal(again, model, X):
    codes = model.transform(X)
    np.testing.assert_array_equal(again.transform(X), codes)
    np.testing.assert_array_equal(again.inverse_transform(codes), model.inverse_transform(codes))
    np.testing.assert_array_equal(again.sample(9, random_state=3), model.sample(9, random_state=3))
    if model.module_.bottleneck.stochastic:
        np.testing.assert_array_equal(again.divergence(X), model.divergence(X))
    for method in ("reconstruct", "score_samples", "contributions"):
        for y in (None, labels_of(model)):
            np.testing.assert_array_equal(getattr(again, method)(X, y), getattr(model, method)(X, y))
    assert (again.history_, again.schema_) == (model.history_, model.schema_)
    assert repr(again) == repr(model)


@every_variant
def test_copies_and_saved_models_are_bit_equal(name, tmp_path):
    model, X = fitted(name), rows_for(name, N)
    save(model, tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    for again in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_bit_equal(again, model, X)
    save(loaded, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    assert_equal(loaded.partial_fit(X, Y), copy.deepcopy(model).partial_fit(X, Y))


@every_variant
def test_the_decoder_alone_generates_the_same_rows(name, tmp_path):
    model = fitted(name)
    save(Decoder(model), tmp_path / "decoder.safetensors")
    decoder, codes = load(tmp_path / "decoder.safetensors"), model.transform(rows_for(name, N))
    np.testing.assert_array_equal(decoder.inverse_transform(codes), model.inverse_transform(codes))
    np.testing.assert_array_equal(decoder.sample(9, random_state=3), model.sample(9, random_state=3))


# Combinations


def penalties_of(model):
    return (model.regularizers,) if isinstance(model.regularizers, Part) else tuple(model.regularizers)


def all_penalties(model):
    kinds = [type(part) for part in penalties_of(model)]
    return *penalties_of(model), *(part for part in (L1(), L2(), Jacobian()) if type(part) not in kinds)


def penalties_without_kl(model):
    """KLSparsity needs codes in (0, 1), which a nested code is not."""
    return tuple(part for part in penalties_of(model) if not isinstance(part, KLSparsity))


# Options for a variant, in few combinations that contain each of them.
COMBINATIONS = {
    "labels, hidden values and float64": lambda model: {
        "conditional": True,
        "corruption": Masking(0.3),
        "precision": "float64",
    },
    "nested code and mixture": lambda model: {
        "bottleneck": Nested(model.bottleneck),
        "regularizers": penalties_without_kl(model),
        "prior": "mixture",
    },
    "penalties and bfloat16": lambda model: {"regularizers": all_penalties(model), "precision": "bfloat16"},
    "trimmed loss, kernel density and missing values": lambda model: {"trim": 0.1, "prior": "kde"},
}


@every_variant
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_parts_of_a_variant_work_with_other_options(name, combination, tmp_path):
    X = rows_for(name, N).astype(float)
    if "missing" in combination:
        X[HIDDEN[:, : X.shape[1]]] = np.nan
    model = small(name, batch_size=32)
    with skipped_where_nested_codes_are_refused():
        model.set_params(**COMBINATIONS[combination](model)).fit(X, Y)
    y = labels_of(model)
    close = {"rtol": 1e-3, "atol": 1e-4}
    if not is_for_tokens(model):
        np.testing.assert_allclose(model.inverse_transform(model.transform(X), y), model.reconstruct(X, y), **close)
    np.testing.assert_allclose(model.contributions(X, y).sum(1), model.score_samples(X, y), **close)
    assert np.isfinite(model.reconstruct(X, y)).all()
    assert np.isfinite(model.sample(50, random_state=0)).all()
    assert all(np.isfinite(list(row.values())).all() for row in model.history_)
    save(model, tmp_path / "model.safetensors")
    assert_bit_equal(load(tmp_path / "model.safetensors"), model, X)


@every_variant
def test_the_doctor_examines_the_variant(name):
    findings = examine(rows_for(name, N), fitted(name), y=labels_of(fitted(name)))
    assert all(finding.what for finding in findings)


@every_variant
def test_bags_of_nets_are_scored(name):
    X, model = rows_for(name, N), small(name, batch_size=32)
    bag = BaggedAutoencoders(model, 3, random_state=0)
    if model.conditional or is_for_tokens(model):
        with pytest.raises(ValueError, match=r"estimator must not be conditional|a backbone that decodes all values"):
            bag.fit(X)
        return
    scores = bag.fit(X).score_samples(X)
    assert np.isfinite(scores).all()
    assert np.unique(scores.round(9)).size > N / 2


@every_variant
def test_codes_between_rows_are_decoded(name):
    model, X = fitted(name), rows_for(name, N)
    y = 1 if model.conditional else None
    ends = interpolate(model, X[0], X[1], 2, y=y)
    np.testing.assert_allclose(ends, model.reconstruct(X[:2], None if y is None else [y] * 2), rtol=1e-5, atol=1e-5)
    if isinstance(model.bottleneck, VectorQuantized):  # between indices there are no codes
        return
    assert np.isfinite(interpolate(model, X[0], X[1], 5, y=y)).all()
    assert np.isfinite(traverse(model, X[0], y=y)).all()


@every_variant
@pytest.mark.filterwarnings("ignore:the error still falls", "ignore:no code has clearly less error")
def test_the_size_of_its_code_can_be_suggested(name):
    with skipped_where_nested_codes_are_refused():
        found = suggest_n_components(rows_for(name, 60), small(name, 3), max_components=3, random_state=0)
    assert found.n_components in (1, 2, 3)
    assert np.isfinite(found.errors).all()


# Data


def to_bytes(X):
    return (X * 5).clip(0, 255).astype(np.uint8)


AWKWARD = {
    "one feature": lambda X: X[:, :1],
    "a constant column": lambda X: np.c_[X, np.full(len(X), 3.0)],
    "only constant columns": lambda X: np.ones((40, 3)),
    "duplicated rows": lambda X: np.repeat(X[:3], 30, axis=0),
    "two rows": lambda X: X[:2],
    "more columns than rows": lambda X: RNG.normal(size=(6, 30)),
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: (X * 10).astype(int),
    "bytes": to_bytes,
    "a list": lambda X: X[:50].tolist(),
    "images": lambda X: to_bytes(X[:40]).reshape(-1, 1, 4, 3),
}


@every_variant_for_numbers
@pytest.mark.parametrize("kind", AWKWARD)
def test_extreme_data_give_finite_results(name, kind):
    rows = AWKWARD[kind](rows_for("autoencoder", 90))
    if kind == "images" and is_for_series(small(name)):
        pytest.skip("tested to be an error in test_backbones.py")
    size = 2 if name == "ladder_vae" else 1  # one component for each of its layers
    model = small(name, size, batch_size=64).fit(rows, np.arange(len(rows)) % 2)
    assert model.transform(rows).shape == (len(rows), size)
    assert model.reconstruct(rows).shape == model.sample(len(rows)).shape == np.shape(rows)
    for values in (model.transform(rows), model.score_samples(rows), model.reconstruct(rows), model.sample(3)):
        assert np.isfinite(values).all()


@every_variant_for_numbers
def test_missing_cells_are_filled_and_contribute_nothing(name, holes, labelled_blobs):
    full, y = labelled_blobs
    model = small(name, max_epochs=5, batch_size=32, learning_rate=0.02).fit(holes, y)
    rebuilt, hidden = model.reconstruct(holes), np.isnan(holes)
    typical = np.broadcast_to(np.nanmean(holes, 0), holes.shape)
    assert np.isfinite(rebuilt).all()
    assert np.isfinite(model.score_samples(holes)).all()
    assert (model.contributions(holes)[:, :6][hidden] == 0).all()
    assert np.square(rebuilt - full)[hidden].mean() < 1.1 * np.square(typical - full)[hidden].mean()
