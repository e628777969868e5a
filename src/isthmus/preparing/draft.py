"""A table during preparation; every change is recorded as a finding."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isthmus.finding import N_EXAMPLES, Finding, Status
from isthmus.formatting import pluralize
from isthmus.preparing.coding import Values, blank, put


@dataclass
class Draft:
    """A narwhals frame, the positions of its rows in the given table, and the findings so far.

    Parameters
    ----------
    frame : narwhals.DataFrame
    rows : ndarray of int
    findings : list of Finding
    """

    frame: Any
    rows: Values
    findings: list[Finding] = field(default_factory=list)

    def column(self, name: Any) -> Any:
        """Return a column as a narwhals series."""
        return self.frame.get_column(name)

    def note(
        self,
        status: Status,
        what: str,
        column: Any,
        where: Values | None = None,
        examples: Sequence[str] = (),
        advice: str = "",
        unit: str = "value",
    ) -> None:
        """Record a finding about the rows at some positions, if there are any, or about a whole column."""
        rows = self.rows[:0] if where is None else self.rows[where]
        count, unit = (1, "column") if where is None else (len(where), unit)
        if count:
            columns, shown = () if column is None else (column,), tuple(examples[:N_EXAMPLES])
            detail = ": ".join([pluralize(count, unit), *(["; ".join(shown)] if shown else [])])
            self.findings.append(Finding(what, columns, detail, advice, status, count, unit, rows, shown))

    def put(self, name: Any, values: Sequence[Any], dtype: Any) -> None:
        """Replace the values of a column."""
        self.frame = put(self.frame, name, values, dtype)

    def blank(self, name: Any, where: Values) -> None:
        """Make the values of a column at some positions missing."""
        if len(where):
            self.frame = blank(self.frame, name, np.isin(np.arange(len(self.frame)), where))

    def remove_rows(self, where: Values) -> None:
        """Remove the rows at some positions."""
        kept = np.delete(np.arange(len(self.rows)), where)
        self.frame, self.rows = self.frame[kept], self.rows[kept]
