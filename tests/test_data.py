"""Data of any kind in, tensors out, and back."""

import json

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from conftest import small
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from scipy.stats import norm

from isthmus.data import as_source
from isthmus.data.validation import compute_statistics
from isthmus.likelihoods import Gaussian
from isthmus.schema import KINDS, Condition, Field, Schema
from isthmus.statistics import Statistics

NAMES = list("abcdef")
# Integers that every dtype represents exactly.
WHOLE = np.random.default_rng(0).integers(0, 100, size=(120, 6)).astype(np.float32)
WHOLE += WHOLE[:, :1]


def codes(X):
    return small("autoencoder", batch_size=32).fit(X).transform(X)


EXPECTED = codes(WHOLE)

DTYPES = ["float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "longdouble"]
CONTAINERS = {
    "Fortran order": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards in memory": lambda X: X[::-1].copy()[::-1],
    "big-endian floats": lambda X: X.astype(">f4"),
    "big-endian integers": lambda X: X.astype(">i4"),
    "nested lists": lambda X: X.tolist(),
    "objects": lambda X: X.astype(object),
    "tensor": torch.from_numpy,
    "integer tensor": lambda X: torch.from_numpy(X).int(),
    "transposed tensor": lambda X: torch.from_numpy(X.T.copy()).T,
    "tensor with gradients": lambda X: torch.from_numpy(X).requires_grad_(),
    "sparse tensor": lambda X: torch.from_numpy(X).to_sparse(),
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "csr matrix": sparse.csr_matrix,
    "csc of integers": lambda X: sparse.csc_matrix(X.astype(int)),
    "pandas": lambda X: pandas.DataFrame(X, columns=NAMES),
    "pandas of mixed dtypes": lambda X: pandas.DataFrame(X, columns=NAMES).astype({"a": "int64", "b": "float64"}),
    "pandas of nullable integers": lambda X: pandas.DataFrame(X, columns=NAMES).astype("Int64"),
    "pandas of arrow columns": lambda X: pandas.DataFrame(X, columns=NAMES).astype("double[pyarrow]"),
    "polars": lambda X: polars.DataFrame(X, schema=NAMES),
    "polars of integers": lambda X: polars.DataFrame(X.astype(int), schema=NAMES),
    "pyarrow": lambda X: pyarrow.table(dict(zip(NAMES, X.T, strict=True))),
    "three axes": lambda X: X.reshape(-1, 2, 3),
    "four axes": lambda X: X.reshape(-1, 1, 2, 3),
    "tensor of four axes": lambda X: torch.from_numpy(X).reshape(-1, 1, 2, 3),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_equal_values_give_equal_codes_in_any_container(container):
    np.testing.assert_allclose(codes(CONTAINERS[container](WHOLE.copy())), EXPECTED, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_values_give_equal_codes_in_any_dtype(dtype):
    values = WHOLE % 100
    np.testing.assert_allclose(codes(values.astype(dtype)), codes(values), rtol=1e-4, atol=1e-5)


def test_booleans_are_zeros_and_ones():
    values = WHOLE > 90
    expected = codes(values.astype(np.float32))
    for X in (values, torch.from_numpy(values), polars.DataFrame(values, schema=NAMES), sparse.csr_array(values)):
        np.testing.assert_array_equal(codes(X), expected)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_maps_are_read_in_place(tmp_path, mode):
    WHOLE.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", np.float32, mode, shape=WHOLE.shape)
    assert as_source(mapped).values.data_ptr() == mapped.ctypes.data
    np.testing.assert_array_equal(codes(mapped), EXPECTED)
    np.testing.assert_array_equal(mapped, WHOLE)


def test_read_only_arrays_are_neither_copied_nor_changed():
    values = WHOLE.copy()
    values.setflags(write=False)
    assert as_source(values).values.data_ptr() == values.ctypes.data
    np.testing.assert_array_equal(codes(values), EXPECTED)
    np.testing.assert_array_equal(values, WHOLE)


def test_sparse_rows_stay_sparse():
    assert sparse.issparse(as_source(sparse.coo_array(WHOLE)).values)


# Containers of results


def test_pandas_frames_come_back_with_columns_and_index():
    frame = pandas.DataFrame(WHOLE, columns=NAMES, index=[f"row {i}" for i in range(len(WHOLE))])
    model = small("vae", batch_size=32).fit(frame)
    rebuilt = model.reconstruct(frame.iloc[10:20])
    assert isinstance(rebuilt, pandas.DataFrame)
    assert list(rebuilt.columns) == NAMES
    assert rebuilt.index.equals(frame.index[10:20])
    np.testing.assert_array_equal(rebuilt, small("vae", batch_size=32).fit(WHOLE).reconstruct(WHOLE[10:20]))


def test_pandas_frames_of_two_levels_of_index_come_back():
    index = pandas.MultiIndex.from_product([range(12), range(10)], names=["day", "hour"])
    frame = pandas.DataFrame(WHOLE, columns=NAMES, index=index)
    assert small("autoencoder").fit(frame).reconstruct(frame).index.equals(index)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda X: pandas.DataFrame(X, columns=NAMES), pandas.DataFrame),
        (lambda X: polars.DataFrame(X, schema=NAMES), polars.DataFrame),
        (lambda X: pyarrow.table(dict(zip(NAMES, X.T, strict=True))), pyarrow.Table),
    ],
    ids=["pandas", "polars", "pyarrow"],
)
def test_results_come_in_the_container_that_fit_saw(make, kind):
    frame = make(WHOLE)
    model = small("vae", batch_size=32).fit(frame)
    plain = small("vae", batch_size=32).fit(WHOLE)
    expected = {
        "reconstruct": (model.reconstruct(frame), plain.reconstruct(WHOLE)),
        "sample": (model.sample(5), plain.sample(5)),
        "inverse_transform": (model.inverse_transform(EXPECTED), plain.inverse_transform(EXPECTED)),
    }
    for name, (found, values) in expected.items():
        assert isinstance(found, kind)
        assert names_of(found) == NAMES
        # Samples have the decimals of the data and stay within their range.
        values = np.round(values) if name == "sample" else values
        np.testing.assert_array_equal(found, np.clip(values, WHOLE.min(0), WHOLE.max(0)))
    contributions = model.contributions(frame)
    assert names_of(contributions) == [*NAMES, "code", "base"]
    np.testing.assert_array_equal(contributions, plain.contributions(WHOLE))


