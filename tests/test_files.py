"""Data files: reading and writing of every format, and errors for files that cannot be read."""

import errno
import os

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from isthmus.data.files import KINDS, as_array, read, write
from isthmus.data.reading import ReadingNote

TABLES = [suffix for suffix, kind in KINDS.items() if kind.tabular]
ARRAYS = [suffix for suffix, kind in KINDS.items() if not kind.tabular]


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(7, 3))


def test_the_known_kinds_are_those_of_the_documentation():
    assert list(KINDS) == [".csv", ".tsv", ".parquet", ".npy", ".npz"]


@pytest.mark.parametrize("suffix", TABLES)
def test_a_table_is_read_as_written_to_the_last_digit(tmp_path, values, suffix):
    values[2, 1] = np.nan
    table = pa.table(dict(zip(["a", "b, c", 'd "e"'], values.T, strict=True)))
    write(tmp_path / f"new{suffix}", table)
    again = read(tmp_path / f"new{suffix}")
    assert again.column_names == table.column_names
    np.testing.assert_array_equal(as_array(again), values)


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 2, 3)])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("suffix", ARRAYS)
def test_an_array_is_read_with_the_shape_and_dtype_written(tmp_path, suffix, dtype, shape):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    write(tmp_path / f"new{suffix}", values)
    again = read(tmp_path / f"new{suffix}")
    assert again.dtype == values.dtype
    np.testing.assert_array_equal(again, values)


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize(("names", "expected"), [((), ["x0", "x1", "x2"]), (["a", "b", "c"], ["a", "b", "c"])])
def test_an_array_becomes_a_table_with_names(tmp_path, values, suffix, names, expected):
    write(tmp_path / f"new{suffix}", values, names)
    again = read(tmp_path / f"new{suffix}")
    assert again.column_names == expected
    np.testing.assert_array_equal(as_array(again), values)


@pytest.mark.parametrize("suffix", ARRAYS)
def test_a_table_becomes_an_array(tmp_path, values, suffix):
    write(tmp_path / f"new{suffix}", pa.table(dict(zip("abc", values.T, strict=True))))
    np.testing.assert_array_equal(read(tmp_path / f"new{suffix}"), values)


@pytest.mark.parametrize("suffix", TABLES)
def test_one_dimensional_arrays_become_one_column(tmp_path, suffix):
    write(tmp_path / f"new{suffix}", np.array([1.5, 2.5]), ["score"])
    assert read(tmp_path / f"new{suffix}").to_pydict() == {"score": [1.5, 2.5]}


@pytest.mark.parametrize("suffix", TABLES)
def test_images_do_not_fit_into_a_table(tmp_path, suffix):
    with pytest.raises(ValueError, match=r"shape \(2, 3, 3\) do not fit into a table; write them to .npy or .npz"):
        write(tmp_path / f"new{suffix}", np.zeros((2, 3, 3)))
    assert list(tmp_path.iterdir()) == []


def test_large_arrays_are_mapped_and_not_loaded(tmp_path, values):
    write(tmp_path / "new.npy", values)
    assert isinstance(read(tmp_path / "new.npy"), np.memmap)


def test_suffixes_may_be_capitals(tmp_path):
    (tmp_path / "NEW.CSV").write_text("a,b\n1,2\n")
    assert read(tmp_path / "NEW.CSV").to_pydict() == {"a": [1], "b": [2]}


def test_empty_cells_are_missing(tmp_path):
    (tmp_path / "new.csv").write_text("a,b\n1,\nNA,\nnan,\n")
    with pytest.warns(ReadingNote, match=r"read as missing: 'NA' \(1\), 'nan' \(1\) in 'a'"):
        table = read(tmp_path / "new.csv")
    np.testing.assert_array_equal(as_array(table), [[1, np.nan], [np.nan, np.nan], [np.nan, np.nan]])
    assert table.schema.field("b").type == pa.float64()


def test_dates_and_text_are_read(tmp_path):
    (tmp_path / "new.csv").write_text("a,when,who\n1,2020-01-01,Ann\n")
    assert read(tmp_path / "new.csv").column("who").to_pylist() == ["Ann"]


def test_a_column_of_integers_may_have_fractions_in_late_rows(tmp_path):
    n = 600_000
    (tmp_path / "new.csv").write_text("a,b\n" + "1,\n" * n + "0.5,2\n")
    table = read(tmp_path / "new.csv")
    assert table.column("a")[n].as_py() == 0.5
    assert table.column("b").null_count == n


def test_the_only_array_of_an_npz_file_is_taken_whatever_its_name(tmp_path, values):
    np.savez(tmp_path / "new.npz", anything=values)
    np.testing.assert_array_equal(read(tmp_path / "new.npz"), values)


