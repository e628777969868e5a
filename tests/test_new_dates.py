"""Dates outside the range of fit, in detectors of rows."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from isthmus import AnomalyDetector, Autoencoder, ExemplarDistance, load, save
from isthmus.anomaly.dates import move_into_range, replace_unknown_dates
from isthmus.cli.app import app
from isthmus.schema import Field

MONDAY = pd.Timestamp("2024-01-01")
BEYOND = "dates outside the range of fit are not scored"


def month(seed, start=MONDAY, n_rows=400):
    """Rows of thirty days; the rows 7 and 8 are anomalous."""
    rng = np.random.default_rng(seed)
    amount = rng.standard_normal(n_rows)
    days = pd.to_timedelta(np.sort(30 * rng.random(n_rows)), unit="D")
    return pd.DataFrame(
        {
            "when": (start + days).floor("min"),
            "amount": amount,
            "price": amount + 0.3 * rng.standard_normal(n_rows),
            "city": rng.choice(["Oslo", "Bergen", "Molde"], n_rows),
        }
    )


def next_month():
    rows = month(1, pd.Timestamp("2024-02-01"))
    rows.loc[7, "amount"], rows.loc[8, "price"] = 40.0, 40.0
    return rows


@pytest.fixture(scope="module")
def fitted():
    return AnomalyDetector(ExemplarDistance(random_state=0), fpr=0.02, random_state=0).fit(month(0))


def test_dates_after_those_of_fit_do_not_count_in_the_score(fitted):
    with pytest.warns(UserWarning, match=f"{BEYOND}: 400 of 400 in column 'when'"):
        alarms = fitted.predict(next_month()) == -1
    assert alarms[[7, 8]].all()
    assert alarms.mean() < 0.06


@pytest.mark.parametrize("weeks", [-200, 3, 7, 500])
def test_the_distance_of_a_later_date_does_not_change_the_score(fitted, weeks):
    rows = month(2)
    rows["when"] = MONDAY + pd.Timedelta("12:00:00")
    late = rows.assign(when=rows["when"] + pd.Timedelta(weeks=weeks + 5))
    later = rows.assign(when=rows["when"] + pd.Timedelta(weeks=weeks + (6 if weeks > 0 else 4)))
    with pytest.warns(UserWarning, match=BEYOND):
        np.testing.assert_array_equal(fitted.score_samples(late), fitted.score_samples(later))


def test_dates_in_the_range_of_fit_count_in_the_score(fitted):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = fitted.score_samples(month(0))
    np.testing.assert_array_equal(scores, fitted.estimator_.score_samples(month(0)))


def test_days_move_by_whole_weeks_into_the_range():
    field = Field("when", "Datetime", "date", low=0.25, high=30.5)
    days = np.array([0.25, 30.5, 31.25, 100.75, -0.5, -14.0, np.nan])
    known = move_into_range(days, field)
    np.testing.assert_allclose(known, [0.25, 30.5, 24.25, 30.75 - 7 + 0.0, 6.5, 7.0, np.nan], equal_nan=True)
    moved = (known - days)[:-1]
    np.testing.assert_array_equal(moved, 7 * np.round(moved / 7))


def test_dates_moved_into_short_ranges_keep_the_time_of_day_if_possible():
    days = np.array([5.75, -5.75])
    np.testing.assert_allclose(move_into_range(days, Field("t", "Datetime", "date", low=0.5, high=2.0)), [1.75, 1.25])
    np.testing.assert_allclose(move_into_range(days, Field("t", "Datetime", "date", low=0.5, high=0.75)), [0.75, 0.75])


def as_objects(frame):
    return frame.assign(when=[None if pd.isna(value) else value.date() for value in frame["when"]])


FORMS = {
    "pandas": lambda frame: frame,
    "zone": lambda frame: frame.assign(when=frame["when"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
    "seconds": lambda frame: frame.assign(when=frame["when"].astype("datetime64[s]")),
    "objects": as_objects,
    "polars": pl.from_pandas,
    "polars dates": lambda frame: pl.from_pandas(frame).with_columns(pl.col("when").dt.date()),
    "pyarrow": lambda frame: pl.from_pandas(frame).to_arrow(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_moving_dates_changes_no_other_column_of_any_container(form):
    holes = month(1, pd.Timestamp("2024-02-01"))
    holes.loc[3, "when"] = None
    train, later = form(month(0)), form(holes)
    model = Autoencoder(2, max_epochs=1, random_state=0).fit(
        form(month(0).assign(when=month(0)["when"].mask([i == 3 for i in range(400)])))
    )
    with pytest.warns(UserWarning, match=f"{BEYOND}: 399 of 400"):
        known = replace_unknown_dates(model, later)
    assert type(known) is type(later)
    read = [
        np.asarray(getattr(frame["when"], "to_list", getattr(frame["when"], "to_pylist", None))())
        for frame in (known, train)
    ]
    present = [value for value in read[0] if not pd.isna(value)]
    assert len(present) == 399
    assert min(read[1]) <= min(present) <= max(present) <= max(read[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert replace_unknown_dates(model, known) is known


def test_a_moved_date_is_no_reason(fitted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        odd = next_month()[7:9]
        explanation, scores = fitted.explain(odd), fitted.score_samples(odd)
    np.testing.assert_allclose(explanation.scores, scores)
    addends = explanation.contributions
    np.testing.assert_allclose(addends.sum(axis=1), scores)
    assert not addends["when"].any()
    assert [explanation.reasons(i)[0].feature for i in range(2)] == ["amount", "price"]
    assert explanation.values["when"].dt.month.tolist() == [2, 2]


def test_saved_detectors_keep_the_range_of_dates(fitted, tmp_path):
    save(fitted, tmp_path / "detector.safetensors")
    again = load(tmp_path / "detector.safetensors")
    with pytest.warns(UserWarning, match=BEYOND):
        np.testing.assert_array_equal(again.score_samples(next_month()), fitted.score_samples(next_month()))


def test_rows_with_new_dates_can_calibrate(fitted):
    detector = AnomalyDetector(ExemplarDistance(random_state=0), fpr=0.02, random_state=0).fit(month(0))
    with pytest.warns(UserWarning, match=BEYOND):
        detector.calibrate(month(3, pd.Timestamp("2024-03-01")))
    assert -20 < detector.offset_ < 0


def test_the_command_line_warns_of_moved_dates_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    month(0).to_csv("old.csv", index=False)
    next_month().to_csv("new.csv", index=False)
    with pytest.warns(UserWarning, match=f"{BEYOND}: 400 of 400 in column 'when'"):
        done = CliRunner().invoke(app, ["detect", "new.csv", "--normal", "old.csv", "--fpr", "0.02"])
    assert done.exit_code == 0, done.output
    alarms = pd.read_csv("new.alarms.csv")
    assert {7, 8} <= set(alarms["row"])
    assert len(alarms) < 25
    assert alarms["when"].str.startswith("2024-0").all()
    assert pd.to_datetime(alarms["when"]).min() >= pd.Timestamp("2024-02-01")


# Containers of one table of dates, each with its own type of missing dates and of values.
CONTAINERS = {
    "pandas": lambda frame: frame,
    "pandas dates": lambda frame: frame.assign(day=[None if day is pd.NaT else day.date() for day in frame["day"]]),
    "polars": pl.from_pandas,
    "pyarrow times": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "pyarrow dates": lambda frame: pa.table(
        {"x": frame["x"], "day": pa.array(frame["day"]).cast("date32", safe=False)}
    ),
}


@pytest.mark.parametrize("fitted_on", CONTAINERS)
def test_a_missing_date_is_explained_in_any_container(fitted_on, rng):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 200), unit="D")
    frame = pd.DataFrame({"x": rng.normal(size=200), "day": days})
    detector = AnomalyDetector(random_state=0).fit(CONTAINERS[fitted_on](frame))
    incomplete = frame[:20].assign(day=frame["day"][:20].where(np.arange(20) % 7 > 0))
    explanations = [detector.explain(convert(incomplete)) for convert in CONTAINERS.values()]
    for explanation in explanations:
        assert explanation.novel["day"].tolist() == (np.arange(20) % 7 == 0).tolist()
