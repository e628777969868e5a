"""Variants of the zoo: where their parameters go, labels, and the list of all. test_variants.py fits each of them."""

import inspect
from functools import cache
from types import FunctionType

import numpy as np
import pytest
import torch
from conftest import small
from scipy.special import logsumexp
from scipy.stats import ks_2samp

from isthmus import zoo
from isthmus.likelihoods import StudentT

RNG = np.random.default_rng(0)
Y = np.arange(300) % 2
# A noisy surface in many dimensions, for which codes are useful even with beta=4; the label shifts it slightly.
X = (RNG.normal(size=(300, 2)) + 0.5 * Y[:, None]) @ RNG.normal(size=(2, 12)) * np.arange(1, 13) + 7
X += 0.1 * RNG.normal(size=X.shape)

every_name = pytest.mark.parametrize("name", zoo.__all__)


@every_name
def test_options_of_variants_override_defaults(name):
    model = small(name, 3, likelihood=StudentT(df=7.0), batch_size=50, patience=None)
    assert model.get_params()["likelihood__df"] == 7.0
    assert (model.n_components, model.batch_size, model.patience) == (3, 50, None)


@every_name
def test_parts_are_new_instances_whose_parameters_can_be_set(name):
    model, other = getattr(zoo, name)(2), getattr(zoo, name)(2)
    nested = [key for key in model.get_params() if "__" in key]
    assert {key.split("__")[0] for key in nested} >= {"backbone", "bottleneck"}
    assert model.backbone is not other.backbone
    for key in nested:
        marker = object()
        assert model.set_params(**{key: marker}).get_params()[key] is marker
        assert other.get_params()[key] is not marker


# Arguments of each variant, and the parameters that they set.
OWN_PARAMETERS = {
    "autoencoder": ({"hidden": (5,), "activation": "tanh"}, {"backbone__hidden": (5,), "backbone__activation": "tanh"}),
    "linear": ({"tied": True}, {"backbone__tied": True}),
    "sparse": ({"weight": 2.0, "target": 0.2}, {"regularizers__weight": 2.0, "regularizers__target": 0.2}),
    "denoising": (
        {"noise": 0.5, "unit": "data", "clip": (0.0, 1.0)},
        {"corruption__scale": 0.5, "corruption__unit": "data", "corruption__clip": (0.0, 1.0)},
    ),
    "contractive": ({"weight": 3.0, "n_probes": None}, {"regularizers__weight": 3.0, "regularizers__n_probes": None}),
    "adversarial": ({"weight": 3.0}, {"regularizers__weight": 3.0}),
    "vae": ({"beta": 0.5}, {"bottleneck__beta": 0.5}),
    "beta_vae": (
        {"beta": 9.0, "capacity": 5.0, "warmup": 0.5},
        {"bottleneck__beta": 9.0, "bottleneck__capacity": 5.0, "bottleneck__warmup": 0.5},
    ),
    "conditional_vae": ({"beta": 0.5}, {"bottleneck__beta": 0.5, "conditional": True}),
    "vamp_vae": ({"n_pseudo_inputs": 9, "beta": 0.5}, {"prior__n_pseudo_inputs": 9, "bottleneck__beta": 0.5}),
    "ladder_vae": (
        {"n_top": 1, "width": 5, "beta": 0.5, "warmup": 0.2},
        {"bottleneck__n_top": 1, "bottleneck__width": 5, "bottleneck__beta": 0.5, "bottleneck__warmup": 0.2},
    ),
    "vq_vae": ({"n_codes": 9, "commitment": 0.5}, {"bottleneck__n_codes": 9, "bottleneck__commitment": 0.5}),
    "top_k": (
        {"k": 3, "weight": 0.5, "dead_after": 9},
        {"bottleneck__k": 3, "regularizers__weight": 0.5, "bottleneck__dead_after": 9},
    ),
    "convolutional": (
        {"channels": (4, 8), "kernel_size": 5},
        {"backbone__channels": (4, 8), "backbone__kernel_size": 5},
    ),
    "sequence_vae": (
        {"width": 5, "word_dropout": 0.1, "free_bits": 0.2, "warmup": 0.1},
        {
            "backbone__width": 5,
            "backbone__word_dropout": 0.1,
            "bottleneck__free_bits": 0.2,
            "bottleneck__warmup": 0.1,
            "backbone__autoregressive": True,
        },
    ),
    "recurrent": ({"width": 5, "cell": "gru"}, {"backbone__width": 5, "backbone__cell": "gru"}),
    "tcn": ({"width": 5}, {"backbone__width": 5}),
    "mult_vae": (
        {"beta": 0.5, "warmup": 0.1, "dropout": 0.3},
        {"bottleneck__beta": 0.5, "bottleneck__warmup": 0.1, "corruption__fraction": 0.3},
    ),
    "topic_model": (
        {"concentration": 0.1, "dropout": 0.5},
        {"backbone__concentration": 0.1, "backbone__dropout": 0.5},
    ),
    "imputer": ({"fraction": 0.5}, {"corruption__fraction": 0.5}),
    "tabular_vae": (
        {"beta": 0.5, "n_clusters": 7, "n_candidates": 2, "n_sweeps": 3},
        {"bottleneck__beta": 0.5, "prior__estimator__n_components": 7, "prior__n_candidates": 2, "prior__n_sweeps": 3},
    ),
}


