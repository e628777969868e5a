"""The kind of data of a path: a table in memory, a stream of Parquet files, or a folder of images."""

from pathlib import Path

from isthmus.cli.paths import holds_images, list_suffixes
from isthmus.data import Array
from isthmus.data.streams.parquet import count_decoded_bytes, is_partitioned, is_pattern
from isthmus.data.streams.stream import Stream

# Bytes of decoded rows above which a Parquet file is streamed. Smaller files are read at once, which is faster.
LIMIT = 2**28
# Rows of a stream that are read to compare a model with simple methods, or to be examined.
N_SAMPLED = 100_000


def check_folder(data: Path) -> None:
    """Raise an error if data are a folder without Parquet files, since commands for tables cannot read it.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder contains no Parquet file.
    """
    if data.is_dir() and ".parquet" not in list_suffixes(data):
        if holds_images(data):
            raise ValueError(f"{str(data)!r} is a folder of images, but this command takes tables")
        raise FileNotFoundError(f"there is neither an image nor a .parquet file in the folder {str(data)!r}")


def is_streamed(data: Path) -> bool:
    """Whether data are streamed: a folder, a pattern, or a large Parquet file.

    A folder whose subfolders name columns (Hive partitions), which may hold text, is streamed only if it is large.

    Raises
    ------
    OSError, ValueError
        If data are a folder without a Parquet file.
    """
    check_folder(data)
    if is_pattern(data) or (data.is_dir() and not is_partitioned(data)):
        return True
    is_parquet = data.suffix.lower() == ".parquet" and data.is_file()
    return (data.is_dir() or is_parquet) and count_decoded_bytes(data) > LIMIT


def sample_stream(rows: Stream, seed: int) -> Array:
    """Read random rows of a stream into memory."""
    return (rows.split(N_SAMPLED, seed)[1] if len(rows) > N_SAMPLED else rows).load()
