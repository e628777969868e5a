"""Windows of a series: cutting, holding out, joining."""

import datetime

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from conftest import small

from isthmus import load, save
from isthmus.backbones import MLP
from isthmus.data import Array, Windows, as_source, hold_out
from isthmus.data.series.seasonality import choose_window_length, find_period
from isthmus.data.validation import compute_statistics
from isthmus.likelihoods import Bernoulli, Gaussian
from isthmus.statistics import Statistics

STEPS = np.arange(600)
SINE = np.sin(STEPS * 2 * np.pi / 30)
TWO = np.column_stack([SINE, 1e4 + 50 * np.cos(STEPS * 2 * np.pi / 30)])
HOURS = np.datetime64("2026-03-01") + STEPS * np.timedelta64(1, "h")


def rows_of(source):
    return next(source.batches(len(source))).x.numpy()


def brute_force(series, length, starts):
    return np.stack([series[start : start + length].T for start in starts])


# Cutting


@pytest.mark.parametrize("stride", [1, 3, 7, 40])
def test_windows_are_those_of_a_loop_and_the_last_ends_with_the_series(stride):
    windows = Windows(TWO, 25, stride)
    starts = sorted({*range(0, 576, stride), 575})
    assert windows.starts.tolist() == starts
    assert windows.schema.shape == (2, 25)
    np.testing.assert_array_equal(rows_of(windows), brute_force(TWO, 25, starts))


def test_a_window_can_be_the_whole_series():
    np.testing.assert_array_equal(rows_of(Windows(SINE, 600)), SINE[None, None])


def test_windows_share_the_memory_of_the_series():
    windows = Windows(TWO, 200)
    assert windows._rows.values.untyped_storage().nbytes() == TWO.nbytes


def test_shuffled_windows_are_the_same_rows_in_another_order():
    windows = Windows(STEPS.astype(float), 25, 4)
    starts = np.concatenate([batch.x[:, 0, 0].numpy() for batch in windows.batches(32, seed=1)])
    assert sorted(starts) == windows.starts.tolist() != starts.tolist()


@pytest.mark.parametrize(
    ("dtype", "expected"), [("float32", "float32"), ("float64", "float64"), ("int16", "float32"), ("int64", "float64")]
)
def test_windows_keep_the_precision_of_numbers(dtype, expected):
    windows = Windows(np.arange(20).astype(dtype), 5)
    assert windows.schema.dtype == expected
    assert rows_of(windows).dtype == expected


@pytest.mark.parametrize(
    "make",
    [torch.from_numpy, np.ndarray.tolist, pandas.DataFrame, polars.DataFrame],
    ids=lambda make: make.__qualname__,
)
def test_series_may_be_in_any_container(make):
    np.testing.assert_array_equal(rows_of(Windows(make(TWO), 25)), rows_of(Windows(TWO, 25)))


@pytest.mark.parametrize(
    "make", [torch.from_numpy, np.ndarray.tolist, pandas.Series, polars.Series], ids=lambda make: make.__qualname__
)
def test_a_series_of_one_channel_may_be_one_dimensional(make):
    np.testing.assert_array_equal(rows_of(Windows(make(SINE), 25)), rows_of(Windows(SINE[:, None], 25)))


# Joining


@pytest.mark.parametrize("stride", [1, 4, 11])
@pytest.mark.parametrize("shape", [(), (13,), (2, 13)], ids=["windows", "steps", "channels"])
def test_spread_is_the_mean_over_the_windows_that_hold_a_point(stride, shape, rng):
    windows = Windows(TWO[:101], 13, stride)
    values = rng.normal(size=(len(windows), *shape))
    held = [[] for _ in range(101)]
    for value, start in zip(values, windows.starts, strict=True):
        for step in range(13):
            held[start + step].append(value[..., step] if shape else value)
    spread = windows.spread(values)
    np.testing.assert_allclose(spread, [np.mean(each, 0) for each in held], rtol=1e-12)


def test_spread_windows_give_the_series():
    windows = Windows(TWO, 25, 6)
    np.testing.assert_allclose(windows.spread(rows_of(windows)), TWO, rtol=1e-12)


def test_points_between_windows_lie_on_a_line():
    windows = Windows(np.arange(10.0), 2, 4)
    assert windows.starts.tolist() == [0, 4, 8]
    assert windows.spread([0.0, 4.0, 8.0]).tolist() == pytest.approx([0, 0, 4 / 3, 8 / 3, 4, 4, 16 / 3, 20 / 3, 8, 8])


