"""A command never replaces a file that it reads, and replaces other files only with --force."""

import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pandas
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from test_cli import TINY, call, done, refused

from isthmus import load, save, zoo
from isthmus.cli.outputs import Output
from isthmus.data import Texts, apply, as_source
from isthmus.data.files import read, write
from isthmus.storage import check_writable, replacing

NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return the bytes of a table and of a model fitted to it."""
    folder = tmp_path_factory.mktemp("original")
    write(folder / "rows.csv", np.random.default_rng(0).normal(size=(30, 3)), NAMES)
    done("fit", folder / "rows.csv", *TINY, "--out", folder / "m.safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def here(original, tmp_path, monkeypatch):
    """A working folder with the table and the model."""
    monkeypatch.chdir(tmp_path)
    for name, content in original.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


COMMANDS = {
    "transform": ["m.safetensors", "rows.csv"],
    "reconstruct": ["m.safetensors", "rows.csv"],
    "impute": ["m.safetensors", "rows.csv"],
    "score": ["m.safetensors", "rows.csv"],
    "sample": ["m.safetensors"],
    "detect": ["rows.csv", "--model", "autoencoder", *TINY],
}
DEFAULTS = {
    "transform": "rows.codes.csv",
    "reconstruct": "rows.rebuilt.csv",
    "impute": "rows.filled.csv",
    "score": "rows.scores.csv",
    "sample": "m.samples.csv",
    "detect": "rows.alarms.csv",
}


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"sample"}))
def test_input_files_are_never_replaced(here, command, force):
    before = content(here)
    message = refused(command, *COMMANDS[command], "--out", "rows.csv", *force)
    assert message == "'rows.csv' would replace 'rows.csv', which is read; choose another name"
    assert content(here) == before


@pytest.mark.parametrize("kind", ["relative", "absolute", "link", "hard link", "folder link"])
def test_links_to_input_files_are_never_replaced(here, kind):
    (here / "sub").mkdir()
    names = {"relative": "sub/../rows.csv", "absolute": str(here / "rows.csv"), "folder link": "home/rows.csv"}
    (here / "link.csv").symlink_to("rows.csv")
    os.link(here / "rows.csv", here / "hard.csv")
    (here / "home").symlink_to(here)
    out = {**names, "link": "link.csv", "hard link": "hard.csv"}[kind]
    before = content(here)
    assert "would replace 'rows.csv', which is read" in refused("score", *COMMANDS["score"], "--out", out, "--force")
    assert content(here) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_an_existing_file_is_replaced_only_with_force(here, command):
    (here / DEFAULTS[command]).write_text("precious")
    before = content(here)
    message = refused(command, *COMMANDS[command])
    assert message == f"'{DEFAULTS[command]}' exists; choose another name, or replace it with --force"
    assert refused(command, *COMMANDS[command], "--out", DEFAULTS[command]) == message
    assert content(here) == before
    done(command, *COMMANDS[command], "--force")
    assert (here / DEFAULTS[command]).read_text() != "precious"
    assert "exists" in refused(command, *COMMANDS[command])


def test_fit_replaces_neither_data_nor_run_file_nor_an_older_model(here):
    before = content(here)
    assert "'m.safetensors' exists" in refused("fit", "rows.csv", *TINY, "--out", "m.safetensors")
    (here / "rows.safetensors").write_bytes(before["m.safetensors"])
    assert "'rows.safetensors' exists" in refused("fit", "rows.csv", *TINY)
    os.rename(here / "rows.safetensors", here / "run.safetensors")
    (here / "run.safetensors").write_text("{}")
    options = ["--config", "run.safetensors", "--out", "run.safetensors", "--force"]
    assert "would replace 'run.safetensors', which is read" in refused("fit", "rows.csv", *TINY, *options)
    done("fit", "rows.csv", *TINY, "--out", "m.safetensors", "--force")
    assert load("m.safetensors").schema_.names == NAMES


def test_fit_writes_no_model_over_its_checkpoint(here):
    options = ["--checkpoint", "progress", "--out", "progress/checkpoint.safetensors"]
    (here / "progress").mkdir()
    assert "would replace" in refused("fit", "rows.csv", *TINY, *options, "--force")


def test_results_never_replace_the_model_file(here):
    os.rename("m.safetensors", "m.csv")
    assert "would replace 'm.csv', which is read" in refused("score", "m.csv", "rows.csv", "--out", "m.csv", "--force")


def test_detect_never_replaces_its_input_files(here):
    write(here / "normal.csv", read(here / "rows.csv"))
    options = [*COMMANDS["detect"], "--normal", "normal.csv"]
    assert "'normal.csv', which is read" in refused("detect", *options, "--out", "normal.csv", "--force")
    before = content(here)
    assert "'m.safetensors' exists" in refused("detect", *options, "--save", "m.safetensors")
    assert content(here) == before


def test_several_imputed_files_are_written_all_or_none(here, monkeypatch):
    (here / "gaps.filled.2.csv").write_text("precious")
    write(here / "gaps.csv", read(here / "rows.csv"))
    assert "'gaps.filled.2.csv' exists" in refused("impute", "m.safetensors", "gaps.csv", "--draws", 3)
    assert not (here / "gaps.filled.1.csv").exists()
    done("impute", "m.safetensors", "gaps.csv", "--draws", 3, "--force")
    assert {path.name for path in here.glob("gaps.filled.*")} == {f"gaps.filled.{i}.csv" for i in (1, 2, 3)}


def test_prepare_never_replaces_files_without_force(here):
    done("prepare", "rows.csv", "clean.csv")
    before = content(here)
    (here / "clean.csv").unlink()
    assert "'clean.train.csv' exists" in refused("prepare", "rows.csv", "clean.csv")
    assert "which is read" in refused("prepare", "clean.train.csv", "clean.csv", "--force")
    done("prepare", "rows.csv", "clean.csv", "--force")
    assert content(here) == before


def test_no_file_is_left_by_a_command_that_fails(here, monkeypatch):
    def fail(*_):
        raise ValueError("no explanation")

    before = content(here)
    monkeypatch.setattr("isthmus.cli.detecting_series._as_table", fail)
    monkeypatch.setattr("isthmus.cli.detecting._add_columns", fail)
    assert refused("detect", *COMMANDS["detect"], "--save", "d.safetensors") == "no explanation"
    assert content(here) == before


@pytest.mark.parametrize("out", ["days/scores.parquet", "days/../days/all.parquet"])
def test_results_are_not_written_into_the_input_folder(here, out):
    (here / "days").mkdir()
    for day in range(2):
        write(here / f"days/day-{day}.parquet", read(here / "rows.csv"))
    message = refused("score", "m.safetensors", "days", "--out", out)
    assert message == f"{out!r} would be read as one of the files of 'days'; choose another name"
    streamed = ["score", "m.safetensors", "days/day-*.parquet", "--out"]
    assert "'days/day-*.parquet'" in refused(*streamed, "days/day-9.parquet")
    done(*streamed, "days/scores.parquet")


@pytest.mark.parametrize("out", ["folder.csv", "pipe.csv"])
def test_outputs_that_are_not_files_are_refused_before_the_work(here, out):
    (here / "folder.csv").mkdir()
    os.mkfifo(here / "pipe.csv")
    assert refused("score", "m.safetensors", "rows.csv", "--out", out, "--force").endswith(
        "it exists and is not a file"
    )


def test_impossible_file_names_are_refused_before_the_work(here):
    assert "File name too long" in refused("score", "m.safetensors", "rows.csv", "--out", f"{'x' * 300}.csv")


def test_case_of_file_names_matters_as_in_the_file_system(here):
    """Two paths are compared by their files, also with upper and lower case letters."""
    os.link("rows.csv", "ROWS.csv")
    assert "would replace 'rows.csv'" in refused("score", *COMMANDS["score"], "--out", "ROWS.csv", "--force")


def test_output_errors_in_python_name_the_problem(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(FileExistsError, match="exists; choose another name, or replace it with --force"):
        Output().check([tmp_path / "a.csv"], [None])


# Modes and links


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_keeps_its_mode(tmp_path, mode):
    model = zoo.autoencoder(2, max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(20, 3)))
    for path, make in ((tmp_path / "m.safetensors", lambda path: save(model, path)), (tmp_path / "a.csv", write_one)):
        path.touch()
        path.chmod(mode)
        make(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert path.stat().st_size


def write_one(path):
    write(path, np.ones((2, 2)))


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_one(tmp_path / "a.csv")
        (tmp_path / "b.csv").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode == (tmp_path / "b.csv").stat().st_mode


def test_writing_to_a_link_replaces_its_target(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "a.csv", tmp_path / "link.csv"
    for content_before in (None, "old"):
        if content_before:
            target.write_text(content_before)
            target.chmod(0o600)
        link.unlink(missing_ok=True)
        link.symlink_to("elsewhere/a.csv")
        write_one(link)
        assert link.is_symlink()
        assert read(target).num_rows == 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link.csv"]
    assert [path.name for path in target.parent.iterdir()] == ["a.csv"]


# Temporary files

KILLED = """
import os, signal, sys
from isthmus.storage import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_temporary_files_of_a_killed_save_are_removed_by_the_next(tmp_path):
    path = tmp_path / "a[1].csv"
    path.write_text("old")
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2, "the second save removed what the first left"
    write_one(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_temporary_files_of_a_running_save_are_not_removed(tmp_path):
    path = tmp_path / "a.csv"
    with replacing(path) as slow:
        slow.write(b"slow")
        with replacing(path) as quick:
            quick.write(b"quick")
        assert path.read_bytes() == b"quick"
    assert path.read_bytes() == b"slow"
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_other_files_are_not_taken_for_temporary_files(tmp_path):
    kept = [
        tmp_path / name for name in (".a.csv.mine.part", ".a.csv.part", "a.csv.12345678.part", ".b.csv.12345678.part")
    ]
    for path in kept:
        path.touch()
    check_writable(tmp_path / "a.csv")
    write_one(tmp_path / "a.csv")
    assert all(path.exists() for path in kept)


# Spreadsheets

CELLS = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1", "plain", "a=b", "", None]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_formulas_are_escaped_on_request(tmp_path, suffix, kind):
    table = pa.table({"=name": pa.array(CELLS).cast(kind), "number": [-1.0] * len(CELLS)})
    write(tmp_path / f"plain{suffix}", table)
    write(tmp_path / f"escaped{suffix}", table, escape_formulas=True)
    plain, escaped = (texts(tmp_path / f"{name}{suffix}", suffix) for name in ("plain", "escaped"))
    assert plain["=name"] == [cell or "" for cell in CELLS]
    assert escaped["'=name"] == [f"'{cell}" for cell in CELLS[:7]] + ["plain", "a=b", "", ""]
    assert set(escaped["number"]) == {"-1"}


def texts(path, suffix):
    parsing = csv.ParseOptions(delimiter={".csv": ",", ".tsv": "\t"}[suffix])
    columns = csv.open_csv(path, parse_options=parsing).schema.names
    convert = csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False)
    return csv.read_csv(path, parse_options=parsing, convert_options=convert).to_pydict()


