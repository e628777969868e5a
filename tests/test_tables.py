"""Results for data frames are data frames of the same kind."""

import datetime as dt
import json
import math
import warnings

import narwhals as nw
import numpy as np
import pandas
import polars
import pyarrow
import pytest
from conftest import small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus import Autoencoder, load, save
from isthmus.corruptions import GaussianNoise, SaltPepper
from isthmus.data import as_source
from isthmus.likelihoods import Bernoulli, Mixed
from isthmus.schema import LEFT_OUT, Schema

ROWS = 30
LIBRARIES = {
    "pandas": lambda table: table.to_pandas(),
    "pandas of nullable dtypes": lambda table: table.to_pandas().convert_dtypes(),
    "pandas of arrow columns": lambda table: table.to_pandas(types_mapper=pandas.ArrowDtype),
    "polars": polars.from_arrow,
    "pyarrow": lambda table: table,
}
every_library = pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)


def quick(name="vae", **options):
    return small(name, **{"max_epochs": 1, **options})


def mixed(n=ROWS, seed=0):
    """A table of all kinds of columns, most with a missing value."""
    rng = np.random.default_rng(seed)
    day = dt.datetime(2024, 2, 28)
    columns = {
        "height": rng.normal(170, 10, n).round(1),
        "income": rng.lognormal(8, 1, n),
        "visits": rng.poisson(2, n),
        "member": rng.random(n) < 0.4,
        "city": rng.choice(["Bergen", "Oslo", "Århus"], n),
        "joined": [day + dt.timedelta(days=int(days)) for days in rng.integers(0, 400, n)],
        "key": np.arange(100, 100 + n),
        "planet": ["Earth"] * n,
        "remark": [f"the customer said so {i} times over" for i in range(n)],
    }
    holes = {"height": 3, "income": 4, "visits": 5, "member": 6, "city": 7, "joined": 8}
    arrays = {
        name: pyarrow.array([None if i == holes.get(name) else value for i, value in enumerate(list(values))])
        for name, values in columns.items()
    }
    return pyarrow.table(arrays)


def fit(X, name="vae", **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="left out")
        return quick(name, **options).fit(X)


def as_table(frame):
    """Return the cells of any data frame, missing ones as None."""
    if isinstance(frame, polars.DataFrame):
        return frame.to_dict(as_series=False)
    if isinstance(frame, pyarrow.Table):
        return frame.to_pydict()
    return {name: [None if pandas.isna(v) else v for v in frame[name].tolist()] for name in frame.columns}


def dtypes_of(frame):
    return list(frame.schema.types) if isinstance(frame, pyarrow.Table) else list(frame.dtypes)


def names_of(frame):
    return list(frame.column_names if isinstance(frame, pyarrow.Table) else frame.columns)


def assert_like(found, frame, n=None):
    """Compare library, columns, order and dtypes."""
    assert type(found) is type(frame)
    assert names_of(found) == names_of(frame)
    assert dtypes_of(found) == dtypes_of(frame)
    assert len(found) == (len(frame) if n is None else n)


# The round trip

numbers = st.floats(-1e6, 1e6, width=32)
CELLS = {
    pyarrow.float64(): numbers,
    pyarrow.float32(): numbers,
    pyarrow.int64(): st.integers(-(2**40), 2**40),
    pyarrow.int8(): st.integers(-128, 127),
    pyarrow.uint16(): st.integers(0, 2**16 - 1),
    pyarrow.bool_(): st.booleans(),
    pyarrow.string(): st.sampled_from(["a", "b", "ç d", ""]),
    pyarrow.dictionary(pyarrow.int32(), pyarrow.string()): st.sampled_from(["lo", "mid", "hi"]),
    pyarrow.timestamp("us"): st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2050, 1, 1)),
    pyarrow.timestamp("us", "Europe/Oslo"): st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1)),
    pyarrow.date32(): st.dates(dt.date(1950, 1, 1), dt.date(2050, 1, 1)),
    pyarrow.decimal128(12, 2): st.decimals(-1000, 1000, places=2),
}