@every_name
def test_own_parameters_reach_the_parts(name):
    given, expected = OWN_PARAMETERS[name]
    params = getattr(zoo, name)(3, **given).get_params()
    assert {key: params[key] for key in expected} == expected


def test_the_l1_penalty_goes_with_relu_codes():
    model = small("sparse", 4, penalty="l1", weight=0.5, max_epochs=5).fit(X)
    assert model.get_params()["regularizers__weight"] == 0.5
    assert (model.transform(X) >= 0).all()
    assert "l1" in model.history_[0]


def test_an_unknown_penalty_is_named():
    with pytest.raises(ValueError, match=r"penalty must be one of \('kl', 'l1'\), got 'l2'"):
        zoo.sparse(penalty="l2")


# Labels


@pytest.mark.parametrize(
    ("labels", "continuous"),
    [
        (np.where(Y == 0, "even", "odd"), False),
        (np.where(Y == 0, "even", "odd").astype(object), False),
        (Y, False),
        (Y.astype(float), False),
        (Y.astype(bool), False),
        (Y.tolist(), False),
        (Y[:, None], False),
        (torch.from_numpy(Y), False),
        (Y + 0.25 * RNG.random(len(Y)), True),
    ],
    ids=["strings", "objects", "ints", "whole floats", "bools", "list", "column", "tensor", "floats"],
)
def test_labels_may_have_any_type(labels, continuous):
    model = small("conditional_vae", batch_size=64).fit(X, labels)
    one = np.ravel(labels)[1]
    assert model.schema_.condition.continuous is continuous
    assert model.sample(4).shape == model.sample(4, y=one).shape == model.sample(4, y=[one] * 4).shape == (4, 12)
    assert np.isfinite(model.score_samples(X, labels)).all()
    assert not np.array_equal(model.reconstruct(X, labels), model.reconstruct(X, np.ravel(labels)[::-1]))


SIDES = np.repeat(["left", "right"], [100, 300])
SIDED = RNG.normal(size=(400, 3)) + np.where(SIDES == "left", -6, 6)[:, None]


@cache
def conditional():
    options = {"precision": "float64", "max_epochs": 40, "batch_size": 64, "learning_rate": 0.02}
    return small("conditional_vae", **options).fit(SIDED, SIDES)


def of_each_label(function, n):
    """Results with every row labelled "left", then "right", and how often fit saw these."""
    return [function([side] * n) for side in ("left", "right")], conditional().schema_.condition.frequencies


def test_samples_have_the_given_label():
    for side in ("left", "right"):
        drawn, real = conditional().sample(200, y=side, random_state=0), SIDED[side == SIDES]
        assert max(ks_2samp(drawn[:, j], real[:, j]).statistic for j in range(3)) < 0.25
    drawn = conditional().sample(2000, random_state=0)
    assert (drawn[:, 0] < 0).mean() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("how", [{}, {"n_draws": 1, "random_state": 3}], ids=["plug-in score", "bound"])
def test_scores_without_labels_average_over_them_by_frequency(how):
    each, frequencies = of_each_label(lambda y: conditional().score_samples(SIDED, y, **how), len(SIDED))
    expected = logsumexp(each, axis=0, b=np.array(frequencies)[:, None])
    np.testing.assert_allclose(conditional().score_samples(SIDED, **how), expected, rtol=1e-6)


def test_contributions_without_labels_add_up_to_the_averaged_score():
    total = conditional().contributions(SIDED).sum(1)
    np.testing.assert_allclose(total, conditional().score_samples(SIDED), rtol=1e-6)


def test_decoding_without_labels_averages_over_them_by_frequency():
    codes = np.random.default_rng(0).normal(size=(9, 2))
    each, frequencies = of_each_label(lambda y: conditional().inverse_transform(codes, y), 9)
    expected = np.average(each, axis=0, weights=frequencies)
    np.testing.assert_allclose(conditional().inverse_transform(codes), expected, rtol=1e-6)


def test_reconstruction_without_labels_weighs_them_as_they_explain_the_row():
    """Rows of different labels are far apart, so that one label explains each row."""
    np.testing.assert_allclose(conditional().reconstruct(SIDED), conditional().reconstruct(SIDED, SIDES), rtol=1e-6)


def test_a_label_that_fit_did_not_see_is_named():
    with pytest.raises(ValueError, match=r"label 'up' is not among the labels of fit, \['left', 'right'\]"):
        conditional().score_samples(SIDED, ["up"] * len(SIDED))


def test_unconditional_variants_ignore_labels(blobs):
    with_labels, without = small("vae").fit(blobs, np.zeros(len(blobs))), small("vae").fit(blobs)
    np.testing.assert_array_equal(with_labels.transform(blobs), without.transform(blobs))


# The list


def test_the_list_is_sorted_and_complete():
    functions = [value for value in vars(zoo).values() if isinstance(value, FunctionType)]
    own = {function.__name__ for function in functions if function.__module__ == zoo.__name__}
    assert zoo.__all__ == sorted(own - {"compose"})


@every_name
def test_every_variant_is_documented(name):
    function = getattr(zoo, name)
    doc, parameters = inspect.getdoc(function), inspect.signature(function).parameters
    assert next(iter(parameters)) == "n_components"
    assert all(f"\n{section}\n{'-' * len(section)}\n" in doc for section in ("Parameters", "References", "Examples"))
    assert all(f"\n{name} : " in doc for name in parameters if name != "options")
    assert "\n**options\n    Other parameters of ``Autoencoder``." in doc
