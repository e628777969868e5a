"""Levels of games as grids of tiles: text with one character a tile to bytes, and back."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from isthmus.part import is_count

Values = np.ndarray[Any, Any]

__all__ = ["Levels", "read_levels", "segments", "to_text"]


class Levels(NamedTuple):
    """Levels by the names of their files, and what their tiles are.

    Attributes
    ----------
    grids : dict of str to ndarray of shape (height, width), uint8
        Tiles by their positions in the legend.
    legend : str
        One character a tile.
    """

    grids: dict[str, Values]
    legend: str


def read_levels(path: str | Path, legend: str | None = None) -> Levels:
    r"""Read levels from text files: a line is a row of tiles, a character a tile.

    Parameters
    ----------
    path : str or Path
        A file, or a folder of files that end in .txt.
    legend : str or None, default=None
        The characters of all tiles; None takes those that occur, sorted.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or none in the folder.
    ValueError
        If a file is empty or no text, its lines differ in length, or a tile is not in the legend; the message names
        file, line and column.

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
    """Write a grid of tiles as text, a line a row.

    Raises
    ------
    ValueError
        If a number is no position in the legend.

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
        raise ValueError(
            f"line {row + 1}, column {column + 1}: no tile has the number {level[row, column]}, "
            f"the legend {legend!r} has 0 to {len(legend) - 1}"
        )
    return "\n".join("".join(legend[tile] for tile in row) for row in level)


def segments(level: Any, width: int, stride: int = 1) -> Values:
    """Cut a level (height, length) into segments (n, height, width), each ``stride`` columns after the last.

    Raises
    ------
    ValueError
        If width or stride are no positive integers, or the level is shorter than a segment.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.contrib.game_levels import segments
    >>> segments(np.arange(10).reshape(2, 5), width=3, stride=2).tolist()
    [[[0, 1, 2], [5, 6, 7]], [[2, 3, 4], [7, 8, 9]]]
    """
    for name, value in {"width": width, "stride": stride}.items():
        if not is_count(value):
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    level = np.asarray(level)
    if level.shape[1] < width:
        raise ValueError(f"a level of {level.shape[1]} columns has no segment of width {width}")
    cut = np.lib.stride_tricks.sliding_window_view(level, width, axis=1)[:, ::stride]
    return np.ascontiguousarray(cut.transpose(1, 0, 2))


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path] * path.is_file()
    if not files:
        raise FileNotFoundError(f"there is no level {str(path)!r}, expected a text file or a folder of files *.txt")
    return files


def _lines(file: Path) -> list[str]:
    """Read the rows of tiles of a file, all of one length."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"level {str(file)!r} is no text: {error}") from error
    if not any(lines):
        raise ValueError(f"level {str(file)!r} is empty")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            raise ValueError(
                f"level {str(file)!r}, line {number} has {len(line)} tiles, expected {len(lines[0])} as in line 1"
            )
    return lines


def _check_legend(legend: str) -> None:
    # Tiles are bytes.
    if not 2 <= len(set(legend)) == len(legend) <= 256:
        raise ValueError(f"legend must hold 2 to 256 different characters, got {legend!r}")


def _grid(name: str, lines: list[str], legend: str) -> Values:
    number = {tile: i for i, tile in enumerate(legend)}
    for row, line in enumerate(lines, start=1):
        for column, tile in enumerate(line, start=1):
            if tile not in number:
                raise ValueError(
                    f"level {name!r}, line {row}, column {column}: tile {tile!r} is not in the legend {legend!r}"
                )
    return np.array([[number[tile] for tile in line] for line in lines], dtype=np.uint8)
