"""``isthmus look``: what a file holds, one line a column."""

import sys
from pathlib import Path

from isthmus.cli.doctoring import read_rows
from isthmus.cli.runs import Run
from isthmus.data.files import as_table
from isthmus.doctor import Overview, summarize
from isthmus.doctor.overview import ASCII_BARS, BARS


def show_file(data: Path, run: Run) -> None:
    """Print an overview of a file.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or does not hold rows and columns.
    """
    rows = read_rows(data, run)
    if len(rows.shape) > 2:
        raise ValueError(f"{str(data)!r} holds values of shape {rows.shape}, but look takes rows and columns")
    show_overview(summarize(as_table(rows), run.kinds))


def show_overview(overview: Overview) -> None:
    """Print an overview with the characters that the terminal can show."""
    print(overview.to_text(BARS if _can_print(BARS) else ASCII_BARS))


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
