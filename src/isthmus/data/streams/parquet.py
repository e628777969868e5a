"""Parquet files of any size, read row group by row group."""

import glob
import os
from collections import Counter, defaultdict
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
from isthmus.errors import memory_errors, require_type
from isthmus.part import did_you_mean
from isthmus.schema import Schema

FilePath = str | os.PathLike[str]
Values = np.ndarray[Any, Any]

# Largest number of columns that are read alternately: each buffers about 2 MB (a page and a dictionary), 256 MB in all.
COLUMNS_AT_ONCE = 128
# Bytes of a column that are read at once. Without a limit, pyarrow would buffer the column of a whole row group.
BUFFER = 2**16


class File(NamedTuple):
    """A Parquet file: its footer, and its size and time of modification, by which changes are detected.

    ``keys`` is a table of one row: the columns that the names of folders define, such as ``year=2024``.
    """

    path: Path
    footer: Any
    stamp: tuple[int, int]
    keys: Any

    @property
    def schema(self) -> Any:
        """The columns without the index of pandas; a column of type null becomes a column of missing numbers."""
        fields = self.footer.schema.to_arrow_schema()
        types = [pa.float64() if pa.types.is_null(field.type) else field.type for field in fields]
        kept = set(drop_index_names(fields.names))
        own = [(name, kind) for name, kind in zip(fields.names, types, strict=True) if name in kept]
        return pa.schema([*own, *self.keys.schema])

    def complete(self, table: Any, names: Sequence[str]) -> Any:
        """Add the columns that folders define to rows of the file, and select columns."""
        for name in self.keys.column_names:
            if name in names:
                table = table.append_column(name, pa.repeat(self.keys[name][0], len(table)))
        return table.select(names)


class Parquet(Stream):
    """Rows of Parquet files, streamed: memory does not depend on the number of rows.

    Footers are read at the start, and the columns of all files are checked against those of the first. Rows are read
    when they are needed.

    Parameters
    ----------
    paths_or_pattern : str, path, or sequence of them
        A file, a folder of ``.parquet`` files, or a pattern such as ``"day-*.parquet"``. Files of a folder or a pattern
        are sorted by name. Subfolders may define columns, such as ``year=2024/month=1`` (Hive partitions).
    columns : sequence of str or None, default=None
        Columns to read, in this order; None reads all.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no file matches.
    ValueError
        If a file is damaged, a column is missing or has another type, a column does not hold numbers, or there are no
        rows. Reading a file that has changed or been deleted since raises an error that names it.

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
        self._files = _open_all(paths_or_pattern)
        if not self._files:
            raise ValueError("paths_or_pattern must name at least one file, got none")
        wanted = _select_fields(self._files[0], columns)
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
        """Number of row groups that are read alternately, so that a pool contains distant rows."""
        return max(1, min(PIECES, COLUMNS_AT_ONCE // self.schema.shape[0]))

    def count_rows(self) -> int:
        """Return the number of rows of all files, from their footers."""
        return sum(file.footer.num_rows for file in self._files)

    def read(self, group: int) -> Iterator[Values]:
        """Read a row group in pieces (n, *shape).

        Raises
        ------
        FileNotFoundError, ValueError
            If the file was deleted, has changed, or is damaged.
        """
        file, position = self._groups[group]
        names, rows = self._names, count_rows_within(POOL // PIECES, self.schema)
        with _name_file_in_errors(file.path):
            if _read_stamp(file.path) != file.stamp:
                raise ValueError("it has changed since its footer was read")
            with parquet.ParquetFile(file.path, metadata=file.footer, buffer_size=BUFFER, pre_buffer=False) as opened:
                # On one thread: the others are for the training.
                for batch in opened.iter_batches(rows, [position], _stored_names(file, names), use_threads=False):
                    table = file.complete(pa.Table.from_batches([batch]), names)
                    yield read_values(nw.from_native(table, eager_only=True), self.schema.dtype)

    def drop_names(self) -> Self:
        """Return the same rows without names of columns, for a model that was fitted on arrays.

        Returns
        -------
        Parquet
            The same files, read as arrays.
        """
        rows = copy(self)
        rows.schema = replace(self.schema, fields=(), container="array")
        return rows


def find_files(paths_or_pattern: FilePath | Iterable[FilePath]) -> list[Path]:
    """List the files of a path, pattern or sequence of them; see ``Parquet``.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    if not isinstance(paths_or_pattern, str | os.PathLike):
        require_type("paths_or_pattern", paths_or_pattern, Iterable, "a str, a path or a sequence of them")
        return [file for path in paths_or_pattern for file in find_files(path)]
    path = Path(paths_or_pattern)
    if path.is_file():
        return [path]
    if not path.is_dir() and not is_pattern(path):
        raise FileNotFoundError(f"there is no file {str(path)!r}")
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
    """Whether a path has wildcards and is not the name of an existing file."""
    return glob.has_magic(str(path)) and not Path(path).exists()


