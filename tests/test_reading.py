"""Files of users: dialects, encodings, words for missing values, compressed and damaged files."""

import gzip
import io
import warnings
import zipfile
from contextlib import contextmanager
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from isthmus.data import Parquet
from isthmus.data.files import as_array, read
from isthmus.data.reading import READERS, ReadingNote, packed
from isthmus.preparing import prepare

GERMAN = "Name;Umsatz;Datum;PLZ\nMüller;1.234,56;31.12.2024;01067\nGroß;2,5;01.02.2024;80331\n"
GERMAN_ROWS = {
    "Name": ["Müller", "Groß"],
    "Umsatz": [1234.56, 2.5],
    "Datum": [date(2024, 12, 31), date(2024, 2, 1)],
    "PLZ": ["01067", "80331"],
}


@pytest.fixture
def make(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content, name="new.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@contextmanager
def note(text):
    """Expect one warning of one line that contains the text, or none if the text is empty."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    messages = [str(warning.message) for warning in caught]
    assert [warning.category for warning in caught] == [ReadingNote] * bool(text)
    assert not text or (text in messages[0] and "\n" not in messages[0])


# Encodings and dialects


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "semicolon-separated, with decimal commas"),
        ("utf-8-sig", "semicolon-separated, with decimal commas"),
        ("latin-1", "semicolon-separated, with decimal commas, in Latin-1"),
        ("cp1252", "semicolon-separated, with decimal commas, in Latin-1"),
        ("utf-16", "semicolon-separated, with decimal commas, in UTF-16"),
        ("utf-16-le", "semicolon-separated, with decimal commas, in UTF-16"),
        ("utf-16-be", "semicolon-separated, with decimal commas, in UTF-16"),
        ("utf-32", "semicolon-separated, with decimal commas, in UTF-32"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("first", ["", "sep=;\n"])
def test_a_german_file_is_read_whatever_its_encoding(make, encoding, said, newline, first):
    path = make((first + GERMAN).replace("\n", newline).encode(encoding))
    with note(f"read as {said}"):
        assert read(path).to_pydict() == GERMAN_ROWS


def test_options_given_by_the_user_are_not_reported_as_detected(make):
    path = make(GERMAN.encode("latin-1"))
    with note(""):
        assert read(path, delimiter=";", decimal=",", encoding="latin-1").to_pydict() == GERMAN_ROWS


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        ("preis;ort\n3,50 €;Köln\n4,20 €;Mörs\n", "cp1252", "Windows-1252"),
        ("имя;город\n" + "Иван Петров;Москва\nМария;Тверь\n" * 20, "cp1251", "CP1251"),
        ("imię;miasto\n" + "Łukasz Żółty;Gdańsk\nŚwiętosław;Łódź\n" * 20, "cp1250", "CP1250"),
        ("名前;都市\n" + "山田太郎;東京都\n鈴木花子;大阪府\n" * 20, "shift_jis", "CP932"),
    ],
)
def test_encodings_of_other_alphabets_are_recognised(make, text, encoding, said):
    with note(said):
        table = read(make(text.encode(encoding)))
    assert [*table.column_names, *(column[0].as_py() for column in table.columns)] == [
        cell for line in text.splitlines()[:2] for cell in line.split(";")
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("new.csv", "a,b\n1.5,x\n2,y\n", ""),
        ("new.tsv", "a\tb\n1.5\tx\n2\ty\n", ""),
        ("new.csv", "a\tb\n1,5\tx\n2\ty\n", "tab-separated, with decimal commas"),
        ("new.tsv", "a,b\n1.5,x\n2,y\n", "comma-separated"),
        ("new.csv", "a|b\n1.5|x\n2|y\n", "pipe-separated"),
        ("new.csv", "a;b\n1.5;x\n2;y\n", "semicolon-separated"),
        ("new.csv", 'a,b\n"1,5",x\n2,y\n', "with decimal commas"),
        ("new.csv", "\n\na,b\n1.5,x\n2,y\n\n", ""),
        ("new.csv", "a,b\r1.5,x\r2,y\r", ""),
        ("new.csv", "a, b\n1.5, x\n2, y\n", ""),
        ("new.csv", "a,b,\n1.5,x,\n2,y,\n", ""),
        ("new.csv", "a,b\n1.5,x,\n2,y,\n", ""),
        ("new.csv", "# measured\n# on Monday, at 12\na,b\n1.5,x\n# break\n2,y\n", ""),
        ("new.csv", "# a,b\n1.5,x\n2,y\n", ""),
    ],
)
def test_dialects_of_csv_are_recognised_and_reported(make, name, text, said):
    with note(said):
        assert read(make(text, name)).to_pydict() == {"a": [1.5, 2], "b": ["x", "y"]}


def test_commas_in_texts_do_not_hide_semicolons(make):
    with note("semicolon-separated"):
        table = read(make("name;n\nSmith, Ann;1\nJones, Bob, Jr.;2\nKim;3\n"))
    assert table.to_pydict() == {"name": ["Smith, Ann", "Jones, Bob, Jr.", "Kim"], "n": [1, 2, 3]}


def test_semicolons_in_texts_do_not_hide_commas(make):
    assert read(make("n,tags\n1,a;b;c\n2,d;e;f\n")).to_pydict() == {"n": [1, 2], "tags": ["a;b;c", "d;e;f"]}


R_TABLE = '"age" "sex" "w"\n"Bo 1" 20 "m  x" 0.5\n"Bo 2" 21 "f" NA\n'


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (R_TABLE, {"x0": ["Bo 1", "Bo 2"], "age": [20, 21], "sex": ["m  x", "f"], "w": [0.5, None]}),
        (" x   y  z \r\n 1   2  3 \r\n14  25 36\r\n", {"x": [1, 14], "y": [2, 25], "z": [3, 36]}),
        ("1 2.5 a\n1 3.5 b\n2 4.5 c\n", {"x0": [1, 1, 2], "x1": [2.5, 3.5, 4.5], "x2": ["a", "b", "c"]}),
    ],
)
def test_columns_may_be_separated_by_spaces(make, text, rows):
    with pytest.warns(ReadingNote, match="read as space-separated"):
        assert read(make(text)).to_pydict() == rows


def test_numbers_without_a_digit_before_the_point_are_numbers(make):
    with pytest.warns(ReadingNote, match="read as space-separated"):
        rows = read(make("share town river\n.5 Rome Tiber\n.25 Oslo Aker\n-.75 Paris Seine\n")).to_pydict()
    assert rows["share"] == [0.5, 0.25, -0.75]
    with pytest.warns(ReadingNote, match="with decimal commas"):
        assert read(make("x;y\n,5;a\n,25;b\n")).to_pydict() == {"x": [0.5, 0.25], "y": ["a", "b"]}


@pytest.mark.parametrize(
    "cells",
    [
        ["this is one", "that was two", "it be three"],
        ["2024-01-01 10:00:00", "2024-01-02 11:00:00"],
        ["Oak Street 5", "Elm Alley"],
    ],
)
def test_spaces_within_texts_and_times_are_no_separators(make, cells):
    table = read(make("\n".join(["first seen at", *cells])))
    assert table.column_names == ["first seen at"]
    assert [str(cell) for cell in table.column(0).to_pylist()] == cells


def test_one_column_may_have_decimal_commas(make):
    with pytest.warns(ReadingNote, match="with decimal commas"):
        assert read(make("x\n1,5\n22,25\n-3,75\n")).to_pydict() == {"x": [1.5, 22.25, -3.75]}


def test_numbered_rows_below_one_name_are_two_columns(make):
    assert read(make("w\n1,5\n2,25\n3,75\n")).to_pydict() == {"x0": [1, 2, 3], "w": [5, 25, 75]}


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("Sales\n\ncity,n\nOslo,1\nRome,2\n", "'Sales'"),
        ("Sales;;\nof 2024;;\n;;\ncity;n;to\nOslo;1;a\nRome;2;b\n", "'Sales', 'of 2024'"),
        ('"Sales, ""all"""\r\n# by hand\r\n\r\ncity,n,to\r\nOslo,1,a\r\nRome,2,b\r\n', "'Sales, \"all\"'"),
        ("Sales\ncity,of,to\nOslo,x,a\nRome,y,b\n", "'Sales'"),
    ],
)
def test_titles_above_a_table_are_left_out_and_reported(make, text, left_out):
    with pytest.warns(ReadingNote, match=f"left out above the table: {left_out}$"):
        table = read(make(text))
    assert table["city"].to_pylist() == ["Oslo", "Rome"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (",x\n0,1\n1,5\n2,7\n", ["x0", "x"]),
        ('"w"\n"a","m"\n"b","f"\n', ["x0", "w"]),
        ("a,b,c\nx,,\ny,,\nz,1,2\n", ["a", "b", "c"]),
    ],
)
def test_column_names_and_empty_cells_are_no_titles(make, text, names):
    table = read(make(text))
    assert (table.column_names, len(table)) == (names, text.count("\n") - 1)