def test_spread_refuses_other_shapes():
    with pytest.raises(
        ValueError, match=r"values must be of shape \(576,\), \(576, 25\) or \(576, 2, 25\), got \(7,\)"
    ):
        Windows(TWO, 25).spread(np.zeros(7))


# Times


def frame_of(library, times, values):
    columns = {"when": times, "a": values[:, 0], "b": values[:, 1]}
    if library == "pandas":
        return pandas.DataFrame(columns)
    if library == "polars":
        return polars.DataFrame(columns)
    return pyarrow.table(columns)


every_library = pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])


@every_library
@pytest.mark.parametrize(
    "times", [HOURS.astype("datetime64[us]"), 0.1 * STEPS, 5 * STEPS], ids=["dates", "seconds", "counts"]
)
def test_even_times_of_a_frame_change_nothing(library, times):
    windows = Windows(frame_of(library, times, TWO), 25, time="when")
    assert windows.channels == ("a", "b")
    assert windows.note == ""
    assert (windows.times == times).all()
    np.testing.assert_array_equal(rows_of(windows), rows_of(Windows(TWO, 25)))


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_an_index_of_dates_is_the_time(zone):
    index = pandas.DatetimeIndex(HOURS).tz_localize("UTC").tz_convert(zone) if zone else pandas.DatetimeIndex(HOURS)
    series = pandas.DataFrame(TWO, index=index, columns=["a", "b"])
    assert (Windows(series, 25).times == HOURS).all()
    assert (Windows(series["a"], 25).times == HOURS).all()
    with pytest.warns(UserWarning, match="1 of 600 steps of 3600 s lie in gaps"):
        Windows(series.drop(index[300]), 25)


def test_dates_of_days_are_times():
    days = [datetime.date(2026, 1, 1) + datetime.timedelta(int(i)) for i in range(100)]
    windows = Windows(polars.DataFrame({"day": days, "a": SINE[:100]}), 10, time="day")
    assert windows.times[-1] == np.datetime64(days[-1])


@every_library
def test_steps_in_gaps_are_missing_and_results_are_those_of_the_points(library):
    kept = np.delete(STEPS, [10, 11, 12, 300])
    with pytest.warns(UserWarning, match="^4 of 600 steps of 1 lie in gaps$"):
        windows = Windows(frame_of(library, kept, TWO[kept]), 25, time="when")
    assert np.isnan(rows_of(windows)[0, :, 10:13]).all()
    spread = windows.spread(rows_of(Windows(TWO, 25)))
    assert len(windows.times) == 596
    np.testing.assert_allclose(spread, TWO[kept], rtol=1e-12)


def test_uneven_times_are_resampled_to_the_median_step(rng):
    times = STEPS + rng.uniform(-0.3, 0.3, 600)
    line = 3.0 * times
    with pytest.warns(
        UserWarning, match=r"time points are uneven: resampled to steps of 0\.98.* by linear interpolation"
    ):
        windows = Windows(pandas.DataFrame({"when": times, "a": line}), 25, time="when")
    values = rows_of(windows)[:, 0]
    np.testing.assert_allclose(values[0], line[0] + 3 * np.median(np.diff(times)) * np.arange(25), rtol=1e-9)
    inside = windows.spread(values)[:590]
    np.testing.assert_allclose(inside, line[:590], rtol=1e-6)


def test_resampling_does_not_bridge_gaps():
    times = np.concatenate([np.arange(50) * 1.0, 80.25 + np.arange(50)])
    with pytest.warns(UserWarning, match=r"uneven.*; 31 of 130 steps of 1 lie in gaps"):
        windows = Windows(pandas.DataFrame({"when": times, "a": times}), 10, time="when")
    values = windows.series.values[0].numpy()
    assert np.isnan(values[50:81]).all()
    np.testing.assert_allclose(values[[*range(50), *range(81, 130)]], [*range(50), *range(81, 130)])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 1, 1, 3, 4], r"row 2 has the same time as the row before: 'when' is 1 after 1"),
        ([0, 2, 1, 3, 4], r"row 2 lies before the row before: 'when' is 1 after 2; expected times in order"),
        ([0.0, 1.0, np.nan, 3.0, 4.0], r"column 'when' has no time in row 2"),
        (list("abcde"), r"column 'when' holds .*, expected dates or numbers as times"),
        ([0, 1, 2, 3, 900], r"5 time points lie on 901 steps of 1: the series is mostly gaps"),
    ],
)
def test_values_that_are_no_times_are_named(times, message):
    with pytest.raises(ValueError, match=message):
        Windows(pandas.DataFrame({"when": times, "a": SINE[:5]}), 2, time="when")


