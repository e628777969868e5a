"""The doctor: every check reports its problem, and reports nothing for similar clean data."""

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse
from scipy.ndimage import uniform_filter
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.mixture import GaussianMixture

import isthmus
from isthmus import Autoencoder, zoo
from isthmus.backbones import MLP
from isthmus.data import Chunks, as_source
from isthmus.doctor import examine, format_findings
from isthmus.doctor.examination import CHECKS
from isthmus.finding import Finding
from isthmus.formatting import format_percent, list_names
from isthmus.likelihoods import Bernoulli, Gaussian, LogNormal, StudentT

N = 400
SMALL = Autoencoder(backbone=MLP((8,)))


def whats(*arguments, **options):
    """Return the findings in order."""
    return [finding.what for finding in examine(*arguments, **options)]


def only(*arguments, **options):
    """Return the only finding."""
    findings = examine(*arguments, **options)
    assert len(findings) == 1, format_findings(findings)
    return findings[0]


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, 4))


@pytest.fixture
def frame(X, rng):
    """A clean data frame: numbers, a count, booleans and a category."""
    frame = pd.DataFrame(X[:, :3].copy(), columns=list("abc"))  # pandas 2 shares the memory of arrays
    frame["visits"] = rng.poisson(3, N)
    frame["member"] = rng.random(N) < 0.4
    frame["city"] = rng.choice(["Oslo", "Rome", "Bonn"], N)
    return frame


# Clean data


@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
def test_nothing_is_found_in_clean_arrays(load):
    assert examine(load().data) == []


def test_nothing_is_found_in_clean_data_of_any_kind(X, frame, images):
    pictures = np.tile(images, (4, 1, 1, 1)) + np.random.default_rng(0).integers(0, 9, (240, 1, 6, 5), dtype=np.uint8)
    kinds = [
        as_source(X),
        as_source(frame),
        X,
        X.tolist(),
        X.astype(np.float32),
        torch.from_numpy(X),
        sparse.csr_array(X),
        frame,
        pictures,
    ]
    assert [examine(kind) for kind in kinds] == [[]] * len(kinds)


def test_rows_of_few_values_that_are_equal_by_chance_are_not_reported(rng):
    coarse = rng.integers(0, 3, size=(N, 3))
    dice = pd.DataFrame({"a": coarse[:, 0], "b": np.array(["x", "y", "z"])[coarse[:, 1]], "c": coarse[:, 2] > 1})
    assert examine(coarse.astype(float)) == []
    assert examine(dice, test=dice[:50]) == []


# Rows


def test_duplicate_rows_are_counted(X):
    finding = only(np.concatenate([X, X[:10], X[:3]]))
    assert (finding.what, finding.columns, finding.status) == ("duplicate rows", (), "warning")
    assert finding.detail == "13 of 413 rows (3.1 %) equal an earlier one"
    assert "isthmus prepare" in finding.advice


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 2**31))
def test_the_number_of_duplicates_is_exact(n, seed):
    X = np.random.default_rng(seed).normal(size=(200, 3))
    X[:, 1] = np.where(X[:, 1] > 1, np.nan, X[:, 1])
    again = np.random.default_rng(seed).choice(200, n)
    findings = {finding.what: finding for finding in examine(np.concatenate([X, X[again]]), test=X[again])}
    assert findings["duplicate rows"].detail.startswith(f"{n} of {200 + n} rows")
    assert findings["leak between splits"].detail.startswith(f"{n} of {n} rows of test (100 %)")


def test_zeros_of_either_sign_and_nans_of_any_bits_are_equal(X):
    X[0], X[1] = [0.0, 1.0, np.nan, 3.0], [-0.0, 1.0, -np.nan, 3.0]
    assert whats(X) == ["duplicate rows"]


def test_duplicates_ignore_identifiers_but_not_texts(frame, rng):
    twice = pd.concat([frame, frame[:20]], ignore_index=True)
    twice.insert(0, "id", np.arange(len(twice)))
    finding = next(each for each in examine(twice) if each.what == "duplicate rows")
    assert finding.detail.endswith("equal an earlier one; 'id' may differ")
    words = np.array(["a", "big", "cat", "dog", "eats", "far", "green", "hay"])
    twice["words"] = [" ".join(rng.choice(words, 9)) for _ in range(len(twice))]
    assert "duplicate rows" not in whats(twice)


