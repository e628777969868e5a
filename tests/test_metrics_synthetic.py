import json
from dataclasses import asdict
from datetime import date, datetime
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv
from scipy.stats import ks_2samp, spearmanr
from sklearn.neighbors import NearestNeighbors

from isthmus.metrics import (
    closest_record,
    column_fidelity,
    detection_score,
    pair_fidelity,
    synthetic_quality,
    utility,
)
from isthmus.metrics.encoding import encode

TOWNS = ["Rome", "Oslo", "Lima", None]


def mixed(seed, n=300, shift=0.0):
    """Columns of every kind with missing values that depend on one variable."""
    rng = np.random.default_rng(seed)
    cause = rng.normal(size=n) + shift
    holes = rng.random(n) < 0.1
    return pa.table(
        {
            "number": pa.array(cause + 0.1 * rng.normal(size=n), mask=holes),
            "count": np.floor(3 * np.exp(cause)).astype(np.int64),
            "yes": pa.array(cause > 0.5, mask=rng.random(n) < 0.1),
            "town": [TOWNS[i] for i in np.digitize(cause, [-1, 0, 1])],
            "day": pa.array((18_000 + 100 * cause).astype(np.int32), mask=rng.random(n) < 0.1).cast(pa.date32()),
        }
    )


def shuffled(table, seed=0):
    """Shuffle each column independently: same distributions, no association."""
    rng = np.random.default_rng(seed)
    return pa.table({name: table[name].take(pa.array(rng.permutation(len(table)))) for name in table.column_names})


CONTAINERS = {
    "pandas": lambda table: table.to_pandas(),
    "polars": pl.from_arrow,
    "pandas of categories and times": lambda table: table.to_pandas().astype(
        {"town": "category", "day": "datetime64[ns]", "yes": "boolean"}
    ),
}


# Columns


@pytest.mark.parametrize("sizes", [(50, 50), (40, 97), (1, 3)])
def test_numbers_are_compared_by_kolmogorov_and_smirnov(rng, sizes):
    ours, theirs = (rng.integers(20, size=size) / 3 for size in sizes)
    fidelity = column_fidelity(pa.table({"x": ours}), pa.table({"x": theirs}))
    assert fidelity["x"] == pytest.approx(1 - ks_2samp(ours, theirs).statistic)


@given(st.lists(st.sampled_from("abc"), min_size=1), st.lists(st.sampled_from("bcd"), min_size=1))
def test_levels_are_compared_by_total_variation(ours, theirs):
    distance = sum(abs(ours.count(level) / len(ours) - theirs.count(level) / len(theirs)) for level in "abcd") / 2
    fidelity = column_fidelity(pa.table({"x": ours}), pa.table({"x": theirs}))
    assert fidelity["x"] == pytest.approx(1 - distance)


@pytest.mark.parametrize("values", [[1.0, 2.0], ["a", "b"], [True, False], [date(2020, 1, 1), date(2021, 1, 1)]])
def test_the_share_of_missing_cells_counts(values):
    whole, half = pa.table({"x": values * 2}), pa.table({"x": [values[0], values[1], None, None]})
    assert column_fidelity(whole, half)["x"] == pytest.approx(0.5)


def test_constant_and_empty_columns_are_compared():
    real = pa.table({"same": [1, 1], "other": [1, 1], "gone": pa.nulls(2), "lost": [1.0, 2.0]})
    synthetic = pa.table({"same": [1, 1, 1], "other": [2, 2, 2], "gone": pa.nulls(3), "lost": pa.nulls(3)})
    assert column_fidelity(real, synthetic) == {"same": 1.0, "other": 0.0, "gone": 1.0, "lost": 0.0}
    assert pair_fidelity(real, synthetic)["same", "gone"] == 1.0
    assert all(0 <= score <= 1 for score in pair_fidelity(real, synthetic).values())


def test_a_column_without_a_value_takes_the_kind_of_the_other_table():
    town, nothing = pa.table({"x": ["Rome", "Oslo"]}), pd.DataFrame({"x": [np.nan, np.nan]})
    assert column_fidelity(town, nothing) == {"x": 0.0}
    assert column_fidelity(nothing, town) == {"x": 0.0}


def test_units_of_time_do_not_matter():
    times = [datetime(2020, 1, 1, hour) for hour in range(5)]
    by_unit = [pa.table({"x": pa.array(times, pa.timestamp(unit))}) for unit in ("s", "ms", "us", "ns")]
    assert [column_fidelity(by_unit[0], other)["x"] for other in by_unit] == [1.0] * 4


# Pairs


