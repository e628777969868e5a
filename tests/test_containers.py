"""Data frames and arrays of all libraries are read in the same way, or an error says what to do."""

import datetime as dt
import warnings
from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from conftest import small
from scipy import sparse

from isthmus import AnomalyDetector, Autoencoder, load, save, zoo
from isthmus.metrics import closest_record, column_fidelity, pair_fidelity
from isthmus.preparing import prepare

N = 40
rng = np.random.default_rng(0)
PLAIN = pandas.DataFrame(
    {"a": rng.normal(size=N).round(2), "b": rng.lognormal(size=N).round(3), "c": rng.integers(0, 90, N)}
)
HOLES = rng.random(PLAIN.shape) < 0.1
HOLED = PLAIN.mask(HOLES)
VERBS = ("transform", "reconstruct", "impute", "score_samples", "contributions")


def quick(**options):
    return small("imputer", **{"max_epochs": 1, **options})


def cells(frame):
    """Return the cells of a frame of numbers or of an array as float64, missing ones as NaN."""
    if isinstance(frame, pyarrow.Table):
        frame = frame.to_pandas()
    return np.asarray(frame if isinstance(frame, np.ndarray) else frame.to_numpy(), dtype=np.float64)


def to_objects(frame):
    return frame.astype(object).where(frame.notna(), None)


def to_decimals(frame):
    texts = frame.astype(object).map(lambda value: None if pandas.isna(value) else Decimal(str(value)))
    return texts.astype(object)