def test_a_single_leaked_row_is_found_with_its_split(X, rng):
    clean = rng.normal(size=(50, 4))
    assert examine(X, test=clean) == []
    finding = only(X, test={"valid": clean, "final": np.concatenate([clean[1:] + 1, X[7:8]])})
    assert finding.status == "error"
    assert finding.detail == "1 of 50 rows of final (2 %) are in X"


def test_all_splits_are_compared(X, rng):
    other = rng.normal(size=(50, 4))
    finding = only(X, test={"valid": other, "final": other[:10]})
    assert finding.detail == "10 of 10 rows of final (100 %) are in valid"


def test_a_new_category_is_not_a_missing_value(frame):
    frame.loc[:9, "city"] = None
    new = frame[:10].assign(city="Lima")
    assert whats(frame, test=new) == []
    assert whats(frame, test=frame[:10]) == ["leak between splits"]


def test_rows_without_a_value_are_found(X, frame):
    X[3] = np.nan
    assert only(X).detail == "1 of 400 rows have no value at all"
    frame = frame.drop(columns="member").astype({"visits": float})
    frame.loc[[4, 8]] = None
    assert "2 of 400 rows have no value at all" in format_findings(examine(frame))


# Columns


def test_infinite_values_are_found_before_fit_refuses_them(X, frame):
    X[3, 2], X[5, 2], X[0, 0] = np.inf, -np.inf, np.inf
    for array in (X, torch.from_numpy(X), sparse.csr_array(X), X.reshape(N, 2, 2)):
        finding = only(array)
        assert (finding.what, finding.status) == ("infinite values", "error")
        assert finding.detail.startswith("3 values")
    assert only(X).columns == (0, 2)
    assert only(X.reshape(N, 2, 2)).columns == ((0, 0), (1, 0))
    frame.loc[3, "b"] = np.inf
    for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        assert only(table).columns == ("b",)


def test_numbers_beyond_float32_are_found(X, frame):
    for scale in (1e300, 1e38, 1e-300):
        assert only(X * [1, scale, 1, 1]).columns == (1,)
    assert only(frame.assign(a=frame["a"] * 1e38)).status == "error"
    with pytest.raises(ValueError, match="scale the data"):
        SMALL.set_params(max_epochs=1).fit(X * 1e38)
    assert examine(X * [1e-30, 1e30, 1, 1]) == []


def test_an_empty_column_is_an_error_if_fit_refuses_it(X, frame):
    X[:, 1] = np.nan
    finding = only(X)
    assert (finding.columns, finding.status) == ((1,), "error")
    with pytest.raises(ValueError, match="column 1 has no value"):
        SMALL.fit(X)
    finding = only(frame.assign(empty=np.nan))
    assert (finding.columns, finding.status) == (("empty",), "hint")


def test_columns_that_fit_leaves_out_are_reported_unless_the_user_chose_so(frame, rng):
    frame = frame.assign(key=np.arange(N), same=1.0)
    first, second = examine(frame)
    assert (first.columns, first.status) == (("key",), "hint")
    assert "schema={'key': 'category'}" in first.advice
    assert second.columns == ("same",)
    assert examine(frame, Autoencoder(schema={"key": "identifier", "same": "constant"})) == []


def test_nearly_constant_columns_are_found(X, frame):
    X[1:, 2] = 5.0
    finding = only(X)
    assert (finding.what, finding.columns) == ("near-constant columns", (2,))
    assert finding.advice == "leave out by np.delete(X, [2], axis=1)"
    assert whats(frame.assign(flag=["no"] * (N - 1) + ["yes"])) == ["near-constant columns"]
    assert examine(frame.assign(flag=["no"] * (N - 8) + ["yes"] * 8)) == []


def test_nearly_constant_pixels_are_not_reported(rng):
    pixels = uniform_filter(rng.random((N, 8, 8)), (1, 3, 3)).reshape(N, -1)
    pixels[0], pixels[1], pixels[2:, 0] = 0, 1, 0
    assert examine(pixels) == []


