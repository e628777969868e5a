"""Given values of new rows."""

from datetime import date, datetime

import numpy as np
import pandas
import pytest

from isthmus import Autoencoder, zoo


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    days = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 90, 80), unit="D")
    table = {"size": rng.normal(size=80), "day": days, "seen": days.tz_localize("Europe/Oslo")}
    return zoo.tabular_vae(2, max_epochs=1, random_state=0).fit(pandas.DataFrame(table))


@pytest.mark.parametrize(
    "given",
    [{"size": value} for value in (None, np.nan, np.inf, pandas.NA, [1, 2])]
    + [{"day": value} for value in (None, pandas.NaT, np.datetime64("NaT", "s"), "someday", np.nan)]
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


# Together with labels


@pytest.fixture(scope="module")
def conditional():
    """A model of one variable; the label shifts the first column and determines the sign of the second one."""
    rng = np.random.default_rng(0)
    y = rng.choice(["minus", "plus"], 1000)
    sign, cause = np.where(y == "plus", 1.0, -1.0), rng.normal(size=1000)
    X = np.column_stack([cause + sign, sign * (4 + cause)]) + 0.2 * rng.normal(size=(1000, 2))
    options = {"conditional": True, "bottleneck": "gaussian", "learning_rate": 0.01, "max_epochs": 60}
    return Autoencoder(1, **options, random_state=0).fit(X, y)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_have_their_labels_and_the_given_value(conditional, value):
    # 1.0 is probable for the label "plus" and improbable for "minus"; each row still keeps the requested label.
    y = np.random.default_rng(1).permutation(np.repeat(["minus", "plus", "plus"], 100))
    rows = conditional.sample(300, y=y, given={0: value}, random_state=0)
    assert (rows[:, 0] == value).all()
    sign = np.where(y == "plus", 1.0, -1.0)
    assert (np.sign(rows[:, 1]) == sign).all()
    expected = sign * (4 + value - sign)
    for label in ("minus", "plus"):
        assert rows[y == label, 1].mean() == pytest.approx(expected[y == label][0], abs=0.4)


def test_numeric_labels_keep_their_order_with_given_values():
    rng = np.random.default_rng(0)
    y = rng.uniform(-2, 2, 1000)
    X = np.column_stack([rng.normal(size=1000), 3 * y]) + 0.1 * rng.normal(size=(1000, 2))
    options = {"conditional": True, "bottleneck": "gaussian", "learning_rate": 0.01, "max_epochs": 40}
    model = Autoencoder(1, **options, random_state=0).fit(X, y)
    asked = rng.uniform(-2, 2, 200)
    rows = model.sample(200, y=asked, given={0: 1.0}, random_state=0)
    assert (rows[:, 0] == 1).all()
    assert np.corrcoef(rows[:, 1], asked)[0, 1] > 0.98