def names_of(frame):
    return list(frame.column_names if isinstance(frame, pyarrow.Table) else frame.columns)


@pytest.mark.parametrize("verb", ["transform", "reconstruct", "impute", "score_samples", "contributions"])
def test_columns_of_a_frame_are_taken_by_their_names(verb):
    frame = pandas.DataFrame(WHOLE, columns=NAMES)
    model = small("autoencoder").fit(frame)
    assert list(model.feature_names_in_) == NAMES
    expected = getattr(model, verb)(frame)
    np.testing.assert_array_equal(getattr(model, verb)(frame[NAMES[::-1]]), expected)
    labelled = frame.assign(label="a", other=1)[["label", *NAMES[::-1], "other"]]
    with pytest.warns(UserWarning, match="columns 'label', 'other' of X were ignored: fit has not seen them") as caught:
        found = getattr(model, verb)(labelled)
    assert len(caught) == 1
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=f"X lacks columns of the training rows: {NAMES[0]!r}"):
        getattr(model, verb)(frame.drop(columns=NAMES[0]))


def test_a_source_is_returned_unchanged():
    source = as_source(WHOLE)
    assert as_source(source) is source
    model = small("autoencoder", batch_size=32).fit(source)
    assert model.n_features_in_ == 6
    np.testing.assert_array_equal(model.transform(source), EXPECTED)
    np.testing.assert_array_equal(model.transform(WHOLE), EXPECTED)


# Missing cells


