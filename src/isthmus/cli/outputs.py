"""The files that a command writes: every command names them here before it reads or computes anything."""

import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.cli.paths import MODEL, PICTURES, WRITTEN
from isthmus.data.files import check_target, write_all
from isthmus.data.streams.parquet import is_pattern


class Output(NamedTuple):
    """Where a command writes, and what it may do there.

    Parameters
    ----------
    path : path or None
        File to write; None lets the command name it after what it reads.
    force : bool
        Whether files that exist are replaced.
    escape_formulas : bool
        Whether text cells that a spreadsheet would compute are written as plain text.
    """

    path: Path | None = None
    force: bool = False
    escape_formulas: bool = False

    def check(
        self, paths: Iterable[Path], inputs: Iterable[Path | None], suffixes: Sequence[str] | None = None
    ) -> None:
        """Refuse to start a command whose files could not be written, or would replace something.

        Parameters
        ----------
        paths : iterable of path
            All files that the command writes.
        inputs : iterable of path or None
            What the command reads: files, folders and patterns. Nothing replaces these, not even with ``force``.
        suffixes : sequence of str or None
            Those that the files may have; None allows the kinds of data files.

        Raises
        ------
        OSError, ValueError
            If a file has another suffix, cannot be written, is among the inputs, or exists without ``force``.
        """
        sources = [path for path in inputs if path is not None]
        for path in paths:
            if self.path is None and not path.parent.is_dir():
                continue  # named after data that are not there, which is said when they are read
            check_target(path, suffixes)
            for other in sources:
                _check_apart(path, other)
            if path.exists() and not self.force:
                raise FileExistsError(f"{str(path)!r} exists; choose another name, or replace it by --force")

    def check_folder(self, folder: Path, inputs: Iterable[Path | None]) -> None:
        """Refuse to start a command whose folder of files could not be written, or would replace something.

        Raises
        ------
        OSError, ValueError
            If the folder cannot be made, is or lies in what is read, or holds files without ``force``.
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
            raise FileExistsError(f"{str(folder)!r} holds files; choose another folder, or write into it by --force")

    def write(self, contents: Mapping[Path, Any], names: Sequence[str] = ()) -> None:
        """Write rows to files, all of them or none; see ``isthmus.data.files.write``."""
        write_all(contents, names, escape_formulas=self.escape_formulas)


def _check_apart(path: Path, source: Path) -> None:
    """Refuse to replace what is read, or to put a new file among the files that are read."""
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
    """Whether two paths lead to one file or folder, also by links; or would, if it does not exist yet."""
    if os.path.exists(one) and os.path.exists(other):
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)