@st.composite
def tables(draw):
    """A table of one to six columns of any types, of which the first always varies."""
    kinds = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=6))
    columns = {"x": pyarrow.array(np.linspace(0.5, 2.0, ROWS))}
    for i, kind in enumerate(kinds):
        cells = draw(st.lists(st.none() | CELLS[kind], min_size=ROWS, max_size=ROWS))
        columns[f"column {i}"] = pyarrow.array(cells, kind)
    return pyarrow.table(columns)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from(sorted(LIBRARIES)))
def test_any_table_is_restored_by_its_schema(table, library):
    frame = LIBRARIES[library](table)
    if library.startswith("pandas") and any(pyarrow.types.is_decimal(kind) for kind in table.schema.types):
        frame = frame[[name for name in frame.columns if not pyarrow.types.is_decimal(table.schema.field(name).type)]]
    before = as_table(frame)
    model = fit(frame, "imputer")
    assert_like(model.reconstruct(frame), frame)
    assert_like(model.sample(7), frame, 7)
    assert_like(model.inverse_transform(model.transform(frame)), frame)
    filled = model.impute(frame)
    assert_like(filled, frame)
    used = {field.name for field in model.schema_.used}
    for name, cells in as_table(filled).items():
        known = [(new, old) for new, old in zip(cells, before[name], strict=True) if old is not None]
        assert all(new == old for new, old in known), "a cell that was there has changed"
        assert name not in used or None not in cells, "a hole is left"
    assert as_table(frame) == before


@every_library
def test_all_kinds_of_columns_are_restored(make, tmp_path):
    frame = make(mixed())
    model = fit(frame, "imputer", max_epochs=3)
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.schema_ == model.schema_
    for result in (model.sample(50, missing=False), again.sample(50, missing=False)):
        assert_like(result, frame, 50)
        cells = as_table(result)
        assert set(cells["city"]) <= {"Bergen", "Oslo", "Århus"}
        assert set(cells["planet"]) == {"Earth"}
        assert set(cells["remark"]) == {None}
        assert cells["key"] == list(range(1, 51))
        assert min(cells["visits"]) >= 0
        assert all(float(value) == round(float(value), 1) for value in cells["height"])
        assert dt.datetime(2024, 2, 28) <= min(cells["joined"]) <= max(cells["joined"]) < dt.datetime(2025, 4, 3)
    assert as_table(model.sample(50)) == as_table(again.sample(50))
    assert as_table(again.impute(frame)) == as_table(model.impute(frame))
    assert as_table(model.reconstruct(frame))["remark"] == as_table(frame)["remark"]


def test_all_data_frame_libraries_give_equal_codes():
    codes = [fit(make(mixed())).transform(make(mixed())) for make in LIBRARIES.values()]
    for other in codes[1:]:
        np.testing.assert_allclose(other, codes[0], rtol=1e-5, atol=1e-6)


def test_index_and_categories_of_pandas_are_kept():
    frame = mixed().to_pandas().set_index(pandas.Index([f"row {i}" for i in range(ROWS)], name="who"))
    frame["city"] = pandas.Categorical(frame["city"], ["Tromsø", "Oslo", "Århus", "Bergen"], ordered=True)
    model = fit(frame, "imputer")
    assert model.schema_.fields[4].kind == "ordered"
    assert model.schema_.fields[4].categories == ("Oslo", "Århus", "Bergen")
    for result in (model.reconstruct(frame), model.impute(frame), model.impute(frame, n_draws=2)[1]):
        assert result.index.equals(frame.index)
        assert result.index.name == "who"
        assert result["city"].dtype == frame["city"].dtype
    assert model.sample(5)["city"].dtype == frame["city"].dtype
    assert "Tromsø" not in set(model.sample(200)["city"])


# Kinds


def kinds_of(frame, **kinds):
    return {field.name: field.kind for field in as_source(frame, kinds).schema.fields}


