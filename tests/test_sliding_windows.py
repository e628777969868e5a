"""Scores of series by windows."""

import pickle

import numpy as np
import pandas
import pytest
import torch
from sklearn.base import clone

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, SlidingWindows, load, save
from isthmus.anomaly import window_scores
from isthmus.anomaly.channel_limits import ChannelLimits
from isthmus.anomaly.sliding_windows import Training
from isthmus.anomaly.window_views import View, choose_lengths, steps_per_average
from isthmus.backbones import MLP
from isthmus.data import Windows
from isthmus.data.series.series import read_series
from isthmus.likelihoods import Gaussian

NOISE = np.random.default_rng(0).standard_normal((1200, 2))
STEPS = np.arange(1200)
WAVE = np.sin(STEPS * 2 * np.pi / 30) + 0.05 * NOISE[:, 0]
TWO = np.column_stack([WAVE, 300 + 40 * np.cos(STEPS * 2 * np.pi / 30) + 2 * NOISE[:, 1]])
TRAIN, TEST = slice(0, 800), slice(800, 1200)


def short(**parameters):
    """Make an estimator that is fast to fit."""
    net = Autoencoder(4, likelihood=Gaussian(), batch_size=64, max_epochs=25, learning_rate=5e-3)
    return SlidingWindows(net, **{"lengths": (16,), "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return short(lengths=(16, 30)).fit(TWO[TRAIN])


def broken(channel=0, value=0.0):
    """The second part of the series, with one channel stuck from step 200 on."""
    series = TWO[TEST].copy()
    series[200:220, channel] = value
    return series


# Views


def rows_of(source):
    return next(source.batches(len(source))).x.numpy()


def test_the_values_view_consists_of_the_windows():
    windows = Windows(TWO, 16)
    np.testing.assert_array_equal(rows_of(View.fit(windows, "values")), rows_of(windows))


def test_the_shapes_view_has_neither_level_nor_scale():
    x, shape = rows_of(Windows(TWO, 16)), rows_of(View.fit(Windows(TWO, 16), "shape"))
    noise = 0.1 * np.std(x, (0, 2), keepdims=True)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + noise**2)
    np.testing.assert_allclose(shape, expected, rtol=1e-4, atol=1e-4)


def test_a_nearly_constant_window_is_not_scaled_up():
    series = np.concatenate([WAVE, 1e-3 * NOISE[:100, 0]])
    assert np.abs(rows_of(View.fit(Windows(series, 16), "shape"))[-1]).max() < 0.1


def test_long_windows_are_averaged():
    windows = Windows(TWO, 300)
    view = View.fit(windows, "values")
    assert steps_per_average(300) == 3
    assert view.schema.shape == (2, 100)
    np.testing.assert_allclose(rows_of(view), rows_of(windows).reshape(-1, 2, 100, 3).mean(-1))


def test_steps_left_over_by_averages_are_not_used():
    assert rows_of(View.fit(Windows(WAVE, 257), "values")).shape == (944, 1, 85)


def test_missing_values_stay_missing_in_views():
    series = TWO.copy()
    series[100:104, 1] = np.nan
    for kind in ("values", "shape"):
        x = rows_of(View.fit(Windows(series, 16), kind))
        np.testing.assert_array_equal(np.isnan(x), np.isnan(rows_of(Windows(series, 16))))


def test_views_are_held_out_in_blocks_of_time():
    view = View.fit(Windows(WAVE, 16), "shape")
    known, held_out = next(iter(view.folds(4, seed=0)))
    assert held_out.tolist() == list(range(297))
    assert known[0] == 296 + 16
    kept, aside = view.split(100, seed=0)
    assert len(aside) == 100
    assert kept.windows.starts.max() + 16 <= aside.windows.starts.min()


@pytest.mark.parametrize(
    ("period", "n_channels", "n", "expected"),
    [
        (100, 1, 10_000, [50, 100, 200]),
        (2000, 1, 100_000, [256, 512, 1024]),
        (288, 19, 8640, [13, 26, 52]),
        (100, 1, 1000, [50, 100, 125]),
        (64, 1000, 10_000, [4, 8]),
    ],
)
def test_lengths_are_multiples_of_the_period_within_bounds(period, n_channels, n, expected):
    assert choose_lengths(period, n_channels, n) == expected


# Scores


def test_a_stuck_channel_is_found_and_named(fitted):
    for channel, value in ((0, 0.0), (1, 300.0)):
        series = broken(channel, value)
        scores = fitted.score_samples(series)
        assert 195 < scores.argmin() < 225
        assert scores.min() < -2
        assert fitted.contributions(series)[scores.argmin(), :2].argmin() == channel


def test_contributions_add_up_to_the_score(fitted):
    series = broken()
    contributions = fitted.contributions(series)
    assert contributions.shape == (400, 3)
    np.testing.assert_allclose(contributions.sum(1), fitted.score_samples(series))


def test_scores_are_the_minimum_over_views(fitted):
    windows = fitted._windows.like(broken())
    each = [scorer.contributions(windows).sum(1) for scorer in fitted._window_scorers]
    assert len(each) == 4
    np.testing.assert_allclose(fitted.score_samples(broken()), np.min(each, 0))


def test_a_window_scores_what_its_ensemble_says_on_the_scale_of_held_out_windows():
    model = short(views=("values",)).fit(TWO[TRAIN])
    windows, ensemble = Windows(broken(), 16), model.estimators_[0]
    median, odd = np.quantile(ensemble.held_out_scores_, (0.5, 0.01))
    expected = windows.spread((ensemble.score_samples(windows) - median) / (median - odd))
    np.testing.assert_allclose(model.score_samples(broken()), expected, rtol=1e-3, atol=1e-3)


def test_held_out_scores_are_those_of_new_points(fitted):
    assert fitted.held_out_scores_.shape == (800,)
    held_out, new = fitted.held_out_scores_, fitted.score_samples(TWO[TEST])
    assert abs(np.median(held_out) - np.median(new)) < 0.2


def test_an_anomaly_in_the_training_series_has_the_worst_held_out_score():
    series = TWO[TRAIN].copy()
    series[300:320, 0] = 0.0
    held_out = short().fit(series).held_out_scores_
    assert 295 < held_out.argmin() < 325


def test_chunks_of_windows_change_nothing(fitted, monkeypatch):
    whole = fitted.score_samples(broken())
    monkeypatch.setattr(window_scores, "CHUNK", 50)
    np.testing.assert_allclose(fitted.score_samples(broken()), whole, rtol=1e-4, atol=1e-4)


def test_the_default_finds_its_lengths_and_the_anomaly():
    series = WAVE[TEST].copy()
    series[200:215] *= -1
    model = SlidingWindows(random_state=0).fit(WAVE[TRAIN])
    assert model.lengths_ == [15, 30, 60]
    assert [len(scorer.view) for scorer in model._window_scorers] == [786, 771, 741] * 2
    assert 190 < model.score_samples(series).argmin() < 225


def test_a_detector_sets_its_threshold_by_held_out_points():
    detector = AnomalyDetector(short(), fpr=0.02, random_state=0).fit(TWO[TRAIN])
    np.testing.assert_array_equal(detector.calibration_scores_, np.sort(detector.estimator_.held_out_scores_))
    alarms = np.flatnonzero(detector.predict(broken()) == -1)
    assert {200, 210, 219} <= set(alarms)
    assert np.mean((alarms < 184) | (alarms > 236)) < 0.2


# Interface


def test_results_depend_on_the_seed_only():
    state = torch.get_rng_state()
    model = short(views=("shape",))
    scores = [clone(model).fit(TWO[TRAIN]).score_samples(broken()) for _ in range(2)]
    np.testing.assert_array_equal(*scores)
    assert torch.equal(state, torch.get_rng_state())


def test_models_survive_pickling(fitted):
    twin = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(twin.score_samples(broken()), fitted.score_samples(broken()))


def test_an_ensemble_is_taken_as_it_is():
    ensemble = BaggedAutoencoders(Autoencoder(4, likelihood=Gaussian(), max_epochs=2), 2, max_samples=0.5)
    model = SlidingWindows(ensemble, (16,), views=("values",), random_state=0).fit(WAVE)
    assert model.estimators_[0].n_estimators == 2
    assert model.estimators_[0] is not ensemble


def test_frames_have_named_channels_and_times():
    frame = pandas.DataFrame(TWO, columns=["load", "heat"])
    frame["when"] = pandas.date_range("2026-01-01", periods=len(TWO), freq="min")
    model = short(time="when", views=("values",)).fit(frame.iloc[:800])
    assert model.feature_names_in_.tolist() == ["load", "heat"]
    assert model.n_features_in_ == 2
    assert model.score_samples(frame.iloc[800:]).shape == (400,)
    with pytest.raises(ValueError, match="heat"):
        model.score_samples(frame.iloc[800:].drop(columns="heat"))


def test_missing_values_do_not_lower_the_score_of_a_point():
    series = TWO[TRAIN].copy()
    series[100:105], series[400:440, 0] = np.nan, np.nan
    model = short().fit(series)
    assert np.isfinite(model.held_out_scores_).all()
    holes = TWO[TEST].copy()
    holes[100:150] = np.nan
    assert abs(model.score_samples(holes)[120:130]).max() < 1


def test_a_channel_that_never_varied_may_move_later():
    train = np.column_stack([WAVE[TRAIN], np.full(800, 3.0)])
    test = np.column_stack([WAVE[TEST], np.full(400, 3.0)])
    model = short().fit(train)
    calm = model.score_samples(test)
    test[200:210, 1] = 13.0
    assert 190 < model.score_samples(test).argmin() < 220
    assert np.isfinite(calm).all()


def test_a_series_that_never_varies_is_no_error():
    model = short().fit(np.full(400, 7.0))
    assert np.isfinite(model.score_samples(np.full(100, 7.0))).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lengths": ()}, r'lengths must be "auto" or positive integers, got \(\)'),
        ({"lengths": (0,)}, "lengths must be"),
        ({"lengths": "long"}, "lengths must be"),
        ({"views": ("colour",)}, "views must be some of"),
        ({"views": ()}, "views must be some of"),
    ],
)
def test_impossible_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        short(**parameters).fit(TWO)


