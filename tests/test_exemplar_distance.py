"""``ExemplarDistance``: distances by brute force, held-out scores, and the default detector."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.spatial.distance import cdist
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, ExemplarDistance, load, save, storage
from isthmus.anomaly import coordinates, distances
from isthmus.anomaly.coordinates import MIN_TEXTS, RankGaussian, Standardisation, find_frequent_tokens, to_points
from isthmus.anomaly.distances import Exemplars, NearestRow, ViewScorer
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.backbones import MLP
from isthmus.cli.describing import describe
from isthmus.data import Parquet, Texts, Windows, as_source
from isthmus.likelihoods import Gaussian
from isthmus.randomness import mix

NET = Autoencoder(2, backbone=MLP((4,)), likelihood=Gaussian(), max_epochs=1)


def small_proximity(**options) -> ExemplarDistance:
    return ExemplarDistance(**{"estimator": NET, "n_estimators": 2, "random_state": 0, **options})


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    """Numbers, categories and dates with missing values."""
    rng = np.random.default_rng(0)
    n = 150
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(40, 10, n)),
            "town": rng.choice(["Bern", "Genf", "Chur"], n),
            "member": rng.random(n) < 0.3,
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, n), unit="D"),
        }
    )


# Views


def test_normal_scores_are_those_of_ranks(rng):
    """Compare with SciPy: ties share their mean rank, missing values have none, new extremes have the last."""
    X = np.column_stack([rng.normal(size=200), rng.integers(5, size=200), np.exp(3 * rng.normal(size=200))])
    X[rng.random(X.shape) < 0.1] = np.nan
    tamed = RankGaussian.fit(X, Standardisation.fit(X))
    for i in range(3):
        known = ~np.isnan(X[:, i])
        shares = (rankdata(X[known, i]) - 1) / (known.sum() - 1)
        expected = ndtri(np.clip(shares, 0.5 / 201, 1 - 0.5 / 201))
        assert_array_equal(np.isnan(tamed.normal_scores(X)[:, i]), ~known)
        # With missing values, 200 quantiles represent fewer values.
        assert_allclose(tamed.normal_scores(X)[known, i], expected, atol=0 if known.all() else 0.12)


def test_normal_scores_of_complete_columns_are_exactly_those_of_ranks(rng):
    X = np.column_stack([rng.normal(size=200), rng.integers(5, size=200), np.exp(9 * rng.normal(size=200))])
    shares = (rankdata(X, axis=0) - 1) / 199
    expected = ndtri(np.clip(shares, 0.5 / 201, 1 - 0.5 / 201))
    tamed = RankGaussian.fit(X, Standardisation.fit(X))
    assert_allclose(tamed.normal_scores(X), expected, rtol=1e-9)
    assert_allclose(tamed.normal_scores(np.full((1, 3), 1e9)), np.full((1, 3), ndtri(1 - 0.5 / 201)))
    assert_allclose(tamed.normal_scores(np.full((1, 3), -1e9)), np.full((1, 3), ndtri(0.5 / 201)))


def test_rank_gaussian_values_have_mean_0_and_deviation_1_and_grow_with_the_values(rng):
    X = np.exp(2 * rng.normal(size=(500, 2)))
    seen = RankGaussian.fit(X, Standardisation.fit(X))(X)
    assert_allclose([seen.mean(0), seen.std(0)], [[0, 0], [1, 1]], atol=1e-9)
    assert_array_equal(seen.argsort(0), X.argsort(0))


def test_rank_gaussian_values_of_outliers_are_clipped_and_standardised_ones_are_not(rng):
    X = rng.normal(size=(500, 1))
    plain, tamed = Standardisation.fit(X), RankGaussian.fit(X, Standardisation.fit(X))
    near, far, farther = np.array([[3.0]]), np.array([[1e3]]), np.array([[1e6]])
    assert tamed(near) < tamed(far) == tamed(farther)
    assert plain(far) < plain(farther)


@pytest.mark.parametrize("value", [0.0, 5.0, 1e9, 0.1])
def test_constant_columns_are_0_and_other_values_in_them_are_not(value):
    X = np.full((30, 1), value)
    for view in (Standardisation.fit(X), RankGaussian.fit(X, Standardisation.fit(X))):
        assert_allclose(view(X), np.zeros((30, 1)), atol=1e-12)
        assert view(X + 1)[0, 0] > 0.9


def test_levels_have_a_coordinate_each_and_unseen_ones_none(customers):
    source = as_source(customers)
    points = to_points(source, source.schema)
    assert points.shape == (150, 1 + 3 + 2 + 1)
    names = [field.name for field in source.schema.used]
    first = names.index("town")
    towns = sorted(set(customers["town"]))
    expected = customers["town"].to_numpy()[:, None] == np.array(towns)
    assert_array_equal(points[:, first : first + 3], expected)
    new = customers.assign(town="Rom")
    with pytest.warns(UserWarning, match="treated as missing"):
        source = as_source(new, source.schema)
    assert_array_equal(to_points(source, source.schema)[:, first : first + 3], np.zeros((150, 3)))


def test_rare_levels_share_a_coordinate(rng, monkeypatch):
    monkeypatch.setattr(coordinates, "MAX_CATEGORIES", 2)
    source = as_source(pd.DataFrame({"town": list("abcd") * 30, "x": rng.normal(size=120)}))
    points = to_points(source, source.schema)
    assert_array_equal(points[:4, :3], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])


# Distances


def test_distances_to_exemplars_are_those_of_brute_force(rng, monkeypatch):
    groups = tuple(rng.normal(size=(3, 5, size, 4)) for size in (2, 6))
    points = rng.normal(size=(40, 4))
    expected = [
        [[np.mean([cdist(row[None], group).min() for group in net]) for net in each] for each in groups]
        for row in points
    ]
    assert_allclose(Exemplars(groups).distances(points), expected, atol=1e-7)
    monkeypatch.setattr(distances, "SIZE", 100)
    assert_allclose(Exemplars(groups).distances(points), expected, atol=1e-7)


def test_exemplars_are_rows_known_to_a_net_as_it_reconstructs_them(blobs):
    ensemble = BaggedAutoencoders(NET, 4, random_state=0).fit(blobs)
    found = Exemplars.sample(ensemble, blobs.astype(float), np.random.default_rng(0))
    assert [groups.shape for groups in found.groups] == [(4, 8, 4, 6), (4, 8, 16, 6)]
    each = ensemble.reconstruct_each(blobs)
    for i, left_out in enumerate(ensemble.left_out_):
        for groups in found.groups:
            nearest = cdist(groups[i].reshape(-1, 6), each[~left_out, i]).min(1)
            assert_allclose(nearest, 0, atol=1e-5)


def test_exemplars_are_the_rows_nearest_to_groups_of_all_rows(blobs):
    """Repeat the choice with the groups of the same seed, by brute force."""
    points = blobs.astype(float)
    ensemble = BaggedAutoencoders(NET, 4, random_state=0).fit(points)
    found = Exemplars.sample(ensemble, points, np.random.default_rng(0))
    each, left_out = ensemble.reconstruct_each(points), ensemble.left_out_
    rng, sums = np.random.default_rng(0), np.zeros((4, len(points)))
    for size in (4, 16):
        for i, net in enumerate(left_out):
            groups = [each[rows, i] for rows in rng.choice(np.flatnonzero(~net), (8, size))]
            sums[i] += np.mean([cdist(points, group).min(1) for group in groups], axis=0)
    distances = np.nanmean(np.where(left_out, sums, np.nan), axis=0)
    for groups in found.groups:
        for i, net in enumerate(left_out):
            rows = np.flatnonzero(~net)
            half = rows[np.argsort(distances[rows])[: -(-len(rows) // 2)]]
            assert_allclose(cdist(groups[i].reshape(-1, 6), each[half, i]).min(1), 0, atol=1e-5)


@pytest.mark.parametrize("n_coordinates", [1, 3, 20])
def test_distances_to_neighbours_are_those_of_brute_force(n_coordinates, rng):
    points, new = rng.normal(size=(90, n_coordinates)), rng.normal(size=(30, n_coordinates))
    kept = np.arange(90) % 3 > 0
    nearest = NearestRow.fit(points[kept])
    assert_allclose(nearest.distances(new), cdist(new, points[kept]).min(1))
    among = cdist(points, points)
    np.fill_diagonal(among, np.inf)
    assert_allclose(nearest.distances(points, kept), among[:, kept].min(1))


@pytest.mark.parametrize("n_coordinates", [2, 30])
def test_equal_rows_are_at_a_distance_of_exactly_0(n_coordinates, rng):
    points = np.repeat(1e3 + rng.normal(size=(10, n_coordinates)), 4, 0)
    nearest = NearestRow.fit(points)
    assert_array_equal(nearest.distances(points), np.zeros(40))
    assert_array_equal(nearest.distances(points, np.ones(40, dtype=bool)), np.zeros(40))


@pytest.mark.parametrize("n_coordinates", [2, 30])
def test_rows_of_fit_are_as_far_from_others_as_if_they_were_held_out(n_coordinates, rng):
    points = rng.normal(size=(60, n_coordinates))
    nearest = NearestRow.fit(points)
    assert_array_equal(nearest.distances(points), nearest.distances(points, np.ones(60, dtype=bool)))


def test_distances_of_tails_are_squared_normal_quantiles_of_ranks(rng):
    X = np.exp(3 * rng.normal(size=(301, 3)))
    ranks = RankGaussian.fit(X, Standardisation.fit(X))
    shares = np.clip((rankdata(X, axis=0) - 1) / 300, 0.5 / 302, 1 - 0.5 / 302)
    assert_allclose(ranks.tail_distances(X), (ndtri(shares) ** 2).sum(1), rtol=1e-6)
    assert_allclose(ranks.tail_distances(np.full((1, 3), np.nan)), [0.0])


def test_units_are_median_and_lowest_tenth(rng):
    measured = rng.exponential(size=(101, 2, 3))
    lowest, centre = np.quantile(measured, 0.1, axis=0), np.quantile(measured, 0.5, axis=0)
    units = RobustScale.fit(measured, 0.1, 0.5)
    assert_allclose(units(centre[None])[0], np.zeros((2, 3)), atol=1e-12)
    assert_allclose(units(lowest[None])[0], -np.ones((2, 3)))


@pytest.mark.parametrize("centre", [0.0, 3.0])
def test_distances_without_spread_are_scaled_by_their_deviation_or_not_at_all(centre):
    few = np.full((100, 1, 1), centre)
    few[:10] += 2.0
    assert_allclose(RobustScale.fit(few, low=0.5).scale, few.std())
    rounded = centre * (1 + 1e-15 * np.arange(100.0).reshape(-1, 1, 1))
    assert_array_equal(RobustScale.fit(rounded, low=0.5).scale, [[1.0]])


# Held-out scores


def test_rows_are_scored_by_nets_and_exemplars_without_themselves(blobs):
    """Compute the scores from the nets and the groups of a seed."""
    points = blobs.astype(float)
    view = Standardisation.fit(points)
    side, measured = ViewScorer.fit(view, points, BaggedAutoencoders(NET, 4), seed=3)
    ensemble = BaggedAutoencoders(NET, 4, random_state=mix(3, 1)).fit(view(points))
    seen = view(points)
    for size, groups in enumerate(side.exemplars.groups):
        distances = np.array([np.mean([cdist(seen, group).min(1) for group in net], axis=0) for net in groups])
        expected = np.nanmean(np.where(ensemble.left_out_, distances, np.nan), axis=0)
        assert_allclose(measured[:, size], expected, atol=1e-6)
    among = cdist(seen, seen)
    np.fill_diagonal(among, np.inf)
    assert_allclose(measured[:, -1], among.min(1))


def test_the_number_of_kept_rows_is_limited(blobs, monkeypatch):
    monkeypatch.setattr("isthmus.anomaly.distances.MAX_ROWS", 50)
    view = Standardisation.fit(blobs.astype(float))
    side, measured = ViewScorer.fit(view, blobs.astype(float), BaggedAutoencoders(NET, 2), seed=3)
    assert side.nearest.points.shape == (50, 6)
    assert (measured[:, -1] > 0).all()


def test_scores_combine_two_views_and_four_distances(blobs):
    points = blobs.astype(float)
    model = small_proximity(weight=2.0).fit(blobs)
    tails = (np.nan_to_num(model._view_scorers[1].view.normal_scores(points)) ** 2).sum(1)
    measured = [np.column_stack([tails, scorer.distances(points)]) for scorer in model._view_scorers]
    odd = (np.stack(measured, 1) - model._scale.center) / model._scale.scale
    coarse, fine = odd[:, :, :3].mean(2), odd[:, :, 3]
    assert_allclose(model.score_samples(blobs), -np.maximum(coarse, 2.0 * fine).mean(1))
    assert model.score(blobs) == pytest.approx(model.score_samples(blobs).mean())


def test_without_neighbour_weight_distances_only_clip_usual_scores(blobs):
    model = small_proximity(weight=0.0).fit(blobs)
    assert (model.score_samples(blobs + 100) < -1).all()
    assert model.score_samples(blobs).max() <= 0


def test_held_out_scores_are_those_of_new_rows(rng):
    X, new = rng.normal(size=(600, 5)), rng.normal(size=(2000, 5))
    model = ExemplarDistance(random_state=0).fit(X)
    levels = [0.1, 0.5, 0.9]
    held_out, arrived = (np.quantile(s, levels) for s in (model.held_out_scores_, model.score_samples(new)))
    assert_allclose(held_out, arrived, atol=0.4)
    # Rows of fit do not count as normal because they are in fit.
    assert_allclose(np.quantile(model.score_samples(X), levels), arrived, atol=0.4)


@pytest.mark.parametrize("clustered", [False, True])
def test_planted_outliers_score_low_alone_and_in_a_group(clustered, rng):
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(500, 6))
    X[:25] = 6 + 0.1 * rng.normal(size=(25, 6)) if clustered else 3 * rng.normal(size=(25, 6))
    model = ExemplarDistance(random_state=0).fit(X)
    assert roc_auc_score(np.arange(500) < 25, -model.held_out_scores_) > 0.95


def test_anomalies_may_be_30_percent_of_the_rows(rng):
    """They lie on both sides of the normal rows. Exemplars of all rows and units from quartiles gave 0.88."""
    X, mixing = rng.normal(size=(400, 6)), rng.normal(size=(6, 6))
    X[280:] += 5 * rng.choice([-1, 1], (120, 1))
    model = ExemplarDistance(random_state=0).fit(X @ mixing)
    assert roc_auc_score(np.arange(400) >= 280, -model.held_out_scores_) > 0.93


def test_heavy_tails_do_not_hide_a_shift_of_another_column(rng):
    X = np.column_stack([rng.standard_cauchy(500) ** 3, rng.normal(size=(500, 3))])
    odd = X[:20] + [0, 8, 0, 0]
    model = ExemplarDistance(random_state=0).fit(X)
    assert np.median(model.score_samples(odd)) < np.quantile(model.held_out_scores_, 0.1)


# Any rows


def test_tables_of_all_kinds_of_columns_are_scored(customers):
    model = small_proximity().fit(customers)
    assert list(model.feature_names_in_) == list(customers.columns)
    assert model.n_features_in_ == 4
    odd = customers.iloc[:30].assign(since=pd.Timestamp("2031-01-01"))
    assert (model.score_samples(odd) < model.score_samples(customers.iloc[:30])).all()
    assert np.isfinite(model.score_samples(customers.iloc[:5].assign(age=np.nan))).all()
    with pytest.warns(UserWarning, match="treated as missing"):
        unseen = model.score_samples(customers.iloc[:5].assign(town="Rom"))
    assert np.isfinite(unseen).all()


def test_rows_that_are_not_those_of_fit_are_named(customers, blobs):
    model = small_proximity().fit(customers)
    with pytest.raises(ValueError, match="X lacks columns of the training rows: 'town'"):
        model.score_samples(customers.drop(columns="town"))
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match="fit saw a data frame with categories; X must be one too, got ndarray"),
    ):
        model.score_samples(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="X has 5 features, but ExemplarDistance is expecting 6"):
        small_proximity().fit(blobs).score_samples(blobs[:, :5])


def test_unusable_columns_are_named(customers):
    with pytest.warns(UserWarning, match="left out: 'number' "):
        model = small_proximity().fit(customers.assign(number=[f"C-{i:05}" for i in range(150)]))
    assert model.schema_.shape == (4,)


def test_column_types_of_the_estimator_are_used(rng):
    frame = pd.DataFrame({"code": rng.integers(4, size=90), "x": rng.normal(size=90)})
    model = small_proximity(estimator=clone(NET).set_params(schema={"code": "category"})).fit(frame)
    assert model.schema_.used[0].kind == "category"
    assert len(model._view_scorers[0].view.mean) == 5


def test_missing_values_do_not_raise_the_distance(holes):
    model = small_proximity().fit(holes)
    nothing = model.score_samples(np.full((1, 6), np.nan))
    assert_allclose(nothing, model.score_samples(np.nanmean(holes, axis=0)[None]), atol=1.0)
    assert np.isfinite(model.held_out_scores_).all()


@pytest.mark.parametrize(("n_rows", "n_columns"), [(2, 1), (2, 3), (3, 3), (5, 1), (17, 2)])
def test_few_rows_and_columns_are_enough(n_rows, n_columns, rng):
    model = small_proximity().fit(rng.normal(size=(n_rows, n_columns)))
    assert np.isfinite(model.held_out_scores_).all()
    assert model.score_samples(np.full((1, n_columns), 1e3)) < -100


def test_the_default_net_fits_fewer_rows_than_a_group_holds(rng):
    assert ExemplarDistance(random_state=0).fit(rng.normal(size=(7, 2))).score_samples([[1e3, 1e3]]) < -100


@pytest.mark.parametrize("n_columns", [3, 30])
def test_duplicates_everywhere_are_normal_and_others_are_not(n_columns, rng):
    X = np.repeat(rng.normal(size=(3, n_columns)), 40, 0)
    model = ExemplarDistance(random_state=0).fit(X)
    assert np.isfinite(model.held_out_scores_).all()
    assert model.score_samples(X + 5).max() < model.held_out_scores_.min()


def test_rows_that_are_all_equal_are_normal_and_others_are_not():
    model = ExemplarDistance(random_state=0).fit(np.ones((50, 3)))
    assert model.score_samples([[1.0, 1.0, 9.0]]) < model.held_out_scores_.min() - 1


def test_images_and_windows_that_do_not_overlap_are_points(images, rng):
    assert small_proximity().fit(images).score_samples(images).shape == (60,)
    windows = Windows(rng.normal(size=(400, 2)), 10, stride=10)
    assert small_proximity().fit(windows).score_samples(windows).shape == (40,)


def test_overlapping_windows_and_streams_are_refused(rng, folder):
    with pytest.raises(ValueError, match="rows of Windows share values with neighbouring rows"):
        small_proximity().fit(Windows(rng.normal(size=400), 10))
    with pytest.raises(TypeError, match="Parquet is a stream; load its rows first"):
        small_proximity().fit(Parquet(folder))


def test_sources_and_sparse_rows_are_scored_as_arrays(blobs):
    model = small_proximity().fit(blobs)
    scores = model.score_samples(blobs)
    assert_array_equal(model.score_samples(as_source(blobs)), scores)
    assert_array_equal(model.score_samples(sparse.csr_array(blobs)), scores)
    assert_array_equal(small_proximity().fit(as_source(blobs)).score_samples(blobs), scores)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": MLP()}, TypeError, "estimator must be an Autoencoder or None, got MLP"),
        ({"estimator": Autoencoder(conditional=True)}, ValueError, "estimator must not be conditional"),
        ({"n_estimators": 1}, ValueError, "n_estimators must be an integer >= 2, got 1"),
        ({"weight": -1}, ValueError, "weight must be a number >= 0, got -1"),
        ({"weight": "much"}, ValueError, "weight must be a number >= 0, got 'much'"),
        ({"weight": np.nan}, ValueError, "weight must be a number >= 0, got nan"),
    ],
)
def test_bad_parameters_are_named(options, error, message, blobs):
    with pytest.raises(error, match=message):
        small_proximity(**options).fit(blobs)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X[:1], "n_samples=1: fit needs at least 2 rows"),
        (lambda X: np.where(np.arange(6) == 2, np.nan, X), "column 2 has no value in any training row"),
        (lambda X: np.where(X[3, 4] == X, np.inf, X), "column 4 holds an infinite value"),
    ],
)
def test_rows_without_information_are_refused(spoil, message, blobs):
    with pytest.raises(ValueError, match=message):
        small_proximity().fit(spoil(blobs))


def test_new_infinite_values_are_named(blobs):
    with pytest.raises(ValueError, match="column 0 holds an infinite value"):
        small_proximity().fit(blobs).score_samples(np.full((1, 6), np.inf))


# scikit-learn


UNEQUAL = "distances to rows have no weights: unequal weights are an error"
EXPECTED_FAILURES = {
    "check_sample_weights_not_overwritten": UNEQUAL,
    "check_sample_weight_equivalence_on_dense_data": UNEQUAL,
    "check_sample_weight_equivalence_on_sparse_data": UNEQUAL,
}


@parametrize_with_checks([small_proximity()], expected_failed_checks=lambda estimator: EXPECTED_FAILURES)
def test_estimator_checks_of_scikit_learn_pass(estimator, check):
    check(estimator)


def test_results_depend_on_random_state_only(blobs):
    torch.manual_seed(5)
    untouched = torch.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    first, again, other = (small_proximity(random_state=seed).fit(blobs).held_out_scores_ for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert (first != other).any()
    assert torch.equal(torch.rand(3), untouched)
    assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("n_columns", [3, 40])
def test_scores_do_not_depend_on_the_rows_beside_them(n_columns, rng, monkeypatch):
    X = rng.normal(size=(300, n_columns))
    X[0] = 1e4
    model = small_proximity().fit(X)
    scores = model.score_samples(X)
    assert_allclose(model.score_samples(X[::-1])[::-1], scores, rtol=1e-9, atol=1e-7)
    for row in range(5):
        assert_allclose(model.score_samples(X[row : row + 1]), scores[row : row + 1], rtol=1e-9, atol=1e-7)
    monkeypatch.setattr(distances, "SIZE", 1000)
    monkeypatch.setattr(coordinates, "CHUNK", 7)
    assert_allclose(model.score_samples(X), scores, rtol=1e-9, atol=1e-7)


def test_the_given_estimator_is_not_changed(blobs):
    before = repr(NET)
    small_proximity().fit(blobs)
    assert repr(NET) == before
    assert "module_" not in vars(NET)


def test_a_failed_fit_leaves_the_previous_one(blobs):
    model = small_proximity().fit(blobs)
    scores = model.score_samples(blobs)
    with pytest.raises(ValueError, match="infinite"):
        model.fit(np.full((9, 4), np.inf))
    assert_array_equal(model.score_samples(blobs), scores)


def test_a_pickled_exemplar_distance_gives_equal_scores(blobs):
    model = small_proximity().fit(blobs)
    assert_array_equal(pickle.loads(pickle.dumps(model)).score_samples(blobs), model.score_samples(blobs))


# The default of the detector


def test_the_default_estimator_of_detectors_is_exemplar_distance(rng):
    X = rng.normal(size=(400, 3))
    detector = AnomalyDetector(fpr=0.05, random_state=0).fit(X)
    assert isinstance(detector.estimator_, ExemplarDistance)
    assert_array_equal(detector.calibration_scores_, np.sort(detector.estimator_.held_out_scores_))
    odd, new = np.array([[0.0, 20.0, 0.0]]), rng.normal(size=(1000, 3))
    assert detector.predict(odd) == -1
    assert 0.01 < (detector.predict(new) == -1).mean() < 0.12
    assert detector.p_values(odd) <= 1 / 401
    assert 0.4 < detector.p_values(new).mean() < 0.6
    assert detector.predict_proba(odd)[0, 0] > 0.5


def test_contamination_is_a_share_of_the_training_rows(rng):
    X = rng.normal(size=(300, 3))
    assert (AnomalyDetector(contamination=0.1, random_state=0).fit_predict(X) == -1).sum() == 30


REAL = {"cancer": load_breast_cancer, "diabetes": load_diabetes, "wine": load_wine}


@pytest.mark.parametrize("name", ["normal", *REAL])
def test_the_default_detector_names_what_was_planted(name, rng):
    """One value per row is 5 to 8 standard deviations from its mean."""
    X = rng.normal(size=(300, 8)) @ rng.normal(size=(8, 8)) if name == "normal" else REAL[name]().data
    rows, columns = X[1::2][:60].copy(), rng.integers(X.shape[1], size=60)
    size = rng.choice([-1, 1], 60) * rng.uniform(5, 8, 60)
    rows[np.arange(60), columns] = X.mean(0)[columns] + size * X.std(0)[columns]
    found = AnomalyDetector(random_state=0).fit(X[::2]).explain(rows)
    assert np.mean(found.shares[:, :-1].argmax(1) == columns) >= 0.95
    assert_allclose(np.asarray(found.contributions).sum(1), found.scores)


def test_the_default_detector_explains_tables(customers):
    detector = AnomalyDetector(small_proximity(), random_state=0).fit(customers)
    odd = customers.iloc[:3].assign(age=[140.0, -60.0, 150.0])
    found = detector.explain(odd)
    assert [found.reasons(i)[0].feature for i in range(3)] == ["age"] * 3


# Texts

FORMS = ("user {} opened file {}", "job {} ended in {} ms", "disk usage is {} percent")


def write_lines(n, rng) -> list[str]:
    return [FORMS[i % len(FORMS)].format(*rng.integers(1, 999, 2)) for i in range(n)]


def test_points_of_texts_are_counts_of_frequent_tokens_and_of_all_others():
    texts = Texts(["red blue blue"] * MIN_TEXTS + ["green red"] * (MIN_TEXTS - 1), vocabulary="word")
    source = as_source(texts)
    tokens = find_frequent_tokens(source, texts.schema)
    points = to_points(source, texts.schema, tokens)
    assert len(tokens) == 3  # the end, "red" and "blue"
    assert sorted(points[0, :-1]) == [1, 1, 2]
    assert sorted(points[-1, :-1]) == [0, 1, 1]
    assert_array_equal(points[[0, -1], -1], [0, 1])


@pytest.mark.parametrize("vocabulary", ["word", "bpe"])
def test_lines_of_a_new_form_are_alarms_and_new_numbers_are_not(vocabulary, rng, path):
    """Codes of tokens were read as numbers, and more than half of the healthy lines were alarms."""
    texts = Texts(write_lines(300, rng), vocabulary=vocabulary, length=30)
    detector = AnomalyDetector(fpr=0.02, random_state=0).fit(texts)
    faults = [
        "user 5 : access denied to file 7",
        "job killed , out of memory in 3 s",
        "file is missing in job of user 9",
    ]
    assert_array_equal(detector.predict(faults), [-1, -1, -1])
    healthy = write_lines(150, rng)
    assert np.mean(detector.predict(healthy) == -1) < 0.15
    save(detector, path)
    assert_array_equal(load(path).score_samples(healthy), detector.score_samples(healthy))


def test_a_line_of_unknown_words_is_an_alarm_and_is_named(rng):
    detector = AnomalyDetector(fpr=0.02, random_state=0).fit(Texts(write_lines(300, rng), vocabulary="word", length=30))
    with pytest.warns(
        UserWarning, match="1 of 2 texts have no word of the vocabulary, in rows 1, such as 'kernel panic"
    ):
        alarms = detector.predict([write_lines(1, rng)[0], "kernel panic while syncing"])
    assert_array_equal(alarms, [1, -1])


# Files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("estimator", "table"), [(None, True), (NET, True), (NET, False)], ids=["default", "own net", "own net, array"]
)
def test_a_saved_exemplar_distance_gives_equal_scores_after_loading(estimator, table, customers, holes, path, tmp_path):
    X = customers if table else holes
    model = ExemplarDistance(estimator, 2, weight=1.5, random_state=0).fit(X)
    save(model, path)
    again = load(path)
    assert repr(again) == repr(model)
    assert (again.schema_, again.n_features_in_) == (model.schema_, model.n_features_in_)
    assert_array_equal(again.score_samples(X), model.score_samples(X))
    assert_array_equal(again.held_out_scores_, model.held_out_scores_)
    assert_array_equal(again.fit(X).held_out_scores_, model.held_out_scores_)
    save(load(path), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_saved_default_detector_gives_equal_results_after_loading(customers, path):
    X = customers
    detector = AnomalyDetector(random_state=0).fit(X)
    save(detector, path)
    again = load(path)
    assert repr(again) == repr(detector)
    assert again.offset_ == detector.offset_
    for method in ("score_samples", "predict", "p_values", "predict_proba"):
        assert_array_equal(getattr(again, method)(X), getattr(detector, method)(X))
    assert str(again.explain(X[:3])) == str(detector.explain(X[:3]))


def test_info_names_the_detector_and_its_estimator(blobs, path):
    detector = AnomalyDetector(small_proximity(), fpr=0.05, random_state=0).fit(blobs)
    save(detector, path)
    told = {name.strip(): fact for name, _, fact in (line.partition("  ") for line in describe(path).splitlines())}
    facts = {name: fact.strip() for name, fact in told.items()}
    assert facts["model"] == "AnomalyDetector of ExemplarDistance"
    assert float(facts["threshold"]) == pytest.approx(detector.offset_, rel=1e-5)
    assert facts["fitted on"] == f"{len(blobs)} rows of 6 columns"
    assert "AnomalyDetector.fpr" in describe(path)
    assert "ExemplarDistance.weight" in describe(path)


def rewrite(path, change):
    tensors, document = storage.read(path)
    change(tensors, document)
    storage.write(path, tensors, document)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, document: tensors.pop("own.rank_gaussian_nearest"),
        lambda tensors, document: tensors.pop("own.standardisation_mean"),
        lambda tensors, document: document.pop("schema"),
        lambda tensors, document: document["fitted"].pop("n_rows"),
        lambda tensors, document: document["schema"].update(shape=[7]),
    ],
    ids=["neighbours", "scaling", "schema", "rows", "width"],
)
def test_damaged_files_are_refused(change, blobs, path):
    save(small_proximity().fit(blobs), path)
    rewrite(path, change)
    with pytest.raises(
        ValueError, match="damaged: its header does not fit its tensors|its points do not have the 7 coordinates"
    ):
        load(path)


def test_files_contain_no_class_names_of_other_packages(blobs, path):
    save(small_proximity().fit(blobs), path)
    rewrite(path, lambda tensors, document: document["estimator"]["net"]["backbone"].update({"class": "os.system"}))
    with pytest.raises(ValueError, match=r"'os\.system' is not a class of isthmus"):
        load(path)


def test_rows_of_weight_0_are_left_out_and_other_weights_must_be_equal():
    X = np.random.default_rng(0).normal(size=(80, 3))
    weight = np.repeat([0.0, 2.0], [20, 60])
    model = ExemplarDistance(n_estimators=2, random_state=0)
    expected = clone(model).fit(X[20:]).score_samples(X)
    np.testing.assert_array_equal(clone(model).fit(X, sample_weight=weight).score_samples(X), expected)
    with pytest.raises(ValueError, match="sample_weight of ExemplarDistance must be equal .* got weights from 1 to 2"):
        model.fit(X, sample_weight=np.repeat([1.0, 2.0], 40))
