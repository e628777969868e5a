"""Data files: CSV, TSV, Parquet, NPY and NPZ, told apart by their suffix, read and written."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
from numpy.lib.format import open_memmap
from numpy.lib.npyio import NpzFile
from pyarrow import compute, csv, parquet

from isthmus.data.base import Source
from isthmus.storage import check_writable, replacing

FilePath = str | os.PathLike[str]
Values = np.ndarray[Any, Any]

# Names of the array to take from an NPZ file that holds several.
ARRAYS = ("X", "x_train")
# The most that pyarrow takes as one block.
MAX_BLOCK = 2**31 - 1
# Kinds of files whose cells are text.
TEXTS = ("CSV", "TSV")
# Begin of a cell that spreadsheets compute: OWASP, CSV Injection; spaces before are ignored by some.
FORMULA = "^(?:\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
# Numbers of the rows that a function is applied to at once.
CHUNK = 2**21


class Kind(NamedTuple):
    """How one kind of file is read, and written from a table or an array."""

    name: str
    read: Callable[[Path], Any]
    write: Callable[[BinaryIO, Any], None]
    tabular: bool


def read(path: FilePath) -> Any:
    """Read the rows of a file.

    Parameters
    ----------
    path : str or path
        An NPZ file gives its only array, or that named ``X`` or ``x_train``.

    Returns
    -------
    pyarrow.Table or ndarray
        A table of CSV, TSV and Parquet files; empty cells are null. NPY files are mapped, not loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its suffix is not known, it holds no rows, or it is damaged.
    """
    path = Path(path)
    kind = _kind_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    if not path.stat().st_size:
        raise ValueError(f"{str(path)!r} is empty")
    try:
        values = kind.read(path)
    except (pa.ArrowException, OSError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(f"cannot read {str(path)!r} as a {kind.name} file: {error}") from error
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
            if escape_formulas and kind.name in TEXTS:
                rows = _escape_formulas(rows)
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
    results = (function(source.restore(batch.x.numpy())) for batch in source.batches(size))
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
    """Make a table of an array of rows, or of one column, and pass tables on."""
    if isinstance(values, pa.Table):
        return values
    if values.ndim > 2:
        raise ValueError(f"values of shape {values.shape} do not fit into a table; write them to .npy or .npz")
    columns = np.atleast_2d(values.T)
    names = list(names) or [f"x{i}" for i in range(len(columns))]
    return pa.table({name: np.ascontiguousarray(column) for name, column in zip(names, columns, strict=True)})


def as_array(values: Any) -> Values:
    """Make an array of a table of numbers, and pass arrays on."""
    return np.column_stack([column.to_numpy() for column in values.columns]) if isinstance(values, pa.Table) else values


def _kind_of(path: FilePath) -> Kind:
    _check_suffix(path, KINDS)
    return KINDS[Path(path).suffix.lower()]


def _check_suffix(path: FilePath, suffixes: Collection[str]) -> None:
    suffix = Path(path).suffix
    if suffix.lower() not in suffixes:
        expected = f"one of {', '.join(suffixes)}" if len(suffixes) > 1 else ", ".join(suffixes)
        raise ValueError(f"{str(path)!r} has the suffix {suffix!r}, expected {expected}")


def _read_text(path: Path, delimiter: str) -> pa.Table:
    # Types are told by the first block alone, where fractions may look like integers: make it the whole file.
    block = csv.ReadOptions(block_size=min(MAX_BLOCK, path.stat().st_size + 1))
    return _checked(csv.read_csv(path, read_options=block, parse_options=csv.ParseOptions(delimiter=delimiter)))


def _read_parquet(path: Path) -> pa.Table:
    return _checked(parquet.ParquetFile(path).read())


def _checked(table: pa.Table) -> pa.Table:
    """Refuse names that do not tell columns apart, and make columns without any value columns of missing numbers."""
    for name, count in Counter(table.column_names).items():
        if count > 1:
            raise ValueError(f"{count} columns are named {name!r}")
    types = [pa.float64() if pa.types.is_null(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def _read_npz(path: Path) -> Values:
    with path.open("rb") as file, NpzFile(file, allow_pickle=False) as arrays:
        names = arrays.files
        chosen = names if len(names) == 1 else [name for name in ARRAYS if name in names]
        if not chosen:
            raise ValueError(f"it holds the arrays {names}, expected only one, or one named {' or '.join(ARRAYS)}")
        return arrays[chosen[0]]


def _escape_formulas(table: pa.Table) -> pa.Table:
    """Put an apostrophe before texts and names that spreadsheets would compute."""
    columns = [_escape_cells(column) for column in table.columns]
    names = _escape_cells(pa.chunked_array([pa.array(table.column_names, pa.string())])).to_pylist()
    return pa.Table.from_arrays(columns, names)


def _escape_cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    return compute.replace_substring_regex(column, FORMULA, r"'\0")


def _write_text(file: BinaryIO, table: pa.Table, delimiter: str) -> None:
    csv.write_csv(table, file, csv.WriteOptions(delimiter=delimiter))


def _write_parquet(file: BinaryIO, table: pa.Table) -> None:
    parquet.write_table(table, file, write_page_checksum=True)


def _write_npy(file: BinaryIO, values: Values) -> None:
    np.save(file, values, allow_pickle=False)


def _write_npz(file: BinaryIO, values: Values) -> None:
    np.savez(file, X=values)


KINDS = {
    ".csv": Kind("CSV", partial(_read_text, delimiter=","), partial(_write_text, delimiter=","), tabular=True),
    ".tsv": Kind("TSV", partial(_read_text, delimiter="\t"), partial(_write_text, delimiter="\t"), tabular=True),
    ".parquet": Kind("Parquet", _read_parquet, _write_parquet, tabular=True),
    ".npy": Kind("NPY", partial(open_memmap, mode="r"), _write_npy, tabular=False),
    ".npz": Kind("NPZ", _read_npz, _write_npz, tabular=False),
}