def test_columns_that_number_the_rows_are_found(X, frame, rng):
    assert only(np.column_stack([X, np.arange(N)])).columns == (4,)
    times = np.cumsum(rng.integers(1, 10**6, N))  # in order, with wide gaps
    assert only(np.column_stack([X, times])).columns == (4,)
    assert examine(np.column_stack([X, rng.permutation(times)])) == []
    numbered = frame.assign(number=rng.permutation(N) * 3.0)
    assert only(numbered).advice == "schema={'number': 'identifier'}"
    assert examine(numbered, Autoencoder(schema={"number": "real"})) == []


def test_categories_with_few_rows_each_are_found(frame, rng):
    few = frame.assign(street=[f"street {i}" for i in rng.integers(0, 120, N)])
    assert only(few).columns == ("street",)
    assert "schema={'street': 'identifier'}" in only(few).advice
    assert examine(few, Autoencoder(schema={"street": "category"})) == []
    assert examine(frame.assign(street=[f"street {i}" for i in rng.integers(0, 40, N)])) == []


def test_numeric_codes_are_suspected_by_their_column_name(frame, rng):
    coded = frame.assign(zip_code=rng.choice([20, 30, 85, 190], N))
    finding = only(coded)
    assert finding.status == "hint"
    assert "schema={'zip_code': 'category'}" in finding.advice
    assert examine(coded, Autoencoder(schema={"zip_code": "real"})) == []
    assert examine(coded.rename(columns={"zip_code": "weight"})) == []


def test_mostly_missing_columns_are_found(X, frame, rng):
    X[rng.permutation(N)[:300], 1] = np.nan
    assert only(X).columns == (1,)
    assert only(X).detail == "up to 75 % of the values are missing"
    assert examine(frame.assign(a=frame["a"].where(np.arange(N) % 3 > 0))) == []
    assert only(frame.assign(city=frame["city"].where(np.arange(N) % 3 == 0))).columns == ("city",)


@pytest.mark.parametrize(
    "texts",
    [
        ["1.5", "2", "-3", "4e5", "?"],
        ["12 %", "7 %", "8.5 %"],
        ["$1,200", "$3,400.50", "$17"],
        ["2024-01-31", "2024-02-01", "2023-12-24"],
        ["31.1.2024", "1.2.2024", "24.12.2023"],
    ],
)
def test_numbers_and_dates_stored_as_text_are_found(frame, rng, texts):
    texts = texts * 5 if "?" not in texts else texts[:4] * 5 + [f"{i}.25" for i in range(20)] + ["?"]
    finding = only(frame.assign(value=rng.choice(texts, N)))
    assert (finding.what, finding.columns) == ("numbers or dates stored as text", ("value",))
    assert "isthmus prepare" in finding.advice


@pytest.mark.parametrize(
    "texts", [["00123", "12345", "54321"], ["A11", "A12", "A13"], ["10.0.0.1", "10.0.0.2", "8.8.8.8"]]
)
def test_codes_stored_as_text_are_not_numbers(frame, rng, texts):
    assert examine(frame.assign(value=rng.choice(texts, N))) == []


def test_numbers_stored_as_text_are_not_identifiers(frame, X):
    assert whats(frame.assign(value=X[:, 3].astype(str))) == ["numbers or dates stored as text"]


# Pairs


def test_columns_that_are_functions_of_another_are_one_finding(X, frame, rng):
    fahrenheit = np.round(32 + 1.8 * X[:, 0], 3)
    assert only(np.column_stack([X, fahrenheit])).columns == (0, 4)
    assert only(np.column_stack([X, np.exp(X[:, 1]), -X[:, 1]])).columns == (1, 4, 5)
    assert examine(np.column_stack([X, X[:, 0] + 0.1 * rng.normal(size=N)])) == []
    country = frame["city"].map({"Oslo": "Norway", "Rome": "Italy", "Bonn": "Germany"})
    number = frame["city"].map({"Oslo": 7, "Rome": 9, "Bonn": 8})
    finding = only(frame.assign(country=country, number=number))
    assert finding.columns == ("city", "country", "number")
    assert finding.advice == "keep 'city' and leave out the others"
    assert examine(frame.assign(south=frame["city"] == "Rome")) == []  # a function of the city only
    assert examine(frame.assign(country=country.where(rng.random(N) < 0.9, "Norway"))) == []