def test_a_score_sums_over_observed_cells_only(holes):
    model = small("autoencoder", likelihood=Gaussian(scale=0.5), precision="float64").fit(holes)
    log_density = norm.logpdf(holes, model.reconstruct(holes), 0.5)
    np.testing.assert_allclose(model.score_samples(holes), np.nansum(log_density, axis=1), rtol=1e-6)


def test_hidden_cells_do_not_reach_the_loss(holes):
    lonely = np.c_[np.full(len(holes), np.nan), holes]
    lonely[:2, 0] = [0.0, 1.0]
    model = small("autoencoder", batch_size=32, max_epochs=5).fit(lonely)
    assert all(np.isfinite(row["loss"]) for row in model.history_)
    assert (model.contributions(lonely)[2:, 0] == 0).all()


def test_all_kinds_of_missing_cells_give_equal_results(holes):
    frame = pandas.DataFrame(holes, columns=NAMES)
    expected = codes(holes)
    kinds = (
        frame,
        frame.astype("Float32"),
        polars.from_pandas(frame),
        pyarrow.Table.from_pandas(frame),
        torch.tensor(holes),
    )
    for X in kinds:
        np.testing.assert_array_equal(codes(X), expected)


def test_missing_whole_numbers_in_a_nullable_column_are_missing():
    frame = pandas.DataFrame(WHOLE, columns=NAMES).astype("Int64").mask(WHOLE > 150)
    np.testing.assert_allclose(codes(frame), codes(np.where(WHOLE > 150, np.nan, WHOLE)), rtol=1e-4, atol=1e-5)


def test_missing_cells_are_refused_if_fit_saw_none(blobs):
    spoiled = blobs.copy()
    spoiled[5, 3] = np.nan
    with pytest.raises(ValueError, match=r"column 3 has missing values, but there were none in fit"):
        small("autoencoder").fit(blobs).transform(spoiled)
    model = small("autoencoder", corruption="masking").fit(blobs)
    assert np.isfinite(model.transform(spoiled)).all()
    assert np.isfinite(model.reconstruct(spoiled)).all()


def test_missing_cells_only_in_validation_rows_are_accepted_later(blobs):
    spoiled = blobs.copy()
    spoiled[: len(blobs) // 8, 0] = np.nan
    for seed in range(3):
        model = small("autoencoder", random_state=seed, validation_fraction=0.9).fit(spoiled)
        assert np.isfinite(model.score_samples(spoiled)).all()


def test_masking_learns_to_impute_from_other_columns(rng):
    cause = rng.normal(size=(400, 1))
    full = cause + 0.1 * rng.normal(size=(400, 4))
    options = {"corruption": "masking", "max_epochs": 40, "batch_size": 32, "learning_rate": 0.02}
    model = small("autoencoder", 1, **options).fit(full)
    spoiled = full.copy()
    spoiled[:, 1] = np.nan
    assert np.square(model.reconstruct(spoiled)[:, 1] - full[:, 1]).mean() < 0.2 * full[:, 1].var()


# Units


def test_large_offsets_are_learned_as_well_as_without(rng):
    """Timestamps within one minute: the resolution of float32 is two minutes."""
    cause = rng.uniform(0, 60, size=(300, 1))
    rows = np.c_[cause, cause / 60 + rng.normal(size=(300, 1))]
    moved = rows + [1.7e9, 0.0]
    options = {"max_epochs": 40, "batch_size": 32, "learning_rate": 0.02, "likelihood": "density"}
    near, far = small("autoencoder", 1, **options).fit(rows), small("autoencoder", 1, **options).fit(moved)
    for model, X in ((near, rows), (far, moved)):
        assert np.square(model.reconstruct(X) - X)[:, 0].mean() < 0.02 * rows[:, 0].var()
    for result in (far.reconstruct(moved), far.sample(50)):
        assert (np.abs(result[:, 0] - 1.7e9 - 30) < 100).all()
    assert far.score(moved) == pytest.approx(near.score(rows), abs=0.3)


def test_decoded_codes_have_the_large_offsets_of_the_data(rng):
    moved = rng.normal(size=(60, 2)) + [1.7e9, 0.0]
    model = small("autoencoder").fit(moved)
    np.testing.assert_array_equal(model.inverse_transform(model.transform(moved)), model.reconstruct(moved))


def test_the_unit_of_a_column_does_not_change_its_weight(mixed_scale):
    model = small("autoencoder", 1, max_epochs=40, batch_size=32, learning_rate=0.02).fit(mixed_scale)
    error = np.square(model.reconstruct(mixed_scale) - mixed_scale).mean(0) / mixed_scale.var(0)
    assert (error < 0.3).all()


def test_densities_are_in_the_datas_own_units(mixed_scale):
    options = {"precision": "float64", "max_epochs": 5, "batch_size": 32}
    scores = small("vae", **options).fit(mixed_scale).score_samples(mixed_scale)
    wide = small("vae", **options).fit(mixed_scale * 1000).score_samples(mixed_scale * 1000)
    np.testing.assert_allclose(wide, scores - 3 * np.log(1000), rtol=1e-3)


# Statistics


numbers = arrays(np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(-1e3, 1e3, width=32))
cells = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 2)), max_size=20)


