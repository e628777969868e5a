"""``isthmus detect``."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from isthmus.anomaly import Event
from isthmus.anomaly.channel_limits import ChannelLimits
from isthmus.cli.app import app
from isthmus.cli.detecting_series import _describe_event

QUICK = ["--model", "autoencoder", "--set", "max_epochs=3", "--set", "backbone.hidden=[16]"]


@pytest.fixture
def folder(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame(rng.standard_normal((300, 3)), columns=["a", "b", "c"])
    rows["d"] = rows["a"] - rows["b"]
    rows["city"] = rng.choice(["Oslo", "Bergen"], 300)
    rows.to_csv("normal.csv", index=False)
    odd = rows.iloc[:50].copy()
    odd.loc[7, "c"] = 60.0
    odd.to_csv("new.csv", index=False)
    t = np.arange(900)
    series = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=900, freq="h"), "load": np.sin(t / 4)})
    series["load"] += 0.05 * rng.standard_normal(900)
    series.iloc[:700].to_csv("train.csv", index=False)
    series.loc[800:820, "load"] = 4.0
    series.iloc[700:].to_csv("test.csv", index=False)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["detect", *arguments])


def test_anomalous_rows_are_written_and_explained(folder):
    done = run("new.csv", "--normal", "normal.csv", "--explain", "1")
    assert done.exit_code == 0, done.output
    alarms = pyarrow.csv.read_csv("new.alarms.csv").to_pandas()
    assert alarms.loc[0, ["row", "c"]].tolist() == [7, 60.0]
    assert alarms["score"].is_monotonic_increasing
    assert alarms["p_value"].is_monotonic_increasing
    assert alarms.loc[0, "p_value"] == pytest.approx(1 / 301)
    assert "row 7: c = 60, expected" in done.output
    assert alarms.loc[0, "columns"].startswith("c")
    assert alarms.loc[0, "reasons"].startswith("c = 60, expected ")
    assert "learning from" not in done.output
    assert "(less than 1 false alarm expected if all 50 rows are normal)" in done.output


def test_values_outside_those_of_the_normal_rows_are_named_if_no_alarm_has_them(folder, monkeypatch):
    options = ["test.csv", "--normal", "train.csv", "--time", "time", *QUICK]
    assert "without an alarm" not in run(*options).output
    monkeypatch.setattr("isthmus.AnomalyDetector.events", lambda self, X: [])
    series = pd.read_csv("test.csv")
    outside = series.loc[series["load"] > 1.5, "load"]
    line = next(line for line in run(*options, "--force").output.splitlines() if line.startswith("without an alarm"))
    assert line.startswith(
        f"without an alarm: load 4 at {len(outside)} points from 2024-02-03 08:00 on, learned from -1."
    )


def test_a_stuck_sensor_is_named(folder):
    series = pd.read_csv("train.csv")
    series.to_csv("calm.csv", index=False)
    options = ["--normal", "train.csv", "--time", "time", *QUICK]
    assert "stuck sensor" not in run("calm.csv", *options).output
    series.loc[20:34, "load"] = 0.25
    series.to_csv("stuck.csv", index=False)
    line = f"stuck sensor? load is 0.25 at 15 points from {series.time[20][:16]} on, learned from at most 1 "
    assert line in run("stuck.csv", *options).output


def test_a_saved_detector_names_stuck_and_dead_sensors(folder):
    series = pd.read_csv("test.csv")
    series["load"] = np.sin(np.arange(700, 900) / 4) + 0.05 * np.random.default_rng(1).standard_normal(200)
    run("train.csv", "--time", "time", "--save", "d.safetensors", *QUICK)
    series.to_csv("calm.csv", index=False)
    again = ["--detector", "d.safetensors", "--exit-code", "--force"]
    for text in ("stuck", "dead"):
        assert f"{text} sensor" not in run("calm.csv", *again).output
    series.loc[22:36, "load"] = 0.25
    series.to_csv("stuck.csv", index=False)
    done = run("stuck.csv", *again)
    assert f"stuck sensor? load is 0.25 at 15 points from {series.time[22][:16]} on" in done.output
    assert done.exit_code == 1
    series.loc[22:36, "load"] = np.nan
    series.to_csv("dead.csv", index=False)
    with pytest.warns(UserWarning, match="values are missing"):
        done = run("dead.csv", *again)
    where = f"15 points from {series.time[22][:16]} on"
    assert f"dead sensor? load has no value at {where}, learned from at most 0 missing values in a row" in done.output
    assert done.exit_code == 1


def test_an_event_names_other_channels_outside_the_rows_of_fit():
    low, high, runs = np.array([0.0, 20.0]), np.array([5.0, 50.0]), np.array([1, 1])
    limits = ChannelLimits(low, high, runs, 0 * runs)
    names = ["outdoor", "heating"]
    windows = SimpleNamespace(channel_limits_=limits, feature_names_in_=names, n_features_in_=2)
    X = pa.table({"outdoor": [1.0, 2, 3, 4], "heating": [30.0, 12, 19, 30]})
    during = np.array([False, True, True, False])
    event = Event(1, 2, 1, n_points=2, severity=9.0, channels=("outdoor",))
    text = _describe_event(event, SimpleNamespace(estimator_=windows), X, during, ~during)
    assert text == (
        "outdoor 2 to 3 within the usual 1 to 4, but unusual in their course or beside the other channels; heating 12, "
        "learned from 20 to 50"
    )


def test_of_many_stuck_sensors_some_are_named(folder):
    series = pd.read_csv("train.csv").assign(**{name: lambda frame: frame["load"] for name in "abcdef"})
    series.to_csv("wide.csv", index=False)
    series.loc[20:34, series.columns[1:]] = 0.25
    series.to_csv("stuck.csv", index=False)
    done = run("stuck.csv", "--normal", "wide.csv", "--time", "time", *QUICK)
    assert done.output.count("stuck sensor? ") == 5
    assert "\n... and 2 more channels\n" in done.output


def test_a_missing_column_is_named_before_the_fit(folder, monkeypatch):
    monkeypatch.setattr("isthmus.AnomalyDetector.fit", None)
    pd.read_csv("test.csv").rename(columns={"load": "flow"}).to_csv("other.csv", index=False)
    done = run("other.csv", "--normal", "train.csv", "--time", "time", *QUICK)
    assert done.exit_code == 2
    assert "'other.csv' lacks columns of 'train.csv': 'load'" in done.output.replace("\n", " ")


def test_a_unit_of_a_series_is_named(folder):
    series = pd.read_csv("test.csv")
    series.assign(load=100 * series["load"]).to_csv("unit.csv", index=False)
    done = run("unit.csv", "--normal", "train.csv", "--time", "time", *QUICK)
    assert "check the unit of 'load' in unit.csv" in done.output.replace("\n", " ")


def test_a_column_in_another_unit_is_named(folder):
    rows = pd.read_csv("new.csv")
    rows.assign(c=1000 * rows["c"]).to_csv("unit.csv", index=False)
    done = run("unit.csv", "--normal", "normal.csv")
    assert done.exit_code == 0, done.output
    assert "shifted columns ('c'): in unit.csv, values are about 1000 times those of X" in done.output
    assert "shifted columns" not in run("new.csv", "--normal", "normal.csv", "--force").output


def test_a_saved_detector_of_a_table_finds_the_same_and_names_another_unit(folder):
    rows = pd.read_csv("new.csv")
    rows.assign(c=1000 * rows["c"]).to_csv("unit.csv", index=False)
    done = run("new.csv", "--normal", "normal.csv", "--save", "d.safetensors", "--out", "first.csv")
    assert done.exit_code == 0, done.output
    done = run("new.csv", "--detector", "d.safetensors", "--out", "second.csv")
    assert done.exit_code == 0, done.output
    pd.testing.assert_frame_equal(pd.read_csv("second.csv"), pd.read_csv("first.csv"))
    done = run("unit.csv", "--detector", "d.safetensors")
    assert "shifted columns ('c'): in unit.csv, values are about 1000 times those of X" in done.output


def test_without_other_rows_a_detector_is_fitted_to_the_given_rows_and_saved(folder):
    options = ["--contamination", "0.02", "--out", "x.parquet", "--save", "d.safetensors", *QUICK]
    done = run("new.csv", *options, "--without", "city")
    assert done.exit_code == 0, done.output
    assert "wrote x.parquet: 1 alarm (" in done.output
    assert done.output.index("learning from new.csv itself") < done.output.index("fitting a detector")
    assert "--normal FILE" in done.output
    assert "city" in pyarrow.parquet.read_table("x.parquet").column_names
    assert {"x.parquet", "d.safetensors"} <= {path.name for path in folder.iterdir()}


def test_the_option_fdr_bounds_the_false_discovery_rate(folder):
    done = run("new.csv", "--normal", "normal.csv", "--fdr", "0.2", *QUICK)
    assert done.exit_code == 0, done.output
    assert "on average at most 0.2 of them false" in done.output


def test_detect_finds_events_in_series_and_a_saved_detector_finds_the_same(folder):
    options = ["--normal", "train.csv", "--time", "time", "--explain", "1", "--save", "d.safetensors"]
    done = run("test.csv", *options, "--out", "events.csv")
    assert done.exit_code == 0, done.output
    events = pyarrow.csv.read_csv("events.csv").to_pandas()
    worst = events.loc[events["severity"].idxmax()]
    assert worst["start"] <= pd.Timestamp("2024-02-03 16:00") <= worst["end"]
    assert worst["channels"] == "load"
    assert "severity" in done.output
    assert ": load 4 at 21 points in a row, usually -1.1 to 1.1" in done.output
    assert str(worst["start"]) == "2024-02-03 08:00:00"
    assert worst["n_points"] == 21
    assert "\n2024-02-03 08:00:00,2024-02-04 04:00:00," in (folder / "events.csv").read_text()
    again = run("test.csv", "--detector", "d.safetensors", "--out", "again.csv")
    assert again.exit_code == 0, again.output
    assert (folder / "events.csv").read_text() == (folder / "again.csv").read_text()


def test_a_saved_detector_finds_the_same_anomalies(folder):
    options = ["--without", "city", "--explain", "2"]
    first = run("new.csv", "--normal", "normal.csv", "--save", "d.safetensors", "--out", "first.csv", *options)
    again = run("new.csv", "--detector", "d.safetensors", "--out", "again.csv", *options)
    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert (folder / "first.csv").read_text() == (folder / "again.csv").read_text()
    found, found_again = (said.stdout[said.stdout.index("wrote ") :] for said in (first, again))
    assert found == found_again.replace("again.csv", "first.csv")
    assert pd.read_csv("again.csv").columns.tolist() == [
        "row",
        "score",
        "p_value",
        "columns",
        "reasons",
        "a",
        "b",
        "c",
        "d",
        "city",
    ]


def test_result_columns_do_not_replace_columns_of_the_file(folder):
    rows = pd.read_csv("new.csv").assign(row=range(100, 150), score="mine")
    rows.to_csv("named.csv", index=False)
    done = run("named.csv", "--normal", "normal.csv", "--columns", "a", "--columns", "c", "--out", "out.csv")
    assert done.exit_code == 0, done.output
    alarms = pd.read_csv("out.csv")
    assert alarms.columns.tolist() == ["row_", "score_", "p_value", "columns", "reasons", *rows.columns]
    assert alarms.loc[0, ["row_", "row", "score"]].tolist() == [7, 107, "mine"]


def test_a_column_of_a_fitted_detector_cannot_be_left_out(folder):
    run("new.csv", "--normal", "normal.csv", "--save", "own.safetensors", "--out", "first.csv", "--without", "city")
    done = run("new.csv", "--detector", "own.safetensors", "--out", "again.csv", "--without", "a")
    assert done.exit_code == 2
    assert "the detector was fitted on column 'a', so --without cannot leave the column out" in done.output
    assert not (folder / "again.csv").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--fpr", "0.1"],
        ["--contamination", "0.1"],
        ["--normal", "normal.csv"],
        ["--model", "vae"],
        ["--kind", "city=category"],
        ["--lengths", "12"],
    ],
)
def test_a_fitted_detector_takes_no_options_of_a_fit(folder, options):
    (folder / "d.safetensors").touch()
    done = run("new.csv", "--detector", "d.safetensors", *options)
    assert done.exit_code == 2
    assert "is not used with --detector" in done.output
    assert options[0] in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv"], "there is no file 'nothing.csv'"),
        (["test.csv", "--time", "when"], "has no column 'when' of times, only 'time', "),
        (["new.csv", "--fpr", "0.0001"], "needs at least 9999 calibration rows, got 50"),
        (["new.csv", "--fpr", "0.01", "--contamination", "0.1"], "--fpr and --contamination are different rules"),
        (
            ["new.csv", "--fpr", "0.1", "--fdr", "0.1"],
            "--fpr and --fdr are different rules for alarms",
        ),
        (["new.csv", "--fdr", "0.1", "--contamination", "0.1"], "--fdr and --contamination are different rules"),
        (["new.csv", "--out", "alarms.npy"], ".csv"),
        (["new.csv", "--without", "x"], "has no column 'x'"),
        (["new.csv", "--kind", "city=category"], "add --model, such as --model vae"),
    ],
)
def test_errors_are_one_sentence(folder, arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
    assert not list(folder.glob("*.alarms.*"))


def in_parts(path, target, **changed):
    frame = pd.read_csv(path)
    dates = pd.DatetimeIndex(frame.pop("time"))
    parts = {name: getattr(dates, name) for name in ("year", "month", "day", "hour")}
    pd.DataFrame({**parts, **frame, **changed}).to_csv(target, index=False)


def test_dates_in_parts_are_the_times_of_a_series(folder):
    whole = run("test.csv", "--normal", "train.csv", "--time", "time", "--out", "whole.csv", *QUICK)
    assert whole.exit_code == 0, whole.output
    in_parts("train.csv", "train_parts.csv")
    in_parts("test.csv", "test_parts.csv")
    times = [word for name in ("year", "month", "day", "hour") for word in ("--time", name)]
    done = run("test_parts.csv", "--normal", "train_parts.csv", *times, "--out", "parts.csv", *QUICK)
    assert done.exit_code == 0, done.output
    assert (folder / "parts.csv").read_text() == (folder / "whole.csv").read_text()
    chosen = run("test_parts.csv", "--normal", "train_parts.csv", *times, "--columns", "load", *QUICK)
    assert chosen.exit_code == 0, chosen.output


def test_an_option_of_one_value_given_twice_is_refused(folder):
    done = run("new.csv", "--normal", "normal.csv", "--fpr", "0.1", "--fpr", "0.2")
    assert done.exit_code == 2
    assert "--fpr takes one value, but is given 2 times" in done.output
    assert not (folder / "new.alarms.csv").exists()


def test_a_warning_names_a_rate_for_which_the_series_is_too_short(folder):
    done = run("test.csv", "--normal", "train.csv", "--time", "time", "--fpr", "0.001", *QUICK)
    assert done.exit_code == 0, done.output
    assert "of normal time points on average; 0.1 % needs about" in done.output
    done = run("test.csv", "--normal", "train.csv", "--time", "time", "--fpr", "0.2", "--out", "x.csv", *QUICK)
    assert "false alarms: at most 20 % of normal time points on average\n" in done.output


@pytest.mark.parametrize("name", ["events.png", "events.svg"])
def test_the_option_plot_draws_a_series_and_its_events(folder, name):
    done = run("test.csv", "--normal", "train.csv", "--time", "time", "--plot", name, *QUICK)
    assert done.exit_code == 0, done.output
    assert f"wrote {name}" in done.output
    assert (folder / name).stat().st_size > 5000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--plot", "events.png"], "name its column of times with --time"),
        (["--time", "time", "--plot", "events.txt"], "events.txt"),
    ],
)
def test_data_that_cannot_be_drawn_is_refused(folder, options, message):
    done = run("test.csv", "--normal", "train.csv", *options, *QUICK)
    assert done.exit_code == 2
    assert message in done.output
    assert not (folder / "test.alarms.csv").exists()


def test_short_events_are_told_apart_and_shown_with_their_values(folder):
    series = pd.read_csv("test.csv")
    series["load"] = np.sin(np.arange(700, 900) / 4)
    starts = (40, 100, 150)
    for start in starts:
        series.loc[start : start + 3, "load"] += 5.0
    series.to_csv("spikes.csv", index=False)
    options = ["--normal", "train.csv", "--time", "time", "--lengths", "8, 24", "--explain", "3"]
    done = run("spikes.csv", *options, "--save", "d.safetensors", "--out", "events.csv")
    assert done.exit_code == 0, done.output
    assert "windows of 8, 24 time points; --lengths sets others\nwrote events.csv: 3 events, " in done.output
    assert " of 200 time points\nfalse alarms: 1 % of normal time points are asked for (--fpr), but" in done.output
    events = pyarrow.csv.read_csv("events.csv").to_pandas()
    times = pd.to_datetime(series["time"])
    assert (events["start"] <= times.iloc[list(starts)].to_numpy()).all()
    assert (events["end"] >= times.iloc[[start + 3 for start in starts]].to_numpy()).all()
    assert events["n_points"].max() < 4 + 8  # less than a window more than the event
    assert done.output.count("usually -1 to 1") == 3
    assert (events["expected_if_normal"] >= 200 / 700).all()
    assert done.output.count("severity") == done.output.count(", expected if normal ") == 3
    assert "more than a third" not in done.output
    again = run("spikes.csv", "--detector", "d.safetensors", "--time", "time", "--out", "again.csv")
    assert again.exit_code == 0, again.output
    other = run("spikes.csv", "--detector", "d.safetensors", "--time", "load", "--out", "other.csv")
    assert other.exit_code == 2
    assert "fitted with the times in 'time', which 'spikes.csv' has: leave --time out" in other.output
    renamed = series.rename(columns={"time": "when"}).assign(note="x")
    renamed.to_csv("renamed.csv", index=False)
    for wrong in ([], ["--time", "then"]):
        other = run("renamed.csv", "--detector", "d.safetensors", *wrong, "--out", "other.csv")
        assert other.exit_code == 2
        assert "lacks: name as many columns with its own times by --time; it has 'when', 'load', 'note'" in other.output
    other = run("renamed.csv", "--detector", "d.safetensors", "--time", "when", "--out", "other.csv")
    assert other.exit_code == 0, other.output
    assert (folder / "other.csv").read_text() == (folder / "again.csv").read_text()
    assert "ignored, as the detector was not fitted on them: 'note'" in other.output


def test_the_worst_events_are_written_and_explained_in_order_of_time(folder):
    series = pd.read_csv("test.csv")
    series["load"] = np.sin(np.arange(700, 900) / 4)
    for start, height in ((40, 5.0), (100, 20.0), (150, 10.0)):
        series.loc[start : start + 3, "load"] += height
    series.to_csv("spikes.csv", index=False)
    options = ["--normal", "train.csv", "--time", "time", "--lengths", "8,24", "--save", "d.safetensors"]
    assert run("spikes.csv", *options, "--out", "all.csv").exit_code == 0
    done = run("spikes.csv", "--detector", "d.safetensors", "--top", "2", "--out", "worst.csv")
    assert done.exit_code == 0, done.output
    assert "wrote worst.csv: the worst 2 of 3 events, " in done.output
    assert done.output.count("usually") == 2
    every, worst = pd.read_csv("all.csv"), pd.read_csv("worst.csv")
    pd.testing.assert_frame_equal(worst, every.iloc[1:].reset_index(drop=True))
    one = run("spikes.csv", "--detector", "d.safetensors", "--top", "2", "--explain", "1", "--out", "one.csv")
    assert one.output.count("usually") == 1


def test_the_worst_rows_are_written_and_explained(folder):
    rows = pd.read_csv("new.csv")
    rows.loc[[3, 4], "c"] = [30.0, 90.0]
    rows.to_csv("odd.csv", index=False)
    done = run("odd.csv", "--normal", "normal.csv", "--without", "city", "--top", "2")
    assert done.exit_code == 0, done.output
    assert pd.read_csv("odd.alarms.csv")["row"].tolist() == [4, 7]
    n_alarms = int(done.output.partition("the worst 2 of ")[2].split()[0])
    assert n_alarms >= 3
    assert "row 4: c = 90" in done.output
    assert "row 3: " not in done.output


@pytest.mark.parametrize("options", [[], ["--time", "time"]])
def test_the_exit_code_tells_whether_there_are_alarms(folder, options):
    data, normal = ("test.csv", "train.csv") if options else ("new.csv", "normal.csv")
    saved = run(data, "--normal", normal, *options, "--save", "d.safetensors", "--exit-code", *QUICK)
    assert saved.exit_code == 1, saved.output
    rows = pd.read_csv(normal)
    typical = rows.iloc[100:200] if options else rows.iloc[[rows[["a", "b", "c"]].abs().max(axis=1).argmin()]]
    typical.to_csv("calm.csv", index=False)
    calm = run("calm.csv", "--detector", "d.safetensors", "--exit-code")
    assert ": 0 " in calm.output
    assert calm.exit_code == 0
    assert run("missing.csv", "--detector", "d.safetensors", "--exit-code").exit_code == 2


def test_values_within_their_usual_range_are_unusual_in_another_way(folder):
    t = np.arange(900)
    clean = pd.DataFrame({"time": t, "load": np.sin(t / 4).round(4), "twin": np.sin(t / 4).round(4)})
    clean.to_csv("clean.csv", index=False)
    broken = clean.iloc[:300].copy()
    broken.loc[60:79, "twin"] *= -1
    broken.loc[200:229, "load"] = 0.5
    broken.to_csv("broken.csv", index=False)
    done = run("broken.csv", "--normal", "clean.csv", "--time", "time", "--lengths", "12,24", "--explain", "9")
    assert done.exit_code == 0, done.output
    assert " within the usual -1 to 1, but unusual in their course or beside the other channels" in done.output
    assert ": load 0.5 at " in done.output
    assert " points in a row" in done.output


def test_without_normal_data_nothing_is_said_about_the_events_that_these_would_have(folder):
    done = run("test.csv", "--time", "time", "--lengths", "12", "--explain", "3", "--fpr", "0.2")
    assert done.exit_code == 0, done.output
    assert pd.read_csv("test.alarms.csv")["expected_if_normal"].isna().all()
    assert "severity" in done.output
    assert "if normal" not in done.output


def test_score_finds_the_points_of_the_events_that_detect_finds(folder):
    assert run("test.csv", "--normal", "train.csv", "--time", "time", "--save", "d.safetensors").exit_code == 0
    assert (
        run("test.csv", "--time", "time", "--fpr", "0.2", "--save", "own.safetensors", "--out", "own.csv").exit_code
        == 0
    )
    times = pd.read_csv("test.csv", parse_dates=["time"])["time"]
    for events, detector in (("test.alarms.csv", "d.safetensors"), ("own.csv", "own.safetensors")):
        done = CliRunner().invoke(app, ["score", detector, "test.csv", "--out", "scores.csv", "--force"])
        assert done.exit_code == 0, done.output
        scores = pd.read_csv("scores.csv", parse_dates=["time"])
        assert scores.columns.tolist() == ["time", "score", "p_value", "is_anomaly"]
        assert scores["time"].tolist() == times.tolist()
        found = pd.read_csv(events, parse_dates=["start", "end"])
        inside = [any(found["start"].le(time) & found["end"].ge(time)) for time in times]
        assert scores["is_anomaly"].tolist() == inside
        assert any(inside)


def test_a_saved_detector_says_that_it_has_seen_the_rows_of_its_fit(folder):
    said = "the saved detector has seen these rows"
    assert said in run("new.csv", "--fpr", "0.1", "--save", "own.safetensors").output
    assert said not in run("new.csv", "--fpr", "0.1", "--force").output
    assert said not in run("new.csv", "--normal", "normal.csv", "--save", "d.safetensors", "--force").output


def test_regular_dates_of_a_table_may_be_the_times_of_a_series(folder):
    said = "the dates in 'time' are regular: if the rows are a series, --time time finds its events"
    done = run("train.csv", "--fpr", "0.1", *QUICK)
    assert done.exit_code == 0, done.output
    assert said in done.output
    shuffled = pd.read_csv("train.csv").sample(frac=1.0, random_state=0)
    shuffled.to_csv("shuffled.csv", index=False)
    assert said not in run("shuffled.csv", "--fpr", "0.1", *QUICK).output


@pytest.mark.parametrize(
    ("data", "normal", "name", "message"),
    [
        ("test.csv", "renamed.csv", "time", "'renamed.csv' has no column 'time' of times as 'test.csv' has: both"),
        ("test.csv", "renamed.csv", "when", "'test.csv' has no column 'when' of times as 'renamed.csv' has: both"),
        ("renamed.csv", "test.csv", "when", "'test.csv' has no column 'when' of times as 'renamed.csv' has: both"),
    ],
)
def test_times_with_another_name_in_one_file_are_named(folder, data, normal, name, message):
    pd.read_csv("train.csv").rename(columns={"time": "when"}).to_csv("renamed.csv", index=False)
    done = run(data, "--normal", normal, "--time", name)
    assert done.exit_code == 2
    assert message in done.output


def test_the_column_of_times_may_be_named_twice_and_among_the_columns(folder):
    options = ["test.csv", "--normal", "train.csv", "--time", "time", *QUICK]
    assert run(*options, "--out", "once.csv").exit_code == 0
    done = run(*options, "--time", "time", "--columns", "load", "--columns", "time", "--out", "twice.csv")
    assert done.exit_code == 0, done.output
    assert (folder / "twice.csv").read_text() == (folder / "once.csv").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "time"], "no column of 'test.csv' is left beside that of its times: a series needs channels"),
        (["--without", "time"], "column 'time' holds the times (--time), so --without cannot leave it out"),
    ],
)
def test_columns_that_are_needed_cannot_be_left_out(folder, options, message):
    done = run("test.csv", "--normal", "train.csv", "--time", "time", *options)
    assert done.exit_code == 2
    assert message in done.output


def test_alarms_at_most_time_points_come_with_advice(folder):
    series = pd.read_csv("test.csv").assign(load=4.0)
    series.to_csv("dead.csv", index=False)
    done = run("dead.csv", "--normal", "train.csv", "--time", "time", "--lengths", "8", *QUICK)
    assert done.exit_code == 0, done.output
    assert "1 event, 200 of 200 time points" in done.output
    assert "learn from a normal part with --normal, or use shorter windows, such as --lengths 12,36" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time", "time", "--lengths", "12,x"], "--lengths must be numbers of time points such as 12,36, got '12,x'"),
        (["--time", "time", "--lengths", "0"], "--lengths must be numbers of time points"),
        (["--lengths", "12"], "name its column of times with --time"),
        (["--time", "time", "--fdr", "0.1"], "--fdr assumes independent rows, which time points are not: use --fpr"),
    ],
)
def test_options_that_do_not_fit_a_series_are_refused(folder, options, message):
    done = run("test.csv", "--normal", "train.csv", *options)
    assert done.exit_code == 2
    assert message in done.output
    assert not (folder / "test.alarms.csv").exists()


def test_a_detector_of_rows_takes_no_times(folder):
    run("new.csv", "--normal", "normal.csv", "--save", "rows.safetensors", "--out", "first.csv")
    done = run("new.csv", "--detector", "rows.safetensors", "--time", "a", "--out", "again.csv")
    assert done.exit_code == 2
    assert "--time is for series, but 'rows.safetensors' is a detector of single rows" in done.output