def test_copies_with_equal_missing_cells_are_copies(X):
    X[::7, 0] = np.nan
    assert only(np.column_stack([X, 2 * X[:, 0]])).columns == (0, 4)


def test_rare_values_that_coincide_are_not_copies(rng):
    events = rng.random(2000) < 0.01
    X = np.where(events[:, None], rng.random((2000, 2)), 0.0)
    assert whats(np.column_stack([X, rng.normal(size=(2000, 2))]), Autoencoder(likelihood="student_t")) == []


# Models


def test_a_likelihood_whose_range_the_values_exceed_is_found(X):
    X = np.abs(X) + 0.1
    for likelihood in ("bernoulli", "continuous_bernoulli"):
        finding = only(X, Autoencoder(likelihood=likelihood))
        assert (finding.what, finding.columns, finding.status) == ("wrong likelihood", (0, 1, 2, 3), "error")
        with pytest.raises(ValueError, match="needs values in"):
            SMALL.set_params(likelihood=likelihood).fit(X)
    X[:, 1:] = X[:, 1:] / X.max()
    assert only(X, Autoencoder(likelihood="continuous_bernoulli")).columns == (0,)
    assert examine(X / X.max(), Autoencoder(likelihood="continuous_bernoulli")) == []
    assert examine(X, Autoencoder(likelihood="log_normal")) == []
    assert only(X - X[:, 2].min() * np.eye(4)[2], Autoencoder(likelihood=LogNormal())).columns == (2,)


def test_cross_entropy_of_grey_values_is_found(rng):
    grey, binary = rng.random((N, 6)), (rng.random((N, 6)) < 0.5).astype(float)
    finding = only(grey, Autoencoder(likelihood="bernoulli"))
    assert (finding.advice, finding.status) == ('likelihood="continuous_bernoulli"', "warning")
    assert only(np.column_stack([binary, grey]), Autoencoder(likelihood="bernoulli")).columns == tuple(range(6, 12))
    assert examine(binary, Autoencoder(likelihood="bernoulli")) == []
    assert examine(grey, Autoencoder(likelihood=Bernoulli(binarize=True))) == []


def test_a_likelihood_of_numbers_for_categories_is_found(frame):
    finding = only(frame, Autoencoder(likelihood="gaussian"))
    assert (finding.what, finding.status) == ("wrong likelihood", "error")
    assert "'city'" in finding.detail
    assert examine(frame.drop(columns="city"), Autoencoder(likelihood="gaussian")) == []


def test_different_scales_without_standardisation_are_found(X):
    wide = X * [1e-3, 1, 1, 1e3]
    for likelihood in (Gaussian(scaling="center"), StudentT(scaling="none"), Gaussian("shared", "center")):
        finding = only(wide, Autoencoder(likelihood=likelihood))
        assert finding.what == "extreme scales"
        assert f'{type(likelihood).__name__}(scaling="standard")' in finding.advice
        assert examine(X, Autoencoder(likelihood=likelihood)) == []
    assert whats(wide, zoo.linear()) == ["extreme scales"]
    assert whats(1e5 * X, Autoencoder(likelihood=Gaussian(scaling="none"))) == ["extreme scales"]
    assert examine(1e5 * X, Autoencoder(likelihood=Gaussian(scaling="center"))) == []
    assert examine(wide) == examine(wide, Autoencoder(likelihood=Gaussian("shared"))) == []


def test_extreme_values_are_found(X, frame):
    X[7, 2] = 1000
    finding = only(X)
    assert (finding.what, finding.columns) == ("extreme values", (2,))
    assert 'likelihood="student_t"' in finding.advice
    assert examine(X, Autoencoder(likelihood="student_t")) == []
    table = frame.assign(d=X[:, 2])
    assert 'likelihood="density"' in only(table).advice  # isthmus then chooses Student's t for these
    assert examine(table, Autoencoder(likelihood="density")) == []


