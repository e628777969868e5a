"""Every error message names the parameter or column, the value, and what was expected."""

import numpy as np
import pandas
import polars
import pytest
import torch
from conftest import small
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from isthmus import Autoencoder, backbones, bottlenecks, corruptions, likelihoods, regularizers, zoo

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 3


def spoiled(value, column=2):
    values = X.copy()
    values[5, column] = value
    return values


def quick(**options):
    return small("autoencoder", **{"max_epochs": 1, **options})


FITTED = quick().fit(X)
CONDITIONAL = small("conditional_vae", max_epochs=1).fit(X, Y)
BINARY = quick(likelihood="bernoulli").fit(X > 0)

BAD_ROWS = {
    "infinite": (spoiled(np.inf), "column 2 holds an infinite value; expected finite numbers, or NaN for missing"),
    "minus infinite": (spoiled(-np.inf), "column 2 holds an infinite value"),
    "infinite pixel": (spoiled(np.inf).reshape(-1, 1, 2, 2), r"value \(0, 1, 0\) holds an infinite value"),
    "infinite in a tensor": (torch.from_numpy(spoiled(np.inf)), "column 2 holds an infinite value"),
    "infinite in sparse rows": (sparse.csr_array(spoiled(np.inf)), "column 2 holds an infinite value"),
    "infinite in a frame": (
        pandas.DataFrame(spoiled(np.inf), columns=list("abcd")),
        "column 'c' holds an infinite value",
    ),
    "all missing": (np.c_[X, np.full(60, np.nan)], "column 4 has no value in any training row; leave it out"),
    "all missing in a frame": (
        polars.DataFrame({"age": [None, None]}, schema={"age": polars.Float64}),
        r"there is no column to learn from \(column 'age': no value in any row\)",
    ),
    "text": (np.array([["1", "2"], ["3", "many"]]), r"row 1, column 1 holds text, 'many'; expected numbers"),
    "text among objects": (
        np.array([[1, 2], [3, "many"]], object),
        "row 1, column 1 holds text, 'many'; expected numbers",
    ),
    "text in a list": ([[1, 2], [3, "many"]], "row 1, column 1 holds text, 'many'; expected numbers"),
    "numbers as text": (np.array([["1", "2"], ["3", "4"]]), "the array holds text .*expected numbers"),
    "lists in polars": (
        polars.DataFrame({"a": [1, 2], "tags": [["x"], []]}),
        "column 'tags' holds List.*expected numbers",
    ),
    "lists in pandas": (
        pandas.DataFrame({"a": [1, 2], "tags": [("x",), ()]}),
        r"column 'tags' holds a value of type tuple, \('x',\); expected numbers",
    ),
    "objects in polars": (
        polars.DataFrame({"a": [1, 2], "o": polars.Series([1, "x"], dtype=polars.Object)}),
        "column 'o' holds Python objects",
    ),
    "columns of one name": (
        pandas.DataFrame(X[:, :3], columns=["a", "b", "a"]),
        "2 columns are named 'a'; rename them",
    ),
    "dates": (
        np.array([["2020-01-01", "2020-01-02"]] * 3, "datetime64[D]"),
        r"the array holds dates.*datetime64\[D\].*expected numbers",
    ),
    "no rows": (X[:0], r"0 sample\(s\).*minimum of 1"),
    "no rows in a frame": (pandas.DataFrame({"a": []}), r"0 sample\(s\).*minimum of 1"),
    "no rows in a tensor": (torch.empty(0, 3), r"0 sample\(s\).*minimum of 1"),
    "no columns": (X[:, :0], r"0 feature\(s\).*minimum of 1"),
    "no columns in a frame": (pandas.DataFrame(index=range(5)), r"0 feature\(s\).*minimum of 1"),
    "one row": (X[:1], "n_samples=1: fit needs at least 2 rows"),
    "one axis": (X[:, 0], "Reshape your data"),
    "one axis in a tensor": (torch.ones(5), "Reshape your data"),
    "one column of a frame": (pandas.Series([1.0, 2.0]), "Reshape your data"),
    "a number": (3.0, "Reshape your data"),
    "nothing": (None, "X is of type NoneType, expected an array or a data frame"),
    "rows of different depth": ([[1, 2], [[3]]], "inhomogeneous shape"),
    "complex": (X + 1j, "Complex data not supported"),
    "complex tensor": (torch.ones(5, 2, dtype=torch.complex64), "Complex data not supported"),
    "complex sparse rows": (sparse.csr_array(X + 1j), "Complex data not supported"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_fit_names_the_error_in_the_rows(case):
    rows, message = BAD_ROWS[case]
    with pytest.raises(ValueError, match=message):
        quick().fit(rows)


NAMED_PARTS = {
    "backbone": ("mpl", "mlp"),
    "bottleneck": ("gausian", "gaussian"),
    "likelihood": ("bernouli", "bernoulli"),
    "corruption": ("maskin", "masking"),
    "regularizers": ("jacobain", "jacobian"),
    "optimizer": ("adamww", "adamw"),
    "schedule": ("onecycle", "one_cycle"),
}


@pytest.mark.parametrize("parameter", NAMED_PARTS)
def test_the_error_of_an_unknown_name_suggests_the_nearest_one(parameter):
    wrong, right = NAMED_PARTS[parameter]
    message = (
        rf"{parameter.removesuffix('s')} must be one of \[.*'{right}'.*\], got '{wrong}'; did you mean '{right}'\?"
    )
    with pytest.raises(ValueError, match=message):
        quick(**{parameter: wrong}).fit(X)


def test_the_error_of_a_name_without_similar_ones_lists_all():
    with pytest.raises(ValueError, match=r"got 'xyzzy'$"):
        quick(bottleneck="xyzzy").fit(X)


WRONG_KINDS = {
    "bottleneck": [likelihoods.Gaussian(), backbones.MLP(), bottlenecks.Gaussian, None, 3],
    "likelihood": [bottlenecks.Gaussian(), corruptions.Masking(), likelihoods.Gaussian, None],
    "backbone": [bottlenecks.Gaussian(), torch.nn.Linear(4, 2), backbones.MLP, None, 3],
    "corruption": [backbones.MLP(), likelihoods.Gaussian(), corruptions.Swap, 0.3],
    "regularizers": [corruptions.Swap(), regularizers.L1, (None,), 0.1],
}
WRONG_PAIRS = [(parameter, value) for parameter, values in WRONG_KINDS.items() for value in values]


@pytest.mark.parametrize(("parameter", "value"), WRONG_PAIRS, ids=str)
def test_a_part_of_the_wrong_kind_is_named(parameter, value):
    with pytest.raises((ValueError, TypeError), match=f"{parameter.removesuffix('s')}.* must be .*got"):
        quick(**{parameter: value}).fit(X)


BAD_PARAMETERS = {
    "n_components": ([0, -1, 2.5, "2", None], "n_components must be a positive integer"),
    "trim": ([-0.1, 1.0, "some"], r"trim must be in \[0, 1\)"),
    "validation_fraction": ([-0.1, 1.0, float("nan")], r"validation_fraction must be in \[0, 1\)"),
    "learning_rate": ([0, -1.0, float("nan")], "learning_rate must be .* a number > 0"),
    "weight_decay": ([-1e-3, float("nan")], "weight_decay must be a number >= 0"),
    "batch_size": ([0, -3, 2.5, "big", None], 'batch_size must be "auto" or a positive integer'),
    "max_epochs": ([0, 1.5, "many", None], 'max_epochs must be "auto" or a positive integer'),
    "patience": ([-1, 1.5, "long"], "patience must be"),
    "precision": (["float16", None, 32], "precision must be one of .*'float32'"),
    "device": (["cudaa", "tpu", 99], "device must be 'auto', 'cpu' or one that torch finds here"),
    "schedule": (["linear", None], "schedule must be one of"),
    "optimizer": (["lion", None, 3], "optimizer must be one of"),
}
BAD_PAIRS = [(parameter, value) for parameter, (values, _) in BAD_PARAMETERS.items() for value in values]


@pytest.mark.parametrize(("parameter", "value"), BAD_PAIRS, ids=str)
def test_fit_names_the_expected_and_the_given_value_of_a_parameter(parameter, value):
    with pytest.raises(ValueError, match=BAD_PARAMETERS[parameter][1]) as caught:
        quick(**{parameter: value}).fit(X)
    assert repr(value) in str(caught.value)


BAD_PARTS = {
    "beta": ({"bottleneck": bottlenecks.Gaussian(beta=-1)}, "bottleneck.beta of Gaussian must be >= 0, got -1"),
    "beta that is no number": (
        {"bottleneck": bottlenecks.Gaussian(beta=float("nan"))},
        "bottleneck.beta .* must be >= 0, got nan",
    ),
    "free bits": (
        {"bottleneck": bottlenecks.Gaussian(free_bits=-1)},
        "bottleneck.free_bits of Gaussian must be >= 0, got -1",
    ),
    "capacity": (
        {"bottleneck": bottlenecks.Gaussian(capacity=-1)},
        "capacity of Gaussian must be None or >= 0, got -1",
    ),
    "warmup": ({"bottleneck": bottlenecks.Gaussian(warmup=2)}, r"warmup of Gaussian must be in \[0, 1\], got 2"),
    "no draws": (
        {"bottleneck": bottlenecks.Gaussian(n_draws=0)},
        "n_draws of Gaussian must be a positive integer, .*, got 0",
    ),
    "draws with free bits": (
        {"bottleneck": bottlenecks.Gaussian(n_draws=5, free_bits=0.1)},
        "n_draws of Gaussian must be .*1 if free_bits or capacity is used, got 5",
    ),
    "activation of the code": (
        {"bottleneck": bottlenecks.Deterministic("rel")},
        "activation of Deterministic must be .*'rel'",
    ),
    "hidden": ({"backbone": backbones.MLP((8, 0))}, r'hidden of MLP must be "auto" or a tuple .*, got \(8, 0\)'),
    "activation": (
        {"backbone": backbones.MLP(activation="selu")},
        "activation of MLP must be one of .*'silu'.*, got 'selu'",
    ),
    "dropout": ({"backbone": backbones.MLP(dropout=1.0)}, r"dropout of MLP must be in \[0, 1\), got 1.0"),
    "norm": ({"backbone": backbones.MLP(norm="group")}, "norm of MLP must be .*'layer'.*, got 'group'"),
    "tied": (
        {"backbone": backbones.Linear(True), "bottleneck": "gaussian"},
        "tied of Linear must be False .*, got True",
    ),
    "scale": ({"likelihood": likelihoods.Gaussian(scale=0.0)}, "scale of Gaussian must be .*positive number, got 0.0"),
    "scaling": (
        {"likelihood": likelihoods.Gaussian(scaling="robust")},
        "scaling of Gaussian must be .*'standard'.*, got 'robust'",
    ),
    "df": ({"likelihood": likelihoods.StudentT(df=1.0)}, "df of StudentT must be > 1, got 1.0"),
    "masking": ({"corruption": corruptions.Masking(1.0)}, r"fraction of Masking must be in \[0, 1\).*, got 1.0"),
    "swap": ({"corruption": corruptions.Swap(-0.1)}, r"fraction of Swap must be in \[0, 1\], got -0.1"),
    "salt and pepper": (
        {"corruption": corruptions.SaltPepper(1.1)},
        r"fraction of SaltPepper must be in \[0, 1\], got 1.1",
    ),
    "noise": ({"corruption": corruptions.GaussianNoise(-1.0)}, "scale of GaussianNoise must be >= 0, got -1.0"),
    "unit": ({"corruption": corruptions.GaussianNoise(unit="var")}, "unit of GaussianNoise must be .*, got 'var'"),
    "clip": ({"corruption": corruptions.GaussianNoise(clip=(1, 0))}, r"clip of GaussianNoise must be .*, got \(1, 0\)"),
    "weight": ({"regularizers": regularizers.L1(-1.0)}, "weight of L1 must be >= 0, got -1.0"),
    "probes": ({"regularizers": regularizers.Jacobian(n_probes=0)}, "n_probes of Jacobian must be .*, got 0"),
    "target": (
        {"regularizers": regularizers.KLSparsity(target=0.0), "bottleneck": bottlenecks.Deterministic("sigmoid")},
        r"target of KLSparsity must be in \(0, 1\), got 0.0",
    ),
    "sparsity of a linear code": (
        {"regularizers": "kl_sparsity"},
        r"KLSparsity needs codes in \(0, 1\): use bottleneck=",
    ),
    "Bernoulli of real values": (
        {"likelihood": "bernoulli"},
        r"Bernoulli needs values in \[0, 1\], got values from -.* to .*; scale them, or use likelihood='gaussian'",
    ),
    "continuous Bernoulli of real values": (
        {"likelihood": "continuous_bernoulli"},
        r"ContinuousBernoulli needs values in \[0, 1\], got values from",
    ),
}


@pytest.mark.parametrize("case", BAD_PARTS)
def test_fit_names_the_expected_value_of_a_part_parameter(case):
    options, message = BAD_PARTS[case]
    with pytest.raises(ValueError, match=message):
        quick(**options).fit(X)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (Y[:50], "y must have a label for each of the 60 rows of X, got 50"),
        (np.where(Y == 0, np.nan, Y), "y has missing or infinite labels"),
        (np.where(Y == 0, np.inf, Y), "y has missing or infinite labels"),
        (np.where(Y == 0, None, "text"), "y has missing or infinite labels"),
        (np.where(Y == 0, np.nan, np.array(["text"], dtype=object)), "y has missing or infinite labels"),
        (np.ones((60, 2)), r"y must hold one label for each row, got an array of shape \(60, 2\)"),
        (None, "requires y to be passed"),
    ],
    ids=["too few", "NaN", "infinite", "None among texts", "NaN among texts", "two columns", "none"],
)
def test_fit_names_the_error_in_the_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        small("conditional_vae").fit(X, labels)