def test_quoted_cells_may_contain_lines_and_delimiters(make):
    table = read(make('n,"a\nb"\n1,"x\ny"\n2,"p, ""q"""\n'))
    assert table.to_pydict() == {"n": [1, 2], "a\nb": ["x\ny", 'p, "q"']}


def test_blank_lines_of_one_column_are_missing(make):
    assert read(make("a\n1\n\n3\n\n")).to_pydict() == {"a": [1, None, 3]}


def test_a_row_may_be_longer_than_a_block(make, monkeypatch):
    monkeypatch.setattr("isthmus.data.reading.text.BLOCK", 2**16)
    table = read(make("a,b\n" + "1,x\n" * 1000 + f"2,{'y' * 2**18}\n"))
    assert (len(table), len(table["b"][1000].as_py())) == (1001, 2**18)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ";;"}, "delimiter must be one character, such as ';', got ';;'"),
        ({"decimal": "·"}, "decimal must be '.' or ',', got '·'"),
        ({"decimal": ",", "delimiter": ","}, "delimiter and decimal must differ"),
        ({"encoding": "klingon"}, "there is no encoding 'klingon'"),
        ({"encoding": "ascii"}, "'ascii' codec can't decode"),
        ({"missing": "NA"}, "missing must be a list of strings, got 'NA'"),
    ],
)
def test_wrong_options_are_refused(make, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read(make("ä,b\n1,2\n"), **options)


# Headers and names


@pytest.mark.parametrize(
    "text",
    [
        "1.5,2.5,3\n4,5,6\n7,8,9\n",
        "1,2,3\n4,5,6\n",
        "0,1,2\n3,4,5\n",
        "1.5,2.5\n",
        "1.5\n2.5\n3.5\n",
        "2024-01-01,5.2\n2024-01-02,5.3\n",
        "5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n",
        "39,State-gov,77516\n50,Self-emp,83311\n38,State-gov,1000\n",
        "p,x,s\np,x,y\ne,b,s\np,x,s\n",
        "1;Ann\n2;Bob\n",
    ],
)
def test_the_first_row_of_a_file_without_header_is_kept(make, text):
    with note("no header, columns are named x0, x1, ..."):
        table = read(make(text))
    assert len(table) == text.count("\n")
    assert table.column_names == [f"x{i}" for i in range(table.num_columns)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name,city\nAnn,Paris\nBob,Rome\n", ["name", "city"]),
        ("country,2019,2020\nDE,1.5,2\nFR,3,4\n", ["country", "2019", "2020"]),
        ("region,2020-01-31,2020-02-29\nDE,1.5,2\nFR,3,4\n", ["region", "2020-01-31", "2020-02-29"]),
        ("0,1,2\n1.5,2.5,3.5\n2.5,3.5,4.5\n", ["0", "1", "2"]),
        (",0,1\n0,1.5,2.5\n1,2.5,3.5\n", ["x0", "0", "1"]),
        ("a,,c\n1,2,3\n", ["a", "x1", "c"]),
        (" a , b\n1,2\n", ["a", "b"]),
        ("a,b\nr1,1,2\nr2,3,4\n", ["x0", "a", "b"]),
        ("text\nhello\n", ["text"]),
    ],
)
def test_a_header_is_recognised(make, text, names):
    with note(""):
        assert read(make(text)).column_names == names


