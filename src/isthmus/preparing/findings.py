"""What preparation did to a table and what it saw: one finding a column and kind, with count and examples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from isthmus.formatting import pluralize

Action = Literal["changed", "removed", "reported"]
Positions = np.ndarray[Any, Any]

ACTIONS: tuple[Action, ...] = ("changed", "removed", "reported")
# Examples that a finding keeps.
N_EXAMPLES = 3
# Rows that a finding writes to JSON.
N_ROWS = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that was done to a column or to the rows of a table, or that was only seen.

    Parameters
    ----------
    what : str
        The kind, such as ``"missing marker"``.
    column : str or None
        None if it concerns whole rows, or the table.
    count : int
        How many values, rows or columns.
    action : {"changed", "removed", "reported"}
    rows : ndarray of int
        All rows concerned, counted from 0 in the table that was given; empty where a whole column is meant.
    examples : tuple of str
    advice : str
        How it was read, or what to do about it.
    unit : str
        What is counted.

    Examples
    --------
    >>> from isthmus.preparing import Finding
    >>> print(Finding("missing marker", "age", 2, "changed", examples=("'?' (row 3, 2 times)",)))
    age: 2 values, missing marker: '?' (row 3, 2 times)
    """

    what: str
    column: Any
    count: int
    action: Action
    rows: Positions = field(default_factory=lambda: np.empty(0, dtype=np.int64), compare=False, repr=False)
    examples: tuple[str, ...] = ()
    advice: str = ""
    unit: str = "value"

    def __str__(self) -> str:
        """Return one line, and a second for the advice."""
        subject = "the table" if self.column is None else self.column
        examples = f": {'; '.join(self.examples)}" if self.examples else ""
        advice = f"\n    {self.advice}" if self.advice else ""
        return f"{subject}: {pluralize(self.count, self.unit)}, {self.what}{examples}{advice}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with at most the first 1,000 rows."""
        names = ("what", "column", "count", "unit", "action", "examples", "advice")
        return {**{name: getattr(self, name) for name in names}, "rows": self.rows[:N_ROWS].tolist()}


def at_rows(shown: Iterable[Any], rows: Sequence[int] | Positions) -> tuple[str, ...]:
    """Return the first few values with their rows, as examples."""
    # zip asks for a row first, so that no value is shown that nobody wants.
    return tuple(f"{value} (row {row})" for row, value in zip(rows[:N_EXAMPLES], shown, strict=False))
