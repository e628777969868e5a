"""Preparation of tables: each rule, and that nothing is changed without being listed."""

import json
from datetime import date, datetime
from itertools import product

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv
from scipy.stats import median_abs_deviation
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from isthmus.data.parsing.dates import read_dates
from isthmus.data.parsing.numbers import read_numbers
from isthmus.preparing import prepare
from isthmus.preparing.outliers import are_outliers, robust_z
from isthmus.preparing.sentinels import find_sentinels

MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
WHOLE = {"split": (1, 0, 0), "random_state": 0}
QUIET = {"outliers": "keep", "sentinels": "keep", "constants": "keep", "duplicates": "keep"}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def real(outside_data):
    """Return a real table by name, as pyarrow reads it."""
    folder = outside_data("tabular-mixed")
    return lambda name: csv.read_csv(folder / f"{name}.csv.gz")


def values_of(frame, name):
    """Values of a column of any library, None where missing."""
    series = nw.from_native(frame, eager_only=True)[name]
    return [None if gone else value for gone, value in zip(series.is_null().to_list(), series.to_list(), strict=True)]


def repaired(values, make=pd.DataFrame, **options):
    """Values of one column after repair, and the findings."""
    result = prepare(make({"a": values}), **WHOLE, **QUIET, **options)
    return values_of(result.frame, "a"), result.findings


def only(findings, what, column=None):
    """Return the one finding of a kind."""
    [finding] = [one for one in findings if what in one.what and column_of(one) == column]
    return finding


def column_of(finding):
    """Return the column of a finding, None if it concerns rows."""
    [column] = finding.columns or [None]
    return column


# Missing markers and spaces


def test_missing_value_markers_become_missing_and_are_counted(make):
    values, findings = repaired(["x", " ?", "NA", "na ", None, "", "Nadja", "None", "-"], make)
    assert values == ["x", None, None, None, None, None, "Nadja", "None", "-"]
    [finding] = findings
    assert (finding.count, finding.status, finding.rows.tolist()) == (4, "changed", [1, 2, 3, 5])
    assert finding.examples[0] == "' ?' (row 1)"


def test_markers_can_be_chosen(make):
    values, findings = repaired(["unknown", "?", "x"], make, missing=["Unknown"])
    assert values == [None, "?", "x"]
    assert [finding.count for finding in findings] == [1]


def test_markers_are_searched_in_text_only(make):
    values, findings = repaired([9, 1, 2], make, missing=["9"])
    assert values == [9, 1, 2]
    assert findings == ()


def test_spaces_are_removed_and_listed(make):
    values, findings = repaired([" oak", "ash", "oak ", "el m"], make)
    assert values == ["oak", "ash", "oak", "el m"]
    assert [(finding.count, finding.rows.tolist()) for finding in findings] == [(2, [0, 2])]


def test_spaces_stay_without_repair(make):
    values, findings = repaired([" oak", " 1", " ?"], make, repair=False)
    assert values == [" oak", " 1", None]
    assert [finding.count for finding in findings] == [1]


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["a ", "b", "?"])])
def test_categories_of_polars_stay_categories(kind):
    frame = prepare(pl.DataFrame({"a": pl.Series(["a ", "b", "?", "b"], dtype=kind)}), **WHOLE, **QUIET).frame
    assert frame["a"].to_list() == ["a", "b", None, "b"]
    assert frame["a"].dtype == pl.Categorical


def test_categories_of_pandas_stay_categories():
    frame = prepare(pd.DataFrame({"a": pd.Categorical(["a ", "b", "?", "b"])}), **WHOLE, **QUIET).frame
    assert values_of(frame, "a") == ["a", "b", None, "b"]
    assert frame["a"].dtype == "category"


# Numbers as text


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1", "2.5", "1e3", ".5", "−4"], [1.0, 2.5, 1000.0, 0.5, -4.0]),
        (["1.234", "2.0"], [1.234, 2.0]),
        (["1,5", "22,75", "3"], [1.5, 22.75, 3]),
        (["1,234", "2,500,000"], [1234, 2_500_000]),
        (["1,234.5", "7"], [1234.5, 7]),
        (["1.234,5", "7"], [1234.5, 7]),
        (["1.234.567", "89"], [1_234_567, 89]),
        (["1 234", "5 678 901", "3"], [1234, 5_678_901, 3]),
        (["1'234.5", "7"], [1234.5, 7]),
        (["0,125", "7"], [0.125, 7]),
        (["5 %", "7%"], [5, 7]),
        (["$1,200.50", "-$3", "$ 4"], [1200.5, -3, 4]),
        (["1,50 €", "2,00 €"], [1.5, 2.0]),
    ],
)
def test_text_becomes_numbers(texts, numbers):
    values, [finding] = repaired(texts)
    assert values == numbers
    assert finding.count == len(texts)
    assert finding.status == "changed"


def test_integers_stay_integers_where_the_library_can_hold_them(make):
    result = prepare(make({"a": ["1", "2", "3"], "b": ["1", "?", "3"]}), **WHOLE, **QUIET)
    schema = nw.from_native(result.frame, eager_only=True).schema
    assert schema["a"] == nw.Int64
    assert schema["b"] == (nw.Float64 if make is pd.DataFrame else nw.Int64)
    assert values_of(result.frame, "b") == [1, None, 3]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["00123", "10115"], "leading zeros"),
        (["1,234", "2,345"], "comma"),
        (["1,234", "567"], "comma"),
        (["1.234", "2.500"], "point"),
        (["1.234", "567"], "point"),
        (["$1.234", "$2.500"], "point"),
        (["123456789012345678901", "1"], "more digits"),
        (["12345678901234567", "0.5"], "more digits"),
    ],
)
def test_ambiguous_numbers_stay_text_and_are_reported(texts, reason, make):
    values, [finding] = repaired(texts, make)
    assert values == texts
    assert reason in finding.what
    assert (finding.status, finding.count) == ("reported", 2)


