"""Data files on the command line: inferred or given dialects, and early errors for file names."""

import gzip
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from isthmus.cli import paths
from isthmus.cli.app import app
from isthmus.data.files import KINDS, read, write
from isthmus.data.reading import Options, ReadingNote, find_notation

TINY = ["--set", "max_epochs=1", "--set", "backbone.hidden=[4]", "--set", "n_components=2"]
N_ROWS = 60


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def done(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


def read_quietly(path):
    with pytest.warns(ReadingNote):
        return read(path)


@pytest.fixture
def german(tmp_path):
    """Return a file with semicolons, decimal commas, dates with points, postal codes and missing texts."""
    places = ["NA", *["Köln", "Mörs", "Bonn"] * 3]
    rows = [f"{1 + i % 7},{i % 10};{1 + i % 28}.12.2024;{(i % 3) * 10670:05};{places[i % 10]}" for i in range(N_ROWS)]
    path = tmp_path / "stadt.csv"
    path.write_text("Preis;Tag;PLZ;Ort\n" + "\n".join(rows) + "\n", encoding="latin-1")
    return path


def test_prepare_repairs_a_german_file_and_says_how_it_was_read(german):
    with pytest.warns(ReadingNote, match="read as semicolon-separated, with decimal commas, in Latin-1$"):
        result = done("prepare", german, german.with_name("out.parquet"), "--report", "--duplicates", "keep")
    table = parquet.read_table(german.with_name("out.parquet"))
    assert table.schema.types[:2] == [pa.float64(), pa.timestamp("us")]
    assert (table["PLZ"][1].as_py(), table["Ort"].null_count) == ("10670", N_ROWS // 10)
    assert "marker of a missing value made missing ('Ort'): 6 values: 'NA'" in result.stdout


def test_missing_texts_are_imputed_and_are_no_category(german):
    model = german.with_name("m.safetensors")
    with pytest.warns(ReadingNote, match=r"read as missing: 'NA' \(6\) in 'Ort'"):
        done("fit", german, "--model", "tabular_vae", *TINY, "--out", model)
    with pytest.warns(ReadingNote):
        done("impute", model, german, "--out", german.with_name("filled.csv"))
    filled = read_quietly(german.with_name("filled.csv"))
    assert set(filled["Ort"].to_pylist()) == {"Köln", "Mörs", "Bonn"}
    assert set(filled["PLZ"].to_pylist()) == {"00000", "10670", "21340"}
    lines = german.with_name("filled.csv").read_text(encoding="latin-1").splitlines()
    assert (lines[0], lines[2]) == ('"Preis";"Tag";"PLZ";"Ort"', '"2,1";2024-12-02;"10670";"Köln"')
    assert filled["Preis"].to_pylist() == read_quietly(german)["Preis"].to_pylist()
    done("sample", model, "-n", 50, "--out", german.with_name("new.csv"))
    assert set(read(german.with_name("new.csv"))["Ort"].drop_null().to_pylist()) <= {"Köln", "Mörs", "Bonn"}


@pytest.mark.parametrize(
    ("encoding", "place", "written"),
    [
        ("utf-8-sig", "Köln", "utf-8-sig"),
        ("utf-16", "Köln", "utf-16"),
        ("cp1252", "Köln", "cp1252"),
        ("cp1252", "Łódź", "utf-8"),
    ],
)
def test_results_have_the_encoding_of_the_input_if_it_has_their_characters(encoding, place, written, tmp_path):
    like, out = tmp_path / "like.csv", tmp_path / "out.csv"
    like.write_text("Größe;Höhe\n1,5;2\n", encoding=encoding)
    write(out, pa.table({"Größe": [1.5, None], "Ort": [place, None]}), notation=find_notation(like, Options()))
    assert out.read_bytes() == f'"Größe";"Ort"\n"1,5";"{place}"\n;\n'.encode(written)


@pytest.mark.parametrize("kind", [[], ["--intervals"], ["--draws", 2]])
def test_values_far_outside_those_of_fit_are_named_when_cells_are_filled(tmp_path, kind):
    model, rows = tmp_path / "m.safetensors", tmp_path / "rows.csv"
    rows.write_text("mg,age\n" + "".join(f"{0.5 + i % 7 / 4},{20 + i % 50 if i % 9 else ''}\n" for i in range(200)))
    done("fit", rows, "--model", "tabular_vae", *TINY, "--out", model)
    new = tmp_path / "new.csv"
    new.write_text("mg,age\n98.5,30\n1.25,\n99.5,\n")
    result = done("impute", model, new, *kind)
    line = (
        "mg is far outside the values of fit (0.5 to 2) in 2 rows, such as 98.5: cells that are filled from such values"
    )
    assert f"\n{line} may be wrong\n" in result.stdout
    new.write_text("mg,age\n2.5,30\n1.25,\n")
    assert "far outside" not in done("impute", model, new, *kind, "--force").stdout


def test_a_model_of_codes_reads_codes_that_look_like_numbers(german):
    model = german.with_name("m.safetensors")
    with pytest.warns(ReadingNote):
        done("fit", german, "--model", "tabular_vae", *TINY, "--out", model)
    plain = german.with_name("plain.csv")
    plain.write_text("Preis,Tag,PLZ,Ort\n1.5,2024-12-01,10670,Köln\n2.5,2024-12-02,21340,Mörs\n")
    done("reconstruct", model, plain)


def test_a_detector_reads_codes_as_the_normal_rows_have_them(tmp_path):
    rows = [f"{i % 7}.5,{i % 5}.25,{(i % 3) * 10670:05}\n" for i in range(200)]
    (tmp_path / "normal.csv").write_text("x,y,zip\n" + "".join(rows))
    (tmp_path / "new.csv").write_text("x,y,zip\n" + "1.5,2.25,21340\n2.5,3.25,10670\n" * 10)
    normal = ["--normal", tmp_path / "normal.csv", "--save", tmp_path / "d.safetensors"]
    done("detect", tmp_path / "new.csv", *normal, "--model", "tabular_vae", *TINY)
    done("detect", tmp_path / "new.csv", "--detector", tmp_path / "d.safetensors", "--force")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n4,5,6\n", "each of the first 3 rows has 3 cells separated by ',' (comma)"),
        ("a\tb\n1\t2\n", "each of the first 2 rows has 2 cells separated by '\\t' (tab)"),
    ],
)
def test_a_delimiter_that_no_row_contains_is_refused(tmp_path, text, message):
    (tmp_path / "rows.csv").write_text(text)
    result = call("look", tmp_path / "rows.csv", "--delimiter", ";")
    assert result.exit_code == 2
    assert f"no row contains the delimiter ';' (--delimiter), but {message}" in " ".join(result.stderr.split())