def test_a_net_too_large_for_its_rows_is_found(rng):
    few = rng.normal(size=(60, 20))
    finding = only(few, Autoencoder(backbone=MLP((512, 512))))
    assert finding.what == "too few rows for the net"
    model = zoo.autoencoder(hidden=(512, 512), max_epochs=1, validation_fraction=0).fit(few)
    assert f"{sum(w.numel() for w in model.module_.parameters()):,} weights" in finding.detail
    advised = eval(finding.advice.split(", ")[1].rstrip(","), {"Autoencoder": Autoencoder, "MLP": MLP})
    assert examine(few, advised) == []
    # Early stopping allows more.
    assert examine(few, Autoencoder(backbone=MLP((128,)))) == []
    assert whats(few, Autoencoder(backbone=MLP((256,)), patience=None)) == ["too few rows for the net"]


def test_an_imputer_may_have_more_weights_because_cells_are_hidden_anew_in_each_step(rng):
    rows = rng.normal(size=(300, 10))
    assert whats(rows, zoo.imputer()) == []
    assert whats(rows, zoo.imputer(corruption=None)) == ["too few rows for the net", "code not narrower than the data"]


def test_a_linear_net_too_large_for_its_rows_is_found(rng):
    wide = rng.normal(size=(30, 200))
    finding = only(wide, Autoencoder(300, backbone="linear", corruption="masking"))
    assert finding.advice == "fewer components, or more rows"
    assert 'backbone="linear"' in only(rng.normal(size=(8, 300))).advice


def test_a_single_row_is_an_error():
    assert [finding.status for finding in examine(np.arange(4.0)[None])] == ["error"]


def test_a_code_as_wide_as_the_data_is_found(X):
    finding = only(X, Autoencoder(4))
    assert finding.what == "code not narrower than the data"
    assert finding.advice == 'n_components=2, or corruption="gaussian_noise"'
    assert only(X[:, :1]).advice.startswith("more columns")
    for model in (zoo.vae(4), zoo.sparse(4), zoo.denoising(4), zoo.contractive(4), zoo.autoencoder(3)):
        assert examine(X, model) == []


def test_a_batch_size_above_the_number_of_rows_is_found(X):
    assert whats(X, Autoencoder(batch_size=N + 1)) == ["batches larger than the data"]
    assert examine(X, Autoencoder(batch_size=N)) == []


# Properties of all checks


def test_findings_come_in_the_order_of_the_checks(X):
    X[:, 3], X[0, 0] = 1.0, np.inf
    dirty = np.concatenate([X, X[:9]])
    assert whats(dirty, Autoencoder(4, batch_size=N * 2), test=X[:20]) == [
        "leak between splits",
        "duplicate rows",
        "infinite values",
        "near-constant columns",
        "code not narrower than the data",
        "batches larger than the data",
    ]
    assert len(set(CHECKS)) == len(CHECKS)


def test_every_check_runs_although_others_found_errors(rng):
    """A problem that one check finds does not prevent other checks."""
    X = rng.normal(size=(N, 5))
    X[:, 0], X[1], X[2, 1], X[3] = np.nan, np.nan, np.inf, X[4]
    found = whats(X, Autoencoder(9, likelihood="bernoulli"), test=X[:5])
    assert found == [
        "leak between splits",
        "duplicate rows",
        "empty rows",
        "infinite values",
        "empty columns",
        "wrong likelihood",
        "code not narrower than the data",
    ]


def test_all_data_frame_libraries_give_equal_findings(frame, rng):
    frame = frame.assign(
        key=np.arange(N),
        price=[f"{i / 4:.2f} €" for i in rng.integers(0, 99, N)],
        town=frame["city"].str.upper(),
        w=np.inf,
    )
    frame.loc[9:, "w"] = rng.normal(size=N - 9)
    frame = pd.concat([frame, frame[5:9]], ignore_index=True)
    frame.loc[::3, "city"] = None
    first = examine(frame, test=frame[:30])
    assert [finding.what for finding in first] == [
        "leak between splits",
        "duplicate rows",
        "infinite values",
        "numbers or dates stored as text",
        "identifiers used as numbers",
    ]
    for convert in (pl.from_pandas, pa.Table.from_pandas):
        assert examine(convert(frame), test=convert(frame[:30])) == first
    nullable = frame.astype({"a": "Float64", "visits": "Int64", "member": "boolean"})
    assert examine(nullable, test=nullable[:30]) == first


def test_date_columns_are_examined(frame, rng):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N), unit="D")
    assert examine(frame.assign(day=days)) == []
    assert whats(frame.assign(day=days, again=days)) == ["redundant columns"]