def test_only_text_files_escape_formulas(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"=a": ["=1"]}), escape_formulas=True)
    assert parquet.read_table(tmp_path / "a.parquet").to_pydict() == {"=a": ["=1"]}


def test_commands_escape_formulas(here):
    rows = read(here / "rows.csv").append_column("note", pa.array(["=1+1", "fine"] * 15))
    write(here / "noted.csv", rows)
    options = ["--model", "autoencoder", *TINY, "--contamination", 0.5, "--kind", "note=category"]
    done("detect", "noted.csv", *options, "--escape-formulas")
    notes = set(read(here / "noted.alarms.csv")["note"].to_pylist())
    assert notes <= {"'=1+1", "fine"}
    assert "'=1+1" in notes
    done("detect", "noted.csv", *options, "--force")
    assert "=1+1" in set(read(here / "noted.alarms.csv")["note"].to_pylist())


# Checksums of Parquet


def test_a_changed_bit_of_a_parquet_file_is_found(tmp_path):
    values = np.random.default_rng(0).normal(size=(200, 2))
    write(tmp_path / "a.parquet", values)
    apply(np.abs, as_source(values), tmp_path / "b.parquet")
    for name in ("a", "b"):
        path = tmp_path / f"{name}.parquet"
        whole = bytearray(path.read_bytes())
        assert parquet.read_table(path, page_checksum_verification=True).num_rows == 200
        whole[1000] ^= 1
        path.write_bytes(whole)
        with pytest.raises(OSError, match="CRC checksum"):
            parquet.read_table(path, page_checksum_verification=True)