# Other series


def test_another_series_is_cut_in_the_same_way():
    windows = Windows(SINE)
    twin = windows.like(TWO[:100, :1])
    assert twin.length == windows.length == 30
    np.testing.assert_array_equal(rows_of(twin), brute_force(TWO[:100, :1], 30, range(71)))
    assert len(windows) == 571


def test_another_series_keeps_the_step_of_the_first():
    first = Windows(pandas.DataFrame({"when": STEPS, "a": SINE}), 25, time="when")
    with pytest.warns(UserWarning, match="199 of 399 steps of 1 lie in gaps"):
        assert len(first.like(pandas.DataFrame({"when": 2 * STEPS[:200], "a": SINE[::3]}))) == 399 - 24


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (SINE[:10], r"10 time points, fewer than the length=25 of a window"),
        (TWO, r"2 channels without names, but the first one had 1 channels without names"),
        (pandas.DataFrame({"a": SINE}), r"channels \['a'\], but the first one had 1 channels without names"),
    ],
)
def test_another_series_must_have_the_same_channels(series, message):
    with pytest.raises(ValueError, match=message):
        Windows(SINE, 25).like(series)


# Holding out


@pytest.mark.parametrize("stride", [1, 5])
def test_held_out_windows_share_no_step_with_training_windows(stride):
    windows = Windows(STEPS.astype(float), 20, stride)
    held_out = []
    for learned, held in windows.folds(4, seed=0):
        assert not set(rows_of(windows.take(learned)).ravel()) & set(rows_of(windows.take(held)).ravel())
        assert len(learned) > len(windows) / 2
        held_out.append(held)
    assert sorted(np.concatenate(held_out)) == list(range(len(windows)))


def test_validation_windows_are_the_last_after_a_gap_of_one_window():
    windows = Windows(STEPS.astype(float), 20)
    learned, held = windows.split(58, seed=0)
    assert held.starts.tolist() == list(range(523, 581))
    assert learned.starts.tolist() == list(range(504))


def test_nothing_is_held_out_of_a_series_too_short_for_it():
    windows = Windows(SINE[:100], 48)
    assert hold_out(windows, 0.1, 0) == (windows, None)


def test_folds_of_independent_rows_are_random_and_leave_nothing_out():
    source = as_source(np.arange(40.0)[:, None])
    folds = list(source.folds(3, seed=1))
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(40))
    for learned, held in folds:
        assert sorted([*learned, *held]) == list(range(40))
        np.testing.assert_array_equal(rows_of(source.take(held))[:, 0], held)
    assert folds[0][1].tolist() != list(range(14))
    assert isinstance(source.take(folds[0][0]).take(np.arange(3)), Array)


# Length


@pytest.mark.parametrize("length", [9, 30, 47.5, 120])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_period_of_a_sine_is_found_under_noise_and_trend(length, noise, rng):
    steps = np.arange(2000)
    series = np.sin(steps * 2 * np.pi / length) + noise * rng.normal(size=2000) + 0.01 * steps
    assert find_period(series[None]) == pytest.approx(length, abs=1 if noise == 0 else max(1, 0.06 * length))


def test_the_period_is_not_that_of_an_overtone():
    steps = np.arange(3000)
    assert find_period((np.sin(steps * 2 * np.pi / 90) + np.sin(steps * 2 * np.pi / 30))[None]) == 90


def test_the_period_is_found_under_slow_wander(rng):
    wander = rng.normal(size=3000).cumsum()
    smooth = np.convolve(wander, np.ones(200) / 200, "same")
    assert find_period((smooth + np.sin(np.arange(3000) * 2 * np.pi / 25))[None]) == pytest.approx(25, abs=1)


def test_the_channel_of_strongest_period_determines_it(rng):
    channels = rng.normal(size=(5, 1000))
    channels[3] += 3 * SINE[np.arange(1000) % 600]
    channels[4] = 1.0
    channels[3, 100:150] = np.nan
    assert find_period(channels) == pytest.approx(30, abs=1)


