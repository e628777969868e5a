"""Findings about data: problems that the doctor found, and changes that preparation made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from isthmus.formatting import list_names

Status = Literal["error", "warning", "hint", "changed", "removed", "reported"]
Positions = np.ndarray[Any, Any]

# Largest number of examples that a finding shows.
N_EXAMPLES = 3
# Largest number of row numbers that a finding writes to JSON.
N_ROWS = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that was found in a table: what it is, where and how much, and what to do about it.

    Parameters
    ----------
    what : str
        Kind of the finding, such as ``"near-constant columns"``.
    columns : tuple
        Names of columns of a data frame, or positions of those of an array; empty if it concerns whole rows, the table
        or a model.
    detail : str
        Figures or examples.
    advice : str
        What to do, or how a value was interpreted.
    status : {"error", "warning", "hint", "changed", "removed", "reported"}
        From the doctor: "error" if ``fit`` raises an error or results are wrong, "warning" if the model is worse,
        "hint" if it should be checked. From ``prepare``: whether it changed, removed or only reported the values.
    count : int
        Number of values, rows or columns, if they were counted.
    unit : str
        What is counted.
    rows : ndarray of int
        Affected rows, counted from 0 in the given table; empty if whole columns are affected.
    examples : tuple of str
        Some of the values.

    Examples
    --------
    >>> from isthmus.finding import Finding
    >>> print(Finding("near-constant", ("flag",), "one value in 99.8 % of the rows", "drop it"))
    warning: near-constant ('flag'): one value in 99.8 % of the rows
      drop it
    """

    what: str
    columns: tuple[Any, ...]
    detail: str
    advice: str = ""
    status: Status = "warning"
    count: int = 0
    unit: str = "value"
    rows: Positions = field(default_factory=lambda: np.empty(0, dtype=np.int64), compare=False, repr=False)
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line, and a second one for the advice."""
        where = f" ({list_names(self.columns)})" if self.columns else ""
        advice = f"\n  {self.advice}" if self.advice else ""
        return f"{self.status}: {self.what}{where}: {self.detail}{advice}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with at most the first 1,000 rows."""
        names = ("what", "columns", "detail", "advice", "status", "count", "unit", "examples")
        return {**{name: getattr(self, name) for name in names}, "rows": self.rows[:N_ROWS].tolist()}


def show_rows(shown: Iterable[Any], rows: Sequence[int] | Positions) -> tuple[str, ...]:
    """Return the first few values with their rows, as examples."""
    # ``zip`` ends with the rows, so values beyond the last example are never computed.
    return tuple(f"{value} (row {row})" for row, value in zip(rows[:N_EXAMPLES], shown, strict=False))