def test_a_column_of_texts_with_commas_may_have_a_delimiter(tmp_path):
    (tmp_path / "rows.csv").write_text("title\nSo, so\nWell\nOne, two, three\n")
    assert read(tmp_path / "rows.csv", delimiter=";").column_names == ["title"]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a|b\n1.234|x\n2.500|y\n", ["--delimiter", "|", "--decimal", ","]),
        ("1234;x\n2500;y\n", ["--delimiter", ";", "--no-header"]),
        ("a;b\n1234;NA\n2500;y\n", ["--delimiter", ";", "--not-missing", "na"]),
        ("a;b\n1234;ä\n2500;y\n", ["--delimiter", ";", "--encoding", "cp437"]),
    ],
)
@pytest.mark.parametrize("command", ["look", "prepare"])
def test_every_command_follows_the_options_for_reading(tmp_path, text, options, command):
    path = tmp_path / "in.csv"
    path.write_bytes(text.encode("cp437"))
    done(command, path, *([tmp_path / "out.csv", "--split", "1,0,0"] if command == "prepare" else []), *options)


def test_a_word_for_missing_values_can_be_kept_as_a_value(tmp_path):
    (tmp_path / "in.csv").write_text("basement,x\n" + "NA,1\nGd,2\nEx,3\n" * 20)
    options = ["--not-missing", "na", "--duplicates", "keep", "--split", "1,0,0"]
    done("prepare", tmp_path / "in.csv", tmp_path / "out.parquet", *options)
    assert parquet.read_table(tmp_path / "out.parquet")["basement"].to_pylist().count("NA") == 20


