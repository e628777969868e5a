"""Explanations: sums are exact, planted values are named, and values are in the units of the data."""

from datetime import date
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, load, save, zoo
from isthmus.anomaly.explain import explain, sampled_shapley
from isthmus.anomaly.explanation import Explanation
from isthmus.anomaly.repairs import SimilarRows, limits_around
from isthmus.anomaly.rows import ReferenceRows
from isthmus.anomaly.scores import Scorer
from isthmus.backbones import MLP
from isthmus.corruptions import Masking
from isthmus.data import Parquet, Texts, Windows
from isthmus.formatting import format_interval, format_value

OPTIONS = {"backbone": MLP((32,)), "max_epochs": 40, "batch_size": 64, "learning_rate": 1e-2, "random_state": 0}


def correlated(n, seed=0):
    """Rows of ten columns that depend on four variables."""
    weights = np.random.default_rng(0).normal(size=(4, 10))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) @ weights + 0.4 * rng.normal(size=(n, 10))


def planted(X, n=80, seed=1):
    """Rows with one value each that is 5 to 8 standard deviations from the mean, and the positions."""
    rng = np.random.default_rng(seed)
    rows, columns = X[rng.choice(len(X), n)].copy(), rng.integers(X.shape[1], size=n)
    size = rng.choice([-1, 1], n) * rng.uniform(5, 8, n)
    rows[np.arange(n), columns] = X.mean(0)[columns] + size * X.std(0)[columns]
    return rows, columns


def mixed(n, seed=0):
    """A table in which the segment determines nearly all other values."""
    rng = np.random.default_rng(seed)
    segment = rng.integers(4, size=n)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(30 * segment + rng.normal(size=n) * 5, unit="D")
    return pd.DataFrame(
        {
            "segment": np.array(list("abcd"))[segment],
            "proto": np.array(["tcp", "udp", "icmp"])[segment % 3],
            "bytes": np.exp(0.5 * rng.normal(size=n) + segment + 5).round(2),
            "load": segment + 0.3 * rng.normal(size=n),
            "day": day.round("h"),
        }
    )


def why(estimator, rows, X, n_nearest=2, kinds=("full",)):
    background = ReferenceRows.sample(X, np.zeros(len(X)), 0)
    return explain(Scorer(estimator, kinds), rows, background, n_nearest, seed=0)


def first(explanation):
    """Return the position of the most anomalous value of each row."""
    return explanation.shares[:, :-1].argmax(1)


def sums(explanation):
    return np.asarray(explanation.contributions).sum(1)


@pytest.fixture(scope="module")
def X():
    return correlated(600)


@pytest.fixture(scope="module")
def vae(X):
    return zoo.vae(4, likelihood="student_t", **OPTIONS).fit(X)


@pytest.fixture(scope="module")
def masking(X):
    return Autoencoder(4, likelihood="student_t", corruption=Masking(0.3), **OPTIONS).fit(X)


@pytest.fixture(scope="module")
def ensemble(X):
    return BaggedAutoencoders(zoo.vae(4, likelihood="student_t", **OPTIONS), 4, random_state=0).fit(X)


@pytest.fixture(scope="module")
def table():
    return mixed(800)


@pytest.fixture(scope="module")
def of_table(table):
    return zoo.vae(3, **OPTIONS).fit(table)


ESTIMATORS = {
    "pca": lambda: PCA(4),
    "mixture": lambda: GaussianMixture(2, random_state=0),
    "forest": lambda: IsolationForest(n_estimators=20, random_state=0),
    "pipeline": lambda: make_pipeline(PCA(6), GaussianMixture(random_state=0)),
}


# Sums


@pytest.mark.parametrize("name", ["vae", "masking", "ensemble"])
def test_contributions_add_up_to_the_score(name, X, request):
    estimator = request.getfixturevalue(name)
    rows = np.concatenate([planted(X, 10)[0], X[:10]])
    found = why(estimator, rows, X)
    np.testing.assert_allclose(found.scores, estimator.score_samples(rows))
    np.testing.assert_allclose(sums(found), found.scores, rtol=1e-5, atol=1e-4)
    assert found.contributions.shape == (20, 12)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_contributions_of_other_estimators_add_up_exactly(name, X):
    estimator = ESTIMATORS[name]().fit(X)
    rows = np.concatenate([planted(X, 10)[0], X[:10]])
    found = why(estimator, rows, X)
    np.testing.assert_allclose(sums(found), estimator.score_samples(rows), rtol=1e-10)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_contributions_add_up_to_a_given_score(kind, vae, X):
    rows = planted(X, 5)[0]
    found = why(vae, rows, X, kinds=(kind,))
    np.testing.assert_allclose(sums(found), Scorer(vae, (kind,))(rows), rtol=1e-4)


