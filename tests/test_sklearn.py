"""The interface of scikit-learn."""

import inspect

import numpy as np
import pytest
from conftest import small
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, ExemplarDistance
from isthmus.backbones import MLP
from isthmus.bottlenecks import Gaussian
from isthmus.configuration import PACKAGES

# Name of a check to the reason why it cannot hold. At most three.
NOISE = "each repeated row has noise of its own: weights equal repetitions on average (test_sample_weight)"
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": NOISE,
    "check_sample_weight_equivalence_on_sparse_data": NOISE,
}
# One variant of each kind: plain, with labels and random codes, with a corruption, with a regularizer.
KINDS = ("autoencoder", "conditional_vae", "denoising", "contractive")
VARIANTS = [small(name, precision="float64", batch_size=128) for name in KINDS]


def expected_failures(estimator):
    """Without noise the steps are equal, because a batch has all rows of the check."""
    is_exact = not (estimator.bottleneck.stochastic or estimator.corruption or estimator.regularizers)
    return {} if is_exact else EXPECTED_FAILURES


@parametrize_with_checks(VARIANTS, expected_failed_checks=expected_failures)
def test_estimator_checks_of_scikit_learn_pass(estimator, check):
    check(estimator)


def test_each_expected_failure_has_a_reason():
    assert len(EXPECTED_FAILURES) <= 3
    assert all(EXPECTED_FAILURES.values())


def test_grid_search_reaches_the_parameters_of_parts(blobs):
    search = GridSearchCV(small("vae"), {"bottleneck__beta": [0.1, 10.0], "n_components": [1, 2]}, cv=2).fit(blobs)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    assert search.best_estimator_.module_.bottleneck.beta == search.best_params_["bottleneck__beta"]
    assert search.transform(blobs).shape == (len(blobs), search.best_params_["n_components"])


def test_a_pipeline_classifies_by_the_codes(labelled_blobs):
    X, y = labelled_blobs
    pipeline = make_pipeline(StandardScaler(), small("autoencoder", max_epochs=20), LogisticRegression())
    assert pipeline.fit(X, y).score(X, y) > 0.9
    assert cross_val_score(pipeline, X, y, cv=2).min() > 0.8


def test_a_pipeline_scores_samples_by_its_last_step(blobs):
    pipeline = make_pipeline(StandardScaler(), small("vae")).fit(blobs)
    expected = pipeline[-1].score_samples(pipeline[:-1].transform(blobs))
    np.testing.assert_array_equal(pipeline.score_samples(blobs), expected)


def test_cross_validation_uses_the_estimators_own_score(blobs):
    scores = cross_val_score(small("autoencoder"), blobs, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_names_the_codes(library, blobs):
    model = small("vae").set_output(transform=library).fit(blobs)
    codes = model.transform(blobs)
    assert type(codes).__module__.split(".")[0] == library
    assert list(codes.columns) == ["autoencoder0", "autoencoder1"]
    np.testing.assert_array_equal(codes, model.set_output(transform="default").transform(blobs))


def test_feature_names_out_count_the_components(blobs):
    model = small("linear", 3).fit(blobs)
    assert list(model.get_feature_names_out()) == ["autoencoder0", "autoencoder1", "autoencoder2"]


def test_fit_leaves_the_given_parts_unbuilt_so_that_they_can_be_shared(blobs):
    bottleneck = Gaussian(beta=2.0)
    first, second = (Autoencoder(n, backbone=MLP((4,)), bottleneck=bottleneck, max_epochs=1) for n in (1, 3))
    first.fit(blobs)
    second.fit(blobs)
    assert first.transform(blobs).shape[1] == 1
    assert first.bottleneck is second.bottleneck is bottleneck
    assert not list(bottleneck.buffers()) + list(bottleneck.parameters())
    assert set(bottleneck.get_params()) == {"beta", "free_bits", "capacity", "n_draws", "warmup"}


def test_nested_set_params_reaches_the_next_fit_and_not_the_fitted_model(blobs):
    model = small("vae").fit(blobs)
    before = model.transform(blobs)
    model.set_params(bottleneck__beta=7.0, backbone__hidden=(3,), n_components=2)
    np.testing.assert_array_equal(model.transform(blobs), before)
    model.fit(blobs)
    assert model.module_.bottleneck.beta == 7.0
    assert model.module_.backbone.hidden == (3,)


def test_parameters_may_be_numbers_of_numpy(blobs):
    """Random searches sample them."""
    count, share = np.int64, np.float64
    model = small(
        "vae", count(2), batch_size=count(50), max_epochs=count(1), patience=count(3), learning_rate=share(0.01)
    )
    assert model.fit(blobs).transform(blobs).shape == (len(blobs), 2)


def test_deep_parameters_name_those_of_the_parts():
    params = small("denoising").get_params()
    assert {"bottleneck__activation", "backbone__dropout", "corruption__scale"} <= set(params)


ESTIMATORS = [AnomalyDetector, Autoencoder, BaggedAutoencoders, ExemplarDistance]
CLASSES = [*ESTIMATORS, *(getattr(package, name) for package in PACKAGES for name in package.__all__)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_constructors_store_any_argument(kind):
    names = list(inspect.signature(kind).parameters)
    nonsense = {name: object() for name in names}
    made = kind(**nonsense)
    assert all(getattr(made, name) is value for name, value in nonsense.items())
    empty = {name: {} for name in names}
    assert all(getattr(kind(**empty), name) is value for name, value in empty.items())