def test_estimators_other_than_autoencoders_and_ensembles_are_refused():
    with pytest.raises(TypeError, match="estimator must be an Autoencoder, BaggedAutoencoders or None, got 3"):
        SlidingWindows(3).fit(TWO)


def test_short_series_take_no_more_steps_than_long_ones(monkeypatch):
    monkeypatch.setattr("isthmus.anomaly.sliding_windows.ONE_CHANNEL", Training(5, 128, 3e-3))
    model = SlidingWindows(views=("values",), random_state=0).fit(WAVE[:16])
    assert len(model.estimators_[0].history_) == 5


def test_too_short_series_are_refused(fitted):
    with pytest.raises(ValueError, match="the series has 7 time points, expected at least 8"):
        SlidingWindows().fit(WAVE[:7])
    with pytest.raises(ValueError, match="10 time points, fewer than the length=16"):
        short().fit(TWO[:10])
    with pytest.raises(ValueError, match="20 rows are too few"):
        short().fit(TWO[:35])
    with pytest.raises(ValueError, match="20 time points, fewer than the length=30"):
        fitted.score_samples(TWO[:20])
    with pytest.raises(ValueError, match="1 channels without names, but the first one had 2"):
        fitted.score_samples(WAVE)


def test_files_contain_everything_but_the_series(tmp_path, rng):
    frame = pandas.DataFrame(
        {"a": np.sin(np.arange(600) / 4), "b": rng.standard_normal(600)},
        index=pandas.date_range("2024-01-01", periods=600, freq="min"),
    )
    detector = AnomalyDetector(SlidingWindows(lengths=(16, 24), random_state=0), fpr=0.05, random_state=0).fit(
        frame[:400]
    )
    save(detector, tmp_path / "series.safetensors")
    again = load(tmp_path / "series.safetensors")
    assert (again.score_samples(frame[400:]) == detector.score_samples(frame[400:])).all()
    assert again.events(frame[400:]) == detector.events(frame[400:])
    assert (again.estimator_.held_out_scores_ == detector.estimator_.held_out_scores_).all()
    with pytest.raises(ValueError, match="channels"):
        again.score_samples(frame[["a"]])
    save(again, tmp_path / "twice.safetensors")
    assert (tmp_path / "twice.safetensors").read_bytes() == (tmp_path / "series.safetensors").read_bytes()


