"""The command line with streamed Parquet data gives the same results as with small files."""

import os

import numpy as np
import pyarrow as pa
import pytest
from conftest import COLUMNS, N_ROWS
from pyarrow import parquet
from test_cli import TINY, call, done, refused

from isthmus import load
from isthmus.cli import streaming
from isthmus.data.files import read, write


@pytest.fixture(scope="module")
def models(folder, table, tmp_path_factory):
    """Models with and without column names, and the table as one file for each."""
    home = tmp_path_factory.mktemp("models")
    write(home / "rows.parquet", table)
    write(home / "rows.npy", table.to_pandas().to_numpy())
    done("fit", folder, *TINY, "--out", home / "named.safetensors")
    done("fit", home / "rows.npy", *TINY, "--out", home / "plain.safetensors")
    return home


@pytest.mark.parametrize("name", ["days", "days/day-*.parquet"])
def test_fit_streams_folders_and_patterns(folder, name, tmp_path):
    out = tmp_path / "m.safetensors"
    last = done("fit", folder.parent / name.replace("days", folder.name), *TINY, "--out", out)
    assert last == f"wrote {out}: autoencoder fitted to 900 rows x 5 columns; a code has 2 numbers"
    assert load(out).schema_.names == COLUMNS


def test_large_files_are_streamed(models, monkeypatch, tmp_path):
    assert not streaming.is_streamed(models / "rows.parquet")
    monkeypatch.setattr(streaming, "LIMIT", N_ROWS * 5 * 8 - 1)
    monkeypatch.setattr(streaming, "N_SAMPLED", 50)
    assert streaming.is_streamed(models / "rows.parquet")
    columns = ["--columns", "c", "--columns", "b"]
    done("fit", models / "rows.parquet", *TINY, *columns, "--out", tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").schema_.names == ["c", "b"]


@pytest.mark.parametrize("model", ["named", "plain"])
@pytest.mark.parametrize("command", [["transform"], ["reconstruct"], ["score"], ["score", "--contributions"]])
def test_results_are_those_of_one_file(folder, models, tmp_path, command, model):
    file = models / f"{model}.safetensors"
    whole = call(*command, file, models / "rows.parquet", "--out", tmp_path / "whole.parquet").stdout
    streamed = done(*command, file, folder, "--out", tmp_path / "streamed.parquet")
    assert streamed.replace("streamed", "whole") in whole.splitlines()
    mine, theirs = read(tmp_path / "streamed.parquet"), read(tmp_path / "whole.parquet")
    assert mine.schema.names == theirs.schema.names
    np.testing.assert_allclose(mine.to_pandas(), theirs.to_pandas(), rtol=1e-5, atol=1e-5)


def test_results_go_beside_the_folder(folder, models):
    assert done("score", models / "named.safetensors", folder).startswith(f"wrote {folder}.scores.parquet: 1,000 rows")


def test_patterns_need_a_name_to_write_to(folder, models):
    pattern = folder / "day-*.parquet"
    assert refused("score", models / "named.safetensors", pattern).endswith("name the file to write with --out")
    assert refused("fit", pattern, *TINY).endswith("name the file to write with --out")


def test_data_that_cannot_be_streamed_is_refused_in_one_sentence(folder, models, tmp_path):
    model, out = models / "named.safetensors", tmp_path / "x.csv"
    assert refused("score", model, folder, "--out", out).endswith("has the suffix '.csv', expected .parquet")
    labels = ["--model", "conditional_vae", "--condition", "a", "--out", tmp_path / "m.safetensors"]
    assert refused("fit", folder, *TINY, *labels).endswith("a conditional model needs its rows in memory")
    assert "has no column 'f'" in refused("fit", folder, *TINY, "--without", "f", "--out", tmp_path / "m.safetensors")
    assert "no Parquet file matches" in refused("score", model, folder / "x*", "--out", tmp_path / "x.parquet")
    (tmp_path / "text").mkdir()
    parquet.write_table(pa.table({"a": [1.0] * 9, "kind": ["oak"] * 9}), tmp_path / "text" / "x.parquet")
    assert refused("fit", tmp_path / "text", *TINY).endswith("--without kind")
    assert "has no column 'b'" in refused("score", model, tmp_path / "text")
    assert os.listdir(tmp_path) == ["text"]