def test_data_and_global_generators_are_not_changed(X, frame):
    X[3, 1], frame.loc[2, "a"] = np.inf, np.inf
    before, as_it_was = X.copy(), frame.copy(deep=True)
    model = Autoencoder(random_state=np.random.RandomState(3))
    states = np.random.get_state()[1].copy(), torch.get_rng_state(), model.random_state.get_state()[1].copy()
    examine(X, model, test=X)
    examine(frame, test=frame)
    np.testing.assert_array_equal(X, before)
    pd.testing.assert_frame_equal(frame, as_it_was)
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])
    assert torch.equal(torch.get_rng_state(), states[1])
    np.testing.assert_array_equal(model.random_state.get_state()[1], states[2])
    assert "module_" not in vars(model)


@settings(max_examples=60)
@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=3, max_side=6)))
def test_any_array_can_be_examined(X):
    findings = examine(X, SMALL)
    assert all(isinstance(finding, Finding) and str(finding).count("\n") == 1 for finding in findings)
    assert ("infinite values" in Counter(finding.what for finding in findings)) == np.isinf(X).any()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.zeros((0, 3)),), {}, ValueError, "0 sample"),
        ((np.zeros(3),), {}, ValueError, "expected rows and columns"),
        (([["a", "b"]],), {}, ValueError, "holds text, 'a'"),
        ((Chunks(lambda: iter([np.zeros((9, 2))])),), {}, TypeError, "must be in memory"),
        ((np.eye(3), "vae"), {}, TypeError, "estimator must be an Autoencoder, .* got 'vae'"),
        ((np.eye(3), Autoencoder(0)), {}, ValueError, "n_components must be a positive integer, got 0"),
        ((np.eye(3), Autoencoder(likelihood="gausian")), {}, ValueError, "did you mean 'gaussian'"),
        ((np.eye(3), Autoencoder(batch_size=-1)), {}, ValueError, "batch_size must be"),
        ((np.eye(3),), {"test": np.eye(4)}, ValueError, r"test has rows of 4 columns, expected 3 columns as in X"),
        ((pd.DataFrame({"a": [1.0, 2]}),), {"test": np.eye(2)}, ValueError, "test must be a data frame if X is one"),
        ((pd.DataFrame({"a": [1.0, 2]}),), {"test": pd.DataFrame({"b": [1]})}, ValueError, "lacks columns .*'a'"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(arguments, options, error, message):
    with pytest.raises(error, match=message):
        examine(*arguments, **options)


# Words


def test_a_finding_is_two_lines():
    finding = Finding("near-constant", ("a", "b"), "99 %", "drop them", "hint")
    assert str(finding) == "hint: near-constant ('a', 'b'): 99 %\n  drop them"
    assert format_findings([finding, finding]) == f"{finding}\n{finding}"
    assert format_findings([]) == "no problems found"


def test_long_lists_are_cut_and_small_shares_are_not_rounded_away():
    assert list_names(list("abcde")) == "'a', 'b', 'c', 'd', 'e'"
    assert list_names(list("abcdef")).endswith("'e' and 1 other")
    assert list_names(range(9)) == "0, 1, 2, 3, 4 and 4 others"
    assert [format_percent(share) for share in (0, 0.0004, 0.25, 0.9996, 1)] == [
        "0 %",
        "0.04 %",
        "25 %",
        "99.96 %",
        "100 %",
    ]


def test_the_doctor_is_exported_at_the_top_of_the_package():
    assert isthmus.doctor.examine is examine


# Real data


@pytest.fixture(scope="module")
def read_table(outside_data):
    return lambda name: pd.read_csv(outside_data("tabular-mixed") / f"{name}.csv.gz")


def test_adult_has_duplicates_and_education_twice(read_table):
    adult = read_table("adult_train")
    first, second = examine(adult)
    assert first.detail.startswith(f"{adult.duplicated().sum()} of 32,561 rows")
    assert second.columns == ("education", "education_num")
    leak = examine(adult[:20000], test=adult[20000:])[0]
    n_common = len(adult[20000:].merge(adult[:20000].drop_duplicates(), how="inner"))
    assert leak.detail.startswith(f"{n_common} of 12,561 rows of test")


def test_titanic_has_identifiers_and_text(read_table):
    titanic = read_table("titanic")
    findings = {finding.columns: finding for finding in examine(titanic[:600], test=titanic[600:])}
    assert set(findings) == {("PassengerId", "Ticket", "Cabin"), ("Name",), ("Pclass",)}
    assert {finding.status for finding in findings.values()} == {"hint"}
    assert "duplicate rows" in whats(titanic.drop(columns="Name"))


def test_pima_is_clean(read_table):
    assert whats(read_table("pima_diabetes")) == []
    assert examine(read_table("pima_diabetes").to_numpy()) == []


def test_digits_leak_only_through_equal_images():
    X = load_digits().data
    assert examine(X[:1000], test=X[1000:]) == []
    assert whats(X[:1000], test=X[990:]) == ["leak between splits"]


# Codes of a fitted estimator


@pytest.fixture(scope="module")
def clusters():
    rng = np.random.default_rng(0)
    centres, y = rng.normal(0, 6, size=(3, 8)), rng.integers(0, 3, 1500)
    return centres[y] + rng.normal(size=(1500, 8)), y


ASTRAY = "codes do not lie where samples are drawn"


def test_codes_of_an_autoencoder_are_found_not_to_be_normal_if_it_has_a_prior(clusters):
    plain = zoo.autoencoder(2, max_epochs=40, random_state=0)
    assert whats(clusters[0], clone(plain).fit(clusters[0])) == []
    model = plain.set_params(prior="empirical")
    assert whats(clusters[0], model) == []
    finding = only(clusters[0], model.fit(clusters[0]))
    assert (finding.what, finding.status) == (ASTRAY, "warning")
    assert 'prior="mixture"' in finding.advice
    assert whats(clusters[0], clone(model).set_params(prior="mixture").fit(clusters[0])) == []


def test_a_density_that_does_not_fit_the_codes_is_found(clusters):
    model = zoo.autoencoder(2, prior=GaussianMixture(1), max_epochs=40, random_state=0).fit(clusters[0])
    assert 'prior="flow"' in only(clusters[0], model).advice


def test_codes_of_a_good_vae_follow_its_prior(rng):
    X = rng.normal(size=(1000, 3)) @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(1000, 8))
    assert examine(X, zoo.vae(4, random_state=0).fit(X)) == []


