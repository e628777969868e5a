"""Imputation of gaps of series."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from isthmus import Autoencoder, SeriesImputer, load, save
from isthmus.backbones import MLP
from isthmus.cli.app import app
from isthmus.corruptions import HiddenChannels
from isthmus.data import Windows
from isthmus.gap_filling.gaps import Gaps, find_enclosed, interpolate_linearly, measure_gaps, sample_gaps
from isthmus.statistics import Statistics

STEPS = np.arange(1500)
RNG = np.random.default_rng(0)
WAVES = np.column_stack([np.sin(STEPS * 2 * np.pi / 24), 500 + 40 * np.sin(STEPS * 2 * np.pi / 24 + 1) ** 3])
WAVES = WAVES + RNG.standard_normal((1500, 2)) * [0.05, 2.0]
SINGLE, BLOCKS = np.arange(60, 1400, 23), [range(s, s + 12) for s in range(100, 1400, 130)]


def hidden(places, channel=slice(None)):
    series = WAVES.copy()
    for place in places:
        series[place, channel] = np.nan
    return series


def error(filled, series):
    lost = np.isnan(series)
    return np.sqrt(np.mean((((filled - WAVES) / WAVES.std(0))[lost]) ** 2))


def lines(series):
    return pd.DataFrame(series).interpolate(limit_direction="both").to_numpy()


@pytest.fixture(scope="module")
def fitted():
    train = WAVES.copy()
    for places in (SINGLE, *BLOCKS):
        train[places] = np.nan
    return SeriesImputer(48, random_state=0).fit(train)


def fit_briefly(imputer, series):
    """Fit with few training steps, where no value is compared with the true one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isthmus.gap_filling.series_imputer.N_STEPS", 100)
        return imputer.fit(series)


# Parts


def test_linear_interpolation_equals_that_of_numpy():
    x = torch.tensor([[np.nan, 1, np.nan, np.nan, 4, np.nan], [np.nan] * 6, [1, 2, 3, 4, 5, 6]], dtype=torch.float64)
    expected = [[1, 1, 2, 3, 4, 4], [0] * 6, [1, 2, 3, 4, 5, 6]]
    np.testing.assert_allclose(interpolate_linearly(x), expected)


def test_hidden_gaps_are_blocks_of_one_channel_or_all():
    hides = sample_gaps(torch.zeros((500, 3, 20)), torch.Generator().manual_seed(0)).numpy()
    n_channels = hides.any(2).sum(1)
    assert set(n_channels) == {1, 3}
    sizes = hides.sum(2).max(1)
    assert sizes.min() == 1
    assert 7 <= sizes.max() < 10
    assert (np.abs(np.diff(hides.astype(int), axis=2)).sum(2) <= 2).all()


def test_training_samples_contain_context_gap_and_hidden_values():
    gaps = Gaps(Windows(WAVES, 20), torch.tensor([[2.0], [50.0]]))
    x, again = (next(gaps.batches(30, seed=3)).x for _ in range(2))
    assert torch.equal(x.nan_to_num(9.0), again.nan_to_num(9.0))
    hides = x[:, 2:4].bool()
    assert torch.equal(x[:, 4:].isnan(), ~hides)
    assert hides.any()
    assert not x[:, :2].isnan().any()
    np.testing.assert_allclose(x[:, :2].mean(-1), 0, atol=1e-5)


def test_only_hidden_channels_are_evaluated():
    x = torch.arange(24.0).reshape(2, 3, 4)
    part = HiddenChannels(1)
    spoiled = part(x)
    assert torch.equal(spoiled[:, :2], x[:, :2])
    assert spoiled[:, 2].isnan().all()
    judged = part.target(x, spoiled)
    assert judged[:, :2].isnan().all()
    assert torch.equal(judged[:, 2], x[:, 2])


@pytest.mark.parametrize("n", [0, 3, 1.5])
def test_not_all_channels_can_be_hidden(n):
    with pytest.raises(ValueError, match="n of HiddenChannels must be a positive integer below 3"):
        HiddenChannels(n).build(Statistics.of(torch.randn(5, 3)))


def test_window_lengths_span_the_measured_gaps():
    missing = np.array([[False, True, True, False, True]])
    np.testing.assert_array_equal(measure_gaps(missing), [[1, 2, 2, 1, 1]])
    x = torch.where(torch.from_numpy(missing), torch.nan, 0.0)
    np.testing.assert_array_equal(find_enclosed(x), [[False, True, True, False, False]])


# Imputed values


def test_single_values_are_imputed_as_well_as_by_interpolation(fitted):
    series = hidden(SINGLE)
    assert error(fitted.impute(series), series) < 1.02 * error(lines(series), series)