BAD_USES = {
    "too few columns": (
        lambda: FITTED.transform(X[:, :3]),
        "X has 3 features, but Autoencoder is expecting 4 features",
    ),
    "another rank": (
        lambda: FITTED.transform(X.reshape(-1, 4, 1)),
        r"rows of 4 x 1 values, but fit saw rows of 4 columns",
    ),
    "infinite new rows": (lambda: FITTED.score_samples(spoiled(np.inf)), "column 2 holds an infinite value"),
    "missing new cells": (
        lambda: FITTED.reconstruct(spoiled(np.nan)),
        "column 2 has missing values, but there were none in fit",
    ),
    "no new rows": (lambda: FITTED.transform(X[:0]), r"0 sample\(s\)"),
    "text in new rows": (lambda: FITTED.transform([["a"] * 4]), "row 0, column 0 holds text, 'a'"),
    "one new row without its axis": (lambda: FITTED.transform(X[0]), "Reshape your data"),
    "draws of a code that draws nothing": (
        lambda: FITTED.score_samples(X, n_draws=2),
        "n_draws needs a stochastic bottleneck, such as 'gaussian'; Deterministic is deterministic",
    ),
    "a negative number of draws": (lambda: CONDITIONAL.score_samples(X, n_draws=-1), "n_draws must be .*got -1"),
    "half a draw": (lambda: CONDITIONAL.score_samples(X, n_draws=1.5), "n_draws must be .*got 1.5"),
    "codes of another width": (
        lambda: FITTED.inverse_transform(np.zeros((3, 5))),
        "5 columns, expected n_components=2",
    ),
    "missing codes": (lambda: FITTED.inverse_transform(np.full((3, 2), np.nan)), "contains NaN"),
    "no samples": (lambda: FITTED.sample(0), "n must be a positive integer, got 0"),
    "half a sample": (lambda: FITTED.sample(1.5), "n must be a positive integer, got 1.5"),
    "a negative temperature": (lambda: FITTED.sample(2, temperature=-1), "temperature must be .*got -1"),
    "an unknown label": (
        lambda: CONDITIONAL.score_samples(X, Y + 1),
        r"label 3 is not among the labels of fit, \[0, 1, 2\]",
    ),
    "an unknown label to draw": (lambda: CONDITIONAL.sample(3, y=9), "label 9 is not among the labels of fit"),
    "too few labels": (
        lambda: CONDITIONAL.score_samples(X, Y[:9]),
        "y must have a label for each of the 60 rows of X, got 9",
    ),
    "too few labels to draw": (lambda: CONDITIONAL.sample(3, y=[0, 1]), "y must .*3.*got 2"),
    "no labels to scatter by": (
        lambda: CONDITIONAL.inverse_transform(np.zeros((3, 2)), sample_values=True),
        "sample_values=True needs labels y",
    ),
    "too few labels to decode": (
        lambda: CONDITIONAL.inverse_transform(np.zeros((3, 2)), [0]),
        "y must have .*3 .*got 1",
    ),
}


