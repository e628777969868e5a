"""Parquet files of any size, read row group by row group."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import narwhals as nw
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from isthmus.data.reading.partitions import list_files, parse_folder_keys, read_keys
from isthmus.data.reading.tables import drop_index_names
from isthmus.data.streams.stream import PIECES, POOL, Stream, count_rows_within
from isthmus.data.tables.frames import infer_schema, read_values
from isthmus.errors import memory_errors
from isthmus.part import did_you_mean
from isthmus.schema import Schema

FilePath = str | os.PathLike[str]
Values = np.ndarray[Any, Any]

# Columns of row groups that are read side by side: each holds a page and a dictionary of about a megabyte, 256 in all.
COLUMNS_AT_ONCE = 128
# Bytes read of a column at a time. Without, pyarrow would hold the column of a whole row group.
BUFFER = 2**16


class File(NamedTuple):
    """A Parquet file as it was found: its footer, and size and time by which a change is noticed.

    The columns that its folders name, as ``year=2024``, are ``keys``, a table of one row.
    """

    path: Path
    footer: Any
    stamp: tuple[int, int]
    keys: Any

    @property
    def schema(self) -> Any:
        """The columns without pandas' index; one without any value holds missing numbers."""
        fields = self.footer.schema.to_arrow_schema()
        types = [pa.float64() if pa.types.is_null(field.type) else field.type for field in fields]
        own = [
            (name, kind)
            for name, kind in zip(fields.names, types, strict=True)
            if name in drop_index_names(fields.names)
        ]
        return pa.schema([*own, *self.keys.schema])

    def complete(self, table: Any, names: Sequence[str]) -> Any:
        """Add the columns that the folders name to rows of the file, and put columns in order."""
        for name in self.keys.column_names:
            if name in names:
                table = table.append_column(name, pa.repeat(self.keys[name][0], len(table)))
        return table.select(names)


