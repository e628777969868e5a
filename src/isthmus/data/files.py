"""Data files: CSV, TSV, Parquet, NPY and NPZ, told apart by their suffix, read and written."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from isthmus.data.base import Source
from isthmus.data.formulas import escape_cells
from isthmus.data.reading import MISSING, PACKED, READERS, Options, read_file
from isthmus.data.streams.parquet import read_folder
from isthmus.data.tables.frames import is_frame
from isthmus.storage import check_writable, replacing

FilePath = str | os.PathLike[str]
Values = np.ndarray[Any, Any]

# Suffixes of files whose cells are text.
TEXTS = (".csv", ".tsv")
# Numbers of the rows that a function is applied to at once.
CHUNK = 2**21


class Kind(NamedTuple):
    """How one kind of file is written from a table or an array."""

    write: Callable[[BinaryIO, Any], None]
    tabular: bool


def read(
    path: FilePath,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    missing: Collection[str] = MISSING,
    text: Collection[str] = (),
    plain_notation: bool = False,
) -> Any:
    r"""Read the rows of a file.

    The dialect of a text table is found where it is not stated. A warning of the category ``ReadingNote`` says what was
    found if it is not the usual one, and which words were read as missing values.

    Parameters
    ----------
    path : str or path
        A file, which may be packed as ``.gz`` or alone in a ``.zip``; or a folder of Parquet files. An NPZ file gives
        its only array, or that named ``X`` or ``x_train``; a workbook gives its first sheet.
    delimiter : str or None
        Separates the cells of a row in CSV and TSV files.
    decimal : {".", ","} or None
        Decimal mark. The other one may separate groups of three digits.
    encoding : str or None
        Such as ``"latin-1"``.
    header : bool or None
        Whether the first row has the names of the columns. Without them, columns are named x0, x1, ...
    missing : collection of str
        Words that mean a missing value, whatever their case and the spaces around them. Empty cells are always missing.
    text : collection of str
        Names of columns that stay text even if all their cells are numbers or dates.
    plain_notation : bool
        Leave as text what is not in a programming language's notation, such as 31.12.2024 and 1,5, and words for
        missing values beside numbers: ``prepare`` repairs and reports it.

    Returns
    -------
    pyarrow.Table or ndarray
        An array of NPY and NPZ files, and a table of all others, in which missing values are null. A column of a text
        table becomes one of numbers, dates or truth values if all its cells are, and if nothing is lost: codes with
        leading zeros or with more digits than a number holds stay text. NPY files are mapped, not loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its suffix is not known, it holds no rows, or it is damaged, or an option is not as described.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from isthmus.data.files import read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cities.csv"
    ...     _ = path.write_text("zip;area\n01067;3,5\n80331;1,75\n")
    ...     read(path, delimiter=";", decimal=",").to_pydict()
    {'zip': ['01067', '80331'], 'area': [3.5, 1.75]}
    """
    options = Options(delimiter, decimal, encoding, header, missing, text, plain_notation)
    path = Path(path)
    if path.is_dir():
        return read_folder(path)
    _check_suffix(path, [*READERS, *PACKED])
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    if not path.stat().st_size:
        raise ValueError(f"{str(path)!r} is empty")
    values = read_file(path, options)
    if values.shape[:1] in ((), (0,)):
        raise ValueError(f"{str(path)!r} holds no rows")
    return values


def write(path: FilePath, values: Any, names: Sequence[str] = (), *, escape_formulas: bool = False) -> None:
    """Write rows to a file, all or nothing.

    Parameters
    ----------
    path : str or path
        Its suffix decides the kind.
    values : pyarrow.Table or ndarray
    names : sequence of str
        Of the columns of an array that becomes a table; x0, x1, ... if there are none.
    escape_formulas : bool, default=False
        Put an apostrophe before text cells of CSV and TSV files that spreadsheets would compute, such as ``=1+1``. The
        apostrophe stays when the file is read again.

    Raises
    ------
    ValueError
        If the suffix is not known, or an array of more than two dimensions should become a table.
    OSError
        If the file cannot be written; an older file of this name survives.
    """
    write_all({Path(path): values}, names, escape_formulas=escape_formulas)


def write_all(contents: Mapping[Path, Any], names: Sequence[str] = (), *, escape_formulas: bool = False) -> None:
    """Write several files, all of them or none; parameters and errors are those of ``write``."""
    # The files take their names as the stack unwinds, which an error in writing any of them prevents.
    with ExitStack() as stack:
        for path, values in contents.items():
            kind = _kind_of(path)
            rows = as_table(values, names) if kind.tabular else as_array(values)
            if escape_formulas and path.suffix.lower() in TEXTS:
                rows = escape_cells(rows)
            kind.write(stack.enter_context(replacing(path)), rows)


def apply(function: Callable[[Any], Any], source: Source, path: FilePath, names: Sequence[str] = ()) -> tuple[int, int]:
    """Apply a function to all rows of a source, some at a time, and write the results to a Parquet file.

    Memory depends neither on the number of rows nor on that of the results.

    Parameters
    ----------
    function : callable
        Of some rows, in the container that the source restores (of ``Parquet`` a pyarrow table); returns a table or an
        array of as many rows, as ``model.transform``, ``model.reconstruct`` and ``model.score_samples`` do.
    source : Source
    path : str or path
        All or nothing is written, in the order of the rows.
    names : sequence of str
        Of the columns of arrays; x0, x1, ... if there are none.

    Returns
    -------
    tuple of int
        Number of rows and columns written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from isthmus.data import apply, as_source
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     apply(np.abs, as_source(-np.ones((5, 2))), f"{folder}/abs.parquet", ["a", "b"])
    (5, 2)
    """
    size = max(1, CHUNK // int(np.prod(source.schema.shape)))
    results = (function(source.to_container(batch.x.numpy())) for batch in source.batches(size))
    return write_chunks(path, (as_table(result, names) for result in results))


def write_chunks(path: FilePath, tables: Iterable[pa.Table]) -> tuple[int, int]:
    """Write tables of the same columns to one Parquet file, each as it comes, all or nothing.

    Returns
    -------
    tuple of int
        Number of rows and columns written.

    Raises
    ------
    ValueError
        If there is no table, or one has other columns than the first.
    OSError
        If the file cannot be written; an older file of this name survives.
    """
    check_target(path, [".parquet"])
    tables = iter(tables)
    first = next(tables, None)
    if first is None:
        raise ValueError(f"there are no rows to write to {str(path)!r}")
    n_rows = 0
    with replacing(path) as file, parquet.ParquetWriter(file, first.schema, write_page_checksum=True) as writer:
        for table in chain([first], tables):
            writer.write_table(table)
            n_rows += len(table)
    return n_rows, first.num_columns


def check_target(path: FilePath, suffixes: Collection[str] | None = None) -> None:
    """Refuse a name to write to before work is done that would be lost.

    Parameters
    ----------
    path : str or path
    suffixes : collection of str or None
        Those allowed; None allows the kinds of data files.

    Raises
    ------
    ValueError
        If the suffix is not among them.
    OSError
        If there is no such folder, the path is not that of a file, or the folder does not take new files.
    """
    _check_suffix(path, KINDS if suffixes is None else suffixes)
    check_writable(path)


def as_table(values: Any, names: Sequence[str] = ()) -> pa.Table:
    """Make a table of an array of rows, of one column, of texts or of a data frame, and pass tables on."""
    if isinstance(values, pa.Table):
        return values
    if is_frame(values):
        return nw.from_native(values, eager_only=True).to_arrow()
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return pa.table({"text": values})
    if not isinstance(values, np.ndarray):
        raise ValueError("rows of different lengths do not fit into a file; write them one by one")
    if values.ndim > 2:
        raise ValueError(f"values of shape {values.shape} do not fit into a table; write them to .npy or .npz")
    columns = np.atleast_2d(values.T)
    names = list(names) or [f"x{i}" for i in range(len(columns))]
    return pa.table({name: np.ascontiguousarray(column) for name, column in zip(names, columns, strict=True)})


def as_array(values: Any) -> Values:
    """Make an array of a table or data frame of numbers, and pass arrays on."""
    if isinstance(values, np.ndarray):
        return values
    return np.column_stack([column.to_numpy() for column in as_table(values).columns])


def _kind_of(path: FilePath) -> Kind:
    _check_suffix(path, KINDS)
    return KINDS[Path(path).suffix.lower()]


def _check_suffix(path: FilePath, suffixes: Collection[str]) -> None:
    suffix = Path(path).suffix
    if suffix.lower() not in suffixes:
        expected = f"one of {', '.join(suffixes)}" if len(suffixes) > 1 else ", ".join(suffixes)
        raise ValueError(f"{str(path)!r} has the suffix {suffix!r}, expected {expected}")


def _write_text(file: BinaryIO, table: pa.Table, delimiter: str) -> None:
    if table.num_columns == 1 and table.column(0).null_count:
        # Blank lines at the end of a file are no rows to any reader: missing values are written as "".
        table = table.set_column(0, table.column_names[0], table.column(0).cast(pa.string()).fill_null(""))
    csv.write_csv(table, file, csv.WriteOptions(delimiter=delimiter))


def _write_parquet(file: BinaryIO, table: pa.Table) -> None:
    parquet.write_table(table, file, write_page_checksum=True)


def _write_npy(file: BinaryIO, values: Values) -> None:
    np.save(file, values, allow_pickle=False)


def _write_npz(file: BinaryIO, values: Values) -> None:
    np.savez(file, X=values)


KINDS = {
    ".csv": Kind(partial(_write_text, delimiter=","), tabular=True),
    ".tsv": Kind(partial(_write_text, delimiter="\t"), tabular=True),
    ".parquet": Kind(_write_parquet, tabular=True),
    ".npy": Kind(_write_npy, tabular=False),
    ".npz": Kind(_write_npz, tabular=False),
}
