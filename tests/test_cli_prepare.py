"""``isthmus prepare``: its files, its output, and that an error leaves no files."""

import errno
import gzip
import json
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from isthmus.cli.app import app
from isthmus.cli.preparing import beside
from isthmus.data import files
from isthmus.data.files import read, write

ROWS = 20
PARTS = ("train", "valid", "test")


def call(*arguments):
    return CliRunner().invoke(app, ["prepare", *map(str, arguments)])


def done(*arguments):
    """Run the command, which should succeed, and return the lines of its output."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    first, *lines = result.stdout.splitlines()
    assert first == f"reading {arguments[0]}"
    return lines


@pytest.fixture
def table(tmp_path):
    """Return a CSV file with a column for each kind of problem."""
    columns = {
        "age": ["?", "130", *(str(20 + i) for i in range(ROWS - 2))],
        "kind": ["oak ", "ash"] * (ROWS // 2),
        "size": [0.5 + i for i in range(ROWS)],
        "same": ["x"] * ROWS,
        "day": [f"2024-01-{i + 1:02}" for i in range(ROWS)],
    }
    write(tmp_path / "in.csv", pa.table(columns))
    return tmp_path / "in.csv"


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_prepare_writes_the_table_its_parts_and_the_report(table, suffix):
    out = table.with_name(f"out{suffix}")
    lines = done(table, out, "--limits", "age=0:120", "--seed", 3)
    assert lines[0].startswith("20 rows x 5 columns in; 20 rows x 4 columns out: 14 to train, 3 to validate, 3 to test")
    assert lines[1:] == [
        f"wrote {out} and beside it out.train{suffix}, out.valid{suffix}, out.test{suffix}, out.report.json"
    ]
    whole = read(out)
    assert whole.column_names == ["age", "kind", "size", "day"]
    assert whole["age"].null_count == 2
    parts = [read(beside(out)[part]) for part in PARTS]
    assert [len(part) for part in parts] == [14, 3, 3]
    assert pa.concat_tables(parts).sort_by("size")["size"].to_pylist() == whole["size"].to_pylist()
    assert sorted(path.name for path in table.parent.iterdir()) == sorted(
        ["in.csv", out.name, *(path.name for path in beside(out).values())]
    )


def test_the_report_has_findings_options_and_seed(table):
    out = table.with_name("out.parquet")
    lines = done(table, out, "--report", "--limits", "age=0:120", "--limits", "size=:18", "--seed", 3)
    assert "changed: marker of a missing value made missing ('age'): 1 value: '?' (row 0)" in lines
    assert "changed: outside 0 to 120, made missing ('age'): 1 value: 130 (row 1)" in lines
    assert "removed: the same in all rows ('same'): 1 column: 'x'" in lines
    document = json.loads(beside(out)["report"].read_text())
    assert document["seed"] == 3
    assert document["options"]["limits"] == {"age": [0, 120], "size": [None, 18]}
    assert {one["columns"][0]: one["count"] for one in document["findings"] if "outside" in one["what"]} == {
        "age": 1,
        "size": 2,
    }


def test_options_are_passed_to_the_library(table):
    out = table.with_name("out.parquet")
    options = ["--split-by", "time", "--split-column", "day", "--split", "0.5,0.25,0.25", "--scaling", "range"]
    done(table, out, *options, "--constants", "keep", "--missing", "ash", "--outliers", "keep")
    train, valid, test = (parquet.read_table(beside(out)[part]) for part in PARTS)
    assert max(train["day"].to_pylist()) < min(valid["day"].to_pylist()) < min(test["day"].to_pylist())
    assert (min(train["size"].to_pylist()), max(train["size"].to_pylist())) == (0, 1)
    assert set(train["same"].to_pylist()) == {"x"}
    assert train["kind"].null_count == 5


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_cells_that_are_not_read_as_numbers_are_kept_or_listed(tmp_path, suffix, delimiter):
    lines = ["zip,size,long,flag,gap", *(f"0{i}123,{i},1234567890123456789{i},true," for i in range(5)), ",NA,1,false,"]
    (tmp_path / f"in{suffix}").write_text("\n".join(lines).replace(",", delimiter) + "\n")
    out = tmp_path / "out.parquet"
    said = done(tmp_path / f"in{suffix}", out, "--report", "--split", "1,0,0")
    table = read(out)
    assert table["zip"].to_pylist() == [*(f"0{i}123" for i in range(5)), None]
    assert table["size"].to_pylist() == [*range(5), None]
    assert table["long"].to_pylist() == [*(f"1234567890123456789{i}" for i in range(5)), "1"]
    assert table["flag"].to_pylist() == [True] * 5 + [False]
    assert "changed: marker of a missing value made missing ('size'): 1 value: 'NA' (row 5)" in said
    assert [line for line in said if "zip" in line and "leading zeros" in line]
    assert [line for line in said if "long" in line and "more digits" in line]
    assert not [line for line in said if line.startswith("  flag")]


def test_one_seed_gives_one_set_of_files(table):
    first, second, other = (table.with_name(f"{name}.csv") for name in "abc")
    done(table, first, "--seed", 1)
    done(table, second, "--seed", 1)
    done(table, other, "--seed", 2)
    contents = [beside(out)["train"].read_bytes() for out in (first, second, other)]
    assert contents[0] == contents[1] != contents[2]


def test_pima_is_prepared_from_its_original_file(outside_data, tmp_path):
    compressed = outside_data("tabular-mixed") / "pima_diabetes.csv.gz"
    (tmp_path / "pima.csv").write_bytes(gzip.decompress(compressed.read_bytes()))
    out = tmp_path / "out.parquet"
    done(tmp_path / "pima.csv", out, "--sentinels", "missing", "--split-by", "stratified", "--split-column", "outcome")
    assert read(out)["bmi"].null_count == 11


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--limits", "agee=0:120"], "limits has a column 'agee' that the table does not have; did you mean 'age'?"),
        (["--limits", "age"], "--limits must be NAME=LOW:HIGH, such as age=0:120, got 'age'"),
        (["--limits", "age=a:b"], "--limits must be NAME=LOW:HIGH"),
        (["--limits", "age=9:1"], "limits of column 'age' must be (lowest, highest)"),
        (["--split", "0.7,0.3"], "--split must be three numbers such as 0.7,0.15,0.15, got '0.7,0.3'"),
        (["--split", "0.7,0.3,0.3"], "split must be three shares of at least 0"),
        (["--split-by", "grouped"], "split_by='grouped' needs a split_column"),
        (["--split-by", "group"], "did you mean 'grouped'?"),
        (["--outliers", "drop"], "outliers must be one of 'report', 'remove', 'keep', got 'drop'"),
    ],
)
def test_wrong_options_are_one_sentence_and_leave_no_file(table, options, message):
    refused(table, table.with_name("out.parquet"), *options, message=message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--limits", "age"], "--limits must be NAME=LOW:HIGH"),
        (["--limits", "age=9:1"], "limits of column 'age'"),
        (["--split", "2,0,0"], "split must be three shares"),
        (["--scaling", "log"], "scaling must be one of"),
    ],
)
def test_options_are_checked_before_the_table_is_read(table, monkeypatch, options, message):
    monkeypatch.setattr("isthmus.cli.preparing.read", None)
    refused(table, table.with_name("out.parquet"), *options, message=message)


def refused(data, out, *options, message):
    before = {path: path.read_bytes() for path in data.parent.iterdir()}
    result = call(data, out, *options)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert {path: path.read_bytes() for path in data.parent.iterdir()} == before


def test_impossible_files_are_refused(table):
    folder = table.parent
    refused(table, folder / "out.npy", message="has the suffix '.npy', expected one of .csv, .tsv, .parquet")
    refused(table, folder / "nowhere" / "out.csv", message="there is no folder")
    refused(folder / "in.parquet", folder / "out.csv", message="there is no file")
    refused(table, table, message="which is read; choose another name")
    (folder / "out.train.csv").write_bytes(table.read_bytes())
    refused(folder / "out.train.csv", folder / "out.csv", message="which is read; choose another name")
    (folder / "out.train.csv").unlink()
    (folder / "no.csv").write_text("a,b\n")
    refused(folder / "no.csv", folder / "out.csv", message="holds no rows")
    (folder / "twice.csv").write_text("a,a\n1,2\n")
    refused(folder / "twice.csv", folder / "out.csv", message="2 columns are named 'a'")
    (folder / "gone.csv").write_text("a,b\n?,NA\nNA,?\n")
    refused(folder / "gone.csv", folder / "out.csv", message="all values of the table are missing")


@pytest.mark.parametrize("n_written", range(4))
def test_a_full_disk_leaves_all_old_files(table, monkeypatch, n_written):
    out = table.with_name("out.csv")
    done(table, out)
    before = {path: path.read_bytes() for path in table.parent.iterdir()}
    left = [True] * n_written

    def fill(file, rows, notation):
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        left.pop()
        kind.write(file, rows, notation=notation)

    kind = files.KINDS[".csv"]
    monkeypatch.setitem(files.KINDS, ".csv", kind._replace(write=fill))
    result = call(table, out, "--seed", 9, "--force")
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert {path: path.read_bytes() for path in table.parent.iterdir()} == before


def test_help_does_not_import_numpy():
    program = (
        "import sys\nfrom isthmus.cli.app import app\n"
        "try:\n    app(['prepare', '--help'])\nexcept SystemExit:\n"
        "    print(sorted({'torch', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
