"""Values that new rows are to have."""

from datetime import date, datetime

import numpy as np
import pandas
import pytest

from isthmus import zoo


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    days = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 90, 80), unit="D")
    table = {"size": rng.normal(size=80), "day": days, "seen": days.tz_localize("Europe/Oslo")}
    return zoo.tabular_vae(2, max_epochs=1, random_state=0).fit(pandas.DataFrame(table))


@pytest.mark.parametrize(
    "given",
    [{"size": value} for value in (None, np.nan, np.inf, pandas.NA, [1, 2])]
    + [{"day": value} for value in (None, pandas.NaT, np.datetime64("NaT"), "someday", np.nan)]
    + [{"seen": value} for value in (None, pandas.NaT, "NaT")],
    ids=repr,
)
def test_missing_and_infinite_values_are_refused(model, given):
    (name,) = given
    with pytest.raises(ValueError, match=rf"given\['{name}'\] must be a (finite number|date), got"):
        model.sample(3, given=given)


def test_given_must_be_a_mapping(model):
    with pytest.raises(ValueError, match="given must be a dict of columns and their values, got str"):
        model.sample(3, given="size=1")


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-02",
        date(2024, 2, 2),
        datetime(2024, 2, 2),
        np.datetime64("2024-02-02"),
        pandas.Timestamp("2024-02-02"),
        pandas.Timestamp("2024-02-01 23:00", tz="UTC"),
    ],
    ids=repr,
)
def test_dates_are_in_the_time_zone_of_the_column(model, value):
    assert set(model.sample(3, given={"seen": value})["seen"]) == {pandas.Timestamp("2024-02-02", tz="Europe/Oslo")}


def test_dates_with_a_time_zone_are_in_utc_where_the_column_has_none(model):
    value = pandas.Timestamp("2024-02-02 01:00", tz="Europe/Oslo")
    assert set(model.sample(3, given={"day": value})["day"]) == {pandas.Timestamp("2024-02-02")}