def test_codes_of_a_conditional_model_that_depend_on_the_label_are_found(clusters):
    X, y = clusters
    model = Autoencoder(2, conditional=True, prior="mixture", max_epochs=40, random_state=0).fit(X, y)
    assert examine(X, model, y=y) == []
    # All codes together follow the prior, and codes of each label do not.
    model.module_.prior.fitted.reverse()
    assert examine(X, model) == []
    assert "with their labels" in only(X, model, y=y).detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: 1000 * x, "values are about 1000 times those of X"),
        (lambda x: 0.001 * x, "values are about 0.001 times those of X"),
        (lambda x: 1.8 * x + 32, "times those of X plus "),
        (lambda x: x + 400, "values are about those of X plus 40"),
        (lambda x: np.where(x > 20, 50, 80) + x % 1, "100 % of the values are outside the range of X"),
    ],
)
def test_a_column_of_a_split_in_another_unit_is_named_with_the_factor(rng, change, words):
    X = pd.DataFrame({"degrees": rng.normal(20, 3, 400), "hours": rng.exponential(5, 400)})
    test = pd.DataFrame({"degrees": change(rng.normal(20, 3, 200)), "hours": rng.exponential(5, 200)})
    (finding,) = [finding for finding in examine(X, test=test) if finding.what == "shifted columns"]
    assert finding.columns == ("degrees",)
    assert words in finding.detail
    assert "test" in finding.advice


def test_splits_of_one_distribution_or_of_a_part_of_it_are_not_shifted(rng):
    X = pd.DataFrame({"degrees": rng.normal(20, 3, 400), "sales": rng.exponential(5, 400) * (rng.random(400) < 0.3)})
    for test in (X.sample(100, random_state=0) * 1.001, X[X["degrees"] > 23], X[X["sales"] > 6]):
        assert "shifted columns" not in [finding.what for finding in examine(X, test=test)]
