"""Levels of games as grids of tiles: conversion from text with one character per tile to bytes, and back."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from isthmus.part import is_count

Values = np.ndarray[Any, Any]

__all__ = ["Levels", "cut_segments", "read_levels", "to_text"]


class Levels(NamedTuple):
    """Levels by the names of their files, and the characters of their tiles.

    Attributes
    ----------
    grids : dict of str to ndarray of shape (height, width), uint8
        Each tile is the position of its character in the legend.
    legend : str
        One character per kind of tile.
    """

    grids: dict[str, Values]
    legend: str


def read_levels(path: str | Path, legend: str | None = None) -> Levels:
    r"""Read levels from text files, in which each line is a row of tiles and each character is a tile.

    Parameters
    ----------
    path : str or Path
        A file, or a folder of files with the suffix .txt.
    legend : str or None, default=None
        The characters of all tiles; None uses the characters that occur, sorted.

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or the folder contains no such file.
    ValueError
        If a file is empty or not text, its lines differ in length, or a tile is not in the legend; the message names
        the file, line and column.

    References
    ----------
    Summerville, Snodgrass, Mateas and Ontanon, The VGLC: the video game level corpus, 2016, arXiv:1606.07487.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from isthmus.contrib.game_levels import read_levels
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "first.txt").write_text("---E\nXX-X\n")
    ...     levels = read_levels(folder)
    >>> levels.legend, levels.grids["first"].tolist()
    ('-EX', [[0, 0, 0, 1], [2, 2, 0, 2]])
    """
    texts = {file.stem: _lines(file) for file in _files(Path(path))}
    if legend is None:
        legend = "".join(sorted({tile for lines in texts.values() for line in lines for tile in line}))
    _check_legend(legend)
    return Levels({name: _grid(name, lines, legend) for name, lines in texts.items()}, legend)


def to_text(level: Any, legend: str) -> str:
    """Convert a grid of tiles to text, with one line per row.

    Raises
    ------
    ValueError
        If a number is not a position in the legend.

    Examples
    --------
    >>> from isthmus.contrib.game_levels import to_text
    >>> print(to_text([[0, 0, 1], [2, 2, 2]], "-EX"))
    --E
    XXX
    """
    level = np.asarray(level)
    wrong = np.argwhere((level < 0) | (level >= len(legend)))
    if len(wrong):
        row, column = wrong[0].tolist()
        where, last = f"line {row + 1}, column {column + 1}", len(legend) - 1
        raise ValueError(f"{where}: tile must be from 0 to {last} for the legend {legend!r}, got {level[row, column]}")
    return "\n".join("".join(legend[tile] for tile in row) for row in level)


def cut_segments(level: Any, width: int, stride: int = 1) -> Values:
    """Cut a level (height, length) into segments (n, height, width) that start every ``stride`` columns.

    Raises
    ------
    ValueError
        If ``width`` or ``stride`` is not a positive integer, or the level is shorter than a segment.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.contrib.game_levels import cut_segments
    >>> cut_segments(np.arange(10).reshape(2, 5), width=3, stride=2).tolist()
    [[[0, 1, 2], [5, 6, 7]], [[2, 3, 4], [7, 8, 9]]]
    """
    for name, value in {"width": width, "stride": stride}.items():
        if not is_count(value):
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    level = np.asarray(level)
    if level.shape[1] < width:
        raise ValueError(f"width must be at most {level.shape[1]}, the number of columns of the level, got {width}")
    cut = np.lib.stride_tricks.sliding_window_view(level, width, axis=1)[:, ::stride]
    return np.ascontiguousarray(cut.transpose(1, 0, 2))


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path] * path.is_file()
    if not files:
        raise FileNotFoundError(f"there is no level {str(path)!r}: give a text file, or a folder of .txt files")
    return files


def _lines(file: Path) -> list[str]:
    """Read the rows of tiles of a file, and check that they have equal length."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"level {str(file)!r} is not text: {error}") from error
    if not any(lines):
        raise ValueError(f"level {str(file)!r} is empty")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            n_tiles = f"{len(line)} tiles, expected {len(lines[0])} as in line 1"
            raise ValueError(f"level {str(file)!r}, line {number} has {n_tiles}")
    return lines


def _check_legend(legend: str) -> None:
    # A tile is stored in one byte.
    if not 2 <= len(set(legend)) == len(legend) <= 256:
        raise ValueError(f"legend must have 2 to 256 different characters, got {legend!r}")


def _grid(name: str, lines: list[str], legend: str) -> Values:
    number = {tile: i for i, tile in enumerate(legend)}
    for row, line in enumerate(lines, start=1):
        for column, tile in enumerate(line, start=1):
            if tile not in number:
                where = f"level {name!r}, line {row}, column {column}"
                raise ValueError(f"{where}: tile {tile!r} is not in the legend {legend!r}")
    return np.array([[number[tile] for tile in line] for line in lines], dtype=np.uint8)
