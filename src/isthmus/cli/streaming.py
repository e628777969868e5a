"""Data past memory: which of it is streamed, and where results go that stand beside several files."""

from pathlib import Path
from typing import Any

from isthmus.data.files import KINDS
from isthmus.data.reading import PACKED
from isthmus.data.streams.parquet import count_decoded_bytes, is_partitioned, is_pattern
from isthmus.data.streams.stream import Stream

# Parquet files whose rows take more bytes than this are streamed; those below are read whole, which is faster.
LIMIT = 2**28
# Suffixes by which a folder of images is known; other images in it are read too.
IMAGES = {".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# Rows of each kind that the model is compared with PCA and the mean on.
N_COMPARED = 100_000


def holds_images(data: Path) -> bool:
    """Whether data are a folder of images, hidden ones aside, and not of Parquet files."""
    suffixes = _suffixes_in(data)
    return bool(suffixes & IMAGES) and ".parquet" not in suffixes


def _suffixes_in(folder: Path) -> set[str]:
    return {file.suffix.lower() for file in folder.rglob("*") if not file.name.startswith(".")}


def streams(data: Path) -> bool:
    """Whether data are streamed: a folder, a pattern, or a large Parquet file.

    A folder whose folders name columns, which may hold text, is streamed only if it is large.

    Raises
    ------
    OSError, ValueError
        If data are a folder without a Parquet file.
    """
    if data.is_dir() and ".parquet" not in _suffixes_in(data):
        if holds_images(data):
            raise ValueError(f"{str(data)!r} is a folder of images, but this command takes tables")
        raise FileNotFoundError(f"there is neither an image nor a .parquet file in the folder {str(data)!r}")
    if is_pattern(data) or (data.is_dir() and not is_partitioned(data)):
        return True
    return (data.is_dir() or _is_parquet(data)) and count_decoded_bytes(data) > LIMIT


def _is_parquet(data: Path) -> bool:
    return data.suffix.lower() == ".parquet" and data.is_file()


def beside(data: Path, ending: str) -> Path:
    """Name a file to write beside data, after them.

    Raises
    ------
    ValueError
        If data are a pattern, whose name no file can have.
    """
    if is_pattern(data):
        raise ValueError(f"{str(data)!r} stands for several files: name the file to write by --out")
    return data.with_name(data.name + ending) if data.is_dir() else _unpacked(data).with_suffix(ending)


def suffix_beside(data: Path) -> str:
    """Return the suffix of a file of results beside data: that of data, or another where such files are not written."""
    suffix = ".parquet" if data.is_dir() or streams(data) else _unpacked(data).suffix.lower()
    return suffix if suffix in KINDS else ".csv"


def _unpacked(data: Path) -> Path:
    """Return the name of a file without that of the format that packs it."""
    return data.with_suffix("") if data.suffix.lower() in PACKED else data


def some(rows: Any, seed: int) -> Any:
    """Take of a stream rows by chance to compare a model on, as a table; pass on what is in memory."""
    if not isinstance(rows, Stream):
        return rows
    if len(rows) > N_COMPARED:
        rows = rows.split(N_COMPARED, seed)[1]
    return rows.to_container(rows.load().values.numpy())