class Parquet(Stream):
    """Rows of Parquet files, streamed: memory does not depend on how many there are.

    Footers are read at once and hold every file to the columns of the first; rows are read as they are needed.

    Parameters
    ----------
    paths_or_pattern : str, path, or sequence of them
        A file, a folder of ``.parquet`` files, or a pattern such as ``"day-*.parquet"``. Files of a folder or a pattern
        are sorted by name. Folders in a folder may name columns, as ``year=2024/month=1`` does (Hive partitions).
    columns : sequence of str or None
        Those to read, in this order; None reads all.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no file matches.
    ValueError
        If a file is damaged, lacks a column or has another type of it, a column does not hold numbers, or there are no
        rows. Files that change or vanish later are named when they are read.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa
    >>> from pyarrow.parquet import write_table
    >>> from isthmus.data import Parquet
    >>> folder = tempfile.TemporaryDirectory()
    >>> for day in range(3):
    ...     write_table(pa.table({"x": [1.0, 2.0], "y": [day, day]}), os.path.join(folder.name, f"day-{day}.parquet"))
    >>> source = Parquet(os.path.join(folder.name, "day-*.parquet"))
    >>> len(source), source.schema.names
    (6, ['x', 'y'])
    >>> folder.cleanup()
    """

    def __init__(self, paths_or_pattern: FilePath | Iterable[FilePath], columns: Sequence[str] | None = None) -> None:
        self._files = _look_at_all(paths_or_pattern)
        if not self._files:
            raise ValueError("paths_or_pattern must name at least one file, got none")
        wanted = _choose(self._files[0], columns)
        for file in self._files[1:]:
            _check_columns(file, wanted, self._files[0].path)
        super().__init__(_schema_of(self._files[0], wanted))
        self._names = self.schema.names
        self._groups = [(file, i) for file in self._files for i in range(file.footer.num_row_groups)]
        sizes = [file.footer.row_group(i).num_rows for file, i in self._groups]
        if not sum(sizes):
            raise ValueError(f"{str(self._files[0].path)!r} holds no rows")
        self.starts = [0, *np.cumsum(sizes)[:-1].tolist()]

    @property
    def groups_at_once(self) -> int:
        """How many row groups are read side by side, so that rows far apart meet in a pool."""
        return max(1, min(PIECES, COLUMNS_AT_ONCE // self.schema.shape[0]))

    def count_rows(self) -> int:
        """Count the rows of all files, by their footers."""
        return sum(file.footer.num_rows for file in self._files)

    def read(self, group: int) -> Iterator[Values]:
        """Read a row group; see the base class.

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is gone, has changed since it was found, or is damaged.
        """
        file, position = self._groups[group]
        names, rows = self._names, count_rows_within(POOL // PIECES, self.schema)
        with _named(file.path):
            if _stamp(file.path) != file.stamp:
                raise ValueError("it has changed since it was first looked at")
            with parquet.ParquetFile(file.path, metadata=file.footer, buffer_size=BUFFER, pre_buffer=False) as opened:
                # On one thread: the others belong to the net.
                for batch in opened.iter_batches(rows, [position], _stored(file, names), use_threads=False):
                    table = file.complete(pa.Table.from_batches([batch]), names)
                    yield read_values(nw.from_native(table, eager_only=True), self.schema.dtype)

    def drop_names(self) -> Self:
        """Return the same rows without the names of their columns, for a model that was fitted to arrays."""
        rows = copy(self)
        rows.schema = replace(self.schema, fields=(), container="array")
        return rows


def find_files(paths_or_pattern: FilePath | Iterable[FilePath]) -> list[Path]:
    """List the files that are meant; see ``Parquet``.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    if not isinstance(paths_or_pattern, str | os.PathLike):
        return [file for path in paths_or_pattern for file in find_files(path)]
    path = Path(paths_or_pattern)
    if path.is_file():
        return [path]
    if not path.is_dir() and not is_pattern(path):
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    # In folders of other tools, files whose names begin with these letters hold no rows.
    names = glob.glob(str(path), recursive=True) if is_pattern(path) else list_files(path)
    files = sorted(file for file in map(Path, names) if file.is_file())
    if not files:
        raise FileNotFoundError(
            f"no Parquet file matches {str(path)!r}"
            if is_pattern(path)
            else f"there is no .parquet file in the folder {str(path)!r}"
        )
    return files


def is_pattern(path: FilePath) -> bool:
    """Whether a path has wildcards and does not exist as it stands."""
    return glob.has_magic(str(path)) and not Path(path).exists()


def is_partitioned(path: FilePath) -> bool:
    """Whether a path is a folder in which the folders of Parquet files name columns, as ``year=2024``."""
    return Path(path).is_dir() and any(parse_folder_keys(file, Path(path)) for file in list_files(Path(path)))


def read_folder(path: FilePath) -> pa.Table:
    """Read all rows of a folder of Parquet files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are none, one is damaged, or has other columns than the first.
    """
    files = _look_at_all(path)
    wanted, tables = _choose(files[0], None), []
    for file in files:
        _check_columns(file, wanted, files[0].path)
        with _named(file.path), parquet.ParquetFile(file.path) as opened:
            tables.append(file.complete(opened.read(_stored(file, wanted.names)), wanted.names).cast(wanted))
    return pa.concat_tables(tables)


def read_columns_only(paths_or_pattern: FilePath | Iterable[FilePath]) -> Any:
    """Return the columns of the first file as a pyarrow table without rows."""
    return _look_at_all(paths_or_pattern)[0].schema.empty_table()


def count_decoded_bytes(path: FilePath) -> int:
    """Return the memory that the rows of a file or folder take when they are read, as float64."""
    return sum(file.footer.num_rows * len(file.schema) * 8 for file in _look_at_all(path))


def _look_at_all(paths_or_pattern: FilePath | Iterable[FilePath]) -> list[File]:
    files = [_look(path) for path in find_files(paths_or_pattern)]
    if not isinstance(paths_or_pattern, str | os.PathLike) or not Path(paths_or_pattern).is_dir():
        return files
    keys = read_keys([parse_folder_keys(file.path, Path(paths_or_pattern)) for file in files])
    return [file._replace(keys=keys.slice(i, 1)) for i, file in enumerate(files)]


def _stored(file: File, names: Sequence[str]) -> list[str]:
    """Return the names of columns that a file itself holds."""
    return [name for name in names if name not in file.keys.column_names]


def _look(path: Path) -> File:
    with _named(path), parquet.ParquetFile(path) as file:
        return File(path, file.metadata, _stamp(path), pa.table({}))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong in the block."""
    try:
        with memory_errors(f"read {str(path)!r}"):
            yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no file {str(path)!r}") from error
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise ValueError(f"cannot read {str(path)!r} as a Parquet file: {error}") from error


def _choose(file: File, columns: Sequence[str] | None) -> Any:
    """Return the columns to read, as a pyarrow schema."""
    known = file.schema.names
    if columns is not None and not len(columns):
        raise ValueError("columns must name at least one column, or be None for all, got none")
    for name, count in Counter(known if columns is None else columns).items():
        if name not in known:
            raise ValueError(f"{str(file.path)!r} has no column {name!r}{did_you_mean(name, known)}")
        if count > 1 or known.count(name) > 1:
            raise ValueError(f"{max(count, known.count(name))} columns of {str(file.path)!r} are named {name!r}")
    return pa.schema([file.schema.field(name) for name in (known if columns is None else columns)])


def _check_columns(file: File, wanted: Any, first: Path) -> None:
    """Raise ``ValueError`` unless a file has the wanted columns in the types that the first file has them in."""
    for field in wanted:
        found = [other.type for other in file.schema if other.name == field.name]
        if found != [field.type]:
            what = " and ".join(map(str, found)) or "no such column"
            raise ValueError(
                f"{str(file.path)!r} has {what} for column {field.name!r}, but {str(first)!r} has {field.type}"
            )


def _schema_of(file: File, wanted: Any) -> Schema:
    try:
        return infer_schema(nw.from_native(wanted.empty_table(), eager_only=True))
    except ValueError as error:
        raise ValueError(f"{str(file.path)!r}: {error}; name those to read by columns=[...]") from error