@pytest.mark.parametrize(
    "texts", [["1.5", "2,5"], ["12", "b"], ["$1", "€1"], ["$1", "1"], ["1_000", "1"], ["1,23,4"], ["1.2.3"], ["--1"]]
)
def test_columns_with_too_few_numbers_stay_text(texts):
    assert repaired(texts, missing=()) == (texts, ())


@pytest.mark.parametrize("texts", [["yes", "no"], ["true", "False"]])
def test_yes_and_no_stay_categories(texts, make):
    assert repaired(texts, make) == (texts, ())


def test_few_values_that_are_no_numbers_are_reported_with_their_rows(make):
    texts = [str(i) for i in range(97)] + ["high", "?", "low", "high"]
    values, findings = repaired(texts, make)
    assert values == [text if text != "?" else None for text in texts]
    odd = only(findings, "not a number", "a")
    assert (odd.status, odd.count, odd.rows.tolist()) == ("reported", 3, [97, 99, 100])
    assert odd.examples == ("'high' (row 97, 2 times)", "'low' (row 99)")
    assert "97 numbers" in odd.advice


def test_below_95_percent_a_column_is_text():
    texts = [str(i) for i in range(94)] + ["x"] * 6
    assert repaired(texts) == (texts, ())
    texts = [str(i) for i in range(95)] + ["x"] * 5
    assert [finding.count for finding in repaired(texts)[1]] == [5]


def test_objects_of_mixed_types_become_numbers():
    values, findings = repaired(pd.Series([1, "2", " 3.5 ", None, "?"], dtype=object))
    assert values == [1.0, 2.0, 3.5, None, None]
    assert [(one.count, one.rows.tolist()) for one in findings] == [(1, [4]), (1, [2]), (3, [0, 1, 2])]


def test_columns_of_any_objects_are_accepted():
    things = [True, "x", 3, [1], None]
    assert repaired(pd.Series(things, dtype=object)) == (things, ())


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1))
def test_integers_written_as_text_are_read_exactly(numbers):
    assert read_numbers([str(number) for number in numbers]).values == numbers


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_floats_written_as_text_are_read_exactly(numbers):
    assert read_numbers([repr(number) for number in numbers]).values == numbers


@given(st.lists(st.integers(10**6, 10**12), min_size=1), st.sampled_from(",. '"))
def test_groups_of_thousands_are_read(numbers, separator):
    reading = read_numbers([f"{number:,}".replace(",", separator) for number in numbers])
    assert reading.values == numbers
    assert not reading.doubt


# Dates as text


def test_mixed_formats_become_dates(make):
    texts = ["2024-01-31", "2024-01-31T14:05:06.5", "31.1.2024", "2024/1/31 14:05", "31 January 2024", "Jan 31, 2024"]
    values, [finding] = repaired(texts, make)
    day = datetime(2024, 1, 31)
    clock = [day, day.replace(hour=14, minute=5, second=6, microsecond=500_000), day, day.replace(hour=14, minute=5)]
    assert values == [*clock, day, day]
    assert finding.count == len(texts)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["13/1/2024", "2/3/2024"], [(1, 13), (3, 2)]),
        (["1/13/2024", "2/3/2024"], [(1, 13), (2, 3)]),
        (["13-1-2024", "2-3-2024 7:30"], [(1, 13), (3, 2)]),
        (["3/3/2024", "4/4/2024"], [(3, 3), (4, 4)]),
    ],
)
def test_the_order_of_day_and_month_is_found_in_the_column(texts, expected):
    reading = read_dates(texts)
    assert [(value.month, value.day) for value in reading.values] == expected
    assert not reading.doubt


@pytest.mark.parametrize(
    ("texts", "reason"), [(["1/2/2024", "3/4/2024"], "nothing shows"), (["13/2/2024", "3/14/2024"], "beside")]
)
def test_ambiguous_dates_stay_text_and_are_reported(texts, reason, make):
    values, [finding] = repaired(texts, make)
    assert values == texts
    assert reason in finding.what
    assert (finding.status, finding.advice) == ("reported", "say which by day_first")


def test_the_user_can_state_the_order_of_day_and_month(make):
    assert repaired(["1/2/2024"], make, day_first=True)[0] == [datetime(2024, 2, 1)]
    assert repaired(["1/2/2024"], make, day_first=False)[0] == [datetime(2024, 1, 2)]


@pytest.mark.parametrize("text", ["2024-02-30", "1.2.99", "31 Foo 2024", "2024-01-01 25:00", "1-2/2024", "0/0/2024"])
def test_texts_that_are_no_dates_are_not_read(text):
    assert read_dates([text]).values == [None]


def test_times_with_am_and_pm_are_read():
    hours = [value.hour for value in read_dates([f"1/13/2024 {h} pm".replace(" p", ":00 p") for h in (12, 1)]).values]
    assert hours == [12, 13]