@pytest.mark.parametrize("case", BAD_USES)
def test_methods_of_a_fitted_estimator_name_the_error(case):
    use, message = BAD_USES[case]
    with pytest.raises(ValueError, match=message):
        use()


@pytest.mark.parametrize(
    "method", ["transform", "reconstruct", "score_samples", "score", "contributions", "inverse_transform"]
)
def test_an_unfitted_estimator_raises_not_fitted_error(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(Autoencoder(), method)(X)


def test_an_unfitted_estimator_cannot_be_sampled_from():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        Autoencoder().sample(3)


def test_an_unknown_parameter_of_a_part_is_named():
    with pytest.raises(ValueError, match=r"Invalid parameter 'bta' for estimator Gaussian\(\)"):
        zoo.vae().set_params(bottleneck__bta=1.0)


def test_an_unknown_option_of_a_variant_is_named():
    with pytest.raises(TypeError, match="unexpected keyword argument 'betta'"):
        zoo.vae(2, betta=1.0)


def test_partial_fit_compares_new_rows_with_the_first():
    model = quick().partial_fit(X)
    with pytest.raises(ValueError, match="X has 3 features, but Autoencoder is expecting 4"):
        model.partial_fit(X[:, :3])
    with pytest.raises(ValueError, match="column 2 holds an infinite value"):
        model.partial_fit(spoiled(np.inf))
    with pytest.raises(ValueError, match="column 2 has missing values, but there were none in fit"):
        model.partial_fit(spoiled(np.nan))
    assert np.isfinite(model.transform(X)).all()


# A loss that is not a number


def test_the_error_of_a_loss_that_is_not_finite_names_the_parameter_to_change():
    with pytest.raises(ValueError, match=r"the loss became (nan|inf) in epoch 1; lower learning_rate \(now 1e\+30\)"):
        quick(learning_rate=1e30, optimizer="sgd", max_epochs=3).fit(X)


def test_weights_of_the_last_epoch_with_finite_loss_are_kept():
    def poison(state):
        if state.row["epoch"] == 2:
            next(state.model.parameters()).data.fill_(float("nan"))

    options = {"schedule": "constant", "validation_fraction": 0.0}
    with pytest.warns(
        ConvergenceWarning, match="nan in epoch 3; lower learning_rate .*; the best weights so far are kept"
    ):
        model = quick(max_epochs=5, callbacks=[poison], **options).fit(X)
    np.testing.assert_array_equal(model.transform(X), quick(max_epochs=2, **options).fit(X).transform(X))


# A failed fit changes nothing


FAILURES = {
    "infinite values": ({}, spoiled(np.inf)),
    "infinite values of another width": ({}, spoiled(np.inf)[:, 1:]),
    "an empty column": ({}, np.c_[X, np.full(60, np.nan)]),
    "a bad parameter": ({"n_components": 0}, X),
    "a bad parameter of a part": ({"bottleneck": bottlenecks.Gaussian(beta=-1)}, X[:, :3]),
    "an unknown part": ({"likelihood": "nonsense"}, X),
    "a loss that is not a number": ({"learning_rate": 1e30, "optimizer": "sgd"}, X[:, :3]),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_fit_leaves_the_previous_model(case):
    options, rows = FAILURES[case]
    model = small("vae").fit(X)
    before = model.score_samples(X), model.sample(3), model.n_features_in_, model.n_components
    model.set_params(**options)
    with pytest.raises(ValueError, match="."):
        model.fit(rows)
    model.set_params(n_components=before[-1])
    np.testing.assert_array_equal(model.score_samples(X), before[0])
    np.testing.assert_array_equal(model.sample(3), before[1])
    assert model.n_features_in_ == before[2]
    assert model.reconstruct(X).shape == X.shape