@pytest.mark.parametrize("channel", [slice(None), 0, 1])
def test_blocks_are_imputed_better_than_by_interpolation(fitted, channel):
    series = hidden(BLOCKS, channel)
    assert error(fitted.impute(series), series) < 0.5 * error(lines(series), series)


def test_the_weight_of_the_net_grows_with_the_gap_and_the_error_is_reported(fitted):
    assert len(fitted.trust_) == len(fitted.relative_error_) == 5
    assert (fitted.trust_ >= 0).all()
    assert fitted.trust_[3:].min() > 0.7
    assert fitted.relative_error_[3:].max() < 0.6
    assert (fitted.relative_error_ <= 1).all()


def test_known_values_and_complete_series_are_unchanged(fitted):
    np.testing.assert_array_equal(fitted.impute(WAVES), WAVES)
    series = hidden(BLOCKS)
    known = ~np.isnan(series)
    np.testing.assert_array_equal(fitted.impute(series)[known], series[known])


def test_gaps_longer_than_every_window_are_interpolated(fitted):
    series = WAVES[:300].copy()
    series[100:200], series[:5], series[-3:] = np.nan, np.nan, np.nan
    filled = fitted.impute(series)
    np.testing.assert_allclose(filled, lines(series), rtol=1e-6)


def test_series_of_noise_are_interpolated():
    noise = np.random.default_rng(1).standard_normal(1200)
    model = SeriesImputer(16, random_state=0).fit(noise)
    series = noise.copy()
    series[50::40] = np.nan
    lost = np.isnan(series)
    straight = lines(series[:, None])[:, 0]
    assert np.std((model.impute(series) - noise)[lost]) < 1.05 * np.std((straight - noise)[lost])


# Containers


def in_frame(series):
    frame = pd.DataFrame(series, columns=["load", "heat"])
    frame.insert(1, "when", pd.date_range("2024-01-01", periods=len(series), freq="h"))
    return frame


@pytest.fixture(scope="module")
def of_frames():
    return fit_briefly(SeriesImputer(24, time="when", random_state=0), in_frame(hidden(BLOCKS)))


@pytest.mark.parametrize("make", [lambda f: f, pl.from_pandas, lambda f: pl.from_pandas(f).to_arrow()])
def test_data_frames_are_imputed_as_data_frames(of_frames, make):
    frame = in_frame(hidden(BLOCKS, 1))
    given = make(frame) if isinstance(make(frame), pd.DataFrame) else make(frame)
    filled = of_frames.impute(given)
    assert type(filled) is type(given)
    back = filled if isinstance(filled, pd.DataFrame) else filled.to_pandas()
    assert list(back.columns) == ["load", "when", "heat"]
    assert not back.isna().any().any()
    np.testing.assert_array_equal(back["load"], frame["load"])
    np.testing.assert_allclose(back["heat"], of_frames.impute(frame)["heat"])


def test_missing_time_points_do_not_shift_other_rows(of_frames):
    frame = in_frame(hidden(BLOCKS, 1)).drop(index=range(700, 720))
    with pytest.warns(UserWarning, match="lie in gaps"):
        filled = of_frames.impute(frame)
    assert len(filled) == 1480
    assert filled.index.tolist() == frame.index.tolist()
    assert not filled.isna().any().any()


def test_several_series_are_imputed_separately():
    series = WAVES[:1440].reshape(30, 48, 2).transpose(0, 2, 1).copy()
    broken = series.copy()
    broken[::3, 0, 20:30], broken[5, :, 7] = np.nan, np.nan
    model = SeriesImputer(32, random_state=0).fit(broken)
    filled = model.transform(broken)
    assert filled.shape == series.shape
    known = ~np.isnan(broken)
    np.testing.assert_array_equal(filled[known], broken[known])
    scale = WAVES.std(0)[:, None]
    assert np.sqrt(np.mean((((filled - series) / scale)[~known]) ** 2)) < 0.4
    np.testing.assert_allclose(model.transform(broken[:6]), filled[:6], rtol=1e-5)


def test_one_channel_of_integers_is_imputed():
    counts = np.round(50 + 40 * WAVES[:600, 0])
    frame = pd.DataFrame({"n": pd.array(counts.astype(int), dtype="Int64")})
    frame.loc[100:110, "n"] = pd.NA
    filled = SeriesImputer(24, random_state=0).fit(frame).impute(frame)
    assert str(filled["n"].dtype) == "Int64"
    assert np.abs(filled["n"].to_numpy(dtype=float) - counts).max() < 30


# Interface