def test_written_files_are_read_by_load(here):
    assert load(here / "m.safetensors").schema_.names == NAMES
    assert call("info", "m.safetensors").exit_code == 0


# Results that are not arrays


def test_samples_of_texts_and_data_frames_are_written_as_tables(here):
    frame = pandas.DataFrame({"a": np.arange(40) / 3, "b": ["x", "y"] * 20})
    save(zoo.tabular_vae(2, max_epochs=1, random_state=0).fit(frame), "frame.safetensors")
    texts = Texts(["a b c", "b c", "c a"] * 9, vocabulary="word")
    save(zoo.sequence_vae(2, width=4, max_epochs=1, random_state=0).fit(texts), "texts.safetensors")
    done("sample", "frame.safetensors", "-n", 3)
    assert read("frame.samples.csv").column_names == ["a", "b"]
    done("sample", "texts.safetensors", "-n", 3)
    assert read("texts.samples.csv").column_names == ["text"]
    refused("sample", "texts.safetensors", "-n", 3, "--out", "texts.npy")


def test_series_of_several_lengths_do_not_fit_into_a_table(tmp_path):
    with pytest.raises(ValueError, match="rows of different lengths do not fit into a file"):
        write(tmp_path / "a.csv", [np.ones(2), np.ones(3)])


# Lack of memory, deep nesting and names that are not strings


@pytest.mark.parametrize("depth", [300, 10**5])
def test_deeply_nested_parameters_are_refused(here, depth):
    nested = "[" * depth + "]" * depth
    refused("fit", "rows.csv", "--set", f"n_components={nested}", "--out", "new.safetensors")
    (here / "run.json").write_text(f'{{"set": {{"n_components": {nested}}}}}')
    refused("fit", "rows.csv", "--config", "run.json", "--out", "new.safetensors")


def test_column_names_that_are_no_text_are_written_with_a_warning(here):
    name = os.fsdecode(b"caf\xe9.csv")
    words = ["-m", "isthmus", "score", "m.safetensors", "rows.csv", "--out", name]
    told = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    assert told.returncode == 0, told.stderr
    assert rb"wrote caf\udce9.csv" in told.stdout
    assert (here / name).exists()