def test_the_caller_may_state_the_header(make):
    assert read(make("1,2\n3,4\n"), header=True).to_pydict() == {"1": [3], "2": [4]}
    assert read(make("a,b\nc,d\n"), header=False).to_pydict() == {"x0": ["a", "c"], "x1": ["b", "d"]}


# Values


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["02134", "90210"], ["02134", "90210"]),
        (["00", "01"], ["00", "01"]),
        (["0", "10"], [0, 10]),
        (["0.5", "0"], [0.5, 0]),
        (["02134", "0.5"], ["02134", "0.5"]),
        (["9007199254740993", "1"], [9007199254740993, 1]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["12345678901234567", "1.5"], ["12345678901234567", "1.5"]),
        (["0.12345678901234567", "1"], [0.12345678901234567, 1]),
        (["+49 170 1234", "+1 555"], ["+49 170 1234", "+1 555"]),
        (["0x1f", "0x2a"], ["0x1f", "0x2a"]),
        (["1e3", "2"], [1000, 2]),
        (["true", "FALSE"], [True, False]),
        (["12:30", "13:45"], ["12:30", "13:45"]),
        (["2024-12-31", "2024-02-01"], [date(2024, 12, 31), date(2024, 2, 1)]),
        (["2024-12-31 10:30:00", "2024-02-01"], [datetime(2024, 12, 31, 10, 30), datetime(2024, 2, 1)]),
        (["31.12.2024", "1.2.2024"], [date(2024, 12, 31), date(2024, 2, 1)]),
        (["31.12.2024 10:30", "1.2.2024"], [datetime(2024, 12, 31, 10, 30), datetime(2024, 2, 1)]),
        (["12/31/2024", "1/2/2024"], [date(2024, 12, 31), date(2024, 1, 2)]),
        (["1,234.5", "12"], [1234.5, 12]),
        (["1.234,5", "12"], [1234.5, 12]),
        (["1 234,5", "12"], [1234.5, 12]),
        (["None", "x"], ["None", "x"]),
    ],
)
def test_cells_become_values_without_loss(make, cells, values):
    rows = "".join(f"{cell};{i}\n" for i, cell in enumerate(cells))
    assert read(make("x;i\n" + rows), delimiter=";", decimal="," if "4,5" in rows else None)["x"].to_pylist() == values


