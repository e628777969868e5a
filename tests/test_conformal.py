"""P-values and false discoveries: exact ranks; uniformity and levels by simulation."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse
from scipy.stats import kstest
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture

from isthmus import AnomalyDetector
from isthmus.anomaly.decisions import p_values, select_discoveries, uniforms_of
from isthmus.data import as_source


class FirstColumn(BaseEstimator):
    """Scores rows by their first column; its fit learns nothing, so rows are exchangeable."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X):
        return np.asarray(X)[:, 0]


def brute_force(score, calibration, share):
    return (sum(c < score for c in calibration) + share * (1 + sum(c == score for c in calibration))) / (
        1 + len(calibration)
    )


def test_p_values_are_ranks_among_calibration_scores(rng):
    calibration, scores = np.sort(rng.integers(0, 8, 30)), rng.integers(-1, 10, 50)
    expected = [brute_force(score, calibration, 1.0) for score in scores]
    np.testing.assert_allclose(p_values(scores, calibration), expected)
    shares = np.random.default_rng(1).random(50)
    expected = [brute_force(score, calibration, share) for score, share in zip(scores, shares, strict=True)]
    np.testing.assert_allclose(p_values(scores, calibration, shares), expected)


def test_discoveries_are_those_of_benjamini_and_hochberg(rng):
    for _ in range(20):
        p = rng.random(40) ** 2
        ordered = np.sort(p)
        passing = np.flatnonzero(ordered <= 0.3 * np.arange(1, 41) / 40)
        expected = p <= ordered[passing[-1]] if len(passing) else np.zeros(40, dtype=bool)
        np.testing.assert_array_equal(select_discoveries(p, 0.3), expected)


@pytest.mark.parametrize("ties", [False, True])
def test_p_values_are_uniform_after_calibration_on_clean_rows(rng, ties):
    """One new row for each calibration, because rows with a common calibration are not independent."""
    p = []
    for i in range(400):
        X = rng.normal(size=(41, 1))
        X = np.round(X) if ties else X
        detector = AnomalyDetector(FirstColumn(), calibration="split", threshold=0.0, random_state=i).fit(X[:20])
        p.append(detector.calibrate(X[20:40]).p_values(X[40:])[0])
    assert kstest(p, "uniform").pvalue > 0.01


def test_p_values_of_a_net_are_uniform_with_a_split(rng):
    p = []
    for i in range(60):
        X = rng.normal(size=(300, 4))
        detector = AnomalyDetector(GaussianMixture(3), calibration="split", random_state=i).fit(X[:250])
        p.extend(detector.p_values(X[250:]))
    # Rows with a common calibration are dependent; a test for independent rows would find a bias.
    assert kstest(p, "uniform").statistic < 0.05


def test_the_same_seed_draws_the_same_p_values(blobs):
    first, second = (AnomalyDetector(GaussianMixture(), random_state=3).fit(blobs).p_values(blobs) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_p_values_row_by_row_are_those_of_the_batch(rng):
    """Scores have eight values and there are four calibration rows: p-values depend mostly on how ties are broken."""
    X = np.column_stack([rng.integers(0, 8, 2000), rng.normal(size=2000)]).astype(float)
    detector = AnomalyDetector(FirstColumn(), calibration="split", threshold=0.0, random_state=0).fit(X[:50])
    detector.calibrate(X[:4])
    together = detector.p_values(X)
    np.testing.assert_array_equal([detector.p_values(X[i : i + 1])[0] for i in range(300)], together[:300])
    np.testing.assert_array_equal(detector.p_values(X[::-1]), together[::-1])
    detector.calibrate(rng.integers(0, 8, (5000, 1)).astype(float))
    row_by_row = [detector.p_values(row[None])[0] for row in X]
    assert kstest(row_by_row, "uniform").statistic < 0.04
    assert kstest(detector.p_values(X), "uniform").statistic < 0.04


def test_ties_of_equal_rows_are_broken_within_a_call(rng):
    detector = AnomalyDetector(FirstColumn(), calibration="split", threshold=0.0, random_state=0)
    detector.fit(np.zeros((50, 1))).calibrate(np.zeros((500, 1)))
    assert kstest(detector.p_values(np.zeros((2000, 1))), "uniform").pvalue > 0.01
    other = AnomalyDetector(FirstColumn(), calibration="split", threshold=0.0, random_state=1)
    other.fit(np.zeros((50, 1))).calibrate(np.zeros((500, 1)))
    assert detector.p_values([[0.0]]) == detector.p_values([[0.0]]) != other.p_values([[0.0]])


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_p_values_leave_global_generators_unchanged(random_state, blobs):
    detector = AnomalyDetector(GaussianMixture(), calibration="split", random_state=random_state).fit(blobs)
    before = None if random_state is None else random_state.get_state()[2]
    np.testing.assert_array_equal(detector.p_values(blobs), detector.p_values(blobs))
    assert random_state is None or random_state.get_state()[2] == before


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: X.astype(int),
    "sparse": sparse.csr_array,
    "tensor": torch.from_numpy,
    "source": as_source,
    "minus zero": lambda X: np.where(X == 0, -0.0, X),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_random_number_of_a_row_does_not_depend_on_its_container(name, rng):
    X = rng.integers(-3, 4, (20, 3)).astype(float)
    np.testing.assert_array_equal(uniforms_of(CONTAINERS[name](X), 5), uniforms_of(X, 5))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_rows_of_a_data_frame_have_different_random_numbers(make):
    frame = make({"a": [1, 2, 2], "b": ["x", "y", "y"]})
    alone = make({"a": [2], "b": ["y"]})
    found = uniforms_of(frame, 0)
    assert len(set(found)) == 3
    assert uniforms_of(alone, 0)[0] == found[1]


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_the_false_discovery_rate_is_below_its_level(level):
    """Benjamini and Hochberg on 200 repetitions: 20 anomalies among 200 rows, calibrated on 500 clean ones."""
    rng = np.random.default_rng(0)
    shares, found = [], []
    for _ in range(200):
        clean, X = rng.normal(size=(600, 2)), rng.normal(size=(200, 2))
        X[:20] += 3.5
        detector = AnomalyDetector(GaussianMixture(), calibration="split", random_state=0).fit(clean[:100])
        alarms = detector.calibrate(clean[100:]).predict(X, fdr=level) == -1
        shares.append(alarms[20:].sum() / max(1, alarms.sum()))
        found.append(alarms[:20].mean())
    assert np.mean(shares) <= level + 2 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(found) > 0.5


def test_normal_rows_give_no_discoveries(rng):
    """If all rows are normal, every discovery is false; the rate of calls with any discovery is the level."""
    some = []
    for _ in range(200):
        X = rng.normal(size=(250, 1))
        detector = AnomalyDetector(FirstColumn(), calibration="split", random_state=0).fit(X[:100])
        some.append((detector.calibrate(X[:200]).predict(X[200:], fdr=0.2) == -1).any())
    assert np.mean(some) <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / 200)