def test_kinds_of_columns_are_recognised_by_the_values():
    assert kinds_of(mixed(200)) == {
        "height": "real",
        "income": "positive",
        "visits": "count",
        "member": "binary",
        "city": "category",
        "joined": "date",
        "key": "identifier",
        "planet": "constant",
        "remark": "text",
    }


TITANIC = {
    "PassengerId": "identifier",
    "Survived": "binary",
    "Pclass": "count",
    "Name": "text",
    "Sex": "category",
    "SibSp": "count",
    "Ticket": "identifier",
    "Cabin": "identifier",
    "Embarked": "category",
}


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5], [0, 1, 2, 3], [2, 3, 4, 5], range(11)], ids=str)
@pytest.mark.parametrize("n", [200, 3000])
def test_negated_ratings_have_the_kind_of_ratings(values, n, rng):
    skewed = rng.choice(values, n, p=np.array([*range(1, len(values) + 1)]) / sum(range(1, len(values) + 1)))
    frame = pandas.DataFrame({"stars": skewed, "mirrored": max(values) + min(values) - skewed, "x": rng.normal(size=n)})
    fields = as_source(frame).schema.fields
    assert [field.kind for field in fields] == ["count", "count", "real"]
    assert fields[0].common_values == fields[1].common_values == tuple(map(float, values))


def test_kinds_of_columns_of_real_tables_are_recognised(outside_data):
    folder = outside_data("tabular-mixed")
    found = kinds_of(pandas.read_csv(folder / "titanic.csv.gz"))
    assert {name: found[name] for name in TITANIC} == TITANIC
    found = kinds_of(pandas.read_csv(folder / "ames_housing.csv.gz"))
    assert [name for name, kind in found.items() if kind in LEFT_OUT] == ["Id", "PID"]
    assert found["SalePrice"] == "positive"
    assert set(kinds_of(pandas.read_csv(folder / "adult_train.csv.gz")).values()) <= {"real", "count", "category"}