@settings(max_examples=100)
@given(numbers, cells, st.lists(st.integers(0, 40), max_size=4))
def test_statistics_of_any_chunks_merge_to_those_of_all_rows(X, missing, cuts):
    for i, j in missing:
        X[i % len(X), j] = np.nan
    chunks = [chunk for chunk in np.split(X, sorted(min(cut, len(X)) for cut in cuts)) if len(chunk)]
    merged = Statistics.of(torch.from_numpy(chunks[0]))
    for chunk in chunks[1:]:
        merged = merged.merge(Statistics.of(torch.from_numpy(chunk)))
    observed = ~np.isnan(X)
    assert merged.n_rows == len(X)
    np.testing.assert_array_equal(merged.count, observed.sum(0))
    assert merged.missing == (not observed.all())
    for j in range(3):
        column = X[observed[:, j], j]
        if len(column):
            assert (merged.low[j], merged.high[j]) == (column.min(), column.max())
            np.testing.assert_allclose(merged.mean[j], column.mean(), rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(merged.deviation[j], column.std(), rtol=1e-6, atol=1e-6)
            assert bool(merged.constant[j]) == bool(np.ptp(column) == 0)


def test_statistics_in_chunks_equal_those_of_numpy(monkeypatch, holes):
    monkeypatch.setattr("isthmus.data.validation.CHUNK", 50)
    statistics = compute_statistics(as_source(holes))
    np.testing.assert_allclose(statistics.mean, np.nanmean(holes, 0), rtol=1e-6)
    np.testing.assert_allclose(statistics.deviation, np.nanstd(holes, 0), rtol=1e-5)


@pytest.mark.parametrize("unit", [1e-25, 1e25])
def test_very_small_and_very_large_units_keep_finite_statistics(unit, blobs):
    statistics = compute_statistics(as_source(blobs * np.float32(unit)))
    np.testing.assert_allclose(statistics.deviation, blobs.std(0) * unit, rtol=1e-4)


def test_binary_columns_are_recognised_with_missing_values():
    binary = (WHOLE > 90).astype(float)
    binary[3, 3] = np.nan
    assert compute_statistics(as_source(binary)).binary
    assert not compute_statistics(as_source(binary * 0.5)).binary
    assert small("autoencoder").fit(binary).likelihood_.get_params() == {"binarize": False}


def test_values_that_share_a_range_share_a_scale(images, blobs):
    assert small("autoencoder").fit(images).likelihood_.scale == "shared"
    assert small("autoencoder").fit(blobs).likelihood_.get_params() == Gaussian(beta=1.0).get_params()


# Schema and labels

plain_names = st.text("aß7 '\"\\\n\u2028", max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
levels = st.one_of(
    *(st.lists(kind, min_size=1, max_size=5).map(tuple) for kind in (plain_names, st.integers(), finite, st.booleans()))
)
field = st.builds(
    Field,
    plain_names,
    st.sampled_from(["Float64", "Int8"]),
    st.sampled_from(KINDS),
    levels,
    low=st.none() | finite,
    high=st.none() | finite,
    step=finite,
    knots=st.lists(finite, max_size=5).map(tuple),
    origin=finite,
    note=plain_names,
)
fields = st.lists(field, max_size=4).map(tuple)
conditions = st.builds(Condition, levels, st.lists(finite, max_size=5).map(tuple), st.booleans(), finite, finite)
schemas = st.builds(
    Schema,
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    dtype=st.sampled_from(["float32", "uint8"]),
    fields=fields,
    container=st.sampled_from(["array", "pandas"]),
    missing=st.booleans(),
    origin=st.none() | st.lists(finite, max_size=4).map(tuple),
    condition=st.none() | conditions,
)


@settings(max_examples=50)
@given(schemas)
def test_a_schema_is_equal_after_a_round_trip_through_json(schema):
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_positions_are_named_as_users_know_them():
    assert Schema((2,), fields=(Field("age", "Int64"), Field("size", "Int64"))).column(1) == "column 'size'"
    assert Schema((7,)).column(3) == "column 3"
    assert Schema((2, 6)).column(11) == "value (1, 5)"


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["cat", "dog", "cow"]), min_size=1))
def test_class_labels_are_encoded_one_hot(y):
    condition = Condition.of(y)
    encoded = condition.encode(y)
    assert [condition.categories[i] for i in encoded.argmax(1)] == y
    assert (encoded.sum(1) == 1).all()
    assert condition.width == len(set(y))
    np.testing.assert_allclose(encoded.mean(0), condition.frequencies, rtol=1e-5)


