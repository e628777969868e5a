"""``isthmus report``: the files that it writes, and one sentence about each mistake."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from test_cli import call, done, refused

from isthmus import Autoencoder, save


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("report"), np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    save(Autoencoder(2, max_epochs=2, random_state=0).fit(rows[:80]), folder / "model.safetensors")
    rows[:80].to_csv(folder / "train.csv", index=False)
    rows[80:].assign(kind=rng.choice(["x", "y"], 40)).to_csv(folder / "new.csv", index=False)
    rows[["a", "b"]].to_csv(folder / "other.csv", index=False)
    return folder


def test_all_files_are_written_and_the_command_repeats_them(home, tmp_path):
    out = tmp_path / "r.html"
    told = call(
        "report",
        home / "model.safetensors",
        home / "new.csv",
        "--train",
        home / "train.csv",
        "--label",
        "kind",
        "--out",
        out,
        "--header",
        "--missing",
        "nil",
        "--json",
        "--card",
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json", "r.md"]
    sections = json.loads(out.with_suffix(".json").read_text())["sections"]
    assert (
        sections["repetition"]["command"]
        == "isthmus report model.safetensors new.csv --train train.csv --label kind --header --missing nil --seed 0 "
        "--json --card"
    )
    for name, file in (("model", "model.safetensors"), ("data", "new.csv"), ("train", "train.csv")):
        assert sections["repetition"]["sha256"][name] == hashlib.sha256((home / file).read_bytes()).hexdigest()
    assert told.exit_code == 0, told.output
    assert all(sentence in told.stdout for sentence in (sections["verdict"]["quality"], f"wrote {out}: "))
    assert "Autoencoder of a table" in out.read_text()
    assert " of new.csv." in out.read_text()
    assert ">x<" in out.read_text()


def test_the_page_is_beside_the_data_by_default(home):
    done("report", home / "model.safetensors", home / "new.csv")
    assert (home / "new.report.html").is_file()
    assert "exists" in refused("report", home / "model.safetensors", home / "new.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model.safetensors", "other.csv"), "lacks columns that the model was fitted on: 'c'"),
        (("model.safetensors", "new.csv", "--label", "sort"), "has no column 'sort' of labels"),
        (("model.safetensors", "new.csv", "--train", "other.csv"), "lacks columns that the model was fitted on: 'c'"),
        (("new.csv", "model.safetensors"), "MODEL comes before DATA"),
        (("model.safetensors", "missing.csv"), "there is no file"),
    ],
)
def test_mistakes_get_one_sentence_and_no_file(home, tmp_path, arguments, message):
    files = [argument if argument.startswith("--") or argument == "sort" else home / argument for argument in arguments]
    assert message in refused("report", *files, "--out", tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_written_are_refused_before_work(home, tmp_path):
    inputs = home / "model.safetensors", home / "new.csv"
    assert "there is no folder" in refused("report", *inputs, "--out", tmp_path / "nowhere" / "r.html")
    assert "expected .html" in refused("report", *inputs, "--out", tmp_path / "r.pdf")
    (tmp_path / "r.json").write_text("{}")
    assert "exists" in refused("report", *inputs, "--out", tmp_path / "r.html", "--json")
    assert not (tmp_path / "r.html").exists()


def test_a_full_disk_leaves_no_file(home, tmp_path, monkeypatch):
    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    told = refused("report", home / "model.safetensors", home / "new.csv", "--out", tmp_path / "r.html")
    assert "No space left" in told
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission_is_refused(home, tmp_path, monkeypatch):
    def fail(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", fail)
    told = refused("report", home / "model.safetensors", home / "new.csv", "--out", tmp_path / "r.html")
    assert "cannot write" in told
    assert "Permission denied" in told
    assert call("report", "--help").exit_code == 0


def test_the_file_that_was_fitted_is_judged_by_the_rows_that_fit_held_out(home, tmp_path):
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(150, 3)), columns=["a", "b", "c"])
    rows.to_csv(tmp_path / "all.csv", index=False)
    done("fit", tmp_path / "all.csv", "--set", "max_epochs=2", "--set", "n_components=2")
    done("report", tmp_path / "all.safetensors", tmp_path / "all.csv", "--json")
    report = json.loads((tmp_path / "all.report.json").read_text())
    assert report["subtitle"] == "Judged on 15 rows x 3 columns of all.csv. They were held out of the fit."
    assert report["sections"]["comparison"]["n_rows"] == 15
    assert not report["sections"]["shift"]["are_training_rows"]
