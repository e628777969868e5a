"""Folders whose names define columns, such as ``year=2024/month=1``: partitions of Apache Hive, Spark and pyarrow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import compute

from isthmus.data.reading.options import Options
from isthmus.data.reading.typed_columns import read_columns

# Missing value in the name of a folder (hive.exec.default.partition.name of Apache Hive).
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def list_files(folder: Path) -> Iterator[Path]:
    """Find the Parquet files of a folder and of subfolders that define columns."""
    # In folders of Hive and Spark, files whose names start with "." or "_" have no rows.
    for file in folder.rglob("[!._]*.parquet"):
        if all("=" in part for part in file.relative_to(folder).parts[:-1]):
            yield file


def parse_folder_keys(path: Path, folder: Path) -> dict[str, str | None]:
    """Return the columns that the folders between a folder and a file define, with their values."""
    parts = [part.partition("=") for part in path.relative_to(folder).parts[:-1]]
    return {unquote(name): None if value == NO_VALUE else unquote(value) for name, _, value in parts}


def read_keys(keys: Sequence[Mapping[str, str | None]]) -> pa.Table:
    """Make a table of the values that folders define, with a row for each file.

    Values are read like cells of a text table, except that values of up to two digits, such as months, are numbers even
    with a leading zero.

    Examples
    --------
    >>> from isthmus.data.reading.partitions import read_keys
    >>> read_keys([{"month": "01", "zip": "02134"}, {"month": "12", "zip": None}]).to_pydict()
    {'month': [1, 12], 'zip': ['02134', None]}
    """
    names = list(dict.fromkeys(name for row in keys for name in row))
    texts = pa.table({name: pa.array([row.get(name) for row in keys], pa.string()) for name in names})
    for i, name in enumerate(names):
        if not compute.any(compute.match_substring_regex(texts[name], "^[0-9]{3}|[^0-9]")).as_py():
            texts = texts.set_column(i, name, compute.replace_substring_regex(texts[name], "^0+(.)", r"\1"))
    return read_columns(texts, Options(missing=()), None)[0]
