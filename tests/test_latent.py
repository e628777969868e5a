"""Paths in the latent space compared with closed forms, and suggested code sizes with known dimensions."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.svm import SVC

from isthmus import Autoencoder, latent, zoo
from isthmus.backbones import MLP, Linear
from isthmus.bottlenecks import Deterministic, Gaussian, Nested
from isthmus.latent import (
    active_units,
    analogy,
    concept_vector,
    edit,
    interpolate,
    map2d,
    suggest_n_components,
    traverse,
)
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.part import Shapes
from isthmus.priors import Normal

DONE = torch.ones(())
# Nets of two epochs have learned too little.
pytestmark = pytest.mark.filterwarnings("ignore:no code has clearly less error")


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 3)) @ rng.normal(size=(3, 6)) + 0.1 * rng.normal(size=(200, 6))


@pytest.fixture(scope="module")
def model(X):
    return Autoencoder(3, backbone=MLP((8,)), max_epochs=5, random_state=0).fit(X)


@pytest.fixture(scope="module")
def linear(X):
    """A net with an affine decoder, so that paths of codes are straight lines in the data."""
    return Autoencoder(3, backbone=Linear(), max_epochs=5, random_state=0).fit(X)


# Paths


def test_linear_interpolation_in_an_affine_net_is_a_straight_line(linear, X):
    path = interpolate(linear, X[0], X[1], n=5)
    start, end = linear.reconstruct(X[:2])
    np.testing.assert_allclose(path, start + np.linspace(0, 1, 5)[:, None] * (end - start), atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_interpolations_start_and_end_at_the_reconstructions(kind, model, X):
    path = interpolate(model, X[:1], X[1], n=7, kind=kind)
    np.testing.assert_allclose(path[[0, -1]], model.reconstruct(X[:2]), atol=1e-4)


def test_spherical_interpolation_keeps_the_norm_and_has_equal_angles():
    start, end = np.array([3.0, 0.0, 0.0]), np.array([0.0, 3.0, 0.0])
    steps = np.linspace(0, 1, 7)[:, None]
    angles = steps * np.pi / 2
    expected = 3 * np.hstack([np.cos(angles), np.sin(angles), 0 * angles])
    np.testing.assert_allclose(latent.interpolation._slerp(start, end, steps), expected, atol=1e-12)
    np.testing.assert_allclose(latent.interpolation._slerp(start, 2 * start, steps), (1 + steps) * start)
    np.testing.assert_allclose(latent.interpolation._slerp(start, -start, steps), (1 - 2 * steps) * start, atol=1e-12)


def test_a_traversal_changes_one_component_by_the_codes_deviations(linear, X):
    codes = linear.transform(X)
    path = traverse(linear, X[4], component=1, values=[-2.0, 0.0, 1.0])
    wanted = np.tile(codes[4], (3, 1))
    wanted[:, 1] = codes[:, 1].mean() + np.array([-2.0, 0.0, 1.0]) * codes[:, 1].std()
    # The distribution of codes is fitted to training rows.
    np.testing.assert_allclose(linear.transform(path), linear.transform(linear.inverse_transform(wanted)), atol=0.5)
    moved = np.ptp(path, axis=0) > 1e-3
    np.testing.assert_array_equal(moved, np.abs(linear.inverse_transform(np.eye(3))[1] - centre(linear)) > 1e-3)


def centre(model):
    return model.inverse_transform(np.zeros((1, 3)))[0]


def test_without_a_row_a_traversal_starts_at_the_centre(X):
    model = zoo.vae(2, backbone=MLP((8,)), max_epochs=1, random_state=0).fit(X)
    (middle,) = traverse(model, component=0, values=[0.0])
    np.testing.assert_allclose(middle, model.inverse_transform(np.zeros((1, 2)))[0], atol=0.1)


def test_traversals_use_the_deviations_of_the_prior(X):
    density = GaussianMixture(random_state=0)
    model = Autoencoder(2, backbone=Linear(), max_epochs=2, prior=density, random_state=0).fit(X)
    middle, beyond = traverse(model, component=0, values=[0.0, 1.0])
    codes = model.module_.prior.fitted[0].means_ + np.array(
        [[0.0, 0.0], [np.sqrt(model.module_.prior.fitted[0].covariances_[0, 0, 0]), 0.0]]
    )
    np.testing.assert_allclose([middle, beyond], model.inverse_transform(codes), atol=0.2)


def test_interpolations_leave_the_global_generator_unchanged(model, X):
    before = torch.random.get_rng_state()
    traverse(model, X[0])
    assert torch.equal(before, torch.random.get_rng_state())


# Concepts


def test_a_concept_is_the_difference_of_mean_codes(model, X):
    vector = concept_vector(model, X[:50], X[50:])
    codes = model.transform(X)
    np.testing.assert_allclose(vector, codes[:50].mean(0) - codes[50:].mean(0), atol=1e-6)
    np.testing.assert_allclose(edit(model, X, vector, 0.0), model.reconstruct(X), atol=1e-4)
    moved = model.inverse_transform(codes - 2 * vector)
    np.testing.assert_allclose(edit(model, X, vector, -2.0), moved, atol=1e-4)


def test_an_analogy_adds_the_difference(model, X):
    codes = model.transform(X)
    np.testing.assert_allclose(
        analogy(model, X[:1], X[1:2], X[2:5]), model.inverse_transform(codes[2:5] + codes[1] - codes[0]), atol=1e-4
    )
    np.testing.assert_allclose(analogy(model, X[:3], X[:3], X[3:6]), model.reconstruct(X[3:6]), atol=1e-4)


def test_a_classifier_recognises_the_added_concept():
    digits, y = load_digits(return_X_y=True)
    known, label, threes = digits[:1200], y[:1200], digits[1200:][y[1200:] == 3]
    model = zoo.vae(16, max_epochs=60, random_state=0).fit(known)
    classifier = SVC().fit(known, label)
    vector = concept_vector(model, known[label == 8], known[label == 3])
    assert np.mean(classifier.predict(edit(model, threes, vector, 0.0)) == 3) > 0.8
    assert np.mean(classifier.predict(edit(model, threes, vector, 1.5)) == 8) > 0.7


# Labels and containers


def test_labels_are_passed_to_conditional_models(X):
    y = np.where(X[:, 0] > 0, "high", "low")
    model = zoo.conditional_vae(2, backbone=MLP((8,)), max_epochs=2, random_state=0).fit(X, y)
    codes = model.transform(X)
    np.testing.assert_allclose(edit(model, X, np.zeros(2), y=y), model.inverse_transform(codes, y), atol=1e-5)
    high = interpolate(model, X[0], X[1], n=3, y="high")
    assert not np.allclose(high, interpolate(model, X[0], X[1], n=3, y="low"))
    np.testing.assert_allclose(high, interpolate(model, X[0], X[1], n=3, y=["high"] * 3))
    assert traverse(model, X[0], y="low").shape == (7, 6)
    assert analogy(model, X[:1], X[1:2], X[2:4], y="low").shape == (2, 6)


def test_results_of_data_frames_are_data_frames(X):
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(g=np.where(X[:, 0] > 0, "u", "v"))
    model = Autoencoder(2, backbone=MLP((8,)), max_epochs=2, random_state=0).fit(frame)
    vector = concept_vector(model, frame[:50], frame[50:])
    for rows, n in [
        (interpolate(model, frame[:1], frame[1:2], n=4), 4),
        (traverse(model, frame[:1], values=[0, 1]), 2),
        (edit(model, frame[:6], vector), 6),
        (analogy(model, frame[:1], frame[1:2], frame[2:5]), 3),
    ]:
        assert list(rows.columns) == list(frame.columns)
        assert len(rows) == n
        assert set(rows["g"]) <= {"u", "v"}


# Components and maps


def test_a_constant_component_is_not_active(X):
    model = zoo.vae(3, backbone=Linear(), max_epochs=1, random_state=0).fit(X)
    last = list(model.module_.backbone.encoder.parameters())
    with torch.no_grad():
        for weight in last:
            weight[1] = 0.0
    assert active_units(model, X).tolist() == [True, False, True]
    variances = model.transform(X).var(0)
    assert active_units(model, X, threshold=variances.max()).tolist() == [False] * 3


def test_the_map_is_that_of_scikit_learn():
    codes = np.random.default_rng(0).normal(size=(60, 5))
    np.testing.assert_allclose(map2d(codes, random_state=0), PCA(2, random_state=0).fit_transform(codes))
    assert map2d(codes, "tsne", random_state=0, perplexity=10).shape == (60, 2)


@pytest.mark.parametrize(("method", "module"), [("umap", "umap"), ("opentsne", "openTSNE")])
def test_missing_optional_libraries_are_named(method, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'isthmus\[maps\]'"):
        map2d(np.zeros((5, 3)), method)


@pytest.mark.parametrize(("method", "module"), [("umap", "umap"), ("opentsne", "openTSNE")])
def test_optional_libraries_get_the_options(method, module, monkeypatch):
    class Recorder:
        def __init__(self, **options):
            assert options == {"n_components": 2, "random_state": 3, "speed": 1}

        def fit(self, codes):
            return codes[:, :2]

        fit_transform = fit

    name = "UMAP" if method == "umap" else "TSNE"
    monkeypatch.setitem(sys.modules, module, type("Module", (), {name: Recorder}))
    assert map2d(np.ones((5, 3)), method, random_state=3, speed=1).shape == (5, 2)


# Nested codes


def nested(bottleneck=None, n_components=4):
    part = Nested(bottleneck)
    part.set_prior(Normal())
    part.build(n_components, Shapes(input=(5,)))
    return part


def test_every_code_size_is_evaluated_on_equally_many_rows():
    code = nested()(torch.ones(40, 4), None, DONE)
    sizes = code.z[0].sum(-1)
    assert torch.bincount(sizes.int()).tolist() == [0, 10, 10, 10, 10]
    assert (code.z[0].diff(dim=-1) <= 0).all()


def test_truncated_components_have_no_divergence():
    torch.manual_seed(0)
    h = torch.randn(8, 8)
    part = nested(Gaussian())
    code = part(h, None, DONE)
    kept = code.z[0] != 0
    mean, log_variance = h.chunk(2, -1)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
    torch.testing.assert_close(code.costs["divergence"][0], (divergence * kept).sum(-1))
    torch.testing.assert_close(part.divergence(h), divergence.sum(-1))
    assert part.stochastic
    assert not nested().stochastic


def test_codes_are_truncated_in_training_only():
    h = torch.randn(8, 4)
    assert torch.equal(nested(Deterministic("tanh")).code_mean(h), h.tanh())
    assert torch.equal(nested().code_mean(h), h)


def test_a_part_that_is_not_a_bottleneck_is_refused():
    with pytest.raises(
        ValueError, match="bottleneck.bottleneck of Nested must be None or a bottleneck, got 'gaussian'"
    ):
        nested("gaussian")


def test_nested_codes_of_a_linear_net_come_in_the_order_of_pca(X):
    X = (X - X.mean(0)) / X.std(0)
    options = {"likelihood": GaussianLikelihood(scale=1.0), "max_epochs": 200, "learning_rate": 0.1, "random_state": 0}
    model = Autoencoder(3, backbone=Linear(), bottleneck=Nested(), validation_fraction=0, **options).fit(X)
    for size in (1, 2, 3):
        codes = model.transform(X) * (np.arange(3) < size)
        pca = PCA(size).fit(X)
        least = np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)
        assert np.mean((X - model.inverse_transform(codes)) ** 2) < 1.02 * least


# The size of a code


def flat(n_dimensions, n_values, seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(500, n_dimensions)) @ rng.normal(size=(n_dimensions, n_values))
    return signal / signal.std(0) + 0.1 * rng.normal(size=signal.shape)


def bent(n_values, seed):
    """A curved surface in the space of all values."""
    rng = np.random.default_rng(seed)
    sheet = rng.uniform(-1, 1, (500, 2))
    signal = np.sin(sheet @ rng.normal(size=(2, n_values)) + rng.uniform(-1, 1, n_values))
    return signal / signal.std(0) + 0.05 * rng.normal(size=signal.shape)


@pytest.mark.parametrize(
    ("X", "n_dimensions"),
    [(flat(1, 6, 0), 1), (flat(4, 12, 1), 4), (flat(7, 18, 3), 7), (bent(10, 2), 2)],
    ids=["line", "four flat dimensions", "seven flat dimensions", "bent sheet"],
)
def test_the_number_of_latent_variables_is_found(X, n_dimensions):
    found = suggest_n_components(X, random_state=0)
    assert abs(found.n_components - n_dimensions) <= 1
    assert found.interval[0] <= min(n_dimensions, found.n_components)
    assert max(n_dimensions, found.n_components) <= found.interval[1]
    assert found.sizes.tolist() == list(range(1, X.shape[1]))
    assert found.errors.shape == found.standard_errors.shape == found.noise.shape == found.sizes.shape
    np.testing.assert_allclose(found.noise, found.errors / (1 - found.sizes / X.shape[1]))


QUICK = Autoencoder(backbone=MLP((8,)), max_epochs=2, validation_fraction=0)


def test_errors_of_all_pixels_have_equal_weight():
    digits = load_digits().data
    found = suggest_n_components(digits, max_components=12, random_state=0, tolerance=0.01)
    assert found.n_components >= 9
    assert (np.diff(found.errors) < 1e-3).all()
    least = 1 - PCA(12).fit(digits).explained_variance_ratio_.cumsum()
    n_varying = np.sum(digits.std(0) > 0)
    assert (found.errors * digits.shape[1] / n_varying < 2 * least).all()


def test_results_depend_on_the_given_seed_only(X):
    first, second, third = (suggest_n_components(X, QUICK, random_state=seed).errors for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)
    assert QUICK.get_params()["n_components"] == 2


def test_the_curve_is_the_error_of_cut_codes_on_rows_set_aside(X, monkeypatch):
    fitted = []
    fit = Autoencoder.fit
    monkeypatch.setattr(Autoencoder, "fit", lambda self, X: fitted.append((self, X)) or fit(self, X))
    found = suggest_n_components(X, clone(QUICK).set_params(bottleneck=Gaussian()), max_components=3, random_state=0)
    ((model, rows),) = fitted
    assert model.bottleneck.bottleneck.__class__ is Gaussian
    held_out = np.setdiff1d(np.arange(len(X)), rows.rows.numpy())
    assert len(held_out) == 40
    seen = X[rows.rows.numpy()]
    codes = model.transform(X[held_out]) * (np.arange(3) < 2)
    errors = ((X[held_out] - model.inverse_transform(codes)) / seen.std(0)) ** 2
    assert found.errors[1] == pytest.approx(errors.mean(), rel=1e-4)
    assert found.standard_errors[1] == pytest.approx(errors.mean(1).std() / np.sqrt(40), rel=1e-4)


def test_tables_with_missing_values_and_categories_are_accepted(X):
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(g=np.where(X[:, 0] > 0, "u", "v"))
    frame.iloc[::7, 2] = np.nan
    found = suggest_n_components(frame, QUICK, max_components=2, random_state=0)
    assert np.isfinite(found.errors).all()


def test_an_elbow_at_the_end_is_a_warning():
    errors = np.tile([2.0, 1.0, 0.5, 0.1], (50, 1))
    with pytest.warns(UserWarning, match="still falls at 3 components"):
        found = latent.code_size._find_size(errors, 20, 0.2, np.random.default_rng(0))
    assert found.n_components == 3
    assert found.interval == (3, 3)


def test_differences_between_rows_widen_the_interval():
    rng = np.random.default_rng(0)
    second = rng.exponential(1.0, 30)
    errors = np.column_stack([np.full(30, 9.0), np.full(30, 5.0), second * 1.3, np.ones(30), np.ones(30)])
    found = latent.code_size._find_size(errors, 1000, 0.125, rng)
    assert found.interval == (2, 3)


def test_many_small_gains_are_no_elbow_at_one():
    """The noise falls by 22 % in total: a tolerance relative to its minimum would accept the first size."""
    errors = np.tile([1.0, 0.92, 0.83, 0.75, 0.67, 0.6, 0.54, 0.48, 0.44], (100, 1))
    found = latent.code_size._find_size(errors, 30, 0.125, np.random.default_rng(0))
    assert found.n_components == 7
    assert found.interval == (6, 8)


def test_rows_without_structure_need_one_component():
    errors = np.tile([1.0, 1.0, 1.0, 1.0], (50, 1))
    with pytest.warns(UserWarning, match="no code has clearly less error .* falls up to 1 components"):
        assert latent.code_size._find_size(errors, 30, 0.125, np.random.default_rng(0)).n_components == 1


def test_columns_with_nothing_in_common_are_named_with_the_size_at_which_the_error_stops_falling():
    X = np.random.default_rng(0).standard_t(3, size=(300, 8))
    with pytest.warns(UserWarning, match=r"the error falls up to [5-7] components: the columns"):
        suggest_n_components(X, random_state=0)


# Errors


def test_errors_name_the_wrong_argument(model, X):
    for function, arguments in [
        (interpolate, (X[0], X[1])),
        (traverse, (X[0],)),
        (concept_vector, (X, X)),
        (edit, (X, np.zeros(2))),
        (analogy, (X, X, X)),
        (active_units, (X,)),
    ]:
        with pytest.raises(NotFittedError):
            function(Autoencoder(), *arguments)
    for call, message in [
        (lambda: interpolate(model, X[:2], X[0]), "a must be one row, got 2"),
        (lambda: interpolate(model, X[0], X[1], n=1), "n must be an integer >= 2, got 1"),
        (lambda: interpolate(model, X[0], X[1], kind="round"), "kind must be one of .*, got 'round'"),
        (lambda: interpolate(model, X[0, :4], X[1, :4]), "X has 4 features"),
        (lambda: traverse(model, X[0], 3), "component must be from 0 to 2, got 3"),
        (lambda: traverse(model, X[0], -1), "component must be from 0 to 2, got -1"),
        (lambda: traverse(model, X[:2]), "X must be one row, got 2"),
        (lambda: edit(model, X, np.zeros(2)), r"vector must have the shape \(3,\) of a code, got \(2,\)"),
        (lambda: edit(model, X[:, :4], np.zeros(3)), "X has 4 features"),
        (lambda: analogy(model, X[:2], X[:3], X[:3]), "the same number of rows, or one row, got 2, 3, 3"),
        (lambda: map2d(X, "lda"), "method must be one of .*, got 'lda'"),
        (lambda: map2d(X[:, :1]), "codes have 1 component"),
        (lambda: suggest_n_components(X[:6]), "X has 6 rows, too few"),
        (lambda: suggest_n_components(X, tolerance=0), "tolerance must be a number between 0 and 1, got 0"),
        (lambda: suggest_n_components(X, max_components=6), "integer from 1 to 5, got 6"),
        (lambda: suggest_n_components(X, max_components="all"), "integer from 1 to 5, got 'all'"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_interpolations_with_sampled_values_have_the_noise_of_the_likelihood(X):
    model = zoo.vae(2, max_epochs=2, random_state=0).fit(X)
    means, drawn = interpolate(model, X[0], X[0], n=4000), interpolate(model, X[0], X[0], n=4000, sample_values=True)
    np.testing.assert_array_equal(drawn, interpolate(model, X[0], X[0], n=4000, sample_values=True))
    assert (interpolate(model, X[0], X[0], n=4000, sample_values=True, random_state=1) != drawn).all()
    deviations = drawn.std(0)
    assert (np.abs(drawn.mean(0) - means[0]) < 5 * deviations / np.sqrt(4000)).all()
    np.testing.assert_allclose(deviations, (model.sample(4000, temperature=0.0) - means[:1]).std(0), rtol=0.1)


def test_sizes_of_codes_are_printed_with_their_errors():
    errors = np.array([0.5, 0.25, 0.125, 0.1, 0.09])
    found = latent.CodeSizes(3, (2, 4), np.arange(1, 6), errors, errors / 10, errors)
    assert str(found).splitlines() == [
        "3 components, interval 2 to 4",
        "size  error  standard error",
        "   1    0.5            0.05",
        "   2   0.25           0.025",
        "   3  0.125           0.013",
        "   4    0.1            0.01",
    ]