def test_results_of_compressed_files_are_written_beside_them(german):
    packed = german.with_name("rows.csv.gz")
    packed.write_bytes(gzip.compress(b"a,b\n" + b"".join(b"%d.5,%d.25\n" % (i, i % 7) for i in range(N_ROWS))))
    done("fit", packed, *TINY)
    done("score", german.with_name("rows.safetensors"), packed)
    assert len(read(german.with_name("rows.scores.csv"))) == N_ROWS


def test_partition_columns_may_be_text_or_numbers(tmp_path):
    table = pa.table({"x": [float(i % 9) for i in range(N_ROWS)], "land": ["DE", "FR", "IT"] * (N_ROWS // 3)})
    parquet.write_to_dataset(table, tmp_path / "rows", partition_cols=["land"])
    done("fit", tmp_path / "rows", "--model", "tabular_vae", *TINY)
    done("reconstruct", tmp_path / "rows.safetensors", tmp_path / "rows")
    assert set(read(tmp_path / "rows.rebuilt.parquet")["land"].to_pylist()) <= {"DE", "FR", "IT"}


def test_suffixes_checked_before_the_work_are_those_that_can_be_written():
    assert list(KINDS) == list(paths.WRITTEN)
    assert [suffix for suffix, kind in KINDS.items() if kind.tabular] == list(paths.WRITTEN_TABLES)


REFUSED = [
    (["fit", "rowz.csv"], "there is no file 'rowz.csv'; did you mean 'rows.csv'?"),
    (["fit", "rows.csv", "--out", "m.pt"], "'m.pt' has the suffix '.pt', expected .safetensors"),
    (["fit", "rows.csv", "--config", "no.json"], "there is no run file 'no.json'"),
    (["doctor", "no.csv"], "there is no file 'no.csv'"),
    (["doctor", "rows.csv", "--test", "no.csv"], "there is no file 'no.csv'"),
    (["look", "no.csv"], "there is no file 'no.csv'"),
    (["quality", "rows.csv", "no.csv"], "there is no file 'no.csv'"),
    (["prepare", "no.csv", "out.csv"], "there is no file 'no.csv'"),
    (["prepare", "rows.csv", "out.txt"], "'out.txt' has the suffix '.txt', expected one of .csv, .tsv, .parquet"),
    (["prepare", "rows.csv", "no/out.csv"], "cannot write 'no/out.csv': there is no folder 'no'"),
    (["detect", "no.csv"], "there is no file 'no.csv'"),
    (["detect", "rows.csv", "--normal", "no.csv"], "there is no file 'no.csv'"),
    (["detect", "rows.csv", "--detector", "no.safetensors"], "there is no model file 'no.safetensors'"),
    (["detect", "rows.csv", "--fpr", "2"], "--fpr must be above 0 and below 1, got 2"),
    (["detect", "rows.csv", "--fdr", "0"], "--fdr must be above 0 and below 1, got 0"),
    (["detect", "rows.csv", "--contamination", "0.6"], "--contamination must be above 0 and at most 0.5, got 0.6"),
    (["detect", "rows.csv", "--out", "alarms.npy"], "'alarms.npy' has the suffix '.npy'"),
    (["transform", "no.safetensors", "rows.csv"], "there is no model file 'no.safetensors'"),
    (["impute", "m.safetensors", "no.csv"], "there is no file 'no.csv'"),
    (["score", "m.safetensors", "rows.csv", "--out", "s.xlsx"], "'s.xlsx' has the suffix '.xlsx'"),
    (["sample", "no.safetensors"], "there is no model file 'no.safetensors'"),
]
IMPORTS = """
import ast, sys
from isthmus.cli.app import app

for arguments in ast.literal_eval(sys.argv[1]):
    try:
        app(arguments)
    except SystemExit as end:
        print(end.code, {"torch", "numpy", "pyarrow"} & set(sys.modules))
"""


def test_impossible_file_names_are_refused_before_torch_is_imported(tmp_path):
    for name in ("rows.csv", "m.safetensors"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    command = [sys.executable, "-c", IMPORTS, repr([arguments for arguments, _ in REFUSED])]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.splitlines() == ["2 set()"] * len(REFUSED)
    for line, (_, message) in zip(ran.stderr.splitlines(), REFUSED, strict=True):
        assert line.startswith(f"isthmus: {message}")