def test_given_kinds_override_the_recognised_ones(tmp_path):
    frame = mixed()
    kinds = {"visits": "category", "key": "real", "city": "text", "member": "category", "remark": "text"}
    model = quick(schema=kinds)
    with pytest.warns(UserWarning, match=r"left out: 'planet' \('Earth' in all rows\)$"):
        model.fit(frame)
    assert {field.name: field.kind for field in model.schema_.fields}.items() >= kinds.items()
    assert set(as_table(model.sample(30))["visits"]) <= set(as_table(frame)["visits"]) - {None}
    again = Schema.from_json(json.loads(json.dumps(model.schema_.to_json())))
    np.testing.assert_array_equal(fit(frame, schema=again).transform(frame), model.transform(frame))
    save(model, tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").schema == kinds


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_decimals_are_recognised_in_spite_of_rounding_errors(dtype, rng):
    cents = rng.integers(-5000, 5000, 400)
    prices = pandas.DataFrame({"price": cents / 1000 * 10, "sum": cents * 0.01 + 0.1 + 0.2}).astype(dtype)
    assert not (np.round(prices["sum"].astype(float), 2) == prices["sum"]).all()
    steps = {field.name: field.step for field in quick().fit(prices).schema_.fields}
    assert steps == {"price": 0.01, "sum": 0.01}


def test_categories_of_mixed_types_keep_their_types():
    frame = pandas.DataFrame({"x": np.arange(20.0), "code": [1, "one", 1.5, True] * 5})
    model = fit(frame)
    assert set(map(repr, model.sample(100)["code"])) <= {"1", "'one'", "1.5", "True"}
    assert model.reconstruct(frame)["code"].dtype == object


def test_left_out_columns_are_one_warning_with_reasons():
    with pytest.warns(UserWarning, match=r"'remark' \(free text; isthmus.data.Texts") as caught:
        quick().fit(mixed())
    assert len(caught) == 1


# Schema and statistics


def test_each_kind_has_its_likelihood():
    model = fit(mixed(400))
    assert isinstance(model.likelihood_, Mixed)
    names = [field.name for field in model.schema_.used]
    by_column = {
        names[i]: type(part).__name__
        for part, columns in zip(model.likelihood_.parts, model.likelihood_.columns, strict=True)
        for i in columns
    }
    assert by_column == {
        "height": "Gaussian",
        "income": "LogNormal",
        "visits": "Histogram",
        "member": "Bernoulli",
        "city": "Categorical",
        "joined": "Date",
    }


def test_contributions_of_all_kinds_add_up_to_the_score():
    frame = mixed(100)
    model = fit(frame, max_epochs=3)
    contributions = model.contributions(frame).to_pandas()
    assert list(contributions.columns) == [*(field.name for field in model.schema_.used), "code", "base"]
    np.testing.assert_allclose(contributions.sum(axis=1), model.score_samples(frame), rtol=1e-4, atol=1e-4)
    assert contributions["city"][7] == 0
    assert np.isfinite(model.score_samples(frame, n_draws=3, random_state=0)).all()


def test_dependent_columns_are_learned():
    """A category determines a number, a date and another category; each is imputed from the others."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 600)
    frame = pandas.DataFrame(
        {
            "group": np.array(["a", "b", "c"])[group],
            "other": np.array(["x", "y", "z"])[group],
            "size": group * 10.0 + rng.normal(size=600),
            "day": pandas.Timestamp("2024-01-01")
            + pandas.to_timedelta(group * 100 + rng.integers(0, 9, 600), unit="D"),
        }
    )
    options = {"max_epochs": 60, "batch_size": 32, "learning_rate": 0.02, "corruption__fraction": 0.4}
    model = small("imputer", 4).set_params(**options).fit(frame)
    for name in frame:
        holes = frame.assign(**{name: pandas.Series(None, frame.index, dtype=frame[name].dtype)})
        filled = model.impute(holes)[name]
        if frame[name].dtype == "float64":
            assert np.abs(filled - frame[name]).mean() < 3
        elif name == "day":
            assert (filled - frame[name]).abs().mean() < pandas.Timedelta(days=20)
        else:
            assert (filled == frame[name]).mean() > 0.95


def test_many_categories_are_embedded():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"shop": rng.integers(0, 10_000, 40_000), "x": rng.normal(size=40_000)})
    model = fit(frame, schema={"shop": "category"}, batch_size=1024)
    assert len(model.schema_.fields[0].categories) > 9000
    n_weights = sum(p.numel() for p in model.module_.parameters())
    assert n_weights < 10_000 * 20
    assert set(model.sample(20)["shop"]) <= set(frame["shop"])
    assert np.isfinite(model.score_samples(frame[:500])).all()


@pytest.mark.parametrize("corruption", [GaussianNoise(5.0, unit="data"), SaltPepper(0.9)])
def test_noise_is_never_added_to_categories(corruption):
    frame = mixed(200).select(["city", "height", "member"])
    model = fit(frame, corruption=corruption)
    x = next(as_source(frame, model.schema_).batches(200)).x.float()
    spoiled = model.module_.cpu()._corrupt(x)[0]
    levelled = model.schema_.categorical
    assert len(levelled) == 2
    np.testing.assert_array_equal(spoiled[:, levelled], x[:, levelled])
    assert not np.allclose(spoiled[:, 1], x[:, 1])


def test_a_table_of_only_booleans_is_bernoulli():
    frame = pandas.DataFrame(np.random.default_rng(0).random((60, 4)) < 0.5, columns=list("abcd"))
    model = fit(frame)
    assert isinstance(model.likelihood_, Bernoulli)
    assert set(map(str, model.sample(9).dtypes)) == {"bool"}


# New rows


@every_library
def test_unseen_categories_are_missing_with_one_warning(make):
    frame = make(mixed())
    model = fit(frame)
    cells = mixed().to_pydict()
    cells["city"][0], cells["city"][1] = "Turku", "Turku"
    new = make(pyarrow.table(cells, schema=mixed().schema))
    with pytest.warns(UserWarning, match=r"'Turku' \(2 rows\) in column 'city'") as caught:
        codes = model.transform(new)
    assert len(caught) == 1
    cells["city"][0], cells["city"][1] = None, None
    np.testing.assert_allclose(codes, model.transform(make(pyarrow.table(cells, schema=mixed().schema))), rtol=1e-6)


def test_unseen_categories_are_missing_even_if_fit_saw_no_missing_value():
    frame = pandas.DataFrame({"city": ["Oslo", "Bergen"] * 20, "x": np.arange(40.0)})
    model = fit(frame)
    frame.loc[0, "city"] = "Turku"
    with pytest.warns(UserWarning, match="'Turku'"):
        assert np.isfinite(model.score_samples(frame)).all()
    frame.loc[0, "x"] = None
    with (
        pytest.warns(UserWarning, match="'Turku'"),
        pytest.raises(ValueError, match="column 'x' has missing values, but there were none in fit"),
    ):
        model.transform(frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="city"), "city"),
        (
            lambda frame: frame.rename(columns={"city": "town"}),
            "lacks columns .*'city'; feature names .* not seen: 'town'",
        ),
        (lambda frame: frame.assign(height="tall"), "column 'height' holds .*held numbers in fit"),
        (lambda frame: frame.assign(joined=1.0), "column 'joined' holds .*held dates in fit"),
        (lambda frame: frame.to_numpy(), "X must be one too|expected numbers"),
        (lambda frame: np.zeros((3, 9)), "fit saw a data frame with categories"),
    ],
)
def test_other_columns_are_refused_by_name(change, message):
    frame = mixed().to_pandas()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        with pytest.raises(ValueError, match=message):
            fit(frame).transform(change(frame))


def test_rows_are_drawn_for_given_values():
    rng = np.random.default_rng(0)
    sex = rng.choice(["F", "M"], 2000)
    frame = pandas.DataFrame(
        {"sex": sex, "size": np.where(sex == "F", 165.0, 180.0) + rng.normal(size=2000) * 5, "n": rng.poisson(3, 2000)}
    )
    model = small("vae", 3, max_epochs=40, learning_rate=0.01).fit(frame)
    women, men = (model.sample(500, given={"sex": value}, random_state=0) for value in "FM")
    assert set(women["sex"]) == {"F"}
    assert women["size"].mean() == pytest.approx(165, abs=2.5)
    assert men["size"].mean() == pytest.approx(180, abs=2.5)
    tall = model.sample(300, given={"size": 190.0}, random_state=0)
    assert (tall["size"] == 190.0).all()
    assert (tall["sex"] == "M").mean() > 0.9
    with pytest.raises(ValueError, match=r"given\['sex'\] must be one of \['F', 'M'\], got 'X'"):
        model.sample(given={"sex": "X"})
    with pytest.raises(ValueError, match=r"given has a column 'sexx'.*did you mean 'sex'"):
        model.sample(given={"sexx": "F"})
    with pytest.raises(ValueError, match=r"given\['size'\] must be a finite number, got 'big'"):
        model.sample(given={"size": "big"})
    with pytest.warns(UserWarning, match="few of the drawn codes") as caught:
        model.sample(100, given={"size": 1e6})
    assert caught[0].filename == __file__


def test_given_values_of_arrays_are_named_by_position(blobs):
    model = quick("vae").fit(blobs)
    assert (model.sample(5, given={2: 0.5}, random_state=0)[:, 2] == 0.5).all()


def test_tables_with_categories_may_have_labels():
    frame = mixed(200)
    labels = np.arange(200) % 3
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="left out")
        model = quick("conditional_vae").fit(frame, labels)
    assert_like(model.sample(6, y=2), frame, 6)
    assert_like(model.reconstruct(frame), frame)
    assert set(as_table(model.sample(9, given={"city": "Oslo"}))["city"]) == {"Oslo"}
    assert np.isfinite(model.score_samples(frame)).all()


def test_imputations_are_drawn_with_the_conditional_variance():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"a": rng.normal(size=800), "b": rng.normal(size=800)})
    holes = frame.mask(rng.random(frame.shape) < 0.3)
    model = small("imputer", 2, max_epochs=20, learning_rate=0.01).fit(holes)
    draws = model.impute(holes, n_draws=30, random_state=0)
    spread = np.std([draw.to_numpy() for draw in draws], axis=0)
    assert spread[holes.notna().to_numpy()].max() < 1e-12
    assert spread[holes.isna().to_numpy()].mean() == pytest.approx(1, abs=0.25)
    pandas.testing.assert_frame_equal(draws[3], model.impute(holes, n_draws=30, random_state=0)[3])


def test_missing_values_of_arrays_are_imputed(holes):
    model = quick("imputer").fit(holes)
    filled = model.impute(holes)
    known = ~np.isnan(holes)
    np.testing.assert_array_equal(filled[known], holes[known])
    assert np.isfinite(filled).all()
    with pytest.raises(ValueError, match="n_draws must be None or a positive integer, got 0"):
        model.impute(holes, n_draws=0)


# Errors


def test_two_thousand_columns_are_fitted():
    rng = np.random.default_rng(0)
    columns = {f"n{i}": rng.normal(size=40) for i in range(1000)}
    columns |= {f"c{i}": rng.choice(["a", "b", "c"], 40) for i in range(1000)}
    frame = polars.DataFrame(columns)
    model = fit(frame)
    assert_like(model.reconstruct(frame), frame)
    assert model.schema_.implications == ()  # too many pairs of values for a search of rules


def test_one_column_is_enough():
    for column in (["a", "b", "c"] * 10, np.arange(30.0), [True, False] * 15):
        frame = pandas.DataFrame({"x": column})
        assert_like(small("vae", 1, max_epochs=1).fit(frame).sample(4), frame, 4)


def test_integers_beyond_float_precision_are_kept():
    big = [2**53 + 1 + i * 10**12 for i in range(28)] + [-(2**63), 2**63 - 1]
    frame = pandas.DataFrame({"big": np.array(big, dtype=np.int64), "x": np.arange(30.0) ** 2})
    model = fit(frame)
    for result in (model.reconstruct(frame), model.sample(50)):
        assert result["big"].dtype == np.int64
    pandas.testing.assert_frame_equal(model.impute(frame), frame)
    unsigned = pandas.DataFrame({"u": np.array([2**64 - 1, 5, 7] * 10, dtype=np.uint64), "x": np.arange(30.0) ** 2})
    assert fit(unsigned).sample(5)["u"].dtype == np.uint64


def test_time_zones_are_kept():
    days = pandas.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin")  # start of summer time
    frame = pandas.DataFrame({"at": days, "x": np.arange(60.0) ** 2})
    model = fit(frame)
    result = model.reconstruct(frame)
    assert result["at"].dtype == frame["at"].dtype
    assert (result["at"] >= days.min()).all()
    assert (model.sample(9)["at"] <= days.max()).all()


def test_dates_with_and_without_a_time_zone_are_not_compared():
    days = pandas.date_range("2024-03-01", periods=60, freq="h")
    naive = pandas.DataFrame({"at": days, "x": np.arange(60.0) ** 2})
    zoned, elsewhere = (naive.assign(at=days.tz_localize("UTC").tz_convert(zone)) for zone in ("Asia/Tokyo", "UTC"))
    with pytest.raises(ValueError, match="dates in column 'at' have the time zone UTC, but had no time zone in fit"):
        fit(naive).transform(elsewhere)
    model = fit(zoned)
    with pytest.raises(ValueError, match="'at' have no time zone, but had the time zone Asia/Tokyo in fit"):
        model.transform(naive)
    np.testing.assert_array_equal(model.transform(zoned), model.transform(elsewhere))


@pytest.mark.parametrize(
    ("frame", "kinds", "message"),
    [
        (pandas.DataFrame({"a": [1.0, math.inf] * 10}), {}, "column 'a' holds an infinite value"),
        (pandas.DataFrame({"a": [1.0, None] * 10}), {}, "no column to learn from .column 'a': 1.0 in all rows"),
        (pandas.DataFrame({"a": [None] * 10}), {}, "no column to learn from .column 'a': no value in any row"),
        (
            pandas.DataFrame({"a": ["x", "y"] * 10}),
            {"a": "real"},
            "column 'a' holds String and cannot be of kind 'real'",
        ),
        (pandas.DataFrame({"a": ["x", "y"] * 10}), {"b": "real"}, "schema has a column 'b' that X does not have"),
        (pandas.DataFrame({"a": ["x", "y"] * 10}), {"a": "word"}, "kind of column 'a' must be one of .* got 'word'"),
        (pandas.DataFrame({"a": [1, 2, 3] * 10}), {"a": "binary"}, "'a' is to be binary, but has 3 different values"),
        (pandas.DataFrame({"a": [dt.timedelta(1)] * 9}), {}, "column 'a' holds Duration.*expected numbers"),
        (pandas.DataFrame({"a": [b"x", b"y"] * 9}), {}, "column 'a' holds a value of type bytes"),
    ],
)
def test_tables_that_cannot_be_fitted_are_refused_by_column(frame, kinds, message):
    with pytest.raises(ValueError, match=message):
        quick(schema=kinds).fit(frame)


def test_a_likelihood_for_numbers_refuses_categories():
    with pytest.raises(ValueError, match="likelihood 'gaussian' is for numbers, but 'city' hold categories"):
        fit(mixed().select(["city", "height"]), likelihood="gaussian")
    assert isinstance(fit(mixed().select(["height", "visits"]), likelihood="student_t"), Autoencoder)


@every_library
def test_missing_values_of_a_constant_column_become_the_constant(make):
    table = mixed().append_column("five", pyarrow.array([5, None] * (ROWS // 2)))
    filled = as_table(fit(make(table), "imputer").impute(make(table)))
    assert set(filled["five"]) == {5}


def test_reading_a_wide_table_gets_the_schema_once(monkeypatch):
    accesses = []
    schema = nw.DataFrame.schema
    monkeypatch.setattr(nw.DataFrame, "schema", property(lambda frame: accesses.append(1) or schema.fget(frame)))

    def count(width):
        accesses.clear()
        X = pyarrow.table({f"x{i}": np.arange(30.0) ** 0.5 for i in range(width)})
        as_source(X, as_source(X).schema)
        return len(accesses)

    assert count(40) == count(4)


def test_all_unseen_categories_are_counted():
    known = pandas.DataFrame({"flag": ["SF", "REJ"] * 10, "city": ["Oslo", "Vik"] * 10})
    schema = as_source(known).schema
    flags = ["S0"] * 5 + ["S1"] * 3 + ["S2"] * 2 + ["S3", "S4"] + ["SF"] * 8
    with pytest.warns(UserWarning, match="treated as missing") as caught:
        as_source(known.assign(flag=flags, city=["Moss", *known["city"][1:]]), schema)
    assert str(caught[0].message) == (
        "treated as missing, for fit has not seen them: 'S0' (5 rows), 'S1' (3 rows), 'S2' (2 rows), 2 others (2 rows) "
        "in column 'flag'; 'Moss' (1 row) in column 'city'"
    )


def test_numbers_and_dates_as_text_are_named_in_one_warning():
    table = pandas.DataFrame(
        {
            "income": [f"${i % 7}.50" for i in range(40)],
            "day": [f"{1 + i % 9:02}.03.2024" for i in range(40)],
            "zip": [f"0{i % 5}23" for i in range(40)],
            "city": ["Oslo", "Rome"] * 20,
        }
    )
    expected = r"numbers or dates are stored as text: 'income' \(such as '\$0.50'\), 'day' \(such as '01.03.2024'\);"
    with pytest.warns(UserWarning, match=expected):
        small("autoencoder", max_epochs=1).fit(table)
    small("autoencoder", max_epochs=1, schema={"income": "category", "day": "category"}).fit(table)