@pytest.mark.parametrize("late", ["0.5", "02134", "x", "2024-01-01"])
def test_column_types_depend_on_all_cells(make, late):
    n = 600_000
    values = read(make("a,b\n" + "1,2\n" * n + f"{late},3\n"))["a"]
    assert values[n].as_py() == (0.5 if late == "0.5" else late)
    assert len(values) == n + 1


def test_words_for_missing_values_are_missing_in_text_columns_too(make):
    text = "kind,size\noak,1\nNA,?\n,3\n n/a ,4\nnone,null\n"
    with note("read as missing: 'NA' (1), 'n/a' (1), '?' (1), 'null' (1) in 'kind', 'size'"):
        table = read(make(text))
    assert table.to_pydict() == {"kind": ["oak", None, None, None, "none"], "size": [1, None, 3, 4, None]}


def test_a_note_on_missing_words_says_where_all_columns_are_listed(make):
    with note("'NA' (6) in 'a', 'b', 'c', 'd', 'e' and 1 other (isthmus look lists all columns)"):
        read(make("a,b,c,d,e,f\n1,2,3,4,5,6\nNA,NA,NA,NA,NA,NA\n"))


def test_words_for_missing_values_can_be_kept_as_values(make):
    with note("read as missing: '?' (1) in 'size'"):
        table = read(make("basement,size\nNA,1\nGd,?\n"), missing=["?"])
    assert table.to_pydict() == {"basement": ["NA", "Gd"], "size": [1, None]}


def test_words_of_databases_and_errors_of_spreadsheets_are_missing(make):
    with pytest.warns(ReadingNote, match="read as missing"):
        table = read(make("a\tb\n\\N\t1\n2.5\t#DIV/0!\n\\N\t#REF!\n", "x.tsv"))
    assert table.to_pydict() == {"a": [None, 2.5, None], "b": [1, None, None]}


@pytest.mark.parametrize("other", ["1,5", "2.5"])
def test_telephone_numbers_keep_their_sign(make, other):
    path = make(f"tel;change;x\n+4930123456;+1;{other}\n+4989654321;-2;{other}\n")
    with pytest.warns(ReadingNote):
        table = read(path)
    assert table["tel"].to_pylist() == ["+4930123456", "+4989654321"]
    assert table["change"].to_pylist() == [1, -2]
    assert prepare(table, split=(1, 0, 0), random_state=0).frame["tel"].to_pylist() == ["+4930123456", "+4989654321"]


def test_columns_may_be_kept_as_text(make):
    assert read(make("zip,n\n12345,1\n,2\n"), text=["zip"]).to_pydict() == {"zip": ["12345", None], "n": [1, 2]}