@pytest.mark.parametrize("make", [np.zeros_like, lambda x: x, lambda x: np.random.default_rng(0).normal(size=x.shape)])
def test_series_that_do_not_repeat_have_no_period(make):
    series = make(np.arange(3000.0))[None]
    assert find_period(series) is None
    assert choose_window_length(series) == 64


@pytest.mark.parametrize(("n", "every", "expected"), [(600, 3, 8), (40, 30, 10), (6, 2, 1), (1, 2, 1)])
def test_an_automatic_length_stays_between_eight_steps_and_a_quarter(n, every, expected):
    assert Windows(np.sin(np.arange(n) * 2 * np.pi / every)).length == expected


# Scaling


def test_values_along_time_have_one_unit_a_channel():
    statistics = compute_statistics(Windows(TWO, 25, 5))
    values = rows_of(Windows(TWO, 25, 5))
    assert statistics.mean.shape == (2, 25)
    np.testing.assert_allclose(statistics.mean, np.broadcast_to(values.mean((0, 2))[:, None], (2, 25)))
    np.testing.assert_allclose(statistics.deviation, np.broadcast_to(values.std((0, 2))[:, None], (2, 25)))
    np.testing.assert_array_equal(statistics.high[:, 0], values.max((0, 2)))


def test_shared_statistics_merge_as_those_of_all_rows(rng):
    x = torch.from_numpy(rng.normal(size=(40, 2, 6)))
    x[rng.random(x.shape) < 0.3] = np.nan
    together = Statistics.of(x).shared((1,))
    merged = Statistics.of(x[:13]).shared((1,)).merge(Statistics.of(x[13:]).shared((1,)))
    for name in ("count", "mean", "m2", "low", "high"):
        torch.testing.assert_close(getattr(merged, name), getattr(together, name))
    np.testing.assert_allclose(together.deviation[:, 0], np.nanstd(x, (0, 2)))


def test_channels_have_units_of_their_own_even_where_they_share_a_range():
    fit = small("autoencoder").fit
    assert fit(Windows(SINE, 25)).likelihood_.get_params() == Gaussian(beta=1.0).get_params()
    assert isinstance(fit(Windows((SINE > 0).astype(float), 25)).likelihood_, Bernoulli)


# Estimators


def test_a_bump_is_found_where_it_is(tmp_path):
    windows = Windows(TWO)
    spoiled = TWO.copy()
    spoiled[400:406, 1] += 40
    model = small("autoencoder", max_epochs=40, backbone=MLP((16,)), learning_rate=0.01).fit(windows)
    save(model, tmp_path / "model.safetensors")
    new = windows.like(spoiled)
    scores = new.spread(model.score_samples(new))
    assert 390 < scores.argmin() < 416
    contributions = model.contributions(new)[:, :-2].reshape(-1, *windows.schema.shape)
    point, channel = np.unravel_index(new.spread(contributions).argmin(), (600, 2))
    assert 400 <= point < 406
    assert channel == 1
    assert model.reconstruct(new).shape == (len(new), 2, 30)
    again = load(tmp_path / "model.safetensors")
    assert again.schema_.shared_axes == (1,)
    np.testing.assert_array_equal(again.score_samples(new), model.score_samples(new))


def test_gaps_are_learned_around():
    series = TWO.copy()
    series[100:110] = np.nan
    windows = Windows(series, 20)
    scores = small("vae").fit(windows).score_samples(windows)
    assert np.isfinite(scores).all()


# Bad input


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        (SINE[:20], {"length": 21}, r"the series has 20 time points, fewer than the length=21 of a window"),
        (SINE, {"length": 0}, r'length must be "auto" or a positive integer, got 0'),
        (SINE, {"length": "period"}, r"length must be .*'period'"),
        (SINE, {"stride": 0}, r"stride must be a positive integer, got 0"),
        (SINE, {"time": "when"}, r"time='when' names a column of a data frame, got ndarray"),
        (TWO.reshape(-1, 2, 2), {}, r"a series is a dense array of shape .*, got \(300, 2, 2\)"),
        (pandas.DataFrame({"wen": STEPS, "a": SINE}), {"time": "when"}, r"no column 'when' of times.*mean 'wen'\?"),
        (pandas.DataFrame({"when": HOURS, "a": SINE}), {}, r"column 'when' holds Datetime.*expected numbers"),
        (pandas.DataFrame({"a": list("ab") * 300}), {}, r"column 'a' holds .*, expected numbers"),
        (np.where(STEPS == 7, np.inf, SINE), {}, r"channel 0 holds an infinite value at time point 7"),
        (np.array(["a", "b"]), {}, r"row 0, column 0 holds text"),
        (np.array([]), {}, r"0 sample\(s\)"),
    ],
)
def test_arguments_that_are_no_series_are_refused(series, options, message):
    with pytest.raises(ValueError, match=message):
        Windows(series, **options)