def test_two_columns_of_numbers_are_compared_by_rank_correlation(rng):
    ours, theirs = rng.normal(size=(60, 2)), np.exp(rng.normal(size=(50, 1)) + rng.normal(size=(50, 2)))
    difference = spearmanr(*ours.T).statistic - spearmanr(*theirs.T).statistic
    fidelity = pair_fidelity(pd.DataFrame(ours), pd.DataFrame(theirs))
    assert fidelity[0, 1] == pytest.approx(1 - abs(difference) / 2)


def test_correlations_leave_out_rows_with_a_missing_cell():
    whole = pd.DataFrame({"a": [1.0, 2, 3, np.nan, 9], "b": [1.0, 2, 3, 0, np.nan]})
    assert pair_fidelity(whole, whole.dropna())["a", "b"] == pytest.approx(1)
    assert pair_fidelity(whole, -whole.assign(a=-whole.a))["a", "b"] == pytest.approx(0, abs=0.01)


def brute_force(ours, theirs):
    """Total variation distance of two contingency tables, of lists of pairs."""
    cells = set(ours) | set(theirs)
    return sum(abs(ours.count(cell) / len(ours) - theirs.count(cell) / len(theirs)) for cell in cells) / 2


def test_pairs_of_levels_are_compared_by_contingency_tables(rng):
    ours, theirs = ([(TOWNS[i], "xyz"[j]) for i, j in rng.integers([4, 3], size=(n, 2))] for n in (70, 50))
    tables = [pa.table(dict(zip(["a", "b"], zip(*pairs, strict=True), strict=True))) for pairs in (ours, theirs)]
    assert pair_fidelity(*tables)["a", "b"] == pytest.approx(1 - brute_force(ours, theirs))


def test_numbers_beside_levels_are_cut_at_real_deciles():
    real, synthetic = mixed(0), mixed(1, shift=0.3)
    cuts = np.quantile(real["count"].to_numpy(), np.arange(1, 10) / 10)
    pairs = [
        [(sum(cuts < row["count"]), row["town"]) for row in table.select(["count", "town"]).to_pylist()]
        for table in (real, synthetic)
    ]
    assert pair_fidelity(real, synthetic)["count", "town"] == pytest.approx(1 - brute_force(*pairs))


def test_rare_levels_count_as_one():
    frequent = [f"f{i}" for i in range(20)] * 3
    real = pa.table({"a": [*frequent, *(f"r{i}" for i in range(40))], "b": ["x"] * 100})
    synthetic = pa.table({"a": [*frequent, *(f"s{i}" for i in range(40))], "b": ["x"] * 100})
    assert pair_fidelity(real, synthetic)["a", "b"] == 1.0
    assert column_fidelity(real, synthetic)["a"] == pytest.approx(0.6)


def test_ten_thousand_categories_are_compared(rng):
    real, synthetic = (
        pa.table({"a": [f"level {i}" for i in rng.permutation(10_000)], "b": rng.normal(size=10_000)}) for _ in range(2)
    )
    assert column_fidelity(real, synthetic)["a"] == 1.0
    assert pair_fidelity(real, synthetic)["a", "b"] > 0.9
    assert detection_score(real, synthetic, random_state=0, max_rows=1_000) == pytest.approx(0.5, abs=0.1)
    with pytest.raises(ValueError, match="target 'a' has 10000 classes in train, expected at most 100"):
        utility(real, synthetic, real, "a")


# Closed forms


def test_a_copy_is_faithful_undetected_and_reported_as_copied():
    real = mixed(0)
    copy = real.take(np.random.default_rng(0).permutation(len(real)))
    assert set(column_fidelity(real, copy).values()) == {1.0}
    assert min(pair_fidelity(real, copy).values()) == pytest.approx(1)
    assert detection_score(real, copy, random_state=0) == pytest.approx(0.5, abs=0.02)
    closest = closest_record(real, copy, mixed(1), random_state=0)
    assert (closest.copies.synthetic, closest.median.synthetic, closest.percentile_5.synthetic) == (1.0, 0.0, 0.0)
    assert closest.median.baseline > 0
    assert closest.closer_to_train > 0.95


def test_shuffled_columns_keep_distributions_and_lose_associations():
    real = mixed(0)
    made = shuffled(real)
    assert set(column_fidelity(real, made).values()) == {1.0}
    assert (
        np.mean(list(pair_fidelity(real, made).values())) < np.mean(list(pair_fidelity(real, mixed(1)).values())) - 0.2
    )
    assert detection_score(real, made, random_state=0) > 0.9
    assert detection_score(real, mixed(1), random_state=0) == pytest.approx(0.5, abs=0.08)
    score = utility(real, made, mixed(2), "yes", random_state=0)
    assert score.metric == "AUROC"
    assert score.gap == pytest.approx(score.real - score.synthetic)
    assert score.gap > 0.3