@pytest.mark.parametrize(
    ("cells", "what"),
    [(["$3.50", "$4"], "numbers"), (["1,234", "2,500"], "numbers"), (["3/4/2024", "1/2/2024"], "dates")],
)
def test_the_error_suggests_prepare_if_it_can_repair(make, cells, what):
    with note(f"left as text though they look like {what}: 'x', which isthmus prepare repairs or reports"):
        assert read(make(f"x\ty\n{cells[0]}\ta\n{cells[1]}\tb\n"), delimiter="\t")["x"].to_pylist() == cells


def test_words_among_numbers_are_named_with_the_option_that_makes_them_missing(make):
    path = make("x,y\n" + "".join(f"{i / 4},a\n" for i in range(60)) + "-,b\nbad cell,c\n")
    with note(
        "left as text though they look like numbers: 'x', except for '-', 'bad cell'; add --missing - if it marks a gap"
    ):
        assert read(path)["x"].type == pa.string()
    path = make("x,y\n" + "".join(f"{i / 4},a\n" for i in range(60)) + "no value,b\n")
    with note("except for 'no value'; add --missing 'no value' if it marks a gap"):
        read(path)


def test_thousands_separators_need_a_decimal_mark_in_another_cell(make):
    assert read(make("a;b\n1.234;1,5\n2.500;2,5\n"), delimiter=";", decimal=",")["a"].to_pylist() == [1234, 2500]
    with note("with decimal commas"):
        assert read(make("a;b\n1.234;1,5\n2.500;2,5\n"))["a"].to_pylist() == [1234, 2500]
    with note("semicolon-separated"):
        assert read(make("a;b\n1.234;x\n2.500;y\n"))["a"].to_pylist() == [1.234, 2.5]


def test_the_decimal_mark_may_first_occur_in_late_rows(make):
    n = 50_000
    with note("with decimal commas"):
        values = read(make("a;b\n" + "1;2\n" * n + "1.234;2,5\n" * n))
    assert (values["a"][n].as_py(), values["b"][n].as_py()) == (1234, 2.5)


def test_read_as_written_repairs_nothing(make):
    text = "a;b;c;d;e\n1,5;31.12.2024;NA;1.234;7\n2,5;1.2.2024;3;2.500;8\n"
    with note("with decimal commas"):
        table = read(make(text), plain_notation=True, delimiter=";")
    assert table.slice(0, 1).to_pylist() == [{"a": "1,5", "b": "31.12.2024", "c": "NA", "d": "1.234", "e": 7}]


# Other kinds of files


@pytest.mark.parametrize("name", ["new.csv.gz", "new.csv.zip", "new.zip"])
def test_compressed_files_are_read(make, name):
    content = b"a;b\n1,5;x\n2,5;y\n"
    if name.endswith(".gz"):
        path = make(gzip.compress(content), name)
    else:
        path = make(zipped({"folder/new.csv": content, "__MACOSX/._new.csv": b"x"}), name)
    with note("semicolon-separated"):
        assert read(path).to_pydict() == {"a": [1.5, 2.5], "b": ["x", "y"]}


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("name", ["new.npy.gz", "new.npz.gz", "new.parquet.gz"])
def test_compressed_arrays_and_tables_are_read(make, name):
    file, values = io.BytesIO(), np.arange(6.0).reshape(3, 2)
    save = {"npy": np.save, "npz": np.savez, "parquet": write_parquet}[name.split(".")[1]]
    save(file, values)
    np.testing.assert_array_equal(as_array(read(make(gzip.compress(file.getvalue()), name))), values)


def write_parquet(file, values):
    parquet.write_table(pa.table({"a": values[:, 0], "b": values[:, 1]}), file)


@pytest.mark.parametrize("suffix", [".feather", ".arrow"])
@pytest.mark.parametrize("stream", [False, True])
def test_arrow_files_are_read(tmp_path, suffix, stream):
    table = pa.table({"a": [1, None], "b": ["x", "y"], "__index_level_0__": [5, 6]})
    if stream:
        with pa.ipc.new_stream(tmp_path / f"new{suffix}", table.schema) as file:
            file.write_table(table)
    else:
        feather.write_feather(table, tmp_path / f"new{suffix}")
    assert read(tmp_path / f"new{suffix}").to_pydict() == {"a": [1, None], "b": ["x", "y"]}