def test_dates_among_objects_are_read():
    values, _ = repaired(pd.Series([date(2024, 1, 31), datetime(2024, 2, 1, 3), "2024-02-02"], dtype=object))
    assert values == [datetime(2024, 1, 31), datetime(2024, 2, 1, 3), datetime(2024, 2, 2)]


@given(st.lists(st.datetimes(), min_size=1), st.sampled_from(["%d.%m.", "%d %B ", "%b %d, "]))
def test_dates_written_as_text_are_read_exactly(moments, pattern):
    texts = [f"{moment.strftime(pattern)}{moment.year:04} {moment.time().isoformat()}" for moment in moments]
    assert read_dates(texts).values == moments


# Impossible values and codes


def test_values_outside_limits_and_infinite_ones_become_missing(make):
    table = make({"age": [1, 130, 30, -1], "size": [1.0, float("inf"), -float("inf"), 2.0]})
    result = prepare(table, limits={"age": (0, 120)}, **WHOLE, **QUIET)
    assert values_of(result.frame, "age") == [1, None, 30, None]
    assert values_of(result.frame, "size") == [1.0, None, None, 2.0]
    assert [(column_of(one), one.count, one.rows.tolist()) for one in result.findings] == [
        ("age", 2, [1, 3]),
        ("size", 2, [1, 2]),
    ]
    assert only(result.findings, "outside 0 to 120", "age").examples == ("130 (row 1)", "-1 (row 3)")


def test_limits_may_have_one_side_only(make):
    result = prepare(make({"a": [-5, 0, 5]}), limits={"a": (None, 0)}, **WHOLE, **QUIET)
    assert values_of(result.frame, "a") == [-5, 0, None]


def test_limits_of_an_empty_column_are_accepted():
    result = prepare(pd.DataFrame({"a": [1, 2], "gone": ["?", None]}), limits={"gone": (0, 1)}, **WHOLE, **QUIET)
    assert values_of(result.frame, "gone") == [None, None]


def test_large_integers_keep_their_digits(make):
    numbers = [2**60 + 1, -1, 2**60 + 3]
    result = prepare(make({"a": numbers}), limits={"a": (0, None)}, **WHOLE, **QUIET)
    assert [value and int(value) for value in values_of(result.frame, "a")] == [2**60 + 1, None, 2**60 + 3]


def test_codes_are_reported_or_made_missing(make):
    ages = [-999] * 4 + list(range(20, 60)) + [0] * 5
    reported = prepare(make({"age": ages}), **WHOLE, **{**QUIET, "sentinels": "report"})
    assert values_of(reported.frame, "age") == ages
    assert [(one.count, one.status) for one in reported.findings] == [(4, "reported"), (5, "reported")]
    blanked = prepare(make({"age": ages}), **WHOLE, **{**QUIET, "sentinels": "missing"})
    assert values_of(blanked.frame, "age") == [None] * 4 + list(range(20, 60)) + [None] * 5
    assert [(one.count, one.status) for one in blanked.findings] == [(4, "changed"), (5, "changed")]


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).poisson(2, 500),
        np.random.default_rng(0).poisson(0.2, 500),
        np.r_[np.zeros(400), np.random.default_rng(0).uniform(100, 9999, 100)],
        np.r_[-1, 0, 1].repeat(100),
        np.r_[np.zeros(2), np.arange(50, 90)],
        np.r_[np.zeros(5) + 5, np.arange(50, 90)],
        np.random.default_rng(0).normal(size=500).round(1),
    ],
    ids=["counts", "rare counts", "mostly zero", "signs", "too few", "no code", "around zero"],
)
def test_values_that_are_no_codes_for_missing_are_unchanged(values):
    assert find_sentinels(values.astype(float)) == []


# Duplicates and constants


def test_duplicates_are_removed_before_the_split(make):
    table = make({"a": [1, 2, 1, 1, 3, None, None], "b": ["x", "y", "x", "z", "x", None, None]})
    result = prepare(table, **WHOLE)
    assert values_of(result.frame, "b") == ["x", "y", "z", "x", None]
    assert result.rows.tolist() == [0, 1, 3, 4, 5]
    finding = only(result.findings, "repeats")
    assert (finding.count, finding.status, finding.rows.tolist()) == (2, "removed", [2, 6])
    assert finding.examples[0] == "repeats row 0 (row 2)"


def test_duplicates_can_be_reported_or_kept(make):
    table = make({"a": [1, 2, 1]})
    result = prepare(table, **WHOLE, duplicates="report")
    assert values_of(result.frame, "a") == [1, 2, 1]
    assert only(result.findings, "repeats").status == "reported"
    assert prepare(table, **WHOLE, duplicates="keep").findings == ()


def test_rows_that_become_equal_by_repair_are_duplicates(make):
    result = prepare(make({"a": ["1", " 1", "2"], "b": ["x ", "x", "y"]}), **WHOLE)
    assert only(result.findings, "repeats").count == 1


@given(st.lists(st.tuples(st.sampled_from([0.0, -0.0, 1.5, None]), st.sampled_from(["a", "b", None])), min_size=1))
def test_duplicates_are_those_of_brute_force(rows):
    seen = {}
    expected = [i for i, row in enumerate(rows) if seen.setdefault(row, i) != i]
    table = pa.table({"n": pa.array([n for n, _ in rows], pa.float64()), "t": pa.array([t for _, t in rows])})
    if any(row != (None, None) for row in rows):
        found = [one for one in prepare(table, **WHOLE, constants="keep").findings if "repeats" in one.what]
        assert [row for one in found for row in one.rows] == expected