def test_a_row_without_odd_values_has_the_contributions_of_the_estimator(vae, X):
    rows = X[np.argsort(vae.score_samples(X))[-20:]]
    np.testing.assert_allclose(why(vae, rows, X).contributions, vae.contributions(rows))


def test_shares_are_parts_of_the_lost_score(vae, X):
    found = why(vae, planted(X, 5)[0], X)
    assert found.shares.shape == (5, 11)
    np.testing.assert_allclose(found.shares.sum(1), 1.0)
    assert (found.shares[found.contributions[:, :-1] > 0] == 0).all()


# Planted values


@pytest.mark.parametrize("name", ["vae", "masking", "ensemble"])
def test_planted_values_come_first(name, X, request):
    rows, columns = planted(correlated(300, seed=5))
    assert np.mean(first(why(request.getfixturevalue(name), rows, X)) == columns) >= 0.95


@pytest.mark.parametrize("name", ["pca", "mixture", "pipeline"])
def test_planted_values_come_first_with_other_estimators(name, X):
    rows, columns = planted(correlated(300, seed=5), 40)
    assert np.mean(first(why(ESTIMATORS[name]().fit(X), rows, X)) == columns) >= 0.95


def test_planted_values_come_first_in_real_rows():
    X = load_wine().data
    rows, columns = planted(X[1::2])
    estimator = zoo.vae(4, likelihood="student_t", **OPTIONS).fit(X[::2])
    assert np.mean(first(why(estimator, rows, X[::2])) == columns) >= 0.95


def test_an_anomalous_value_is_not_attributed_to_values_predicted_from_it():
    """A wide code without regularization follows an anomalous value and reconstructs all others incorrectly."""
    X = correlated(600)
    estimator = zoo.autoencoder(6, likelihood="student_t", **OPTIONS).fit(X)
    rows, columns = planted(correlated(300, seed=5))
    plain = np.mean(estimator.contributions(rows)[:, :-2].argmin(1) == columns)
    assert plain < 0.8
    assert np.mean(first(why(estimator, rows, X)) == columns) >= 0.95


def test_values_that_only_break_a_correlation_come_first(X):
    """Values that are usual for their column but inconsistent with the rest of the row."""
    estimator = zoo.vae(4, likelihood="student_t", **OPTIONS).fit(X)
    rng = np.random.default_rng(3)
    others = np.linalg.lstsq
    fresh, rows, columns = correlated(200, seed=6), [], []
    for row in fresh:
        j = rng.integers(10)
        rest = np.delete(np.arange(10), j)
        weights = others(X[:, rest], X[:, j], rcond=None)[0]
        deviation = np.std(X[:, j] - X[:, rest] @ weights)
        far = X[np.abs(X[:, j] - row[rest] @ weights) > 7 * deviation, j]
        if len(far):
            rows.append(np.where(np.arange(10) == j, rng.choice(far), row))
            columns.append(j)
    assert len(rows) > 50
    assert np.mean(first(why(estimator, np.array(rows), X)) == columns) >= 0.9


def test_two_planted_values_come_first_and_second(vae, X):
    rows = correlated(40, seed=7)
    rows[:, 2] += 12 * X.std(0)[2]
    rows[:, 6] -= 12 * X.std(0)[6]
    worst = np.sort(np.argsort(-why(vae, rows, X).shares, axis=1)[:, :2], axis=1)
    assert np.mean((worst == [2, 6]).all(1)) >= 0.95


def test_swapped_categories_come_first(of_table, table):
    rows = mixed(60, seed=3)
    rows["proto"] = rows["proto"].map({"tcp": "udp", "udp": "icmp", "icmp": "tcp"})
    found = why(of_table, rows, table)
    assert np.mean(first(found) == 1) >= 0.95
    right = mixed(60, seed=3)["proto"]
    assert (found.expected["proto"] == right).mean() > 0.9
    assert (found.low["proto"] == found.expected["proto"]).all()


