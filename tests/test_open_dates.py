"""Open ends of dates, such as 9999-12-31: drawn and expected values are open ends or real dates."""

import datetime as dt

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from conftest import small

from isthmus import AnomalyDetector, load, save
from isthmus.likelihoods import Date, Histogram
from isthmus.statistics import Statistics

N = 200
rng = np.random.default_rng(0)
START = dt.datetime(2019, 1, 1)
ENDS = {
    "9999-12-31": dt.datetime(9999, 12, 31),
    "the last microsecond": dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),
    "2099-12-31": dt.datetime(2099, 12, 31),
    "1900-01-01": dt.datetime(1900, 1, 1),
    "0001-01-01": dt.datetime(1, 1, 1),
}
LIBRARIES = {
    "pyarrow": lambda table: table,
    "pandas": lambda table: table.to_pandas(),
    "pandas of arrow dtypes": lambda table: table.to_pandas(types_mapper=pandas.ArrowDtype),
    "pandas objects": lambda table: pandas.DataFrame(
        {"x": table["x"].to_pylist(), "t": pandas.Series(table["t"].to_pylist(), dtype=object)}
    ),
    "polars": polars.from_arrow,
}


def contracts(*ends, unit="us", n=N):
    """Contracts whose last day depends on their size; large ones are open."""
    size = np.random.default_rng(1).normal(size=n)
    real = [START + dt.timedelta(days=int(day)) for day in np.random.default_rng(2).integers(0, 2000, n)]
    is_open = size > 0.3
    times = [ends[i % len(ends)] if is_open[i] else real[i] for i in range(n)]
    return pyarrow.table({"x": size, "t": pyarrow.array(times, pyarrow.timestamp(unit))})


def times_of(frame):
    values = frame["t"].to_pylist() if isinstance(frame, pyarrow.Table) else frame["t"].to_list()
    return [value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value for value in values]


@pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_far_dates_of_many_rows_are_open_ends(make, end, tmp_path):
    frame = make(contracts(end))
    model = small("vae", max_epochs=3).fit(frame)
    save(model, tmp_path / "m.safetensors")
    real = [value for value in times_of(frame) if value != end]
    for each in (model, load(tmp_path / "m.safetensors")):
        for found in (each.sample(100), each.reconstruct(frame), each.impute(frame)):
            assert all(value == end or min(real) <= value <= max(real) for value in times_of(found))
    assert times_of(model.impute(frame)) == times_of(frame)
    assert set(times_of(model.sample(3, given={"t": end}))) == {end}


def test_open_ends_are_found_in_dates_of_days_and_coarse_units():
    table = contracts(dt.datetime(9999, 12, 31), unit="s")
    days = table.set_column(1, "t", table["t"].cast(pyarrow.date32()))
    for frame in (table, days):
        drawn = small("vae", max_epochs=3).fit(frame).sample(50)
        assert drawn.schema == frame.schema
        assert all(value.year in (*range(2019, 2025), 9999) for value in drawn["t"].to_pylist())


def test_open_ends_may_lie_before_and_after_real_dates():
    ends = (dt.datetime(1900, 1, 1), dt.datetime(9999, 12, 31), dt.datetime(2150, 1, 1))
    model = small("vae", max_epochs=3).fit(contracts(*ends))
    assert len(model.schema_.fields[1].open_ends) == 3
    years = {value.year for value in times_of(model.sample(200))}
    assert {1900, 2150, 9999} < years <= {1900, 2150, 9999, *range(2019, 2025)}


def test_two_different_dates_have_no_open_end():
    table = pyarrow.table({"x": np.arange(40.0) ** 2, "t": [START, dt.datetime(9999, 12, 31)] * 20})
    assert set(times_of(small("vae").fit(table).sample(40))) == {START, dt.datetime(9999, 12, 31)}


def test_dates_within_a_lifetime_have_no_open_end():
    days = [dt.datetime(1950, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 25_000, N)]
    model = small("vae").fit(pyarrow.table({"x": rng.normal(size=N), "t": days}))
    assert model.schema_.fields[1].open_ends == ()
    assert any(isinstance(part, Date) for part in model.likelihood_.parts)


def test_dependence_on_an_open_end_is_learned():
    table = contracts(dt.datetime(9999, 12, 31), n=600)
    model = small("vae", max_epochs=60).fit(table)
    known, expected, drawn = (
        np.array([value.year == 9999 for value in times_of(frame)])
        for frame in (table, model.reconstruct(table), model.sample(600))
    )
    assert np.mean(known == expected) > 0.9
    assert abs(drawn.mean() - known.mean()) < 0.1


def test_dates_after_those_of_fit_are_moved_and_open_ends_are_not():
    detector = AnomalyDetector(small("vae"), n_folds=2, random_state=0).fit(contracts(dt.datetime(9999, 12, 31)))
    later = pyarrow.table({"x": [0.0, 0.0], "t": [dt.datetime(2025, 3, 1), dt.datetime(9999, 12, 31)]})
    with pytest.warns(UserWarning, match="dates outside the range of fit .*1 of 2 in column 't'"):
        detector.predict(later)


def test_the_expected_date_is_an_open_end_or_the_mean_of_real_dates():
    likelihood = Histogram((((1000.0, 1000.0), (-500.0, -500.0), (0.0, 10.0), (10.0, 30.0)),), ends=True)
    likelihood.build(Statistics.of(torch.tensor([[0.0], [5.0], [1000.0]])))
    logits = torch.tensor([[0.4, 0.05, 0.3, 0.25], [0.5, 0.1, 0.4, 0.0], [0.2, 0.4, 0.2, 0.2]]).log()
    found = likelihood.mean(logits[:, None])
    expected = [(0.3 * 5 + 0.25 * 20) / 0.55, 1000.0, -500.0]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)
