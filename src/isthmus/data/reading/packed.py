"""The bytes of a file, decompressed where necessary, with a limit on their growth."""

import gzip
import mmap
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

PACKED = (".gz", ".zip")
# Limits for decompression bombs: an error if the size in bytes grows by more than this factor and beyond this size.
MAX_GROWTH, MAX_SIZE = 500, 2**28
# Largest size in bytes of a block that pyarrow can parse.
MAX_BLOCK = 2**31 - 1
# Number of bytes that are decompressed at once.
CHUNK = 2**24


class Content(NamedTuple):
    """The bytes of a file, and the suffix of its format: ``.csv`` for ``rows.csv.gz``."""

    path: Path
    suffix: str
    data: Any

    @property
    def packed(self) -> bool:
        """Whether the file is compressed."""
        return self.path.suffix.lower() in PACKED


def open_content(path: Path, suffixes: Collection[str]) -> Content:
    """Return the bytes of a file, or of the file that is compressed in it.

    Raises
    ------
    ValueError
        If it contains several files or one of an unknown format, or its decompressed size exceeds the limit.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return Content(path, _known(Path(path.stem).suffix.lower(), suffixes), _unpack(path))
    if suffix == ".zip":
        return _only_member(path, suffixes)
    with path.open("rb") as file:
        return Content(path, suffix, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def check_growth(size: int, packed_size: int, what: str = "it") -> None:
    """Raise ``ValueError`` if a decompressed size exceeds the limit."""
    if size > MAX_SIZE and size > MAX_GROWTH * packed_size:
        raise ValueError(
            f"{what} would grow from {format_size(packed_size)} to {format_size(size)} or more, "
            "as no measured data do; if it is sound, unpack it yourself"
        )


def format_size(n_bytes: int) -> str:
    """Format a number of bytes, such as 1.5 MB."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.1f} {unit}"
    return f"{n_bytes} bytes"


def _unpack(path: Path) -> bytes:
    with gzip.open(path) as file:
        return _read_all(file, path.stat().st_size)


def _only_member(path: Path, suffixes: Collection[str]) -> Content:
    with ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not _is_hidden(member.filename) and not member.is_dir()]
        if len(members) != 1:
            names = ", ".join(repr(member.filename) for member in members[:3])
            raise ValueError(f"it holds {len(members)} files, expected one{': ' + names if members else ''}")
        (member,) = members
        check_growth(member.file_size, member.compress_size)
        with archive.open(member) as file:
            suffix = _known(Path(member.filename).suffix.lower(), suffixes)
            return Content(path, suffix, _read_all(file, member.compress_size))


def _read_all(file: Any, packed_size: int) -> bytes:
    content = bytearray()
    while chunk := file.read(CHUNK):
        content += chunk
        check_growth(len(content), packed_size)
    return bytes(content)


def _is_hidden(name: str) -> bool:
    """Whether a member of an archive was added by an operating system."""
    return name.startswith("__MACOSX/") or Path(name).name.startswith(".")


def _known(suffix: str, suffixes: Collection[str]) -> str:
    if suffix not in suffixes:
        raise ValueError(f"it packs a file with the suffix {suffix!r}, expected one of {', '.join(suffixes)}")
    return suffix
