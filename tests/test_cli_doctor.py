"""``isthmus doctor``: output and errors."""

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from isthmus import load, zoo
from isthmus.cli import streaming
from isthmus.cli.app import app
from isthmus.cli.examining import split_as_fit
from isthmus.cli.fitting import hold_out
from isthmus.data import as_source
from isthmus.data.files import KINDS, read, write
from isthmus.doctor import examine, format_findings


def call(*arguments):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


def said(*arguments):
    """Return the output of the doctor for a file that can be read."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout.rstrip("\n")


@pytest.fixture
def rows(rng):
    return rng.normal(size=(300, 3))


@pytest.fixture
def table(rows, rng):
    """Rows with a category, a label and a constant."""
    columns = dict(zip("abc", rows.T, strict=True))
    return pa.table(
        {**columns, "city": rng.choice(["Oslo", "Rome"], 300), "label": np.arange(300) % 2, "same": [1] * 300}
    )


@pytest.mark.parametrize("suffix", KINDS)
def test_clean_files_of_any_kind_have_no_findings(tmp_path, rows, suffix):
    write(tmp_path / f"rows{suffix}", rows)
    assert said(tmp_path / f"rows{suffix}") == "no problems found"


def test_the_command_prints_the_findings_of_the_library(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    write(tmp_path / "new.parquet", table[:30])
    expected = format_findings(examine(table, test={"new.parquet": table[:30]}))
    assert "30 of 30 rows of new.parquet (100 %) are in X" in expected
    assert "'same'" in expected
    assert said(tmp_path / "rows.csv", "--test", tmp_path / "new.parquet") == expected


def test_columns_are_chosen_as_for_fit(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    assert said(tmp_path / "rows.csv", "--without", "same") == "no problems found"
    assert said(tmp_path / "rows.csv", "--columns", "a", "--columns", "b", "--columns", "c") == "no problems found"
    conditional = ["--model", "conditional_vae", "--condition", "same"]
    assert said(tmp_path / "rows.csv", *conditional) == "no problems found"


def test_the_model_is_checked_with_the_rows(tmp_path, rows):
    write(tmp_path / "rows.npy", rows)
    assert said(tmp_path / "rows.npy", "--model", "vae", "--set", "n_components=3") == "no problems found"
    expected = format_findings(examine(rows, zoo.autoencoder(3, likelihood="bernoulli")))
    assert said(tmp_path / "rows.npy", "--set", "n_components=3", "--set", "likelihood=bernoulli") == expected
    (tmp_path / "run.json").write_text('{"set": {"n_components": 3, "likelihood": "bernoulli"}}')
    assert said(tmp_path / "rows.npy", "--config", tmp_path / "run.json") == expected
    assert expected.count("\n") == 3


def test_a_sample_of_streamed_rows_is_examined(tmp_path, table, monkeypatch):
    monkeypatch.setattr(streaming, "N_SAMPLED", 200)
    write(tmp_path / "one.parquet", table)
    first, *others = said(tmp_path, "--columns", "a", "--columns", "b", "--columns", "c").splitlines()
    assert first == f"{tmp_path} is streamed: 200 of its 300 rows are examined"
    assert others == ["no problems found"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.csv"], "there is no file 'none.csv'"),
        (["rows.npy", "--without", "a"], "'rows.npy' has no column names"),
        (["rows.csv", "--without", "citi"], "did you mean 'city'?"),
        (["rows.csv", "--test", "other.csv"], "'other.csv' has no column 'city'"),
        (["rows.csv", "--test", "rows.npy"], "rows.npy must be a data frame if X is one"),
        (["rows.csv", "--model", "vea"], "did you mean 'vae'?"),
        (["rows.csv", "--set", "n_components=0"], "n_components must be a positive integer, got 0"),
        (["text.csv"], "there is no column to learn from"),
    ],
)
def test_unreadable_files_are_refused_in_one_sentence(tmp_path, monkeypatch, table, rows, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    write("rows.csv", table)
    write("rows.npy", rows)
    write("other.csv", table.drop_columns(["city"]))
    write("text.csv", pa.table({"note": ["one"] * 9}))
    columns = ["--columns", "city"] if "other.csv" in arguments else []
    result = call(*arguments, *columns)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("isthmus: ")
    assert sentence in result.stderr


# Fitted models


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory):
    """A table, and a model of it whose code carries nothing, from ``isthmus fit``."""
    folder = tmp_path_factory.mktemp("collapsed")
    rng = np.random.default_rng(0)
    write(folder / "rows.csv", pa.table(dict(zip("abc", rng.normal(size=(3, 300)), strict=True))))
    options = ["--model", "vae", "--set", "bottleneck.beta=50", "--set", "max_epochs=2"]
    fit = ["fit", str(folder / "rows.csv"), *options, "--out", str(folder / "model.safetensors")]
    assert CliRunner().invoke(app, fit).exit_code == 0
    return folder


def test_a_fitted_model_is_examined_on_its_rows(collapsed):
    model = load(collapsed / "model.safetensors")
    X = read(collapsed / "rows.csv")
    kept, held_out = hold_out(as_source(X), 0)
    expected = format_findings(examine(X.take(kept), model, test={"new": X.take(held_out)}))
    assert "posterior collapse: 0 of 2 components active" in expected
    assert said(collapsed / "model.safetensors", collapsed / "rows.csv") == expected
    assert split_as_fit(model, X, None)[1].tolist() == held_out.tolist()


def test_other_rows_are_examined_as_they_are(collapsed, tmp_path, rng):
    other = pa.table(dict(zip("abc", rng.normal(size=(3, 90)), strict=True)))
    write(tmp_path / "other.csv", other)
    model = load(collapsed / "model.safetensors")
    assert len(split_as_fit(model, read(tmp_path / "other.csv"), None)[1]) == 0
    assert "posterior collapse" in said(collapsed / "model.safetensors", tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model.safetensors"], "expected a file of rows; MODEL comes before DATA"),
        (["rows.csv", "model.safetensors"], "expected a model file; MODEL comes before DATA"),
        (["model.safetensors", "two.csv"], "'two.csv' lacks columns that the model was fitted on: 'c'"),
        (["model.safetensors", "rows.csv", "--model", "vae"], "is fitted, so doctor takes no --model"),
        (["none.safetensors", "rows.csv"], "there is no model file 'none.safetensors'"),
    ],
)
def test_wrong_files_of_a_fitted_model_are_refused_in_one_sentence(collapsed, monkeypatch, arguments, sentence):
    monkeypatch.chdir(collapsed)
    write("two.csv", read("rows.csv").select(["a", "b"]))
    result = call(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.output
    assert sentence in result.stderr