def test_constant_columns_are_removed(make):
    table = make({"a": [1, 2, 3], "same": ["x"] * 3, "gaps": ["x", None, "x"], "none": ["?", "NA", None]})
    result = prepare(table, **WHOLE)
    assert nw.from_native(result.frame, eager_only=True).columns == ["a", "gaps"]
    removed = [
        (column_of(one), one.count, one.unit, one.examples) for one in result.findings if one.status == "removed"
    ]
    assert removed == [("same", 1, "column", ("'x'",)), ("none", 1, "column", ("missing",))]


def test_a_column_with_a_late_change_is_not_constant(make):
    n = 3000
    table = make({"a": list(range(n)), "late": ["x"] * (n - 1) + ["y"], "gap": [1] * (n - 1) + [None], "same": [1] * n})
    assert nw.from_native(prepare(table, **WHOLE).frame, eager_only=True).columns == ["a", "late", "gap"]


def test_constant_columns_can_be_reported(make):
    result = prepare(make({"a": [1, 2, 3], "same": [7] * 3}), **WHOLE, constants="report")
    assert values_of(result.frame, "same") == [7, 7, 7]
    assert only(result.findings, "the same", "same").status == "reported"


# Outliers


def test_robust_z_is_the_distance_in_scipys_deviations(rng):
    values = rng.standard_t(2, 200)
    expected = (values - np.median(values)) / median_abs_deviation(values, scale="normal")
    np.testing.assert_allclose(robust_z(values), expected)


def test_outliers_are_reported_by_column(make):
    table = make({"a": [1.0, 2, 3, 4, 5, 600], "b": [1, 2, 3, 4, 5, 6], "c": list("uvwxyz")})
    result = prepare(table, **WHOLE)
    assert values_of(result.frame, "a") == [1, 2, 3, 4, 5, 600]
    [finding] = result.findings
    assert (column_of(finding), finding.status, finding.rows.tolist()) == ("a", "reported", [5])


def test_an_outlier_beside_many_equal_values_has_no_z_score(make):
    result = prepare(make({"a": [0.0] * 200 + [1 + i / 60 for i in range(60)] + [9000.0]}), **WHOLE, duplicates="keep")
    finding = only(result.findings, "far from the value of most rows", "a")
    assert "9000 (row 260)" in str(finding)
    assert "z " not in str(finding)


def test_outliers_are_removed_with_their_rows(make):
    table = make({"a": [1.0, 2, 3, 4, 5, 600], "b": [1, 2, 3, 4, 500, 6]})
    result = prepare(table, **WHOLE, outliers="remove")
    assert values_of(result.frame, "a") == [1, 2, 3, 4]
    removed = only(result.findings, "holds an outlier")
    assert (removed.count, removed.unit, removed.rows.tolist()) == (2, "row", [4, 5])