def test_constant_channels_are_kept_and_named():
    series = np.column_stack([SINE, np.full(600, 3.0), np.full(600, np.nan)])
    windows = Windows(series, 25)
    assert windows.constant == [1, 2]
    assert windows.schema.shape == (3, 25)


def test_rows_of_a_stream_cannot_be_taken_by_position(folder):
    from isthmus.data import Parquet

    with pytest.raises(TypeError, match="rows of Parquet cannot be taken by position"):
        Parquet(folder).take(np.arange(3))


def test_a_series_can_be_cut_again():
    windows = Windows(TWO, 25, 3)
    np.testing.assert_array_equal(rows_of(windows.cut(40)), rows_of(Windows(TWO, 40, 3)))
    assert windows.length == 25
    with pytest.raises(ValueError, match="600 time points, fewer than the length=601"):
        windows.cut(601)


# Times that are hard to read


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int64"])
def test_times_may_be_any_integers(dtype):
    frame = pandas.DataFrame({"when": np.arange(100).astype(dtype), "a": SINE[:100]})
    np.testing.assert_array_equal(rows_of(Windows(frame, 10, time="when")), rows_of(Windows(SINE[:100], 10)))
    with pytest.raises(ValueError, match=r"row 1 lies before the row before: 'when' is 98 after 99"):
        Windows(frame[::-1].reset_index(drop=True), 10, time="when")


def test_times_may_span_all_integers():
    times = np.array([-(2**63), -1, 2**63 - 1], dtype=np.int64)
    assert Windows(pandas.DataFrame({"when": times, "a": [1.0, 2.0, 3.0]}), 2, time="when").note == ""
    far = np.uint64(2**64 - 100) + np.arange(50, dtype=np.uint64)
    assert Windows(pandas.DataFrame({"when": far, "a": SINE[:50]}), 10, time="when").note == ""


@pytest.mark.parametrize(("row", "value"), [(0, -np.inf), (3, np.inf), (5, np.inf), (2, np.nan)])
@pytest.mark.parametrize("library", [pandas, polars])
def test_times_that_are_not_finite_are_named(library, row, value):
    times = np.arange(6.0)
    times[row] = value
    found = "has no time" if np.isnan(value) else f"holds {value}"
    with pytest.raises(ValueError, match=f"column 'when' {found} in row {row}"):
        Windows(library.DataFrame({"when": times, "a": np.arange(6.0)}), 3, time="when")


def in_parts(**changed):
    dates = pandas.DatetimeIndex(HOURS)
    parts = {name: getattr(dates, name).to_numpy() for name in ("year", "month", "day", "hour")}
    return pandas.DataFrame({**parts, "load": SINE, **changed})


@pytest.mark.parametrize("names", [("year", "month", "day", "hour"), ("hour", "day", "year", "month")])
def test_dates_in_parts_are_dates(names):
    windows = Windows(in_parts(), 24, time=names)
    np.testing.assert_array_equal(windows.times, HOURS.astype("datetime64[ns]"))
    assert windows.channels == ("load",)
    assert windows.note == ""


def test_date_parts_without_clear_names_are_read_in_order():
    frame = in_parts().rename(columns={"year": "a", "month": "m", "day": "d", "hour": "h"})
    windows = Windows(polars.from_pandas(frame), 24, time=("a", "m", "d", "h"))
    np.testing.assert_array_equal(windows.times, HOURS.astype("datetime64[ns]"))


def test_minutes_and_fractions_of_seconds_count():
    frame = pandas.DataFrame({"Year": 2026, "Month": 2, "Minute": [58, 58, 59], "Second": [0.0, 30.5, 1.0], "a": 1.0})
    windows = Windows(frame, 2, time=("Year", "Month", "Minute", "Second"))
    assert windows.times[1] == np.datetime64("2026-02-01T00:58:30.5")