CONTAINERS = {
    "objects with None": (to_objects, pandas.DataFrame),
    "objects with NaN": (lambda frame: frame.astype(object), pandas.DataFrame),
    "objects with NA": (lambda frame: frame.astype(object).where(frame.notna(), pandas.NA), pandas.DataFrame),
    "Decimal objects": (to_decimals, pandas.DataFrame),
    "nullable dtypes": (lambda frame: frame.convert_dtypes(), pandas.DataFrame),
    "arrow dtypes": (lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"), pandas.DataFrame),
    "sparse columns": (lambda frame: frame.astype(pandas.SparseDtype(float)), pandas.DataFrame),
    "polars": (polars.from_pandas, polars.DataFrame),
    "polars Decimal": (
        lambda frame: polars.from_pandas(frame).cast(polars.String).cast(polars.Decimal(20, 3)),
        polars.DataFrame,
    ),
    "polars objects": (
        lambda frame: polars.DataFrame([polars.Series(n, to_objects(frame)[n].tolist(), polars.Object) for n in frame]),
        polars.DataFrame,
    ),
    "arrow": (lambda frame: pyarrow.Table.from_pandas(frame), pyarrow.Table),
    "record batch": (lambda frame: pyarrow.RecordBatch.from_pandas(frame), pyarrow.Table),
    "arrow in chunks": (
        lambda frame: pyarrow.concat_tables(
            [pyarrow.Table.from_pandas(frame[i : i + 11], preserve_index=False) for i in range(0, len(frame), 11)]
        ),
        pyarrow.Table,
    ),
}
every_container = pytest.mark.parametrize(("make", "kind"), CONTAINERS.values(), ids=CONTAINERS)


@every_container
@pytest.mark.parametrize("rows", [PLAIN, HOLED], ids=["whole", "with holes"])
def test_data_frames_of_equal_numbers_give_equal_results(make, kind, rows):
    frame, expected = make(rows), quick().fit(rows)
    model = quick().fit(frame)
    assert [field.kind for field in model.schema_.fields] == [field.kind for field in expected.schema_.fields]
    for verb in VERBS:
        found = getattr(model, verb)(frame)
        # Expected values of integers are rounded, and of decimals have as many digits as these.
        digits = 0.51 if verb in ("reconstruct", "impute") else 1e-4
        np.testing.assert_allclose(cells(found), cells(getattr(expected, verb)(rows)), rtol=1e-4, atol=digits)
    for found in (model.reconstruct(frame), model.impute(frame), model.sample(3)):
        assert isinstance(found, kind)
    known = ~rows.isna().to_numpy()
    np.testing.assert_array_equal(cells(model.impute(frame))[known], cells(rows)[known])
    one = frame[:1] if not isinstance(frame, pyarrow.RecordBatch) else frame.slice(0, 1)
    np.testing.assert_allclose(model.transform(one), model.transform(frame)[:1], rtol=1e-5, atol=1e-6)


def sparse_tensor(X, layout):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.from_numpy(X).to_sparse(layout=layout)


ARRAYS = {
    "masked, nothing masked": np.ma.masked_array,
    "masked, mask of all False": lambda X: np.ma.masked_array(X, np.zeros(X.shape, bool)),
    "Fortran order": np.asfortranarray,
    "big-endian": lambda X: X.astype(">f8"),
    "objects": lambda X: X.astype(object),
    "a tensor with gradients": lambda X: torch.from_numpy(X).requires_grad_(),
    "a transposed tensor": lambda X: torch.from_numpy(np.ascontiguousarray(X.T)).T,
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_array,
    "COO matrix": sparse.coo_matrix,
    "torch COO": lambda X: torch.from_numpy(X).to_sparse(),
    "torch CSR": lambda X: sparse_tensor(X, torch.sparse_csr),
    "torch CSC": lambda X: sparse_tensor(X, torch.sparse_csc),
}


@pytest.mark.parametrize("make", ARRAYS.values(), ids=ARRAYS)
def test_arrays_of_equal_numbers_give_equal_results(make):
    values = PLAIN.to_numpy()
    expected, model = quick().fit(values), quick().fit(make(values))
    for verb in VERBS:
        np.testing.assert_array_equal(getattr(model, verb)(make(values)), getattr(expected, verb)(values))


@pytest.mark.parametrize("dtype", [float, np.float32, int], ids=["float64", "float32", "int64"])
def test_masked_values_are_missing(dtype):
    values = (PLAIN.to_numpy() * 10).astype(dtype)
    masked, holed = np.ma.masked_array(values, HOLES), np.where(HOLES, np.nan, values)
    expected, model = quick().fit(holed), quick().fit(masked)
    for verb in VERBS:
        np.testing.assert_allclose(getattr(model, verb)(masked), getattr(expected, verb)(holed), rtol=1e-4, atol=1e-4)
    assert np.isfinite(model.impute(masked)).all()


def test_masked_values_are_missing_for_detectors():
    values = rng.normal(size=(60, 3))
    mask = np.zeros(values.shape, bool)
    mask[::5, 1] = True
    masked, holed = np.ma.masked_array(values, mask), np.where(mask, np.nan, values)
    found, expected = (AnomalyDetector(quick(), n_folds=2, random_state=0).fit(X) for X in (masked, holed))
    np.testing.assert_allclose(found.calibration_scores_, expected.calibration_scores_)
    np.testing.assert_allclose(found.score_samples(masked), expected.score_samples(holed))


# Statistics of these are computed in float32.
NARROW = ("bool", "uint8", "int8")
DTYPES = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int64")


@pytest.mark.parametrize("variant", ["mult_vae", "topic_model", "vae"])
@pytest.mark.parametrize("make", [sparse.csr_array, np.asarray, torch.from_numpy], ids=["sparse", "dense", "tensor"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_may_have_any_integer_dtype(variant, make, dtype):
    counts = np.random.default_rng(1).integers(0, 2, (30, 6))
    counts[:, 0] = 1
    counts = counts.astype(np.float32 if dtype in NARROW else np.float64)
    expected, model = (small(variant, max_epochs=1).fit(X) for X in (counts, make(counts.astype(dtype))))
    for verb in VERBS:
        found = getattr(model, verb)(make(counts.astype(dtype)))
        np.testing.assert_allclose(found, getattr(expected, verb)(counts), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_tensors_may_have_half_precision(dtype):
    half = torch.from_numpy(PLAIN.to_numpy()).to(dtype)
    expected, model = quick().fit(half.float()), quick().fit(half)
    for verb in VERBS:
        np.testing.assert_allclose(getattr(model, verb)(half), getattr(expected, verb)(half.float()), rtol=1e-3)


REFUSED = {
    "dict": (PLAIN.to_dict("list"), "of type dict, .*pandas.DataFrame"),
    "list of dicts": (PLAIN.to_dict("records"), "of type list, .*mappings.*pandas.DataFrame"),
    "structured array": (PLAIN.to_records(index=False), "of type recarray, .*pandas.DataFrame"),
    "LazyFrame": (polars.from_pandas(PLAIN).lazy(), r"of type LazyFrame, .*collect\(\)"),
    "reader": (pyarrow.Table.from_pandas(PLAIN).to_reader(), r"of type RecordBatchReader, .*read_all\(\)"),
    "dates": (PLAIN.to_numpy().astype("datetime64[s]"), "the array holds dates .*make a data frame"),
}


@pytest.mark.parametrize(("X", "message"), REFUSED.values(), ids=REFUSED)
def test_the_error_of_other_containers_names_a_remedy(X, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X)
    with pytest.raises(ValueError, match=message):
        quick().fit(PLAIN.to_numpy()).transform(X)
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(quick()).fit(X)


UNLEARNABLE = {
    "lists": ([[1, 2]] * N, "give each element a column of its own"),
    "arrays": ([np.ones(2)] * N, "give each element a column of its own"),
    "dicts": ([{"x": 1}] * N, "give each field a column of its own"),
    "durations": (pandas.timedelta_range("1D", periods=N), "turn it into numbers, such as seconds"),
    "durations as objects": (pandas.Series([dt.timedelta(i) for i in range(N)], dtype=object), "such as seconds"),
    "times": ([dt.time(i % 24) for i in range(N)], "seconds since midnight"),
    "periods": (
        pandas.period_range("2024", periods=N),
        r"period\[.*turn it into dates, such as those on which periods start",
    ),
    "intervals": (pandas.interval_range(0, N), "interval.*left and the right ends"),
    "categories of dates": (
        pandas.Categorical(list(pandas.date_range("2024", periods=N))),
        "turn it into a column of dates",
    ),
    "bytes": ([b"x", b"y"] * (N // 2), "turn it into text"),
}


@pytest.mark.parametrize(("column", "message"), UNLEARNABLE.values(), ids=UNLEARNABLE)
def test_the_error_of_unusable_columns_names_a_remedy(column, message):
    frame = PLAIN.assign(odd=column)
    with pytest.raises(ValueError, match=f"column 'odd' holds .*{message}, or leave it out"):
        quick().fit(frame)


@pytest.mark.parametrize("make", [polars.DataFrame, pyarrow.table], ids=["polars", "pyarrow"])
@pytest.mark.parametrize(
    ("column", "message"), [([[1, 2]] * N, "each element"), ([{"x": 1}] * N, "each field")], ids=["lists", "structs"]
)
def test_the_error_of_nested_columns_names_a_remedy(make, column, message):
    with pytest.raises(ValueError, match=f"column 'odd' holds .*give {message} a column of its own"):
        quick().fit(make({"a": PLAIN["a"].tolist(), "odd": column}))


HASHES = [2**60 + i % 3 for i in range(N)]
INTEGERS = {
    "pandas": lambda values: pandas.DataFrame({"a": PLAIN["a"], "id": values}),
    "pandas objects with None": lambda values: pandas.DataFrame(
        {"a": PLAIN["a"], "id": pandas.Series([None, *values[1:]], dtype=object)}
    ),
    "pandas of arrow dtypes": lambda values: pandas.DataFrame(
        {"a": PLAIN["a"], "id": pandas.Series(values, dtype=pandas.ArrowDtype(pyarrow.uint64()))}
    ),
    "categories of integers": lambda values: pandas.DataFrame({"a": PLAIN["a"], "id": pandas.Categorical(values)}),
    "polars": lambda values: polars.DataFrame({"a": PLAIN["a"].tolist(), "id": values}),
    "pyarrow": lambda values: pyarrow.table({"a": PLAIN["a"].tolist(), "id": values}),
}


def ids(frame):
    return frame["id"].to_pylist() if isinstance(frame, pyarrow.Table) else frame["id"].to_list()


@pytest.mark.parametrize("make", INTEGERS.values(), ids=INTEGERS)
@pytest.mark.parametrize("shift", [0, 2**63], ids=["signed", "unsigned"])
@pytest.mark.parametrize("schema", [None, {"id": "category"}], ids=["told by the values", "told by the caller"])
def test_integers_beyond_float64_precision_are_exact_categories(make, shift, schema, tmp_path):
    values = [value + shift for value in HASHES]
    if shift and make is INTEGERS["polars"]:
        make = lambda values: polars.DataFrame(  # noqa: E731
            {"a": PLAIN["a"].tolist(), "id": polars.Series(values, dtype=polars.UInt64)}
        )
    if shift and make is INTEGERS["pyarrow"]:
        make = lambda values: pyarrow.table(  # noqa: E731
            {"a": PLAIN["a"].tolist(), "id": pyarrow.array(values, pyarrow.uint64())}
        )
    frame = make(values)
    model = quick(schema=schema).fit(frame)
    save(model, tmp_path / "m.safetensors")
    for each in (model, load(tmp_path / "m.safetensors")):
        assert each.schema_.fields[1].kind == "category"
        assert {value for value in ids(each.sample(60)) if not pandas.isna(value)} <= set(values)
        assert set(ids(each.reconstruct(frame))) <= set(values)
        assert ids(each.impute(frame))[1:] == values[1:]
        assert set(ids(each.sample(5, given={"id": values[4]}))) == {values[4]}


def test_integers_that_are_equal_as_floats_are_two_categories():
    frame = PLAIN.assign(id=[2**62, 2**62 + 1] * (N // 2), same=2**62 + 1)
    with pytest.warns(UserWarning, match=f"'same' .{2**62 + 1} in all rows"):
        model = quick().fit(frame)
    assert model.schema_.fields[3].kind == "binary"
    assert set(model.sample(40)["id"]) == {2**62, 2**62 + 1}
    assert set(model.sample(9)["same"]) == {2**62 + 1}


UNITS = ("s", "ms", "us", "ns")
LIBRARIES = {
    "pyarrow": lambda table: table,
    "pandas": lambda table: table.to_pandas(),
    "pandas of arrow dtypes": lambda table: table.to_pandas(types_mapper=pandas.ArrowDtype),
    "polars": polars.from_arrow,
}


@pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize("zone", [None, "Europe/Oslo"])
@pytest.mark.parametrize("unit", UNITS)
def test_times_of_any_unit_are_rebuilt(make, zone, unit):
    seconds = np.random.default_rng(0).integers(-(10**9), 10**9, N)
    times = pyarrow.array(seconds * 1000 ** UNITS.index(unit), pyarrow.timestamp(unit, zone))
    frame = make(pyarrow.table({"a": PLAIN["a"].tolist(), "t": times}))
    model = quick().fit(frame)
    for found in (model.reconstruct(frame), model.sample(20), model.impute(frame)):
        columns = zip(
            *(f.schema.types if isinstance(f, pyarrow.Table) else f.dtypes for f in (found, frame)), strict=True
        )
        assert all(new == old for new, old in columns)
        found = found["t"].to_pylist() if isinstance(found, pyarrow.Table) else found["t"].to_list()
        known = frame["t"].to_pylist() if isinstance(frame, pyarrow.Table) else frame["t"].to_list()
        assert min(known) <= min(found) <= max(found) <= max(known)


TEXTS = pandas.DataFrame({"t": ["x", "y", "z", "x"] * 10, "v": PLAIN["a"]})
CHUNKED = {
    "pandas, concat": lambda: pandas.concat([TEXTS[:7], TEXTS[7:20], TEXTS[20:]], ignore_index=True),
    "pandas, chunked arrow": lambda: TEXTS.assign(
        t=pandas.array(pyarrow.chunked_array([TEXTS["t"].tolist()[:9], TEXTS["t"].tolist()[9:]]), dtype="str")
    ),
    "polars": lambda: polars.concat([polars.from_pandas(TEXTS[:9]), polars.from_pandas(TEXTS[9:])], rechunk=False),
    "pyarrow": lambda: pyarrow.concat_tables(
        [pyarrow.Table.from_pandas(TEXTS[:9]), pyarrow.Table.from_pandas(TEXTS[9:])]
    ),
    "pyarrow, dictionaries": lambda: pyarrow.concat_tables(
        [
            pyarrow.table({"t": pyarrow.array(TEXTS["t"][part].tolist()).dictionary_encode(), "v": TEXTS["v"][part]})
            for part in (slice(0, 2), slice(2, None))
        ]
    ),
}


@pytest.mark.parametrize("make", CHUNKED.values(), ids=CHUNKED)
def test_texts_may_be_stored_in_several_chunks(make):
    frame = make()
    assert len(prepare(frame, duplicates="keep", split=(0.6, 0.2, 0.2), random_state=0).train) == 0.6 * N
    for metric in (column_fidelity, pair_fidelity, lambda *frames: closest_record(*frames, TEXTS)):
        assert str(metric(frame, frame)) == str(metric(TEXTS, TEXTS))
    assert {*texts(quick().fit(frame).sample(9))} <= {"x", "y", "z"}


def texts(frame):
    return frame["t"].to_pylist() if isinstance(frame, pyarrow.Table) else frame["t"].to_list()


NUMERALS = {
    "objects": [*np.random.default_rng(3).normal(size=N - 3).tolist(), "n/a", "n/a", "broken"],
    "texts": [*map(str, np.random.default_rng(3).normal(size=N - 3).tolist()), "n/a", "n/a", "broken"],
}


@pytest.mark.parametrize("values", NUMERALS.values(), ids=NUMERALS)
def test_the_error_names_texts_among_numbers(values):
    frame = PLAIN.assign(price=pandas.Series(values, dtype=object))
    with pytest.warns(UserWarning, match=r"'price' \(mostly numbers, but 2 of 39 values are texts, such as 'broken'"):
        model = quick().fit(frame)
    assert model.schema_.fields[3].kind == "text"
    assert model.impute(frame)["price"].tolist() == values


@pytest.mark.parametrize(
    "values",
    [
        [f"{i:05d}" for i in range(N)],
        [f"A{i}" if i % 3 else str(i) for i in range(N)],
    ],
    ids=["codes with zeros", "keys with and without a letter"],
)
def test_columns_of_unique_texts_are_left_out_as_identifiers(values):
    with pytest.warns(UserWarning, match="'key' .an identifier"):
        assert quick().fit(PLAIN.assign(key=values)).schema_.fields[3].kind == "identifier"


NAMES = {
    "integers": [0, 1, 2],
    "floats": [0.5, 1.5, 2.5],
    "two levels": pandas.MultiIndex.from_product([["a"], ["x", "y", "z"]]),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_column_names_may_be_other_types_than_text(names, tmp_path):
    frame = pandas.DataFrame(PLAIN.to_numpy(), columns=names)
    model = quick().fit(frame)
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.transform(frame.iloc[:, ::-1]), model.transform(frame))
    assert list(again.sample(2).columns) == list(frame.columns)


@pytest.mark.parametrize("names", [[0, "b", 2], pandas.date_range("2024", periods=3)], ids=["mixed", "dates"])
def test_column_names_that_cannot_be_saved_are_refused_before_training(names):
    with pytest.raises(ValueError, match=r"names of columns have types .*X.columns.map\(str\)"):
        quick(callbacks=(lambda state: pytest.fail("it was trained"),)).fit(
            pandas.DataFrame(PLAIN.to_numpy(), columns=names)
        )


TAKEN_BY_DETECTORS = {
    "objects": to_objects(HOLED),
    "Decimal objects": to_decimals(HOLED),
    "sparse columns": HOLED.astype(pandas.SparseDtype(float)),
    "record batch": pyarrow.RecordBatch.from_pandas(HOLED),
    "sparse rows of unsigned integers": sparse.csr_array(PLAIN[["c"]].to_numpy().astype(np.uint32).repeat(3, axis=1)),
    "sparse tensor": torch.from_numpy(PLAIN.to_numpy()).to_sparse(),
    "tensor of half precision": torch.from_numpy(PLAIN.to_numpy()).bfloat16(),
    "masked": np.ma.masked_array(PLAIN.to_numpy(), HOLES),
}


@pytest.mark.parametrize("X", TAKEN_BY_DETECTORS.values(), ids=TAKEN_BY_DETECTORS)
def test_detectors_take_what_their_estimators_take(X):
    detector = AnomalyDetector(quick(), n_folds=2, random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    assert detector.predict(X).shape == detector.p_values(X).shape == (N,)
    assert len(detector.explain(X)) == N


@pytest.mark.parametrize(
    "make", [lambda table: table, polars.from_pandas, pyarrow.Table.from_pandas], ids=["pandas", "polars", "pyarrow"]
)
@pytest.mark.parametrize("nothing", [None, np.nan])
def test_empty_columns_in_new_rows_take_the_dtype_of_fit(make, nothing):
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(
        {
            "number": rng.normal(size=60),
            "count": rng.integers(0, 9, 60),
            "group": rng.choice(["a", "b", "c"], 60),
            "day": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 90, 60), unit="D"),
            "flag": rng.random(60) < 0.3,
        }
    )
    model = zoo.imputer(2, max_epochs=1, random_state=0).fit(table)
    for name in table:
        rows = make(table.tail(5).assign(**{name: [nothing] * 5}))
        for filled in (model.impute(rows), *model.impute(rows, n_draws=2), model.reconstruct(rows)):
            column = nw.from_native(filled)[name]
            assert column.dtype == nw.from_native(make(table))[name].dtype
            assert set(column.to_list()) <= set(table[name]) or name in ("number", "day")
            assert not column.is_null().any()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (None, "X is of type NoneType, expected an array or a data frame"),
        ((row for row in [[1, 2]]), "X is of type generator, expected an array or a data frame"),
        ("data.csv", "X is of type str, expected .*; isthmus.data.files.read reads files"),
    ],
)
def test_data_in_an_unknown_container_is_refused_by_type(X, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(2).fit(X)


def test_column_names_may_be_a_categorical_index():
    frame = PLAIN.set_axis(pandas.CategoricalIndex(PLAIN.columns), axis=1)
    model = quick().fit(frame)
    assert list(model.reconstruct(frame).columns) == list(PLAIN.columns) == model.schema_.names
    np.testing.assert_array_equal(model.transform(frame), model.transform(PLAIN))


@pytest.mark.parametrize("values", [1j * PLAIN["b"], (1j * PLAIN["b"]).astype(object)], ids=["complex", "object"])
def test_complex_columns_are_refused_by_name(values):
    frame = PLAIN.assign(b=values)
    with pytest.raises(ValueError, match="column 'b' holds .*complex.* the real and the imaginary parts"):
        quick().fit(frame)
    with pytest.raises(ValueError, match="column 'b' holds .*, but held numbers in fit"):
        quick().fit(PLAIN).transform(frame)


def test_dates_are_not_taken_as_numbers():
    frame = PLAIN.assign(b=pandas.date_range("2024-01-01", periods=N))
    with pytest.raises(ValueError, match="column 'b' holds Datetime.*, but held numbers in fit"):
        quick().fit(PLAIN).transform(frame)