def test_labels_with_fractions_become_one_standardised_column(rng):
    y = rng.gamma(2.0, size=5000)
    condition = Condition.of(y)
    encoded = condition.encode(y)
    assert encoded.shape == (5000, 1)
    np.testing.assert_allclose([encoded.mean(), encoded.std()], [0, 1], atol=1e-3)
    np.testing.assert_allclose(np.average(condition.categories, weights=condition.frequencies), y.mean(), rtol=0.02)
    assert condition.default == pytest.approx(np.median(y))


@pytest.mark.parametrize("n", [500, 5000])
def test_continuous_labels_are_drawn_from_all_values_seen(rng, n):
    y = rng.gamma(2.0, size=n)
    drawn = Condition.of(y).draw(20_000, rng)
    assert np.isin(drawn, y).all()
    assert len(np.unique(drawn)) > min(n, 1000) - 10
    np.testing.assert_allclose(np.quantile(drawn, [0.05, 0.5, 0.95]), np.quantile(y, [0.05, 0.5, 0.95]), rtol=0.05)


@pytest.mark.parametrize("kind", [int, float, np.uint8])
def test_labels_of_many_different_numbers_are_continuous_and_of_few_are_classes(rng, kind):
    ages = rng.permutation(np.repeat(np.arange(18, 83), 10)).astype(kind)
    condition = Condition.of(ages)
    assert (condition.continuous, condition.width) == (True, 1)
    np.testing.assert_allclose(condition.encode([17]), (17 - ages.mean()) / ages.std())  # not seen, but no error
    assert set(condition.draw(5000, rng)) == set(ages)
    assert Condition.of(ages % 32).width == 32
    assert Condition.of(ages.astype(str)).width == 65
    with pytest.raises(ValueError, match="the labels of fit were continuous numbers, got 'x'"):
        condition.encode(["x"])


def test_a_constant_continuous_label_keeps_a_scale():
    assert np.isfinite(Condition.of(np.full(9, 0.5)).encode([0.5, 1.5])).all()


def test_images_keep_their_dtype_in_memory(images):
    source = as_source(images)
    assert source.values.dtype == torch.uint8
    assert next(source.batches(8)).x.dtype == torch.uint8


def test_a_shuffled_pass_contains_every_row_once():
    seen = torch.cat([batch.x for batch in as_source(WHOLE).batches(7, seed=3)]).numpy()
    assert not np.array_equal(seen, WHOLE)
    np.testing.assert_array_equal(np.sort(seen, 0), np.sort(WHOLE, 0))