@pytest.mark.parametrize("bags", [False, True])
def test_files_contain_the_net_of_the_user(bags, tmp_path):
    series, path = np.sin(np.arange(200) / 4), tmp_path / "x.safetensors"
    net = Autoencoder(2, max_epochs=1, learning_rate=0.02, backbone=MLP((8,)))
    model = SlidingWindows(BaggedAutoencoders(net, 2) if bags else net, lengths=(8,), random_state=0).fit(series)
    save(model, path)
    again = load(path)
    np.testing.assert_array_equal(again.score_samples(series), model.score_samples(series))
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.fit(series).score_samples(series), model.score_samples(series))


# Missing values in later series


def holes(place):
    """A later series with an anomaly at 200 to 220 of channel 0, and its missing values."""
    series = broken()
    series[place] = np.nan
    return series


PLACES = {
    "one value": (50, 1),
    "gap": slice(50, 120),
    "short gap": slice(50, 58),
    "gap of a channel": (slice(50, 120), 1),
    "dead sensor": (slice(None), 1),
    "many values": np.random.default_rng(1).random((400, 2)) < 0.1,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_windows_with_missing_values_are_scored_by_known_values(fitted, place):
    series, whole = holes(place), fitted.score_samples(broken())
    with pytest.warns(UserWarning, match="values are missing and scores use the others"):
        scores = fitted.score_samples(series)
    assert 195 < scores.argmin() < 225
    assert scores.min() < 0.5 * whole.min()
    calm = np.r_[:180, 240:400]
    assert np.mean(scores[calm] < -1) < np.mean(whole[calm] < -1) + 0.02
    assert np.isfinite(scores).all()


def test_a_dead_sensor_is_no_anomaly_if_fit_saw_missing_values():
    train = TWO[TRAIN].copy()
    train[100, 1] = np.nan
    model = short().fit(train)
    with pytest.warns(UserWarning, match=r"missing of 400 steps, by channel: 1 \(400\)"):
        scores = model.score_samples(holes(PLACES["dead sensor"]))
    assert 195 < scores.argmin() < 225
    assert np.mean(scores[:180] < -1) < 0.1


def test_channels_with_missing_values_are_named():
    frame = pandas.DataFrame(TWO, columns=["load", "heat"])
    model = short(views=("shape",)).fit(frame[:800])
    later = frame[800:].assign(heat=None)
    with pytest.warns(UserWarning, match=r"by channel: 'heat' \(400\)"):
        contributions = model.contributions(later)
    assert not contributions[:, 1].any()


def test_points_without_values_around_them_score_0(fitted):
    with pytest.warns(UserWarning, match="missing"):
        scores = fitted.score_samples(holes(PLACES["gap"]))
    assert not scores[80:90].any()


def test_missing_values_elsewhere_do_not_change_scores_of_complete_series(fitted):
    scorer = fitted._window_scorers[0]
    x = window_scores._read(scorer.view)
    assert scorer._complete(x) is x


def test_an_empty_channel_is_named():
    frame = pandas.DataFrame({"load": WAVE, "heat": np.nan})
    with pytest.raises(ValueError, match="channel 'heat' has no value in the training series; leave it out"):
        short().fit(frame)


def test_dates_in_parts_are_kept_in_files(tmp_path):
    dates = pandas.date_range("2026-01-01", periods=600, freq="h")
    frame = pandas.DataFrame({"year": dates.year, "month": dates.month, "day": dates.day, "hour": dates.hour})
    frame["load"] = WAVE[:600]
    model = SlidingWindows(lengths=(16,), views=("values",), time=("year", "month", "day", "hour"), random_state=0)
    detector = AnomalyDetector(model, fpr=0.05, random_state=0).fit(frame[:400])
    save(detector, tmp_path / "series.safetensors")
    again = load(tmp_path / "series.safetensors")
    later = frame[400:].drop(index=range(450, 470))
    with pytest.warns(UserWarning, match="gaps|missing"):
        assert again.events(later) == detector.events(later)


def test_the_series_of_fit_is_scored_by_nets_that_have_not_seen_it(tmp_path):
    series = np.sin(np.arange(900) / 5)[:, None] + 0.05 * np.random.default_rng(0).standard_normal((900, 2))
    series[400:410] += 2
    model = SlidingWindows(lengths=(16,), random_state=0).fit(series)
    save(model, tmp_path / "m.safetensors")
    for fitted in (model, load(tmp_path / "m.safetensors")):
        np.testing.assert_allclose(fitted.score_samples(series), model.held_out_scores_)
        np.testing.assert_allclose(fitted.contributions(series).sum(1), model.held_out_scores_)
        assert not np.allclose(fitted.score_samples(series[:899]), model.held_out_scores_[:899])


def test_events_of_the_series_of_fit_are_found():
    series = np.sin(np.arange(1500) / 5) + 0.05 * np.random.default_rng(0).standard_normal(1500)
    series[700:715] = 0
    events = AnomalyDetector(SlidingWindows(lengths=(16,)), random_state=0).fit(series).events(series)
    assert any(event.start < 715 and event.end >= 700 for event in events)


def test_events_name_channels_in_any_column_order():
    frame = pandas.DataFrame(TWO, columns=["a", "b"])
    detector = AnomalyDetector(short(), fpr=0.05, random_state=0).fit(frame[TRAIN])
    later = pandas.DataFrame(broken(1), columns=["a", "b"])
    events = detector.events(later)
    assert max(events, key=lambda event: event.severity).channels == ("b",)
    assert detector.events(later[["b", "a"]]) == events
    with pytest.warns(UserWarning, match="'state' of X was ignored") as told:
        assert detector.events(later.assign(state="on")) == events
    assert len(told) == 1


def test_a_huge_cell_is_named_by_its_channel():
    frame = pandas.DataFrame(TWO, columns=["a", "b"])
    frame.loc[7, "b"] = 1e39
    with pytest.raises(ValueError, match=r"row 7, column 'b' holds 1e\+39"):
        short().fit(frame)


def test_weights_of_time_points_are_refused():
    with pytest.raises(ValueError, match="sample_weight of SlidingWindows must be None"):
        SlidingWindows().fit(np.sin(np.arange(100.0)), sample_weight=np.ones(100))


def test_labelled_anomalies_of_a_series_are_for_calibrate():
    labels = np.ones(len(WAVE[TRAIN]), dtype=int)
    labels[100:110] = -1
    detector = AnomalyDetector(short(), fpr=0.1, random_state=0)
    with pytest.raises(ValueError, match="cannot leave out points of a series: fit without y, .* y to calibrate"):
        detector.fit(WAVE[TRAIN], labels)
    series = np.where(labels == -1, np.nan, WAVE[TRAIN].ravel())
    detector.fit(series).calibrate(WAVE[TRAIN], labels)
    assert len(detector.calibration_scores_) == np.sum(labels == 1)


def test_contributions_of_steps_are_means_over_the_windows_that_contain_them():
    series = np.random.default_rng(0).normal(size=(80, 2))
    model = short(lengths=(8,), views=("values",)).fit(series)
    [ensemble], [scorer] = model.estimators_, model._window_scorers
    windows = np.lib.stride_tricks.sliding_window_view(series, 8, axis=0).astype(np.float32)
    each = np.asarray(ensemble.contributions(windows))[:, :-2].reshape(73, 2, 8) / scorer.scale
    expected = [
        [np.mean([each[i, c, t - i] for i in range(73) if 0 <= t - i < 8]) for c in range(2)] for t in range(80)
    ]
    np.testing.assert_allclose(model.step_contributions(series), expected, rtol=1e-4, atol=1e-6)


def test_limits_of_channels_are_those_of_the_series_in_its_order():
    level = np.array([3.0, 1, 1, 1, 1, 2, np.nan, np.nan, 1, 2])
    limits = ChannelLimits.of(read_series(np.stack([level, np.arange(10.0)], 1)))
    assert {name: values.tolist() for name, values in limits._asdict().items()} == {
        "low": [1, 0],
        "high": [3, 9],
        "longest_run": [4, 1],
        "longest_gap": [2, 0],
    }
