"""Measures of generated rows, compared with brute force from their definitions and with closed forms."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from isthmus.metrics import generation
from isthmus.metrics.generation import density_coverage, frechet_distance, precision_recall


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(90, 3)), rng.normal(0.7, 0.6, size=(70, 3))


def could_be_of(rows, members, k):
    """Compute it by the definition of Kynkäänniemi et al., row by row."""
    reach = [sorted(np.linalg.norm(members - member, axis=1))[k] for member in members]
    return np.mean([any(np.linalg.norm(members - row, axis=1) <= reach) for row in rows])


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_those_of_the_definition(rows, k):
    real, generated = rows
    found = precision_recall(real, generated, k)
    assert found == (could_be_of(generated, real, k), could_be_of(real, generated, k))
    assert 0 < found.recall < found.precision < 1
    assert precision_recall(generated, real, k) == found[::-1]


def test_density_and_coverage_are_those_of_the_definition(rows):
    real, generated = rows
    inside = cdist(real, generated) <= np.sort(cdist(real, real), axis=1)[:, [5]]
    assert density_coverage(real, generated) == (inside.sum() / (5 * len(generated)), inside.any(1).mean())


def test_results_do_not_depend_on_chunks(rows, monkeypatch):
    whole = precision_recall(*rows), density_coverage(*rows)
    monkeypatch.setattr(generation, "CHUNK", 7 * 90)
    assert (precision_recall(*rows), density_coverage(*rows)) == whole


def test_the_same_rows_are_perfect_also_where_many_are_equal_and_far_from_0():
    real = np.repeat(np.random.default_rng(0).normal(1e3, 1e-2, size=(20, 30)), 8, axis=0)
    assert precision_recall(real, real) == (1, 1)
    assert density_coverage(real, real).coverage == 1
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-12)


def test_expected_density_of_rows_from_the_same_distribution_is_1():
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(2, 2000, 4))
    density, coverage = density_coverage(real, generated)
    assert density == pytest.approx(1, abs=0.05)
    # Of a real row, the k nearest of all others are generated ones with chance 1/2 each: none of them, almost 1 / 2**k.
    assert coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_one_mode_of_two_has_precision_1_and_recall_one_half():
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.normal(-50, 1, (500, 2)), rng.normal(50, 1, (500, 2))])
    found = precision_recall(real, rng.normal(50, 1, (500, 2)))
    assert found.precision > 0.95
    assert found.recall == pytest.approx(0.5, abs=0.03)


def test_frechet_distance_of_numbers_is_that_of_mean_and_deviation():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 2, (50, 1)), rng.normal(-1, 5, (80, 1))
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_frechet_distance_is_that_of_the_root_of_the_product_also_of_fewer_rows_than_features(rows):
    real, generated = rows
    a, b = np.cov(real.T), np.cov(generated.T)
    mean = np.square(real.mean(0) - generated.mean(0)).sum()
    assert frechet_distance(real, generated) == pytest.approx(mean + np.trace(a + b - 2 * sqrtm(a @ b).real))
    few, shift = np.random.default_rng(0).normal(size=(5, 40)), np.arange(40)
    assert frechet_distance(few, few + shift) == pytest.approx(np.square(shift).sum())


@pytest.mark.parametrize(
    ("real", "generated", "message"),
    [
        (np.zeros((9, 2)), np.zeros((9, 3)), "real rows have 2 features and generated ones 3"),
        (np.zeros((9, 2)), np.full((9, 2), np.nan), "generated contains NaN"),
        (np.zeros((3, 2)), np.zeros((9, 2)), "minimum of 4 is required"),
        (np.zeros((9, 2, 2)), np.zeros((9, 2)), "dim 3"),
    ],
)
def test_bad_features_are_refused(real, generated, message):
    with pytest.raises(ValueError, match=message):
        precision_recall(real, generated)


def test_a_bad_number_of_neighbours_is_refused(rows):
    with pytest.raises(ValueError, match="n_neighbors must be a positive integer, got 0"):
        density_coverage(*rows, n_neighbors=0)
