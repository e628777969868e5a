"""Search in the latent space, compared with known optima."""

import numpy as np
import pytest

from isthmus import Autoencoder, zoo
from isthmus.backbones import MLP, Linear
from isthmus.latent import search


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 3)) @ rng.normal(size=(3, 6)) + 0.1 * rng.normal(size=(300, 6))


@pytest.fixture(scope="module")
def linear(X):
    """A net with an affine decoder, so that the best row is a projection."""
    return Autoencoder(3, backbone=Linear(), max_epochs=20, random_state=0).fit(X)


def decoder_of(model):
    """Slope and origin of an affine decoder."""
    origin, *ends = model.inverse_transform(np.vstack([np.zeros(3), np.eye(3)]))
    return np.array(ends) - origin, origin


def test_the_best_row_of_a_linear_model_is_the_projection_of_the_target(linear):
    target = np.array([1.0, -2.0, 0.5, 0.0, 1.0, -1.0])
    slope, origin = decoder_of(linear)
    code = np.linalg.lstsq(slope.T, target - origin, rcond=None)[0]
    found = search(linear, lambda X: -((X - target) ** 2).sum(1), random_state=0)
    np.testing.assert_allclose(found.code, code, atol=1e-2)
    np.testing.assert_allclose(found.row[0], code @ slope + origin, atol=1e-2)
    assert found.value == pytest.approx(-((found.row[0] - target) ** 2).sum(), abs=1e-5)


def test_optima_far_from_all_rows_are_reached(linear):
    slope, origin = decoder_of(linear)
    code = np.array([40.0, -30.0, 25.0])
    target = code @ slope + origin
    found = search(linear, lambda X: -np.abs(X - target).sum(1), n_steps=200, random_state=0)
    np.testing.assert_allclose(found.row[0], target, atol=0.1)


def test_the_higher_of_two_maxima_is_found(linear):
    slope, origin = decoder_of(linear)
    hills = np.array([[1.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]) @ slope + origin

    def height(X):
        low, high = (np.exp(-((X - hill) ** 2).sum(1)) for hill in hills)
        return np.maximum(0.5 * low, high)

    found = search(linear, height, random_state=0)
    assert found.value > 0.99


def test_a_search_ends_when_a_row_is_good_enough(linear):
    asked = []

    def count(X):
        asked.append(len(X))
        return X[:, 0]

    found = search(linear, count, target_value=1.0, n_steps=50, random_state=0)
    assert found.value >= 1.0
    assert found.n_evaluations == sum(asked) < 50 * asked[0]


def test_objectives_may_return_integers(linear, X):
    """The function has no slope, only steps."""
    found = search(linear, lambda X: np.round(X).sum(1), n_steps=20, random_state=0)
    assert found.value > np.round(linear.reconstruct(X)).sum(1).max()


def test_the_seed_decides_and_the_best_of_all_steps_is_kept(linear):
    first, again = (search(linear, lambda X: X[:, 1], n_steps=3, random_state=7) for _ in range(2))
    assert first.value == again.value
    np.testing.assert_array_equal(first.code, again.code)
    seen = []

    def noisy(X):
        seen.append(np.random.default_rng(len(seen)).normal(size=len(X)))
        return seen[-1]

    assert search(linear, noisy, n_steps=4, random_state=0).value == max(values.max() for values in seen)


def test_a_search_starts_at_given_rows(linear, X):
    asked = []

    def first(rows):
        asked.append(rows)
        return rows[:, 0]

    search(linear, first, X[:50], n_steps=1)
    np.testing.assert_allclose(asked[0], linear.reconstruct(X[:50]), atol=1e-5)


def test_rows_whose_objective_is_nan_come_last(linear):
    found = search(linear, lambda X: np.where(X[:, 0] > 0, np.nan, X[:, 0]), n_steps=30, random_state=0)
    assert -0.05 < found.value <= 0


def test_rows_are_decoded_with_the_given_label(X):
    y = np.where(X[:, 0] > 0, "high", "low")
    model = zoo.vae(2, backbone=MLP((8,)), conditional=True, max_epochs=20, random_state=0).fit(X, y)
    found = search(model, lambda X: -np.abs(X[:, 0]), y="high", n_steps=3, random_state=0)
    np.testing.assert_array_equal(found.row, model.inverse_transform(found.code[None], ["high"]))


@pytest.mark.parametrize("parameter", ["n_parents", "n_steps"])
def test_numbers_of_steps_and_rows_must_be_positive(parameter, linear):
    with pytest.raises(ValueError, match=f"{parameter} must be a positive integer, got 0"):
        search(linear, lambda X: X[:, 0], **{parameter: 0})


def test_an_objective_must_return_one_number_per_row(linear):
    with pytest.raises(ValueError, match=r"objective must return one number per row, \(112,\), got shape \(\)"):
        search(linear, lambda X: X.sum(), random_state=0)