def test_tables_of_few_different_rows_are_distinguished_by_frequencies():
    """Equal rows are not all in one fold; otherwise nothing could be learned about them."""
    ours, theirs = (pa.table({"x": [True] * n + [False] * (100 - n)}) for n in (50, 90))
    # AUROC of the one split: 0.5 + (0.9 - 0.5) / 2.
    assert detection_score(ours, theirs, random_state=0) == pytest.approx(0.7, abs=0.03)


def test_detection_of_the_same_few_rows_is_not_biased():
    """The mean over many draws of one distribution is 0.5, with and without repeated rows."""
    rng = np.random.default_rng(0)
    pairs = [[pa.table({"x": rng.integers(60, size=100)}) for _ in range(2)] for _ in range(15)]
    assert np.mean([detection_score(*pair, random_state=0) for pair in pairs]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_all_libraries_give_the_same_figures(container):
    tables = [mixed(seed, n=60) for seed in range(3)]
    expected = synthetic_quality(*tables, target="yes", random_state=0)
    assert synthetic_quality(*map(container, tables), target="yes", random_state=0) == expected
    assert synthetic_quality(tables[0], container(tables[1]), tables[2], "yes", 0) == expected


# Utility


def test_numbers_of_many_values_are_predicted_as_numbers():
    score = utility(mixed(0), mixed(1), mixed(2), "number", random_state=0)
    assert score.metric == "R2"
    assert score.real > 0.8
    assert score.gap == pytest.approx(0, abs=0.1)


def test_synthetic_numbers_count_as_the_nearest_class(rng):
    real = pd.DataFrame({"x": np.arange(300.0), "y": np.arange(300) // 100})
    made = real.assign(y=real.y + rng.uniform(-0.4, 0.4, size=300))
    assert utility(real, made, real, "y", random_state=0) == utility(real, real, real, "y", random_state=0)


@pytest.mark.parametrize("label", ["a", "new"])
def test_a_target_of_one_class_is_at_chance(label):
    real = pa.table({"x": range(100), "y": ["a"] * 50 + ["b"] * 50})
    score = utility(real, pa.table({"x": range(100), "y": [label] * 100}), real, "y", random_state=0)
    assert (score.real, score.synthetic) == (1.0, 0.5)


def test_classes_missing_in_the_synthetic_table_have_chance_level():
    real = pa.table({"x": range(90), "y": ["a"] * 30 + ["b"] * 30 + ["c"] * 30})
    made = real.filter(pa.compute.not_equal(real["y"], "c"))
    score = utility(real, made, real, "y", random_state=0)
    assert score.real == 1.0
    # One against the rest: 1 for a, 0.75 for b (c is similar to b), and 0.5 for c.
    assert score.synthetic == pytest.approx((1 + 0.75 + 0.5) / 3)


# Closest records


def test_distances_are_those_of_nearest_neighbours(rng):
    train, made, holdout = (rng.normal(size=(n, 3)) * [1, 10, 0.1] for n in (80, 50, 40))
    levels = [rng.integers(3, size=(len(rows), 2)) for rows in (train, made, holdout)]
    frames = [
        pd.DataFrame(rows).assign(**{f"c{i}": np.array(list("xyz"))[level] for i, level in enumerate(codes.T)})
        for rows, codes in zip((train, made, holdout), levels, strict=True)
    ]
    one_hot = [np.concatenate(np.eye(3)[codes.T], axis=1) / 2 for codes in levels]
    spaces = [
        np.hstack([rows / (4 * train.std(axis=0)), hot]) / 5
        for rows, hot in zip((train, made, holdout), one_hot, strict=True)
    ]
    search = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(spaces[0])
    expected = [search.kneighbors(space)[0][:, 0] for space in spaces[1:]]
    found = closest_record(*frames)
    for figure, level in ((found.median, 0.5), (found.percentile_5, 0.05)):
        assert (figure.synthetic, figure.baseline) == pytest.approx([np.quantile(d, level) for d in expected])


def test_results_do_not_depend_on_chunks(monkeypatch):
    tables = [mixed(seed) for seed in range(3)]
    whole = closest_record(*tables, random_state=0)
    monkeypatch.setattr("isthmus.metrics.privacy.CHUNK", 1_000)
    assert closest_record(*tables, random_state=0) == whole


@pytest.mark.parametrize(
    ("train", "row", "expected"),
    [
        ([0.0, 2.0, None], [None], 0.0),
        ([0.0, 2.0], [None], (0.25 + 1)),
        ([3.0, 3.0], [4.0], 1.0),
        ([3.0, 3.0], [3.0], 0.0),
        ([0.1] * 3, [0.2], 1.0),
        (["a", "b"], ["c"], 1.0),
        (["a", None], [None], 0.0),
        ([None, None], [1.0], 1.0),
    ],
)
def test_the_distance_of_one_different_cell_is_known(train, row, expected):
    closest = closest_record(pa.table({"x": train}), pa.table({"x": row}), pa.table({"x": train}))
    assert closest.median.synthetic == pytest.approx(expected)
    assert closest.closer_to_train == 0.5


def test_new_rows_are_as_close_to_one_half_as_to_the_other():
    """Also if there are more training rows than holdout rows."""
    tables = [mixed(0, n=900), mixed(1, n=600), mixed(2, n=300)]
    assert closest_record(*tables, random_state=0).closer_to_train == pytest.approx(0.5, abs=0.06)
    assert closest_record(*tables, max_rows=100, random_state=0).closer_to_train == pytest.approx(0.5, abs=0.15)


def test_copies_are_counted_among_all_rows():
    train = pa.table({"x": range(300), "y": ["a", None] * 150})
    made = pa.concat_tables([train.slice(200), pa.table({"x": range(300), "y": ["a", "b"] * 150})])
    copies = closest_record(train, made, train.slice(0, 7), max_rows=10, random_state=0).copies
    assert (copies.synthetic, copies.baseline) == (250 / 400, 1.0)


def test_a_narrower_float_does_not_hide_a_copy():
    train = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)))
    assert closest_record(train, train.astype(np.float32), -train).copies.synthetic == 1.0