def columns(n, seed):
    """Columns without outliers: skewed, of several modes, discrete."""
    rng = np.random.default_rng(seed)
    rates = np.r_[
        rng.normal(4.96, 0.005, int(0.6 * n)), rng.normal(1.3, 0.05, int(0.3 * n)), rng.normal(0.9, 0.1, n // 10)
    ]
    return {
        "normal": rng.normal(size=n),
        "log-normal": rng.lognormal(size=n),
        "exponential": rng.exponential(size=n),
        "gamma": rng.gamma(0.5, size=n),
        "two modes": np.r_[rng.normal(0, 1, n // 2), rng.normal(20, 1, n - n // 2)],
        "a small mode": np.r_[rng.normal(0, 1, int(0.9 * n)), rng.normal(20, 1, n // 10)],
        "interest rates": rates,
        "five values": rng.choice([4.96, 4.86, 1.3, 0.9, 1.0], n, p=[0.3, 0.25, 0.2, 0.15, 0.1]),
        "counts": rng.poisson(2, n).astype(float),
        "mostly zero": np.where(rng.random(n) < 0.7, 0.0, rng.lognormal(size=n)),
        "heavy": rng.standard_t(3, n),
    }


@pytest.mark.parametrize("name", columns(10, 0))
def test_few_values_of_clean_columns_are_outliers_and_planted_ones_are(name):
    clean = columns(2000, 0)[name]
    assert are_outliers(clean, 3.5).mean() < 0.01
    spoiled, rng = clean.copy(), np.random.default_rng(1)
    planted = rng.choice(2000, 10, replace=False)
    spoiled[planted] = np.median(clean) + rng.choice([-1, 1], 10) * (30 + 40 * rng.random(10)) * clean.std()
    found = are_outliers(spoiled, 3.5)
    assert found[planted].mean() >= (0.5 if name == "mostly zero" else 1)
    assert np.delete(found, planted).mean() < 0.01


def test_missing_values_do_not_affect_outliers(rng):
    values = np.r_[rng.normal(size=500), 99.0]
    found = are_outliers(np.r_[values, np.full(100, np.nan)], 3.5)
    np.testing.assert_array_equal(found[:501], are_outliers(values, 3.5))
    assert not found[501:].any()
    assert not are_outliers(np.full(5, np.nan), 3.5).any()
    assert not are_outliers(np.ones(5), 3.5).any()


def test_the_number_of_outliers_depends_on_the_threshold(make):
    values = [1.0, 2, 3, 4, 12]
    assert robust_z(np.array(values))[-1] == pytest.approx(6.07, abs=0.01)
    assert only(prepare(make({"a": values}), **WHOLE, outlier_threshold=6).findings, "outlier", "a").count == 1
    assert prepare(make({"a": values}), **WHOLE, outlier_threshold=6.1).findings == ()


def test_isolation_forest_finds_outliers_of_no_single_column(make, rng):
    X = rng.normal(size=(300, 1)) + 0.05 * rng.normal(size=(300, 2))
    X[7] = 2.5, -2.5
    options = {**WHOLE, "outlier_method": "isolation", "outliers": "remove"}
    result = prepare(make({"a": X[:, 0], "b": X[:, 1]}), **options)
    scores = -IsolationForest(random_state=0).fit(X).score_samples(X)
    assert 7 in np.flatnonzero(scores > 0.65)
    assert only(result.findings, "isolation score").rows.tolist() == np.flatnonzero(scores > 0.65).tolist()
    assert result.rows.tolist() == np.flatnonzero(scores <= 0.65).tolist()


# Splits


def parts_of(result, name):
    return [values_of(part, name) for part in (result.train, result.valid, result.test)]


def test_a_split_contains_all_rows_in_their_order(make):
    result = prepare(make({"a": list(range(100))}), random_state=3)
    parts = parts_of(result, "a")
    assert [len(part) for part in parts] == [70, 15, 15]
    assert sorted(sum(parts, [])) == list(range(100))
    assert all(part == sorted(part) for part in parts)
    again = prepare(make({"a": list(range(100))}), random_state=3)
    other = prepare(make({"a": list(range(100))}), random_state=4)
    assert parts_of(again, "a") == parts != parts_of(other, "a")


def test_a_drawn_seed_is_recorded_and_repeats_the_split():
    table = pa.table({"a": list(range(50))})
    before = np.random.get_state()[1].copy()
    first = prepare(table)
    assert prepare(table, random_state=first.seed).test.equals(first.test)
    assert json.loads(first.to_json())["seed"] == first.seed
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(0, 99))
@settings(max_examples=50)
def test_stratified_parts_have_the_shares_of_each_class(sizes, seed):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    n = len(classes)
    table = pa.table({"y": classes, "a": np.arange(n)})
    if n < 5 or len(sizes) < 2:
        return
    result = prepare(table, split_by="stratified", split_column="y", random_state=seed)
    for part in (result.train, result.valid, result.test):
        counts = np.bincount(part["y"].to_numpy(), minlength=len(sizes))
        assert np.all(np.abs(counts - np.array(sizes) * len(part) / n) <= 2)


@given(st.lists(st.integers(1, 30), min_size=3, max_size=40), st.integers(0, 99))
@settings(max_examples=50)
def test_groups_stay_whole_and_parts_near_their_shares(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    result = prepare(
        pa.table({"g": groups, "a": np.arange(len(groups))}), split_by="grouped", split_column="g", random_state=seed
    )
    parts = [part["g"].to_pylist() for part in (result.train, result.valid, result.test)]
    assert sum(len(set(part)) for part in parts) == len(sizes)
    for part, share in zip(parts, (0.7, 0.15, 0.15), strict=True):
        assert 1 <= len(part) <= share * len(groups) + max(sizes)


@given(
    st.lists(st.integers(1, 40), min_size=3, max_size=7),
    st.sampled_from([(0.7, 0.15, 0.15), (0.8, 0, 0.2), (0.5, 0.25, 0.25)]),
)
@settings(max_examples=40)
def test_groups_are_split_nearly_as_well_as_can_be(sizes, shares):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    table = pa.table({"g": groups, "a": np.arange(len(groups))})
    result = prepare(table, split_by="grouped", split_column="g", split=shares, random_state=0)

    def miss(counts):
        return np.abs(np.array(counts) / len(groups) - shares).sum() / 2

    used = [part for part, share in enumerate(shares) if share]
    deals = [deal for deal in product(used, repeat=len(sizes)) if set(deal) == set(used)]
    best = min(miss(np.bincount(deal, weights=sizes, minlength=3)) for deal in deals)
    assert miss([len(part) for part in (result.train, result.valid, result.test)]) <= best + 0.12


def test_the_largest_groups_are_assigned_first(rng):
    """One group of 250 rows among 250 groups of three; if assigned late, it would make its part too large."""
    groups = np.concatenate([np.zeros(250), np.repeat(np.arange(1, 251), 3)]).astype(int)
    table = pa.table({"g": rng.permutation(groups), "a": np.arange(1000)})
    results = [
        prepare(table, split_by="grouped", split_column="g", split=(0.8, 0, 0.2), random_state=seed) for seed in (0, 1)
    ]
    assert all(abs(len(result.test) - 200) <= 3 for result in results)
    assert len({tuple(sorted(set(result.test["g"].to_pylist()))) for result in results}) == 2


def test_time_splits_in_order_and_keeps_a_moment_together(make, rng):
    days = rng.permutation(np.repeat(np.arange(20), 5))
    moments = [datetime(2024, 1, 1 + int(day)) for day in days]
    table = make({"day": moments, "a": list(range(100))})
    parts = parts_of(prepare(table, split_by="time", split_column="day", split=(0.7, 0.17, 0.13)), "day")
    assert max(parts[0]) < min(parts[1]) <= max(parts[1]) < min(parts[2])
    assert [len(part) for part in parts] == [70, 15, 15]


@pytest.mark.parametrize("split", [(1, 0, 0), (0.5, 0, 0.5), (0.5, 0.5, 0)])
@pytest.mark.parametrize("by", ["random", "stratified", "grouped", "time"])
def test_parts_without_a_share_are_empty(make, split, by):
    table = make({"a": list(range(10)), "b": list(range(10, 20))})
    result = prepare(table, split=split, split_by=by, split_column=None if by == "random" else "b", random_state=0)
    assert [len(part) for part in parts_of(result, "a")] == [10 * share for share in split]
    assert nw.from_native(result.test, eager_only=True).schema == nw.from_native(result.frame, eager_only=True).schema


def test_three_rows_are_enough():
    assert [len(part) for part in parts_of(prepare(pa.table({"a": [1, 2, 3]})), "a")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "2 rows are too few to split 0.7 / 0.15 / 0.15: the train part is empty"),
        ({"split_by": "grouped", "split_column": "a"}, "2 rows, split by grouped 'a', are too few .* the test part"),
        (
            {"split_by": "time", "split_column": "t", "split": (0.5, 0, 0.5)},
            "split_column 't' holds String, expected dates or numbers",
        ),
        ({"split_by": "time", "split_column": "h", "split": (0.5, 0, 0.5)}, "'h' lacks the time of 1 rows"),
        ({"split_by": "stratified", "split_column": "k"}, "split_column 'k' is constant"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(make, options, message):
    table = make({"a": [1, 2], "t": ["x", "y"], "h": [1.0, None], "k": [1, 1]})
    with pytest.raises(ValueError, match=message):
        prepare(table, **options)


# Scaling


@pytest.mark.parametrize(
    ("method", "scaler"), [("standard", StandardScaler()), ("robust", RobustScaler()), ("range", MinMaxScaler())]
)
def test_scaling_is_scikit_learns_of_the_training_part_and_can_be_undone(make, rng, method, scaler):
    X = rng.gamma(2.0, size=(60, 2)) * [1, 1e6]
    X[3, 0] = np.nan
    table = make({"a": X[:, 0], "b": X[:, 1], "t": ["x", "y"] * 30})
    result = prepare(table, scaling=method, random_state=0, **QUIET)
    plain = prepare(table, random_state=0, **QUIET)
    names = ["a", "b"]
    scaler.fit(np.column_stack([np.array(values_of(plain.train, name), dtype=float) for name in names]))
    for scaled, before in ((result.frame, plain.frame), (result.train, plain.train), (result.test, plain.test)):
        wanted = np.column_stack([np.array(values_of(before, name), dtype=float) for name in names])
        got = np.column_stack([np.array(values_of(scaled, name), dtype=float) for name in names])
        np.testing.assert_allclose(got, scaler.transform(wanted), atol=1e-12)
        again = result.unscale(scaled)
        assert type(again) is type(scaled)
        np.testing.assert_allclose(np.array(values_of(again, "b"), dtype=float), wanted[:, 1])
        assert values_of(again, "t") == values_of(before, "t")
    assert only(result.findings, "scaled", "a").count == 60 - np.isnan(X[:, 0]).sum()


def test_automatic_scaling_is_chosen_per_column(make, rng):
    table = {
        "flag": rng.integers(0, 2, 200),
        "share": rng.random(200),
        "grade": rng.integers(1, 6, 200),
        "bell": rng.normal(size=200) * 0.5 + 10,
        "tail": np.exp(2 * rng.normal(size=200)),
    }
    result = prepare(make(table), scaling="auto", **WHOLE, **QUIET)
    assert {name: scale.method for name, scale in result.scales.items()} == {
        "grade": "range",
        "bell": "standard",
        "tail": "robust",
    }
    assert {column_of(one) for one in result.findings} == {"grade", "bell", "tail"}


def test_the_column_to_split_by_is_not_scaled(make):
    table = make({"y": [0, 5] * 10, "a": list(range(20))})
    result = prepare(table, scaling="standard", split_by="stratified", split_column="y")
    assert set(result.scales) == {"a"}
    assert values_of(result.frame, "y") == [0, 5] * 10


# The result


def test_prepared_tables_have_the_container_of_the_input(make):
    table = make({"b": ["1", "2", "x", "x"], "a": [1, 2, 3, 3]})
    result = prepare(table, split=(0.5, 0.25, 0.25), random_state=0, duplicates="keep")
    for frame in (result.frame, result.train, result.valid, result.test):
        assert type(frame) is type(table)
        assert nw.from_native(frame, eager_only=True).columns == ["b", "a"]


def test_the_index_of_pandas_stays_with_its_rows():
    table = pd.DataFrame({"a": ["1", "2", "1", "4", "5"], "b": [1, 2, 1, -4, 5]}, index=[7, 7, 9, 3, 1])
    result = prepare(table, limits={"b": (0, None)}, scaling="range", random_state=0)
    assert result.frame.index.tolist() == [7, 7, 3, 1]
    assert result.frame["a"].tolist() == pytest.approx(result.frame["a"].loc[[7, 3, 1]].tolist())
    assert sorted([*result.train.index, *result.valid.index, *result.test.index]) == [1, 3, 7, 7]


def test_names_of_columns_may_be_numbers():
    result = prepare(pd.DataFrame([["1", 5], ["?", 6], ["3", 7]]), limits={1: (0, 6)}, **WHOLE)
    assert {column_of(one) for one in result.findings} == {0, 1}
    assert json.loads(result.to_json())["options"]["limits"] == {"1": [0, 6]}


def test_the_report_lists_everything_and_is_json_too():
    table = pa.table({"a": ["1", "?", "3", "3"], "k": [1, 1, 1, 1], "b": [1.0, 2.0, 3.0, 3.0]})
    result = prepare(table, **WHOLE)
    lines = str(result).splitlines()
    assert (
        lines[0]
        == "4 rows x 3 columns in; 3 rows x 2 columns out: 3 to train, 0 to validate, 0 to test (random, seed 0)"
    )
    assert lines[1] == "changed: marker of a missing value made missing ('a'): 1 value: '?' (row 1)"
    assert "removed: repeats an earlier row: 1 row: repeats row 2 (row 3)" in lines
    assert "removed: the same in all rows ('k'): 1 column: 1" in lines
    document = json.loads(result.to_json())
    assert (document["rows_in"], document["rows_out"], document["parts"]["train"]) == (4, 3, 3)
    assert [one["count"] for one in document["findings"]] == [one.count for one in result.findings]
    assert document["findings"][0]["rows"] == [1]


def test_a_clean_table_has_no_findings(make):
    table = make({"a": [1, 2, 3, 4], "b": ["x", "y", "x", "z"], "c": [True, False, True, True]})
    result = prepare(table, **WHOLE)
    assert result.findings == ()
    assert values_of(result.frame, "c") == [True, False, True, True]


CELLS = {
    "text": ["x", " x", "?", "NA ", "", "y", None],
    "number": ["1", "2,5", " 3", "n/a", "400", None],
    "date": ["2024-01-31", "1.2.2024", "?", None],
    "float": [0.5, -3.0, 1e6, float("inf"), None],
    "integer": [0, 1, 2, 999, None],
    "same": ["k"],
}
ROWS = st.lists(st.tuples(*map(st.sampled_from, CELLS.values())), min_size=2, max_size=30)
CHOSEN = st.fixed_dictionaries(
    {
        "duplicates": st.sampled_from(["remove", "report"]),
        "constants": st.sampled_from(["remove", "report"]),
        "outliers": st.sampled_from(["remove", "report"]),
        "sentinels": st.sampled_from(["missing", "report"]),
    }
)


@given(ROWS, CHOSEN)
@settings(max_examples=60)
def test_every_change_is_listed(rows, chosen):
    columns = dict(zip(CELLS, map(list, zip(*rows, strict=True)), strict=True))
    tables = [
        pd.DataFrame(columns),
        pl.DataFrame(columns, schema_overrides={"float": pl.Float64, "integer": pl.Int64}),
        pa.table(
            {"float": pa.array(columns["float"], pa.float64()), **{k: v for k, v in columns.items() if k != "float"}}
        )
        .select(list(columns))
        .set_column(4, "integer", pa.array(columns["integer"], pa.int64())),
    ]
    before = [{name: values_of(table, name) for name in CELLS} for table in tables]
    results = [attempt(table, chosen) for table in tables]
    for table, cells, result in zip(tables, before, results, strict=True):
        assert {name: values_of(table, name) for name in CELLS} == cells
        if not isinstance(result, str):
            check_listed(cells, result)
    seen = [str(result).replace("'", "").replace("nan", "None") for result in results]
    assert seen[0] == seen[1] == seen[2]


def attempt(table, chosen):
    """Return the result, or the error message."""
    try:
        return prepare(table, limits={"float": (0, None)}, **chosen, **WHOLE)
    except ValueError as error:
        return str(error)


def check_listed(cells, result):
    """Compare input and result cell by cell, and with the list of changes."""
    by_row = [one for one in result.findings if one.unit != "column"]
    assert all(one.count == len(one.rows) for one in by_row)
    removed = set().union(*(one.rows.tolist() for one in by_row if one.status == "removed"))
    assert removed == set(range(len(cells["text"]))) - set(result.rows.tolist())
    kept = nw.from_native(result.frame, eager_only=True).columns
    gone = {column_of(one) for one in result.findings if one.unit == "column" and one.status == "removed"}
    assert gone == set(cells) - set(kept)
    for name in kept:
        changes = [one for one in by_row if column_of(one) == name and one.status == "changed"]
        listed = set().union(*(one.rows.tolist() for one in changes))
        blanked = [row for one in changes if "made missing" in one.what for row in one.rows.tolist()]
        assert len(blanked) == len(set(blanked))
        for row, value in zip(result.rows.tolist(), values_of(result.frame, name), strict=True):
            assert row in listed or value == cells[name][row]
            assert (row in blanked) == (value is None and cells[name][row] is not None)


@given(ROWS)
@settings(max_examples=30)
def test_a_second_time_changes_nothing(rows):
    columns = dict(zip(CELLS, map(list, zip(*rows, strict=True)), strict=True))
    first = attempt(pd.DataFrame(columns), {})
    if not isinstance(first, str):
        again = prepare(first.frame, **WHOLE)
        assert {one.status for one in again.findings} <= {"reported"}
        assert again.frame.equals(first.frame)


# Real tables


def test_zeros_of_pima_are_found_and_no_others(real):
    table = real("pima_diabetes")
    found = {column_of(one): one.count for one in prepare(table, random_state=0).findings if "code" in one.what}
    zeros = {name: int((table[name].to_numpy() == 0).sum()) for name in table.column_names}
    names = ["glucose", "blood_pressure", "skin_thickness", "insulin", "bmi"]
    assert found == {name: zeros[name] for name in names}
    frame = prepare(table, random_state=0, sentinels="missing").frame
    assert {name: frame[name].null_count for name in names} == found
    assert frame["pregnancies"].equals(table["pregnancies"])


def test_only_duplicates_are_removed_from_adult(real):
    table = real("adult_train")
    result = prepare(table, random_state=0)
    expected = table.to_pandas().duplicated()
    assert only(result.findings, "repeats").rows.tolist() == np.flatnonzero(expected).tolist()
    assert not [one for one in result.findings if "code: 0" in one.what]
    assert {one.status for one in result.findings if column_of(one) in ("capital_gain", "capital_loss")} <= {"reported"}
    kept = table.filter(~expected.to_numpy())
    changed = {column_of(one) for one in result.findings if one.status == "changed"}
    assert changed == {"workclass", "occupation", "native_country"}
    for name in table.column_names:
        if name not in changed:
            assert result.frame[name].combine_chunks().equals(kept[name].combine_chunks())
    assert result.frame["workclass"].null_count == only(result.findings, "marker", "workclass").count
    assert (
        result.frame["workclass"]
        .drop_null()
        .equals(kept["workclass"].filter(pa.compute.not_equal(kept["workclass"], "")))
    )


@pytest.mark.parametrize("name", ["titanic", "ames_housing", "german_credit", "pima_diabetes"])
@pytest.mark.parametrize("library", MAKERS)
def test_unlisted_cells_of_real_tables_are_unchanged(real, name, library):
    table = real(name)
    native = {"pandas": pa.Table.to_pandas, "polars": pl.from_arrow, "pyarrow": lambda one: one}[library](table)
    result = prepare(native, random_state=0)
    assert result.rows.tolist() == list(range(len(table)))
    assert nw.from_native(result.frame, eager_only=True).columns == table.column_names
    for column in table.column_names:
        touched = {
            row for one in result.findings if column_of(one) == column and one.status == "changed" for row in one.rows
        }
        before, after = values_of(native, column), values_of(result.frame, column)
        assert {i for i in range(len(table)) if before[i] != after[i]} == touched


def test_german_credit_is_clean(real):
    table = real("german_credit")
    result = prepare(table, random_state=0)
    assert result.frame.equals(table)
    assert {one.status for one in result.findings} <= {"reported"}


# Bad input


@pytest.mark.parametrize(
    ("table", "kind", "message"),
    [
        (pd.DataFrame({"a": []}), ValueError, "0 rows and 1 columns"),
        (pd.DataFrame(index=[1, 2]), ValueError, "and 0 columns"),
        (pl.DataFrame(), ValueError, "0 rows and 0 columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "names of columns must be different"),
        (pa.table([[1], [2]], names=["a", "a"]), ValueError, "names of columns must be different"),
        (pd.DataFrame({"a": ["?", None], "b": [np.nan, np.inf]}), ValueError, "all values of the table are missing"),
        (pd.DataFrame({"a": [1, 1]}), ValueError, "1 row are too few|1 row is too few"),
        (np.zeros((3, 2)), TypeError, "got ndarray"),
        (pl.LazyFrame({"a": [1]}), TypeError, "got LazyFrame"),
    ],
    ids=range(9),
)
def test_empty_tables_are_refused(table, kind, message):
    with pytest.raises(kind, match=message):
        prepare(table)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": {"agee": (0, 1)}}, "limits has a column 'agee' that the table does not have; did you mean 'age'?"),
        ({"limits": {"age": (2, 1)}}, "limits of column 'age' must be"),
        ({"limits": {"age": (float("nan"), 1)}}, "limits of column 'age' must be"),
        ({"limits": {"age": 3}}, "limits of column 'age' must be"),
        ({"limits": {"name": (0, 1)}}, "limits are given for column 'name', which holds String, expected numbers"),
        ({"split": (0.7, 0.2, 0.2)}, "split must be three shares"),
        ({"split": (0, 0.5, 0.5)}, "split must be three shares"),
        ({"split": (0.5, 0.5)}, "split must be three shares"),
        ({"split_by": "stratifed"}, "split_by must be one of .*; did you mean 'stratified'?"),
        ({"split_by": "time"}, "split_by='time' needs a split_column"),
        ({"split_by": "time", "split_column": "aeg"}, "did you mean 'age'"),
        ({"split_column": "age"}, "split_by='random' takes no split_column"),
        ({"outliers": "drop"}, "outliers must be one of"),
        ({"scaling": "minmax"}, "scaling must be one of"),
        ({"outlier_threshold": 0}, "outlier_threshold must be greater than 0"),
        (
            {"outliers": "remove", "outlier_threshold": 1e-9, "split": (1, 0, 0)},
            "all rows would be removed as outliers",
        ),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        prepare(pd.DataFrame({"age": [1, 2, 8, 9], "name": list("abcd")}), **options)


@pytest.mark.parametrize("missing", ["NA", [-999]])
def test_markers_must_be_strings(missing):
    with pytest.raises(TypeError, match="missing must be a list of strings"):
        prepare(pd.DataFrame({"a": [1]}), missing=missing)


def test_a_table_of_only_constants_is_refused():
    with pytest.raises(ValueError, match="all columns are constant"):
        prepare(pd.DataFrame({"a": [1, 1]}), duplicates="keep")