def is_partitioned(path: FilePath) -> bool:
    """Whether a path is a folder whose subfolders define columns, such as ``year=2024``."""
    return Path(path).is_dir() and any(parse_folder_keys(file, Path(path)) for file in list_files(Path(path)))


def read_folder(path: FilePath) -> pa.Table:
    """Read all rows of a folder of Parquet files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are no files, one is damaged, or its columns differ from those of the first.
    """
    files = _open_all(path)
    wanted, tables = _select_fields(files[0], None), []
    for file in files:
        _check_columns(file, wanted, files[0].path)
        with _name_file_in_errors(file.path), parquet.ParquetFile(file.path) as opened:
            tables.append(file.complete(opened.read(_stored_names(file, wanted.names)), wanted.names).cast(wanted))
    return pa.concat_tables(tables)


def read_columns_only(paths_or_pattern: FilePath | Iterable[FilePath]) -> Any:
    """Return the columns of the first file as a pyarrow table without rows."""
    return _open_all(paths_or_pattern)[0].schema.empty_table()


def count_decoded_bytes(path: FilePath) -> int:
    """Return the size in bytes of all rows of a file or folder as float64."""
    return sum(file.footer.num_rows * len(file.schema) * 8 for file in _open_all(path))


def _open_all(paths_or_pattern: FilePath | Iterable[FilePath]) -> list[File]:
    files = [_open(path) for path in find_files(paths_or_pattern)]
    if not isinstance(paths_or_pattern, str | os.PathLike) or not Path(paths_or_pattern).is_dir():
        return files
    keys = read_keys([parse_folder_keys(file.path, Path(paths_or_pattern)) for file in files])
    return [file._replace(keys=keys.slice(i, 1)) for i, file in enumerate(files)]


def _stored_names(file: File, names: Sequence[str]) -> list[str]:
    """Return the names of columns that the file stores itself."""
    return [name for name in names if name not in file.keys.column_names]


def _open(path: Path) -> File:
    with _name_file_in_errors(path), parquet.ParquetFile(path) as file:
        return File(path, file.metadata, _read_stamp(path), pa.table({}))


def _read_stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _name_file_in_errors(path: Path) -> Iterator[None]:
    """Add the name of the file to errors of the block."""
    try:
        with memory_errors(f"read {str(path)!r}"):
            yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no file {str(path)!r}") from error
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise ValueError(f"cannot read {str(path)!r} as a Parquet file: {error}") from error


def _select_fields(file: File, columns: Sequence[str] | None) -> Any:
    """Return the columns to read, as a pyarrow schema."""
    schema = file.schema
    known = Counter(schema.names)
    if columns is not None and not len(columns):
        raise ValueError("columns must name at least one column, or be None for all, got none")
    asked = known if columns is None else Counter(columns)
    for name, count in asked.items():
        if name not in known:
            raise ValueError(f"{str(file.path)!r} has no column {name!r}{did_you_mean(name, list(known))}")
        if max(count, known[name]) > 1:
            raise ValueError(f"{max(count, known[name])} columns of {str(file.path)!r} are named {name!r}")
    return pa.schema([schema.field(name) for name in asked])


def _check_columns(file: File, wanted: Any, first: Path) -> None:
    """Raise ``ValueError`` unless a file has the wanted columns with the types of the first file."""
    types: defaultdict[str, list[Any]] = defaultdict(list)
    for other in file.schema:
        types[other.name].append(other.type)
    for field in wanted:
        found = types[field.name]
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