# The report


@pytest.fixture(scope="module")
def quality():
    return synthetic_quality(mixed(0), shuffled(mixed(1, n=500)), mixed(2), target="town", random_state=0)


def test_the_report_contains_the_figures_of_its_functions(quality):
    train, synthetic, holdout = mixed(0), shuffled(mixed(1, n=500)), mixed(2)
    assert {name: figure.baseline for name, figure in quality.columns.items()} == column_fidelity(train, holdout)
    pairs = {(a, b): figure.baseline for a, others in quality.pairs.items() for b, figure in others.items()}
    assert pairs == pair_fidelity(train, holdout)
    assert quality.detection.baseline == detection_score(train, holdout, random_state=0)
    assert quality.utility == utility(train, synthetic, holdout, "town", random_state=0)
    assert quality.closest == closest_record(train, synthetic, holdout, random_state=0)


def test_the_report_shows_lost_associations(quality):
    assert quality.detection.synthetic > 0.9 > 0.6 > quality.detection.baseline
    assert quality.pairs["number"]["town"].synthetic < quality.pairs["number"]["town"].baseline
    assert quality.utility.gap > 0.2


def test_the_report_is_json(quality):
    known = json.loads(quality.to_json())
    assert set(known) == {"columns", "pairs", "detection", "closest", "utility"}
    assert known["closest"]["median"] == asdict(quality.closest.median)
    assert known["pairs"]["number"]["town"]["baseline"] == quality.pairs["number"]["town"].baseline


def test_the_report_is_printed_as_an_aligned_table(quality):
    lines = str(quality).splitlines()
    assert len({len(line) for line in lines}) == 1
    (detection,) = [line for line in lines if line.startswith("classified as synthetic")]
    assert detection.split()[-2:] == [f"{quality.detection.synthetic:.3f}", f"{quality.detection.baseline:.3f}"]


def test_a_report_needs_neither_target_nor_several_columns():
    tables = [mixed(seed, n=30).select(["number"]) for seed in range(3)]
    quality = synthetic_quality(*tables, random_state=0)
    assert quality.utility is None
    assert quality.pairs == {}
    assert "trained on synthetic rows" not in str(quality)
    assert "pairs" not in str(quality)


def test_results_depend_on_the_seed_and_global_generators_stay_unchanged(quality):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    again = synthetic_quality(mixed(0), shuffled(mixed(1, n=500)), mixed(2), target="town", random_state=0)
    assert again == quality
    np.testing.assert_array_equal(np.random.get_state()[1], before)


# Real rows