def test_patches_of_windows_keep_the_shape_of_the_data():
    time = np.linspace(0, 6.3, 24)
    phases = np.random.default_rng(0).uniform(0, 6.3, 200)
    X = np.stack([np.stack([np.sin(time + phase), np.cos(time + phase)]) for phase in phases])
    estimator = zoo.vae(2, **OPTIONS).fit(X)
    rows = X[:3].copy()
    rows[:, 1, 8:12] += 3.0
    found = why(estimator, rows, X)
    assert found.by_value.shape == found.expected.shape == rows.shape
    np.testing.assert_allclose(sums(found), found.scores, rtol=1e-4)
    inside = found.by_value[:, 1, 8:12].sum((1,))
    assert (inside < 0.7 * np.minimum(found.by_value, 0).sum((1, 2))).all()
    assert "value (1, " in str(found)


# Units


def test_values_are_those_of_the_data(of_table, table):
    rows = mixed(3, seed=3)
    rows.loc[0, "load"] = 1e6
    found = why(of_table, rows, table)
    pd.testing.assert_frame_equal(found.values, rows, check_dtype=False)
    assert list(found.contributions.columns) == [*table.columns, "code", "base"]
    assert found.reasons(0)[0][:3] == (0, "load", "1e6")
    assert found.low["day"].dtype.kind == found.expected["day"].dtype.kind == "M"
    assert (found.low["day"] < found.high["day"]).all()


@pytest.mark.parametrize(("convert", "kind"), [(pl.from_pandas, pl.DataFrame), (pa.Table.from_pandas, pa.Table)])
def test_tables_are_of_the_library_of_the_rows(convert, kind, of_table, table):
    X, rows = convert(table), convert(mixed(4, seed=3))
    found = why(zoo.vae(2, **{**OPTIONS, "max_epochs": 2}).fit(X), rows, X)
    assert isinstance(found.table(), kind)
    assert isinstance(found.expected, kind)


def test_estimators_fitted_to_data_frames_get_data_frames(table):
    """Values outside the range of fit, and categories, reach the estimator unchanged."""
    pipeline = make_pipeline(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), IsolationForest(random_state=0)
    )
    X = table.drop(columns="day")
    rows = X.iloc[:4].copy()
    rows.loc[0, "segment"] = "never seen"
    found = why(pipeline.fit(X), rows, X)
    np.testing.assert_allclose(sums(found), pipeline.score_samples(rows), rtol=1e-10)
    assert found.values["segment"][0] == "never seen"


