"""Missing values of new rows, compared with missing values of the training rows."""

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from conftest import small
from typer.testing import CliRunner

from isthmus import Decoder, load, save
from isthmus.cli.app import app
from isthmus.model import missingness

N = 2500
HOLED = ["wage", "bonus", "grade", "member"]
LIBRARIES = {
    "pandas": lambda frame: frame,
    "pandas of nullable dtypes": lambda frame: frame.convert_dtypes(),
    "polars": polars.from_pandas,
    "pyarrow": lambda frame: pyarrow.Table.from_pandas(frame, preserve_index=False),
}


def staff(n=N, seed=0):
    """Wages are missing for most without a job, and with the bonus; grades of the old; members with the grade."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, n).round()
    frame = pandas.DataFrame(
        {
            "age": age,
            "job": rng.choice(["clerk", "none", "boss"], n),
            "wage": rng.lognormal(8, 0.5, n),
            "bonus": rng.lognormal(5, 0.5, n),
            "grade": rng.choice(["a", "b", "c"], n),
            "member": pandas.array(rng.random(n) < 0.4, dtype="boolean"),
            "hired": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 300, n), unit="D"),
        }
    )
    frame.loc[(frame["job"] == "none") & (rng.random(n) < 0.8), "wage"] = np.nan
    frame.loc[rng.random(n) < 0.1, ["wage", "bonus"]] = np.nan
    old = rng.random(n) < 1 / (1 + np.exp(-(age - 50) / 4))
    frame.loc[old, "grade"] = None
    frame.loc[old, "member"] = pandas.NA
    return frame


def to_pandas(frame):
    return frame if isinstance(frame, pandas.DataFrame) else frame.to_pandas()


@pytest.fixture(scope="module")
def model():
    return small("tabular_vae", 6, max_epochs=30).fit(staff())


@pytest.fixture(scope="module")
def sample(model):
    return model.sample(N, random_state=0)


def test_values_are_missing_as_often_as_in_fit(sample):
    expected = staff().isna().mean()
    for name in staff():
        assert sample[name].isna().mean() == pytest.approx(expected[name], abs=0.03)
    assert not sample[["age", "job", "hired"]].isna().any(axis=None)


def test_values_are_missing_together_as_in_fit(sample):
    for pair in (["wage", "bonus"], ["grade", "member"], ["bonus", "grade"]):
        expected = staff()[pair].isna().all(axis=1).mean()
        assert sample[pair].isna().all(axis=1).mean() == pytest.approx(expected, abs=0.03)


def test_missingness_depends_on_other_values_as_in_fit(sample):
    missing = sample["wage"].isna().groupby(sample["job"]).mean()
    assert missing["none"] == pytest.approx(0.82, abs=0.08)
    assert missing["boss"] == pytest.approx(0.1, abs=0.05)
    old = sample["age"] > 55
    assert sample["grade"].isna()[old].mean() > 0.7
    assert sample["grade"].isna()[sample["age"] < 40].mean() < 0.1


def test_missing_values_are_an_option(model):
    assert not model.sample(200, missing=False, random_state=0).isna().any(axis=None)
    assert not model.sample(200, given={"grade": "a"}, random_state=0)["grade"].isna().any()


def test_rules_on_what_is_missing_hold_in_new_rows(sample):
    """Grade and member are missing in the same rows, without exception."""
    assert (sample["grade"].isna() == sample["member"].isna()).all()


def test_files_keep_the_model_of_missing_values(model, sample, tmp_path):
    save(model, tmp_path / "model.safetensors")
    pandas.testing.assert_frame_equal(load(tmp_path / "model.safetensors").sample(N, random_state=0), sample)
    save(Decoder(model), tmp_path / "decoder.safetensors")
    pandas.testing.assert_frame_equal(load(tmp_path / "decoder.safetensors").sample(N, random_state=0), sample)


@pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
def test_samples_have_the_missing_values_of_each_library(make):
    frame = make(staff(400))
    new = small("vae", 2, max_epochs=1).fit(frame).sample(300, random_state=0)
    assert type(new) is type(frame)
    if make is not LIBRARIES["pyarrow"]:
        assert list(map(str, new.dtypes)) == list(map(str, frame.dtypes))
    assert to_pandas(new)[HOLED].isna().any(axis=0).all()


def test_tables_without_missing_values_give_none():
    frame = staff(300).dropna()
    assert not small("vae", 2, max_epochs=1).fit(frame).sample(100, random_state=0).isna().any(axis=None)


def test_a_column_missing_at_random_stays_random():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"a": rng.normal(size=1500), "b": rng.normal(size=1500)})
    frame.loc[rng.random(1500) < 0.3, "b"] = np.nan
    new = small("vae", 2, max_epochs=5).fit(frame).sample(3000, random_state=0)
    assert new["b"].isna().mean() == pytest.approx(0.3, abs=0.04)
    assert abs(np.corrcoef(new["b"].isna(), new["a"])[0, 1]) < 0.1


def test_the_command_line_leaves_values_missing_unless_told_not_to(model, tmp_path):
    save(model, tmp_path / "model.safetensors")
    for options, expected in (([], True), (["--complete"], False)):
        arguments = ["sample", str(tmp_path / "model.safetensors"), "-n", "200", "--seed", "0", *options]
        result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / f"new{expected}.csv")])
        assert result.exit_code == 0, result.output
        assert pandas.read_csv(tmp_path / f"new{expected}.csv")[HOLED].isna().any(axis=None) == expected


def test_wide_tables_have_missing_rates_only(monkeypatch, tmp_path):
    """The number of weights is quadratic in the number of columns."""
    monkeypatch.setattr(missingness, "MAX_WEIGHTS", 8)
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"a": rng.normal(size=2000), "b": rng.normal(size=2000), "c": rng.normal(size=2000)})
    frame.loc[frame["a"] > 1, "b"] = np.nan
    frame.loc[rng.random(2000) < 0.4, "c"] = np.nan
    fitted = small("vae", 2, max_epochs=5).fit(frame)
    assert fitted.module_.missingness.weight.numel() == 0
    save(fitted, tmp_path / "wide.safetensors")
    new = load(tmp_path / "wide.safetensors").sample(4000, random_state=0)
    assert new.isna().mean().to_numpy() == pytest.approx(frame.isna().mean().to_numpy(), abs=0.03)
    assert abs(np.corrcoef(new["b"].isna(), new["a"])[0, 1]) < 0.1