def test_lines_of_json_are_read(make):
    table = read(make('{"a": 1, "b": "02134"}\n{"a": 2.5}\n\n{"b": "x", "c": true}\n', "new.jsonl"))
    assert table.to_pydict() == {"a": [1, 2.5, None], "b": ["02134", None, "x"], "c": [None, None, True]}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["9007199254740993", "1", "null"], [2**53 + 1, 1, None]),
        (["18446744073709551615", "1", "null"], [2**64 - 1, 1, None]),
        (["18446744073709551617", "1", "null"], ["18446744073709551617", "1", None]),
        (["-9223372036854775809", "1"], ["-9223372036854775809", "1"]),
        (["1180591620717411303425", "1.5"], ["1180591620717411303425", "1.5"]),
        (["18446744073709551616", "1.5"], [2.0**64, 1.5]),
        (["1" + "0" * 400, "1"], ["1" + "0" * 400, "1"]),
    ],
)
def test_integers_of_json_lines_lose_no_digits(make, numbers, expected):
    table = read(make("".join(f'{{"a": {number}}}\n' for number in numbers), "new.jsonl"))
    assert table["a"].to_pylist() == expected
    assert [type(value) for value in table["a"].to_pylist()] == list(map(type, expected))


def test_a_workbook_is_read_like_a_text_table(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    for row in [["zip", "n", "day", "note"], ["02134", 1, datetime(2024, 12, 31), "NA"], ["90210", 2.5, None, "x"]]:
        workbook.active.append(row)
    workbook.create_sheet("other").append([1])
    workbook.save(tmp_path / "new.xlsx")
    with note("sheet 'Sheet' is read, the first of 2; read as missing: 'NA' (1) in 'note'"):
        table = read(tmp_path / "new.xlsx")
    assert table.to_pydict() == {
        "zip": ["02134", "90210"],
        "n": [1, 2.5],
        "day": [date(2024, 12, 31), None],
        "note": [None, "x"],
    }


def test_a_title_above_the_table_of_a_workbook_is_left_out(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["Sales"], [], ["city", "n"], ["Oslo", 1.5], ["Rome", "#DIV/0!"]):
        book.active.append(row)
    book.save(tmp_path / "new.xlsx")
    with pytest.warns(ReadingNote, match="left out above the table: 'Sales'; read as missing"):
        assert read(tmp_path / "new.xlsx").to_pydict() == {"city": ["Oslo", "Rome"], "n": [1.5, None]}


@pytest.mark.filterwarnings("ignore:Feather V1:DeprecationWarning")
def test_feather_version_1_is_read_without_warning(tmp_path):
    feather.write_feather(pa.table({"a": [1, 2]}), str(tmp_path / "old.feather"), version=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path / "old.feather").to_pydict() == {"a": [1, 2]}


@pytest.mark.parametrize("load", [read, lambda path: Parquet(path).to_container(Parquet(path).load().values.numpy())])
def test_an_unnamed_pandas_index_is_not_a_column(tmp_path, load):
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=[7, 8, 9])
    frame.to_parquet(tmp_path / "new.parquet")
    assert load(tmp_path / "new.parquet").to_pydict() == {"x": [1, 2, 3]}


@pytest.fixture
def partitioned(tmp_path):
    """Return a folder of Parquet files in folders that name columns."""
    for year, month, code in [(2023, "01", "02134"), (2024, "11", "90210")]:
        folder = tmp_path / f"year={year}" / f"month={month}" / f"zip={code}"
        folder.mkdir(parents=True)
        parquet.write_table(pa.table({"x": [float(year), 0.5]}), folder / "part-0.parquet")
    return tmp_path


def test_partitioned_folders_are_read(partitioned):
    assert read(partitioned).to_pydict() == {
        "x": [2023, 0.5, 2024, 0.5],
        "year": [2023, 2023, 2024, 2024],
        "month": [1, 1, 11, 11],
        "zip": ["02134", "02134", "90210", "90210"],
    }


def test_partitioned_folders_are_streamed(partitioned):
    source = Parquet(partitioned, columns=["month", "x", "year"])
    np.testing.assert_array_equal(
        source.load().values, [[1, 2023, 2023], [1, 0.5, 2023], [11, 2024, 2024], [11, 0.5, 2024]]
    )