def test_expected_values_are_predicted_from_the_other_values():
    """On a plane in three dimensions, two values determine the third."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2)) @ [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]] + 0.05 * rng.normal(size=(2000, 3))
    rows = X[:50].copy()
    truth = rows[:, 2].copy()
    rows[:, 2] = 9.0
    estimator = Autoencoder(2, corruption=Masking(0.3), **OPTIONS).fit(X)
    found = why(estimator, rows, X)
    assert np.abs(found.expected[:, 2] - truth).mean() < 0.25
    inside = (found.low[:, 2] <= truth) & (truth <= found.high[:, 2])
    assert inside.mean() > 0.8
    assert np.mean(found.high[:, 2] - found.low[:, 2]) < 1.5 < np.ptp(X[:, 2])


def test_expected_intervals_contain_nine_in_ten_training_values():
    rng = np.random.default_rng(0)
    foretold = rng.uniform(1, 10, size=(4000, 1))
    rows = foretold * (1 + 0.2 * rng.normal(size=(4000, 1)))
    for middle in (2.0, 5.0, 9.0):
        low, high = (limit.item() for limit in limits_around(np.array([[middle]]), rows, foretold))
        new = middle * (1 + 0.2 * rng.normal(size=4000))
        assert np.mean((low <= new) & (new <= high)) == pytest.approx(0.9, abs=0.07)


def test_limits_of_a_column_without_values_are_missing():
    low, high = limits_around(np.zeros((1, 1)), np.full((5, 1), np.nan), np.zeros((5, 1)))
    assert np.isnan([low, high]).all()


def test_missing_values_contribute_nothing(X, rng):
    holes = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    estimator = zoo.vae(3, **{**OPTIONS, "max_epochs": 10}).fit(holes)
    rows = holes[:20]
    found = why(estimator, rows, holes)
    assert (found.by_value[np.isnan(rows)] == 0).all()
    np.testing.assert_allclose(sums(found), found.scores, rtol=1e-4)
    assert not np.isnan(found.expected).any()


# SimilarRows


def test_neighbours_are_those_of_a_capped_gower_distance(rng):
    rows = np.column_stack([rng.normal(size=(50, 2)), rng.integers(3, size=50)])
    x = rows[:5] + [0.1, 0.2, 0.0]
    spread = rows.std(0)
    apart = np.minimum(np.abs(rows - x[:, None]) / spread, 1.0)
    apart[:, :, 2] = rows[:, 2] != x[:, None, 2]
    found = SimilarRows(rows, np.array([False, False, True])).nearest(x, 4)
    np.testing.assert_array_equal(found, apart.sum(-1).argsort(1, kind="stable")[:, :4])


def test_one_anomalous_value_hardly_changes_the_neighbours(rng):
    rows = rng.normal(size=(500, 8))
    x = rows[:50].copy()
    x[:, 3] = 1e9
    found = SimilarRows(rows, np.zeros(8, dtype=bool)).nearest(x, 1)[:, 0]
    assert (found == np.arange(50)).mean() > 0.95


def test_a_training_row_is_not_its_own_neighbour(rng):
    rows = np.column_stack([np.repeat(np.arange(20.0), 30), rng.normal(size=600)])
    neighbours = SimilarRows(rows, np.array([False, False]))
    odd = np.array([[0.0, 50.0]])
    both = SimilarRows(np.concatenate([odd, rows]), np.array([False, False]))
    assert both.typical(odd, exclude_self=True)[0, 1] < 5
    np.testing.assert_array_equal(neighbours.typical(rows[:1])[0, 0], 0.0)


def test_the_typical_level_is_the_most_frequent(rng):
    rows = np.column_stack([rng.normal(size=40), np.r_[np.full(25, 4.0), np.full(15, 0.0)]])
    found = SimilarRows(rows, np.array([False, True])).typical(np.array([[0.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(found[:, 1], [4.0, 0.0])


def test_the_nearest_rows_are_given_with_their_places_in_fit(vae, X):
    found = why(vae, X[:4], X, n_nearest=3)
    assert found.nearest.shape == (4, 3)
    for row, near in zip(found.nearest, found.nearest_rows, strict=True):
        np.testing.assert_allclose(near, X[row])


def test_rows_with_low_scores_are_never_neighbours(vae, X):
    odd = planted(X, 30)[0]
    found = why(vae, odd, np.concatenate([odd, X]))
    assert (found.nearest >= 30).mean() > 0.95


# Paths


def shapley(score, start, end):
    """Compute Shapley values of one row from all orders."""
    n = len(start)
    total = np.zeros(n)
    for order in permutations(range(n)):
        row = start.copy()
        for j in order:
            before = score(row[None])[0]
            row[j] = end[j]
            total[j] += score(row[None])[0] - before
    return total / factorial(n)


def test_shares_are_shapley_values_of_scores_with_interactions_of_pairs(rng):
    matrix = rng.normal(size=(5, 5))
    start, end = rng.normal(size=(2, 4, 5))
    score = lambda rows: np.einsum("ni,ij,nj->n", rows, matrix, rows)  # noqa: E731
    found = sampled_shapley(score, start, end, seed=0)
    np.testing.assert_allclose(found, [shapley(score, a, b) for a, b in zip(start, end, strict=True)])


def test_shares_computed_in_pieces_add_up(rng, monkeypatch):
    start, end = rng.normal(size=(2, 30, 6))
    score = lambda rows: np.exp(rows).prod(1) + np.sin(rows.sum(1))  # noqa: E731
    whole = sampled_shapley(score, start, end, seed=0)
    np.testing.assert_allclose(whole.sum(1), score(end) - score(start))
    monkeypatch.setattr("isthmus.anomaly.explain.SIZE", 100)
    np.testing.assert_allclose(sampled_shapley(score, start, end, seed=0), whole)


def test_shares_of_wide_rows_are_exact_for_few_causes_and_need_few_scores(rng):
    n_values, causes = 3000, np.array([7, 1100, 2999])
    start, end = rng.normal(size=(2, 3, n_values))
    n_scored = 0

    def score(rows):
        nonlocal n_scored
        n_scored += len(rows)
        return rows[:, causes] @ [1.0, -2.0, 0.5]

    found = sampled_shapley(score, start, end, seed=0)
    expected = np.zeros((3, n_values))
    expected[:, causes] = (end - start)[:, causes] * [1.0, -2.0, 0.5]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert n_scored < 3 * 8 * n_values / 8


def test_planted_values_of_wide_rows_are_found_with_few_copies(rng):
    X = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 400)) + rng.normal(size=(200, 400))
    rows, columns = planted(X, n=2)
    detector = AnomalyDetector(PCA(5), calibration="split", random_state=0).fit(X)
    contributions = detector.explain(rows).contributions
    np.testing.assert_array_equal(np.argmin(contributions[:, :400], axis=1), columns)


# Words


@pytest.mark.parametrize(
    ("value", "limits", "text"),
    [
        (9.1e6, (3e3, 2e4), "9.1e6"),
        (1234.5678, (1234.5, 1234.7), "1234.57"),
        (17.0, (), "17"),
        (-0.00012, (), "-1.2e-4"),
        (0.25, (), "0.25"),
        (0.0, (), "0"),
        (float("inf"), (), "inf"),
        (float("nan"), (), "missing"),
        (None, (), "missing"),
        ("tcp", (), "tcp"),
        (True, (), "True"),
        (date(2024, 2, 1), (), "2024-02-01"),
        (pd.Timestamp("2024-02-01"), (), "2024-02-01"),
        (pd.Timestamp("2024-02-01 07:30:12"), (), "2024-02-01 07:30"),
    ],
)
def test_printed_values_are_short_and_distinguish_interval_bounds(value, limits, text):
    assert format_value(value, *limits) == text


def test_an_interval_of_one_value_is_printed_as_that_value():
    assert format_interval(3.0, 3e3, 2e4) == "3000 to 20000"
    assert format_interval("udp", "udp", "udp") == "udp"
    assert format_interval(1.5, float("nan"), float("nan")) == "1.5"


def test_reasons_name_row_value_expected_interval_and_share(vae, X):
    rows = X[:2].copy()
    rows[1, 4] = 60.0
    lines = str(why(vae, rows, X)).splitlines()
    assert any(
        line.startswith("row 1: column 4 = 60, expected ") and line.endswith(" % of the score") for line in lines
    )


def test_the_table_is_sorted_and_at_most_as_long_as_asked(vae, X):
    table = why(vae, planted(X, 6)[0], X).table(top=2)
    assert table.column_names == ["row", "feature", "value", "expected", "share", "novelty", "is_within"]
    frame = table.to_pandas()
    assert frame.groupby("row").size().max() == 2
    assert frame.groupby("row")["share"].apply(lambda s: s.is_monotonic_decreasing).all()


def test_long_explanations_are_cut_in_print(vae, X):
    text = str(why(vae, X[:30], X))
    assert text.endswith("... and 10 more rows")


# Order


def test_explanations_do_not_depend_on_the_other_rows_or_on_global_generators(vae, X):
    rows = planted(X, 10)[0]
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    all_of_them, one = why(vae, rows, X), why(vae, rows[4:5], X)
    assert (np.random.get_state()[1] == before).all()
    np.testing.assert_allclose(all_of_them.by_value[4], one.by_value[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(all_of_them.expected[4], one.expected[0], rtol=1e-3, atol=1e-3)


def test_large_numbers_of_copies_are_scored_in_pieces(vae, X, monkeypatch):
    rows = planted(X, 10)[0]
    whole = why(vae, rows, X)
    monkeypatch.setattr("isthmus.anomaly.repairs.SIZE", 300)
    np.testing.assert_allclose(why(vae, rows, X).by_value, whole.by_value, rtol=1e-3, atol=1e-3)


# Bad input


def test_rows_of_another_width_are_named(vae, X):
    with pytest.raises(ValueError, match="X has 4 features, but Autoencoder is expecting 10"):
        why(vae, X[:, :4], X)
    with pytest.raises(ValueError, match=r"X has rows of 4 columns, but fit saw rows of 10 columns"):
        why(PCA(2).fit(X), X[:, :4], X)


def test_columns_that_are_lacking_are_named(of_table, table):
    with pytest.raises(ValueError, match="load"):
        why(of_table, table.drop(columns="load"), table)


@pytest.mark.parametrize("n_nearest", [0, 541, 2.5])
def test_more_neighbours_than_normal_rows_are_an_error(n_nearest, vae, X):
    with pytest.raises(ValueError, match=r"n_nearest must be a positive integer up to 540 normal rows, got"):
        why(vae, X[:2], X, n_nearest=n_nearest)


# ``AnomalyDetector.explain``


def test_the_detector_explains_its_alarms(X):
    rows, columns = planted(correlated(300, seed=5), 20)
    detector = AnomalyDetector(zoo.vae(4, likelihood="student_t", **OPTIONS), calibration="split", random_state=0)
    found = detector.fit(X).explain(rows, n_nearest=4)
    np.testing.assert_allclose(found.scores, detector.score_samples(rows), rtol=1e-5)
    np.testing.assert_allclose(sums(found), found.scores, rtol=1e-4)
    assert np.mean(first(found) == columns) >= 0.9
    np.testing.assert_allclose(found.nearest_rows[0], X[found.nearest[0]])


def test_known_anomalies_and_too_many_rows_are_not_kept(monkeypatch, X):
    monkeypatch.setattr("isthmus.anomaly.rows.MAX_ROWS", 50)
    labels = np.where(np.arange(600) < 300, -1, 1)
    detector = AnomalyDetector(PCA(2), random_state=0).fit(X, labels)
    found = detector.explain(X[:5])
    assert found.nearest.min() >= 300
    assert len(detector._reference.rows) == 50


def test_a_saved_detector_explains_as_before(tmp_path, of_table, table):
    detector = AnomalyDetector(zoo.vae(2, **{**OPTIONS, "max_epochs": 3}), calibration="split", random_state=0)
    detector.fit(table)
    save(detector, tmp_path / "detector.safetensors")
    rows = mixed(5, seed=3)
    before, after = detector.explain(rows), load(tmp_path / "detector.safetensors").explain(rows)
    assert str(before) == str(after)
    pd.testing.assert_frame_equal(before.nearest_rows[0], after.nearest_rows[0])


def test_windows_and_streams_are_explained(tmp_path, rng):
    series = np.sin(np.arange(400) / 5) + 0.1 * rng.normal(size=400)
    windows = Windows(series, 30)
    options = {**OPTIONS, "max_epochs": 3}
    detector = AnomalyDetector(zoo.vae(2, **options), calibration="split", random_state=0).fit(windows)
    assert detector.explain(windows.take(np.arange(3))).by_value.shape == (3, 1, 30)
    pd.DataFrame(correlated(300), columns=list("abcdefghij")).to_parquet(tmp_path / "rows.parquet")
    stream = Parquet(tmp_path)
    detector = AnomalyDetector(zoo.vae(2, **options), calibration="split", random_state=0).fit(stream)
    found = detector.explain(correlated_frame(3))
    assert (found.nearest == -1).all()
    assert len(found.nearest_rows[0]) == 3


def correlated_frame(n):
    return pd.DataFrame(correlated(n, seed=2), columns=list("abcdefghij"))


def test_an_unfitted_detector_explains_nothing(X):
    with pytest.raises(NotFittedError):
        AnomalyDetector(PCA(2)).explain(X)


def test_estimators_that_score_rows_jointly_are_not_explained(X):
    class Context(PCA):
        def contributions(self, X):
            return X

    detector = AnomalyDetector(Context(2), calibration="split", random_state=0).fit(X)
    with pytest.raises(TypeError, match="Context scores a row by the rows around it"):
        detector.explain(X)


# Words


def spoken(addends, **options):
    """Explain one row (outcome, load) whose addends are given; "success" is what was expected of the outcome."""
    frame = pd.DataFrame({"outcome": ["success"], "load": [0.5]})
    low, high = frame.assign(load=0.0), frame.assign(load=1.0)
    addends = np.array([[*addends, 0.0, 0.0]])
    nearest = np.array([[0]])
    return Explanation(addends.sum(1), addends, frame, frame, low, high, nearest, [frame], tuple(frame), **options)


def test_values_equal_to_the_expectation_are_printed_as_expected():
    assert str(spoken([-3.0, 1.0])) == "row 0: outcome = success, 100 % of the score"


def test_reasons_whose_share_rounds_to_zero_are_left_out():
    assert [reason.feature for reason in spoken([-1.0, -0.005]).reasons(0)] == ["outcome"]
    told = list(map(str, spoken([-1.0, -0.006]).reasons(0)))
    assert told[1] == "row 0: load = 0.5, within the expected 0 to 1, 1 % of the score"


def test_a_value_within_the_expected_interval_is_said_to_be_unusual_with_others():
    told = list(map(str, spoken([-1.0, -1.0]).reasons(0)))
    assert (
        told[1] == "row 0: load = 0.5, within the expected 0 to 1 but unusual with the other values, 50 % of the score"
    )
    assert spoken([1.0, 1.0]).reasons(0) == []
    assert str(spoken([1.0, 1.0], labels=["Monday"])) == "row Monday: no value stands out"


def test_rows_are_named_by_the_index_of_the_data_frame():
    X = pd.DataFrame(correlated(200))
    X.index, X.columns = pd.date_range("2024-01-01", periods=200), [f"x{i}" for i in range(10)]
    rows = X.iloc[[150, 3]] + 20
    explanation = AnomalyDetector(GaussianMixture(), random_state=0).fit(X).explain(rows)
    assert str(explanation).startswith("row 2024-05-30 00:00:00: ")
    assert explanation.table(1)["row"].tolist() == rows.index.tolist()
    assert AnomalyDetector(GaussianMixture(), random_state=0).fit(X.to_numpy()).explain(rows.to_numpy()).labels is None


# Coverage of limits


def drawn(law, n, seed):
    rng = np.random.default_rng(seed)
    causes, noise = rng.normal(size=(n, 3)), rng.normal(size=(n, 6))
    known = causes @ np.random.default_rng(9).normal(size=(3, 6))
    return {
        "normal": known + 0.5 * noise,
        "skew": np.exp(0.5 * known + 0.3 * noise),
        "independent": noise,
        "uneven": known + (np.abs(causes[:, :1]) + 0.1) * noise,
    }[law]


@pytest.mark.parametrize("n_rows", [120, 400])
@pytest.mark.parametrize("law", ["normal", "skew", "independent", "uneven"])
@pytest.mark.parametrize("name", ["mixture", "masking"])
def test_expected_intervals_contain_nine_in_ten_values_of_new_normal_rows(name, law, n_rows):
    masked = Autoencoder(3, corruption=Masking(0.3), **OPTIONS)
    estimator = masked if name == "masking" else GaussianMixture(2, reg_covar=1e-3, random_state=0)
    detector = AnomalyDetector(estimator, calibration="split", random_state=0).fit(drawn(law, n_rows, 1))
    new = drawn(law, 200, 2)
    found = detector.explain(new)
    assert ((found.low <= new) & (new <= found.high)).mean() == pytest.approx(0.9, abs=0.07 if n_rows < 200 else 0.03)


def test_a_detector_of_one_library_explains_missing_texts_of_another(rng):
    frame = pd.DataFrame({"a": rng.normal(size=60), "city": rng.choice(["Oslo", "Rome"], 60)})
    detector = AnomalyDetector(random_state=0).fit(pa.Table.from_pandas(frame))
    explanation = detector.explain(frame.head(3).assign(city=["Oslo", np.nan, "Paris"]))
    assert "city = missing, never seen" in "\n".join(map(str, explanation.reasons(1)))


def test_texts_are_explained_by_their_words():
    pytest.importorskip("tokenizers")
    lines = [f"door {door} {state} by {name}" for door in "abc" for state in ("opened", "closed") for name in "xy"] * 12
    net = zoo.sequence_vae(2, width=16, max_epochs=10, random_state=0)
    detector = AnomalyDetector(net, calibration="split", random_state=0).fit(Texts(lines, vocabulary="word"))
    explanation = detector.explain(["door a opened by door"])
    assert explanation.values.tolist() == [["door", "a", "opened", "by", "door", "<end>"]]
    reason = explanation.reasons(0)[0]
    assert (reason.feature, reason.value) == ("token 4", "door")
    assert reason.expected in ("x", "y")
    assert explanation.low.tolist() == explanation.high.tolist() == explanation.expected.tolist()
