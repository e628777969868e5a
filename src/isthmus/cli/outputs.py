"""The files that a command writes. Every command names and checks them before it reads or computes anything."""

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.cli.paths import MODEL, PICTURES, WRITTEN
from isthmus.cli.reading import find_notation_of
from isthmus.cli.streaming import is_streamed
from isthmus.data.files import KINDS, check_target, write_all
from isthmus.data.reading import PACKED, TEXTS, USUAL
from isthmus.data.streams.parquet import is_pattern


class Output(NamedTuple):
    """Where a command writes, and what it may replace.

    Parameters
    ----------
    path : path or None
        File to write; None names it after the data.
    force : bool
        Whether to replace files that exist.
    escape_formulas : bool
        Whether text cells that a spreadsheet would compute are written as plain text.
    like : path or None
        File whose delimiter, decimal mark and encoding text tables get; None uses commas, points and UTF-8.
    """

    path: Path | None = None
    force: bool = False
    escape_formulas: bool = False
    like: Path | None = None

    def write_like(self, data: Path) -> "Output":
        """Return an output whose text tables are written as a file that was read."""
        return self._replace(like=data)

    def name(self, data: Path, ending: str) -> Path:
        """Return the file to write: ``path``, or a file beside ``data`` with the name of ``data`` and another suffix.

        Raises
        ------
        ValueError
            If ``path`` is None and ``data`` is a pattern, from which no name can be made.
        """
        if self.path is not None:
            return self.path
        if is_pattern(data):
            raise ValueError(f"{str(data)!r} is a pattern of several files: name the file to write with --out")
        return data.with_name(data.name + ending) if data.is_dir() else _unpacked(data).with_suffix(ending)

    def file(
        self, data: Path, ending: str, inputs: Iterable[Path | None], suffixes: Sequence[str] | None = None
    ) -> Path:
        """Name the file to write and check it; see ``name`` and ``check``."""
        path = self.name(data, ending)
        self.check([path], inputs, suffixes)
        return path

    def folder(self, data: Path, ending: str, inputs: Iterable[Path | None]) -> Path:
        """Name the folder to write and check it; see ``name`` and ``check_folder``."""
        path = self.name(data, ending)
        self.check_folder(path, inputs)
        return path

    def check(
        self, paths: Iterable[Path], inputs: Iterable[Path | None], suffixes: Sequence[str] | None = None
    ) -> None:
        """Check that files can be written. They never replace an input, and other files only with ``force``.

        Parameters
        ----------
        paths : iterable of path
            All files that the command writes.
        inputs : iterable of path or None
            Files, folders and patterns that the command reads. They are never replaced, not even with ``force``.
        suffixes : sequence of str or None
            Suffixes that the files may have; None allows those of all data files.

        Raises
        ------
        OSError, ValueError
            If a file has another suffix, cannot be written, is among the inputs, or exists and ``force`` is false.
        """
        sources = [path for path in inputs if path is not None]
        for path in paths:
            if self.path is None and not path.parent.is_dir():
                continue  # the folder of the data does not exist, which is reported when they are read
            check_target(path, suffixes)
            for other in sources:
                _check_apart(path, other)
            if path.exists() and not self.force:
                raise FileExistsError(f"{str(path)!r} exists; choose another name, or replace it with --force")

    def check_folder(self, folder: Path, inputs: Iterable[Path | None]) -> None:
        """Check that files can be written to a folder, which is no input, and contains files only with ``force``.

        Raises
        ------
        OSError, ValueError
            If the folder cannot be made, is an input or within one, or contains files and ``force`` is false.
        """
        if not folder.absolute().parent.is_dir():
            raise FileNotFoundError(f"cannot write {str(folder)!r}: there is no folder {str(folder.parent)!r}")
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"cannot write images to {str(folder)!r}: it is a file")
        if not folder.exists() and folder.suffix.lower() in (*WRITTEN, *MODEL, *PICTURES):
            raise ValueError(f"images are written to a folder, but {str(folder)!r} is the name of a file")
        for other in inputs:
            if other is not None:
                _check_apart(folder, other)
        if folder.is_dir() and any(folder.iterdir()) and not self.force:
            raise FileExistsError(f"{str(folder)!r} contains files; choose another folder, or add --force")

    def write(self, contents: Mapping[Path, Any], names: Sequence[str] = ()) -> None:
        """Write rows to files, all of them or none; see ``isthmus.data.files.write``."""
        as_text = any(path.suffix.lower() in TEXTS for path in contents)
        notation = find_notation_of(self.like) if self.like is not None and as_text else USUAL
        write_all(contents, names, escape_formulas=self.escape_formulas, notation=notation)


def choose_suffix(data: Path) -> str:
    """Return the suffix of results: that of the data if isthmus writes this format, and otherwise .csv."""
    suffix = ".parquet" if data.is_dir() or is_streamed(data) else _unpacked(data).suffix.lower()
    return suffix if suffix in KINDS else ".csv"


def _unpacked(data: Path) -> Path:
    """Return the name of a file without the suffix of a compressed format."""
    return data.with_suffix("") if data.suffix.lower() in PACKED else data


def _check_apart(path: Path, source: Path) -> None:
    """Raise ``ValueError`` if a file to write is an input, or would be read as one of the files of an input."""
    if is_pattern(source):
        folders = glob(os.path.dirname(source) or os.curdir, recursive=True)
        among = fnmatchcase(path.name, source.name) and any(_same(path.parent, folder) for folder in folders)
    else:
        among = source.is_dir() and any(_same(folder, source) for folder in Path(os.path.realpath(path)).parents)
    if among:
        raise ValueError(f"{str(path)!r} would be read as one of the files of {str(source)!r}; choose another name")
    if _same(path, source):
        raise ValueError(f"{str(path)!r} would replace {str(source)!r}, which is read; choose another name")


def _same(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths are the same file or folder, after links are followed."""
    if os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)