def test_pyarrow_and_isthmus_agree_about_folders(tmp_path):
    table = pa.table({"x": np.arange(6.0), "key": ["a b", "c/d", None] * 2})
    parquet.write_to_dataset(table, tmp_path, partition_cols=["key"])
    again = read(tmp_path).sort_by("x")
    assert again.to_pydict() == table.to_pydict()


def test_a_folder_without_parquet_files_is_named(tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(FileNotFoundError, match=r"there is no \.parquet file in the folder"):
        read(tmp_path)


# Damaged files


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"a,b\n1,\xff\xfe\n", "new.csv", "neither UTF-8 nor Latin-1; state its encoding, such as --encoding cp1251"),
        ("ä,ö\nü,é\n".encode() + b"x,\xe4\n", "new.csv", "byte 0xe4 in line 3 is not UTF-8"),
        (b"a,b\n1,\0\n", "new.csv", "it holds NUL bytes"),
        (b"a,b\n" + b"1,2\n" * 2000 + b"1,\0\n", "new.csv", "it holds NUL bytes"),
        (b"PK\x03\x04" + bytes(100), "new.csv", "it holds NUL bytes"),
        (b"a;b\n1;2\n3;4;5\n", "new.csv", "line 3 has 3 of 2 cells, '3;4;5'; if cells are not separated by ';'"),
        (b"a,b\n1,2\n3\n", "new.csv", "line 3 has 1 of 2 cells, '3'"),
        (b"\x1f\x8bxx", "new.csv.gz", "as a GZ file"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:30], "new.csv.gz", "as a GZ file"),
        (b"PK\x03\x04", "new.zip", "as a ZIP file: File is not a zip file"),
        (
            zipped({"a.csv": b"a\n1\n", "b.csv": b"a\n1\n"}),
            "new.zip",
            "it holds 2 files, expected one: 'a.csv', 'b.csv'",
        ),
        (zipped({}), "new.zip", "it holds 0 files, expected one"),
        (zipped({"a.exe": b"x"}), "new.zip", "it packs a file with the suffix '.exe', expected one of .csv"),
        (zipped({"X": b"no array"}), "new.npz", "its member 'X' is not an array"),
        (zipped({"X.npy": b"no array"}), "new.npz", "its member 'X' is not an array"),
        (b'{"a": {"b": 1}}\n', "new.jsonl", "column 'a' holds nested objects"),
        (b'{"a": [1]}\n', "new.jsonl", "column 'a' holds nested lists"),
        (b'{"a": 1}\n{"a": "x"}\n', "new.jsonl", "changed from number to string"),
        (b"\n [1, 2]\n", "new.jsonl", "holds one array, expected an object in each line"),
        (b"ARROW1" + bytes(50), "new.feather", "as a Feather file"),
        (b"nothing", "new.arrow", "as an Arrow file"),
        (b"nothing", "new.xlsx", "as an Excel file"),
        (zipped({"a.txt": b"x"}), "new.xlsx", "as an Excel file"),
    ],
    # Compressed bytes contain the time, but names of tests must be equal in all processes.
    ids=lambda value: "content" if isinstance(value, bytes) else None,
)
def test_reading_errors_are_one_sentence(make, content, name, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read(make(content, name))
    assert message in str(caught.value)
    assert "cannot read" in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv.gz", ".zip", ".npz", ".xlsx"])
def test_compressed_files_that_expand_too_much_are_refused(make, monkeypatch, suffix):
    monkeypatch.setattr(packed, "MAX_SIZE", 2**20)
    content = b"0," * 2**20
    members = {".zip": "a.csv", ".npz": "X.npy", ".xlsx": "xl/workbook.xml"}
    path = make(gzip.compress(content) if suffix == ".csv.gz" else zipped({members[suffix]: content}), f"new{suffix}")
    with pytest.raises(ValueError, match=r"would grow from .* kB to .* MB or more"):
        read(path)


def test_an_array_file_shorter_than_its_header_says_is_refused(make):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 1)})
    with pytest.raises(ValueError, match=r"its array 'X' asks for 8\.0 GB, but holds"):
        read(make(zipped({"X.npy": header.getvalue() + bytes(2**10)}), "new.npz"))


def test_each_kind_of_file_is_in_the_documentation():
    assert list(READERS) == [".csv", ".tsv", ".parquet", ".npy", ".npz", ".feather", ".arrow", ".jsonl", ".xlsx"]