def test_a_date_and_a_time_of_day_make_a_time():
    dates = [moment.date() for moment in HOURS.astype("datetime64[us]").tolist()]
    hours = [moment.time() for moment in HOURS.astype("datetime64[us]").tolist()]
    frame = pyarrow.table({"date": dates, "clock": hours, "load": SINE})
    np.testing.assert_array_equal(Windows(frame, 24, time=("date", "clock")).times, HOURS.astype("datetime64[ns]"))


@pytest.mark.parametrize(
    ("changed", "time", "message"),
    [
        ({"month": 13}, ("year", "month"), r"column 'month' is 13 in row 0, expected a month from 1 to 12"),
        ({"month": 2, "day": 30}, ("year", "month", "day"), r"row 0 holds day 30 of 2026-02"),
        ({"hour": 1.5}, ("year", "month", "day", "hour"), r"column 'hour' is 1.5 in row 0, expected a hour"),
        ({"hour": "noon"}, ("year", "hour"), r"column 'hour' holds String; times in several columns are numbers"),
        ({}, ("month", "day"), r"start with a year, then month, day, hour, minute, second; got \['month', 'day'\]"),
        ({}, ("year", "months"), r"there is no column 'months' of times"),
    ],
)
def test_date_parts_that_make_no_date_are_named(changed, time, message):
    with pytest.raises(ValueError, match=message):
        Windows(in_parts(**changed), 24, time=time)


def test_columns_may_change_places_but_not_names():
    frame = pandas.DataFrame(TWO, columns=["a", "b"])
    windows = Windows(frame, 25)
    np.testing.assert_array_equal(rows_of(windows.like(frame[["b", "a"]])), rows_of(windows))
    with pytest.raises(ValueError, match=r"channels \['a', 'c'\], but the first one had channels \['a', 'b'\]"):
        windows.like(frame.rename(columns={"b": "c"}))


@pytest.mark.parametrize(
    "nothing", [lambda n: [None] * n, lambda n: pyarrow.nulls(n).to_pylist(), lambda n: np.full(n, np.nan)]
)
@pytest.mark.parametrize("library", [pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_a_column_without_a_value_is_a_channel(library, nothing):
    windows = Windows(library({"a": TWO[:, 0], "b": nothing(600)}), 25)
    assert windows.n_missing.tolist() == [0, 600]


@pytest.mark.parametrize("library", [pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_columns_that_the_first_series_lacks_are_ignored(library):
    channels = {"a": TWO[:, 0], "b": TWO[:, 1]}
    windows = Windows(library(channels), 25)
    with pytest.warns(UserWarning, match="column 'state' of X was ignored: fit has not seen it"):
        again = windows.like(library({"b": TWO[:, 1], "state": ["on"] * len(TWO), "a": TWO[:, 0]}))
    np.testing.assert_array_equal(rows_of(again), rows_of(windows))


def test_names_of_channels_may_be_numbers():
    windows = Windows(pandas.DataFrame(TWO), 25)
    np.testing.assert_array_equal(rows_of(windows.like(pandas.DataFrame(TWO)[[1, 0]])), rows_of(windows))


def test_the_error_of_too_few_steps_names_the_length():
    hours, minutes = (pandas.date_range("2024-01-01", periods=300, freq=freq) for freq in ("h", "min"))
    windows = Windows(pandas.DataFrame({"when": hours, "a": SINE[:300]}), 25, time="when")
    with pytest.raises(ValueError, match="has 300 time points on 5 steps of 3600 s, fewer than the length=25"):
        windows.like(pandas.DataFrame({"when": minutes, "a": SINE[:300]}))


def test_the_error_shows_a_text_among_numbers():
    with pytest.raises(ValueError, match="column 'a' holds Object, such as 'err', expected numbers"):
        Windows(pandas.DataFrame({"a": [*SINE[:50], "err"]}, dtype=object), 25)


def test_windows_in_chunks_are_spread_as_all_at_once():
    windows = Windows(TWO, 7)
    values = np.random.default_rng(0).normal(size=(len(windows), 2, 7))
    parts = [np.arange(100), np.arange(100, len(windows))]
    spread = windows.spread_chunks([(windows.take(part), values[part]) for part in parts], (2,))
    np.testing.assert_allclose(spread, windows.spread(values), atol=1e-12)
