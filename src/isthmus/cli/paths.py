"""Checks of the names of files before torch is imported, which takes seconds."""

import glob
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

# Suffixes of files that are written; a test compares them with those of isthmus.data.files.
WRITTEN_TABLES = (".csv", ".tsv", ".parquet")
WRITTEN = (*WRITTEN_TABLES, ".npy", ".npz")
MODEL = (".safetensors",)
PICTURES = (".png", ".svg", ".pdf")
PROGRAMS = (".onnx", ".pt2")
# Suffixes by which a folder of images is recognised; images with other suffixes in it are read too.
IMAGES = {".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def check_input(path: Path | None) -> Path | None:
    """Return the path of a file, folder or pattern of files to read, if there is such a file.

    Raises
    ------
    FileNotFoundError
        If there is none; the message suggests a file with a similar name.
    ValueError
        If it is a model file, probably because MODEL and DATA were exchanged.
    """
    if path is not None and path.suffix.lower() in MODEL:
        raise ValueError(f"{str(path)!r} is the name of a model file, expected a file of rows; MODEL comes before DATA")
    if path is not None and not path.exists() and not _matches(path):
        raise FileNotFoundError(f"there is no file {str(path)!r}{_suggest(path)}")
    return path


def check_model(path: Path | None) -> Path | None:
    """Return the path of a model file, if there is one.

    Raises
    ------
    FileNotFoundError
        If there is none; the message suggests a file with a similar name.
    ValueError
        If it is a file of rows, probably because MODEL and DATA were exchanged.
    """
    if path is not None and path.suffix.lower() in WRITTEN and path.is_file() and not _is_safetensors(path):
        raise ValueError(f"{str(path)!r} is the name of a file of rows, expected a model file; MODEL comes before DATA")
    return _check_file(path, "model file")


def _is_safetensors(path: Path) -> bool:
    """Whether a file starts as safetensors files do: eight bytes with the length of a JSON object, and the object."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def check_config(path: Path | None) -> Path | None:
    """Return the path of a run file, if there is one."""
    return _check_file(path, "run file")


def check_space(path: Path | None) -> Path | None:
    """Return the path of a file of a space of parameters, if there is one."""
    return _check_file(path, "file of a space")


def _check_file(path: Path | None, what: str) -> Path | None:
    if path is not None and not path.is_file():
        raise FileNotFoundError(f"there is no {what} {str(path)!r}{_suggest(path)}")
    return path


def check_output(*suffixes: str, or_folder: bool = False) -> Callable[[Path | None], Path | None]:
    """Return a function that returns the path of a file to write, if it has one of the suffixes and its folder exists.

    With ``or_folder``, the function also accepts a path without a suffix: that of a folder. For other paths it raises
    ``ValueError`` or ``FileNotFoundError``.
    """

    def check(path: Path | None) -> Path | None:
        if path is None or (or_folder and is_folder(path)):
            return path
        if path.suffix.lower() not in suffixes:
            expected = f"one of {', '.join(suffixes)}" if len(suffixes) > 1 else suffixes[0]
            raise ValueError(f"{str(path)!r} has the suffix {path.suffix!r}, expected {expected}")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
        return path

    return check


def is_folder(path: Path) -> bool:
    """Whether a path to write to is a folder, or would be one."""
    return path.is_dir() or not path.suffix


def _matches(path: Path) -> bool:
    """Whether a path is a pattern; it is checked for matching files when it is read."""
    return glob.has_magic(str(path))


def _suggest(path: Path) -> str:
    names: Sequence[str] = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, names, n=1, cutoff=0.8)
    return f"; did you mean {str(path.with_name(near[0]))!r}?" if near else ""


def holds_images(data: Path) -> bool:
    """Whether data are a folder of images; hidden files do not count, and a folder with Parquet files is a table."""
    suffixes = list_suffixes(data)
    return bool(suffixes & IMAGES) and ".parquet" not in suffixes


def list_suffixes(folder: Path) -> set[str]:
    """Return the suffixes of all files in a folder, without hidden files."""
    return {file.suffix.lower() for file in folder.rglob("*") if not file.name.startswith(".")}
