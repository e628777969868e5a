"""Reading and writing data files, whose suffix determines the format."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from isthmus.data.base import Source
from isthmus.data.formulas import escape_cells
from isthmus.data.reading import MISSING, PACKED, READERS, TEXTS, USUAL, Notation, Options, read_file
from isthmus.data.streams.parquet import read_folder
from isthmus.data.tables.frames import is_frame
from isthmus.data.text_tables import write_text
from isthmus.errors import require_path
from isthmus.storage import check_writable, replacing

FilePath = str | os.PathLike[str]
Values = np.ndarray[Any, Any]

# Number of values in the rows that a function is applied to at once.
CHUNK = 2**21


class Kind(NamedTuple):
    """How a file format is written from a table or an array."""

    write: Callable[..., None]
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

    The dialect of a text table is inferred where it is not stated. A ``ReadingNote`` warns of an unusual dialect, and
    of words that were read as missing values.

    Parameters
    ----------
    path : str or path
        A file, which may be compressed as ``.gz`` or the only file in a ``.zip``; or a folder of Parquet files. Of an
        NPZ file, the only array is read, or the one named ``X`` or ``x_train``; of a workbook, the first sheet.
    delimiter : str or None
        Separator of the cells of a row in CSV and TSV files.
    decimal : {".", ","} or None
        Decimal mark. The other one can separate groups of three digits.
    encoding : str or None
        Such as ``"latin-1"``.
    header : bool or None
        Whether the first row has the names of the columns. Without names, columns are named x0, x1, ...
    missing : collection of str
        Words that mean a missing value, ignoring case and surrounding spaces. Empty cells are always missing.
    text : collection of str
        Names of columns that stay text even if all their cells are numbers or dates.
    plain_notation : bool
        Leave values as text unless they are in the notation of programming languages: not 31.12.2024 or 1,5, and no
        words for missing values among numbers. ``prepare`` converts and reports them.

    Returns
    -------
    pyarrow.Table or ndarray
        An array for NPY and NPZ files, and a table for all others, in which missing values are null. A column of a text
        table is converted to numbers, dates or truth values if all its cells can be converted without loss: codes with
        leading zeros or too many digits for a number stay text. NPY files are memory-mapped.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the suffix is unknown, the file has no rows or is damaged, or an option is invalid.

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
    require_path("path", path)
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


def write(
    path: FilePath,
    values: Any,
    names: Sequence[str] = (),
    *,
    escape_formulas: bool = False,
    notation: Notation = USUAL,
) -> None:
    """Write rows to a file; on an error, no partial file remains.

    Parameters
    ----------
    path : str or path
        The suffix determines the format.
    values : pyarrow.Table or ndarray
    names : sequence of str
        Names of the columns of an array in a table format; x0, x1, ... by default.
    escape_formulas : bool, default=False
        Put an apostrophe before text cells of CSV and TSV files that spreadsheets would evaluate, such as ``=1+1``.
        Reading the file does not remove the apostrophe.
    notation : Notation, default=USUAL
        Delimiter, decimal mark and encoding of CSV and TSV files.

    Raises
    ------
    ValueError
        If the suffix is unknown, or an array for a table format has more than two dimensions.
    OSError
        If the file cannot be written; an older file of this name is unchanged.
    """
    require_path("path", path)
    write_all({Path(path): values}, names, escape_formulas=escape_formulas, notation=notation)


def write_all(
    contents: Mapping[Path, Any],
    names: Sequence[str] = (),
    *,
    escape_formulas: bool = False,
    notation: Notation = USUAL,
) -> None:
    """Write several files, all of them or none; see ``write`` for parameters and errors."""
    # Files get their names when the stack unwinds without an error.
    with ExitStack() as stack:
        for path, values in contents.items():
            kind = _kind_of(path)
            rows = as_table(values, names) if kind.tabular else as_array(values)
            is_text = path.suffix.lower() in TEXTS
            rows = escape_cells(rows) if escape_formulas and is_text else rows
            kind.write(stack.enter_context(replacing(path)), rows, **({"notation": notation} if is_text else {}))


def apply(function: Callable[[Any], Any], source: Source, path: FilePath, names: Sequence[str] = ()) -> tuple[int, int]:
    """Apply a function to all rows of a source in chunks, and write the results to a Parquet file.

    Memory does not depend on the number of rows.

    Parameters
    ----------
    function : callable
        Takes a chunk of rows in the container of the source (a pyarrow table for ``Parquet``), and returns a table or
        an array with the same number of rows, such as ``model.transform`` or ``model.score_samples``.
    source : Source
        Rows, also more than fit into memory.
    path : str or path
        The results have the order of the rows. On an error, no partial file remains.
    names : sequence of str, default=()
        Names of the columns of arrays; x0, x1, ... by default.

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
    """Write tables of the same columns to one Parquet file, one by one; on an error, no partial file remains.

    Returns
    -------
    tuple of int
        Number of rows and columns written.

    Raises
    ------
    ValueError
        If there is no table, or the columns of one differ from those of the first.
    OSError
        If the file cannot be written; an older file of this name is unchanged.
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
    """Check that a file can be written, before work whose results would be lost.

    Parameters
    ----------
    path : str or path
    suffixes : collection of str or None
        The valid suffixes; None allows all data formats.

    Raises
    ------
    ValueError
        If the suffix is not valid.
    OSError
        If the folder does not exist or is not writable, or the path is a folder.
    """
    require_path("path", path)
    _check_suffix(path, KINDS if suffixes is None else suffixes)
    check_writable(path)


def as_table(values: Any, names: Sequence[str] = ()) -> pa.Table:
    """Convert an array, a list of texts or a data frame to a table; tables are returned unchanged."""
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
    """Convert a table or data frame of numbers to an array; arrays are returned unchanged."""
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


def _write_csv(file: BinaryIO, table: pa.Table, notation: Notation) -> None:
    write_text(file, table, notation.delimiter or TEXTS[".csv"], notation.decimal, notation.encoding)


def _write_tsv(file: BinaryIO, table: pa.Table, notation: Notation) -> None:
    write_text(file, table, TEXTS[".tsv"], notation.decimal, notation.encoding)


def _write_parquet(file: BinaryIO, table: pa.Table) -> None:
    parquet.write_table(table, file, write_page_checksum=True)


def _write_npy(file: BinaryIO, values: Values) -> None:
    np.save(file, values, allow_pickle=False)


def _write_npz(file: BinaryIO, values: Values) -> None:
    np.savez(file, X=values)


KINDS = {
    ".csv": Kind(_write_csv, tabular=True),
    ".tsv": Kind(_write_tsv, tabular=True),
    ".parquet": Kind(_write_parquet, tabular=True),
    ".npy": Kind(_write_npy, tabular=False),
    ".npz": Kind(_write_npz, tabular=False),
}
