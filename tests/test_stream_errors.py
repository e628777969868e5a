"""Invalid files and chunks are named in errors, and no incomplete file remains."""

import os
import threading
from functools import partial
from itertools import repeat

import numpy as np
import pandas
import pyarrow as pa
import pytest
import torch
from conftest import small, write_days
from pyarrow import parquet

from isthmus.data import Chunks, Parquet, apply
from isthmus.data.files import write_chunks
from isthmus.data.streams import stream as streams


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path):
    """Damage the pages, but keep the footer, the size and the time."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[4 : len(data) // 2] = b"\xff" * (len(data) // 2 - 4)
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def drop(name):
    return lambda path: parquet.write_table(parquet.read_table(path).drop_columns([name]), path)


def retype(path):
    table = parquet.read_table(path)
    parquet.write_table(table.set_column(1, "b", table["b"].cast(pa.float32())), path)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "cannot read .*day-2.parquet' as a Parquet file"),
        (drop("c"), "day-2.parquet' has no such column for column 'c', but .*day-0.parquet' has double"),
        (retype, "day-2.parquet' has float for column 'b', but .*day-0.parquet' has double"),
    ],
)
def test_a_later_file_of_another_schema_is_named_before_training(table, tmp_path, harm, said):
    harm(write_days(table, tmp_path) / "day-2.parquet")
    with pytest.raises(ValueError, match=said):
        Parquet(tmp_path)


@pytest.mark.parametrize(
    ("harm", "kind", "said"),
    [
        (os.remove, FileNotFoundError, "there is no file .*day-2.parquet'"),
        (cut, ValueError, "day-2.parquet' as a Parquet file: it has changed since"),
        (spoil, ValueError, "cannot read .*day-2.parquet' as a Parquet file"),
        (retype, ValueError, "day-2.parquet' as a Parquet file: it has changed since"),
    ],
)
def test_a_file_that_fails_later_is_named_and_leaves_no_partial_output(table, tmp_path, monkeypatch, harm, kind, said):
    source = Parquet(write_days(table, tmp_path))
    model = small("autoencoder").fit(source)
    before = sorted(os.listdir(tmp_path))
    harm(tmp_path / "day-2.parquet")
    monkeypatch.setattr("isthmus.data.files.CHUNK", 500)
    monkeypatch.setattr(streams, "POOL", 500)
    with pytest.raises(kind, match=said):
        apply(model.transform, source, tmp_path / "codes.parquet")
    assert set(os.listdir(tmp_path)) <= set(before)
    with pytest.raises(kind, match=said):
        small("autoencoder").fit(source)


@pytest.mark.parametrize(
    ("paths", "kind", "said"),
    [
        ("day-9.parquet", FileNotFoundError, "there is no file .*day-9.parquet'"),
        ("night-*.parquet", FileNotFoundError, r"no Parquet file matches .*night-\*.parquet'"),
        ("empty", FileNotFoundError, "there is no .parquet file in the folder .*empty'"),
    ],
)
def test_files_that_are_not_there_are_named(folder, paths, kind, said):
    (folder / "empty").mkdir(exist_ok=True)
    with pytest.raises(kind, match=said):
        Parquet(folder / paths)
    with pytest.raises(kind, match=said):
        Parquet([folder / "day-0.parquet", folder / paths])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["a", "height"], "has no column 'height'"),
        (["a", "aa"], "has no column 'aa'; did you mean 'a'"),
        (["a", "b", "a"], "2 columns of .* are named 'a'"),
        ([], "columns must name at least one"),
        (["a", "kind"], "column 'kind' holds String, expected numbers; .*columns="),
        (None, "column 'kind' holds String, expected numbers; .*columns="),
    ],
)
def test_columns_that_cannot_be_read_are_named(table, tmp_path, columns, said):
    parquet.write_table(table.append_column("kind", pa.array(["oak"] * len(table))), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=said):
        Parquet(tmp_path / "x.parquet", columns)


def test_duplicate_column_names_and_files_without_rows_are_refused(tmp_path):
    parquet.write_table(pa.Table.from_arrays([pa.array([1.0])] * 2, ["a", "a"]), tmp_path / "twice.parquet")
    with pytest.raises(ValueError, match="2 columns of .*twice.parquet' are named 'a'"):
        Parquet(tmp_path / "twice.parquet")
    parquet.write_table(pa.table({"a": pa.array([], pa.float64())}), tmp_path / "none.parquet")
    with pytest.raises(ValueError, match="none.parquet' holds no rows"):
        Parquet(tmp_path / "none.parquet")


def test_other_columns_and_other_orders_in_later_files_do_not_matter(tmp_path):
    parquet.write_table(pa.table({"a": [1.0, 2.0], "b": [3.0, 4.0]}), tmp_path / "x-0.parquet")
    parquet.write_table(pa.table({"note": ["-"], "b": [6.0], "a": [5.0]}), tmp_path / "x-1.parquet")
    (batch,) = Parquet(str(tmp_path / "x-*.parquet")).batches(10)
    np.testing.assert_array_equal(batch.x, [[1, 3], [2, 4], [5, 6]])


def test_files_of_a_folder_that_other_tools_hide_are_not_read(table, tmp_path):
    write_days(table, tmp_path)
    for name in ("_metadata.parquet", ".day-4.parquet", "notes.txt"):
        (tmp_path / name).write_text("no rows")
    assert len(Parquet(tmp_path)) == len(table)
    with pytest.raises(ValueError, match="must name at least one file, got none"):
        Parquet([])


# Chunks


def chunks(*shapes):
    return lambda: (np.zeros(shape) for shape in shapes)


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (chunks(), "the factory gave no chunks"),
        (chunks((3, 2), (3, 2), (3, 4)), r"chunk 2 has rows of 4 columns, but those of chunk 0 have 2 columns"),
        (chunks((3, 2), (3,)), "chunk 1: expected rows and columns"),
        (lambda: [pa.table({"a": [1.0]}), pa.table({"b": [1.0]})], r"chunk 1 has the columns \['b'\]"),
        (lambda: [pa.table({"a": ["oak"]})], "chunk 0: column 'a' holds String, such as 'oak'"),
        (partial(next, repeat(iter([np.ones((3, 2))]))), "the same iterator twice"),
    ],
)
def test_chunks_of_another_schema_are_named(factory, said):
    with pytest.raises(ValueError, match=said):
        len(Chunks(factory))


def test_a_generator_in_place_of_a_function_is_refused():
    with pytest.raises(TypeError, match="factory must be a function .* got generator"):
        Chunks(np.zeros((3, 2)) for _ in range(3))


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ([], "chunk 0 has 0 rows, but had 3 in the first pass"),
        ([3, 3], "chunk 2 has 0 rows, but had 3 in the first pass"),
        ([3, 5, 3], "chunk 1 has 5 rows, but had 3 in the first pass"),
        ([3, 3, 3, 3], "chunk 3 has 3 rows, but had 0 in the first pass"),
    ],
)
def test_a_later_pass_that_gives_other_rows_is_refused(later, said):
    sizes = [3, 3, 3]
    source = Chunks(lambda: (np.zeros((size, 2)) for size in sizes))
    assert len(source) == 9
    sizes[:] = later
    with pytest.raises(ValueError, match=said):
        list(source.batches(4))


@pytest.mark.parametrize(
    "make",
    [np.asarray, torch.tensor, lambda x: torch.tensor(x).bfloat16(), lambda x: pandas.DataFrame(x).rename(columns=str)],
)
def test_chunks_may_have_any_container(make):
    source = Chunks(lambda: [make([[1.0, 2.0]]), make([[3.0, 4.0], [5.0, 6.0]])])
    (batch,) = source.batches(10)
    np.testing.assert_array_equal(batch.x, [[1, 2], [3, 4], [5, 6]])
    assert type(source.to_container(batch.x.numpy())) is (pandas.DataFrame if source.schema.fields else np.ndarray)


# Results


def test_errors_leave_the_old_file(tmp_path):
    def tables():
        yield pa.table({"a": [1.0]})
        raise OSError("the disk is full")

    (tmp_path / "x.parquet").write_text("old")
    with pytest.raises(OSError, match="disk is full"):
        write_chunks(tmp_path / "x.parquet", tables())
    assert (tmp_path / "x.parquet").read_text() == "old"
    assert os.listdir(tmp_path) == ["x.parquet"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("isthmus-read")]


@pytest.mark.parametrize(
    ("name", "tables", "said"),
    [
        ("x.csv", [pa.table({"a": [1.0]})], "suffix '.csv', expected .parquet"),
        ("x.parquet", [], "there are no rows to write to"),
        ("x.parquet", [pa.table({"a": [1.0]}), pa.table({"b": [1.0]})], "schema"),
    ],
)
def test_tables_that_cannot_be_written_are_refused(tmp_path, name, tables, said):
    with pytest.raises(ValueError, match=said):
        write_chunks(tmp_path / name, tables)
    assert not os.listdir(tmp_path)