def test_results_depend_on_the_seed_only():
    series = hidden(BLOCKS)
    state = torch.get_rng_state()
    model = SeriesImputer(8, random_state=1)
    first, second = (fit_briefly(clone(model), series[:300]).impute(series) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(state, torch.get_rng_state())


def test_a_net_of_ones_own_is_used_and_saved(tmp_path):
    net = Autoencoder(3, backbone=MLP((8,)), max_epochs=1, random_state=7)
    imputer = SeriesImputer(8, estimator=net, random_state=0).fit(WAVES[:200])
    assert (imputer.estimator_.n_components, imputer.estimator_.corruption.n) == (3, 2)
    assert (net.corruption, net.random_state) == (None, 7)
    save(imputer, tmp_path / "imputer.safetensors")
    again = load(tmp_path / "imputer.safetensors")
    series = hidden(SINGLE)
    np.testing.assert_array_equal(again.impute(series), imputer.impute(series))
    refitted, expected = (clone(each).fit(WAVES[:200]) for each in (again, imputer))
    np.testing.assert_array_equal(refitted.impute(series), expected.impute(series))


def test_another_kind_of_net_is_refused():
    with pytest.raises(TypeError, match="estimator must be an Autoencoder or None, got"):
        SeriesImputer(estimator=StandardScaler()).fit(WAVES)


def test_a_saved_imputer_gives_equal_results_after_loading(of_frames, tmp_path):
    save(of_frames, tmp_path / "imputer.safetensors")
    again = load(tmp_path / "imputer.safetensors")
    frame = in_frame(hidden(BLOCKS))
    pd.testing.assert_frame_equal(again.impute(frame), of_frames.impute(frame))
    assert again.get_params() == of_frames.get_params()
    save(again, tmp_path / "twice.safetensors")
    assert (tmp_path / "twice.safetensors").read_bytes() == (tmp_path / "imputer.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("length", "series", "message"),
    [
        (0, WAVES, 'length must be "auto" or an integer >= 3, got 0'),
        (2, WAVES, 'length must be "auto" or an integer >= 3, got 2'),
        ("long", WAVES, "length must be"),
        (16, np.column_stack([WAVES[:, 0], np.full(1500, np.nan)]), "channel 1 has no value in the training series"),
        (64, WAVES[:20], "20 time points, fewer than the length=64"),
        ("auto", np.arange(3.0), "the series has 3 time points, expected at least 12"),
        ("auto", WAVES[:11], "the series has 11 time points, expected at least 12"),
        ("auto", np.ones((5, 1, 2)), "the series has 2 time points, expected at least 3"),
    ],
)
def test_impossible_arguments_are_named(length, series, message):
    with pytest.raises(ValueError, match=message):
        SeriesImputer(length).fit(series)


def test_short_series_take_no_more_steps_than_long_ones(monkeypatch):
    monkeypatch.setattr("isthmus.gap_filling.series_imputer.N_STEPS", 7)
    assert len(SeriesImputer(random_state=0).fit(WAVES[:12]).estimator_.history_) == 7


# Command line


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    in_frame(hidden(BLOCKS))[:700].to_csv("series.csv", index=False)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_a_series_is_fitted_and_filled(folder, monkeypatch):
    monkeypatch.setattr("isthmus.gap_filling.series_imputer.N_STEPS", 400)
    done = run("fit", "series.csv", "--time", "when", "--out", "imputer.safetensors")
    assert done.exit_code == 0, done.output
    assert "16 to 31 steps: 0." in done.output
    assert "700 time points x 2 channels" in done.output
    done = run("impute", "imputer.safetensors", "series.csv", "--out", "filled.csv")
    assert done.exit_code == 0, done.output
    assert "filled 120 cells (load 60, heat 60)" in done.output
    filled = pd.read_csv("filled.csv")
    assert not filled.isna().any().any()
    assert filled["when"].tolist() == pd.read_csv("series.csv")["when"].tolist()
    done = run("impute", "imputer.safetensors", "series.csv", "--draws", "3")
    assert done.exit_code == 2
    assert run("info", "imputer.safetensors").exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time", "wen"], "has no column 'wen' of times"),
        (["--time", "when", "--model", "vae"], "takes no --model"),
        (["--time", "when", "--set", "n_components=3"], "takes no --model, --set"),
    ],
)
def test_options_that_do_not_suit_a_series_are_refused(folder, options, message):
    done = run("fit", "series.csv", *options)
    assert done.exit_code == 2
    assert message in done.output
    assert not (folder / "series.safetensors").exists()


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_cells_are_filled_by_the_names_of_their_columns(library):
    channels = dict(zip("ab", hidden([range(60, 66)])[:300].T, strict=True))
    model = fit_briefly(SeriesImputer(24, random_state=0), library(channels))
    expected = model.impute(library(channels))
    np.testing.assert_array_equal(model.impute(library(channels)[["b", "a"]])["b"], expected["b"])
    with pytest.warns(UserWarning, match="'state' of X was ignored"):
        filled = model.impute(library({"state": ["on"] * 300, **channels}))
    assert list(filled.columns) == ["state", "a", "b"]
    np.testing.assert_array_equal(filled["a"], expected["a"])
