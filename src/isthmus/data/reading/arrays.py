"""Readers of NPY and NPZ files."""

import io
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy
from numpy.lib.npyio import NpzFile

from isthmus.data.reading.options import Options
from isthmus.data.reading.packed import Content, check_growth, format_size

Values = np.ndarray[Any, Any]

# Names of the array that is read from an NPZ file with several.
ARRAYS = ("X", "x_train")
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npy(content: Content, options: Options, notes: list[str]) -> Values:
    """Memory-map an array, or load it from a compressed file."""
    if content.packed:
        return np.load(io.BytesIO(content.data), allow_pickle=False)
    return npy.open_memmap(content.path, mode="r")


def read_npz(content: Content, options: Options, notes: list[str]) -> Values:
    """Load the only array, or the one named ``X`` or ``x_train``.

    Raises
    ------
    ValueError
        If there is no such array, or its header declares more values than the file has.
    """
    with NpzFile(io.BytesIO(content.data), allow_pickle=False) as arrays:
        names = arrays.files
        chosen = names if len(names) == 1 else [name for name in ARRAYS if name in names]
        if not chosen:
            raise ValueError(f"it holds the arrays {names}, expected only one, or one named {' or '.join(ARRAYS)}")
        with ZipFile(io.BytesIO(content.data)) as archive:
            _check_size(archive, chosen[0])
        values = arrays[chosen[0]]
    if not isinstance(values, np.ndarray):
        raise ValueError(f"its member {chosen[0]!r} is not an array")
    return values


def _check_size(archive: ZipFile, name: str) -> None:
    """Raise an error for an array that is far larger than its stored bytes, before memory is allocated."""
    member = archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.namelist() else name)
    check_growth(member.file_size, member.compress_size, f"its array {name!r}")
    with archive.open(member) as file:
        if file.read(len(npy.MAGIC_PREFIX)) != npy.MAGIC_PREFIX:
            return
        major, minor = file.read(2)
        read_header = HEADERS.get((major, minor))
        if read_header is None:
            return
        shape, _, dtype = read_header(file)
    asked = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if asked > member.file_size and not dtype.hasobject:
        raise ValueError(f"its array {name!r} asks for {format_size(asked)}, but holds {format_size(member.file_size)}")