def test_one_half_of_adult_is_as_good_as_the_other(outside_data):
    nulls = csv.ConvertOptions(strings_can_be_null=True)
    adult = csv.read_csv(outside_data("tabular-mixed") / "adult_train.csv.gz", convert_options=nulls)
    rows = np.random.default_rng(0).permutation(len(adult))
    train, other, holdout = (adult.take(rows[start : start + 2_000]) for start in (0, 2_000, 4_000))
    quality = synthetic_quality(train, other, holdout, target="income", random_state=0)
    assert quality.detection.synthetic == pytest.approx(0.5, abs=0.04)
    assert quality.utility.gap == pytest.approx(0, abs=0.02)
    assert quality.utility.real > 0.88
    assert quality.closest.closer_to_train == pytest.approx(0.5, abs=0.03)
    assert quality.closest.copies.synthetic < 0.01
    assert min(figure.synthetic for figure in quality.columns.values()) > 0.9


# Encoding


def test_levels_are_placed_by_frequency_in_the_first_table():
    first, second = pa.table({"x": ["b", "a", "b", None]}), pa.table({"x": ["d", "c", "d", "a"]})
    encoded = encode({"first": first, "second": second})
    np.testing.assert_array_equal(encoded.tables[0][:, 0], [0, 1, 0, np.nan])
    np.testing.assert_array_equal(encoded.tables[1][:, 0], [3, 2, 3, 1])


def test_columns_are_found_by_name():
    real = mixed(0)
    assert set(column_fidelity(real, real.select(real.column_names[::-1])).values()) == {1.0}


def test_text_columns_of_all_libraries_are_equal():
    kinds = [pd.Categorical(["1", "2"]), pd.Series(["1", "2"], dtype=object), pd.Series(["1", "2"], dtype="str")]
    frames = [pd.DataFrame({"x": kind}) for kind in kinds]
    frames.append(pl.DataFrame({"x": ["1", "2"]}, schema={"x": pl.Enum(["2", "1"])}))
    assert {column_fidelity(a, b)["x"] for a, b in product(frames, frames)} == {1.0}


# Errors

GOOD = pa.table({"age": range(30), "town": ["Rome", "Oslo"] * 15, "same": [1] * 30})


@pytest.mark.parametrize(
    ("synthetic", "message"),
    [
        (GOOD.drop(["age", "same"]), "synthetic lacks columns that real has: 'age', 'same'"),
        (GOOD.append_column("extra", [[0] * 30]), "real lacks columns that synthetic has: 'extra'"),
        (GOOD.slice(0, 0), "synthetic has no rows"),
        (GOOD.select([]), "synthetic has no (rows|columns)"),
        (GOOD.set_column(0, "age", [["x"] * 30]), "column 'age' holds categories and numbers, expected one kind"),
        (GOOD.set_column(0, "age", [[np.inf] * 30]), "column 'age' holds infinite numbers"),
        (GOOD.set_column(0, "age", [[[1]] * 30]), "column 'age' holds list<.*expected numbers, booleans"),
        (GOOD.to_pandas().assign(age=[1, "x"] * 15), "column 'age' holds values of several kinds"),
    ],
)
@pytest.mark.parametrize("measure", [column_fidelity, pair_fidelity, detection_score])
def test_tables_with_different_columns_are_refused(measure, synthetic, message):
    with pytest.raises(ValueError, match=message):
        measure(GOOD, synthetic)


@pytest.mark.parametrize("wrong", [np.ones((3, 2)), pl.LazyFrame({"a": [1]}), None])
def test_arguments_that_are_no_data_frames_are_refused(wrong):
    with pytest.raises(TypeError, match="synthetic must be a data frame .* got "):
        column_fidelity(GOOD, wrong)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("twon", "target 'twon' is not a column; did you mean 'town'\\?"),
        ("same", "target 'same' is constant in train, expected at least two different values"),
    ],
)
def test_impossible_targets_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        utility(GOOD, GOOD, GOOD, target)
    with pytest.raises(ValueError, match=message):
        synthetic_quality(GOOD, GOOD, GOOD, target)


def test_targets_need_values_and_other_columns():
    lost = GOOD.set_column(1, "town", [pa.nulls(30)])
    with pytest.raises(ValueError, match="target 'town' is missing in all rows of synthetic"):
        utility(GOOD, lost, GOOD, "town")
    with pytest.raises(ValueError, match="target 'town' is constant in test"):
        utility(GOOD, GOOD, GOOD.slice(0, 1), "town")
    with pytest.raises(ValueError, match="target 'town' is the only column"):
        utility(*[GOOD.select(["town"])] * 3, "town")


def test_detection_refuses_too_few_rows():
    with pytest.raises(ValueError, match="at least 20 rows of real and of synthetic, got 5"):
        detection_score(GOOD, GOOD.slice(0, 5))