@pytest.mark.parametrize("names", [["y", "X"], ["x_test", "x_train"], ["x_train", "X"]])
def test_of_several_arrays_the_one_named_x_or_train_is_taken(tmp_path, names):
    np.savez(tmp_path / "new.npz", **{name: np.full((2, 2), i) for i, name in enumerate(names)})
    np.testing.assert_array_equal(read(tmp_path / "new.npz"), np.full((2, 2), 1))


def test_several_arrays_of_other_names_are_refused(tmp_path, values):
    np.savez(tmp_path / "new.npz", codes=values, images=values)
    with pytest.raises(ValueError, match=r"holds the arrays \['codes', 'images'\], expected .* named X or x_train"):
        read(tmp_path / "new.npz")


@pytest.mark.parametrize("work", [read, lambda path: write(path, np.zeros((2, 2)))], ids=["read", "write"])
@pytest.mark.parametrize("name", ["new.docx", "new"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path, work, name):
    with pytest.raises(
        ValueError, match=rf"{name}' has the suffix .*, expected one of .csv, .tsv, .parquet, .npy, .npz"
    ):
        work(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", KINDS)
def test_a_missing_file_is_named(tmp_path, suffix):
    with pytest.raises(FileNotFoundError, match=f"there is no file .*new{suffix}"):
        read(tmp_path / f"new{suffix}")


@pytest.mark.parametrize("suffix", KINDS)
def test_an_empty_file_is_called_empty(tmp_path, suffix):
    (tmp_path / f"new{suffix}").touch()
    with pytest.raises(ValueError, match=f"new{suffix}' is empty"):
        read(tmp_path / f"new{suffix}")


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_named(tmp_path, suffix, share):
    path = tmp_path / f"new{suffix}"
    write(path, np.zeros((100, 3)))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=f"cannot read '.*new{suffix}' as a "):
        read(path)


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz"])
@pytest.mark.parametrize("content", [b"a,b\n1,2\n", np.lib.format.magic(1, 0), b"PK\x03\x04", bytes(1000)])
def test_a_file_of_another_kind_is_named(tmp_path, suffix, content):
    (tmp_path / f"new{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=f"cannot read '.*new{suffix}' as a "):
        read(tmp_path / f"new{suffix}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a,b\n1,2\n3\n", "line 3 has 1 of 2 cells, '3'"),
        (b"a,b\n", "holds no rows"),
        (b"a,b\n\xff\xfe\xfd,2\n", "cannot read .* as a CSV file: .*; state"),
        (b"a,a\n1,2\n", "cannot read .* as a CSV file: 2 columns are named 'a'"),
    ],
)
def test_a_damaged_csv_file_is_refused(tmp_path, text, message):
    (tmp_path / "new.csv").write_bytes(text)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "new.csv")


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".npz"])
def test_a_file_without_rows_is_refused(tmp_path, suffix):
    if suffix == ".parquet":
        parquet.write_table(pa.table({"a": pa.array([], pa.float64())}), tmp_path / f"new{suffix}")
    else:
        write(tmp_path / f"new{suffix}", np.zeros((0, 3)))
    with pytest.raises(ValueError, match="holds no rows"):
        read(tmp_path / f"new{suffix}")


def test_an_array_without_axes_is_refused(tmp_path):
    write(tmp_path / "new.npy", np.array(3.0))
    with pytest.raises(ValueError, match="holds no rows"):
        read(tmp_path / "new.npy")


@pytest.mark.parametrize("suffix", ARRAYS)
def test_pickled_objects_are_never_loaded(tmp_path, suffix):
    save = np.save if suffix == ".npy" else np.savez
    save(tmp_path / f"new{suffix}", np.array([{"a": 1}], dtype=object))
    with pytest.raises(
        ValueError, match="cannot read .* allow_pickle=False|cannot read .* Array can't be memory-mapped"
    ):
        read(tmp_path / f"new{suffix}")


@pytest.mark.parametrize("suffix", KINDS)
def test_a_full_disk_leaves_the_old_file(tmp_path, values, suffix, monkeypatch):
    path = tmp_path / f"new{suffix}"
    write(path, values)
    before = path.read_bytes()

    def fill_the_disk(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("isthmus.storage.os.fsync", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        write(path, values + 1)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path, values):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        write(tmp_path / "nowhere" / "new.csv", values)


@pytest.mark.parametrize("values", [[1.5, 3.25, None], ["a", None, None], [None, 1, None], [True, None]])
def test_empty_lines_of_one_column_are_missing_values(tmp_path, values):
    write(tmp_path / "one.csv", pa.table({"x": pa.array(values)}))
    assert read(tmp_path / "one.csv")["x"].to_pylist() == values


def test_times_in_text_have_no_zero_fractions_of_seconds(tmp_path):
    whole = np.array(["2024-05-01T08:30"], "datetime64[ns]")
    write(tmp_path / "t.csv", pa.table({"whole": whole, "half": whole + np.timedelta64(500, "ms")}))
    assert (tmp_path / "t.csv").read_text().split("\n")[1] == "2024-05-01 08:30:00,2024-05-01 08:30:00.500000000"
