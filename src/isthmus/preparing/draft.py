"""The table in preparation, which records every change as a finding."""

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
        where: Values,
        examples: Sequence[str] = (),
        advice: str = "",
        unit: str = "value",
    ) -> None:
        """Record a finding about the rows at these positions; nothing if there are none."""
        if len(where):
            self._record(status, what, column, len(where), unit, examples, advice, self.rows[where])

    def note_column(
        self, status: Status, what: str, column: Any, examples: Sequence[str] = (), advice: str = ""
    ) -> None:
        """Record a finding about a whole column."""
        self._record(status, what, column, 1, "column", examples, advice, self.rows[:0])

    def _record(
        self,
        status: Status,
        what: str,
        column: Any,
        count: int,
        unit: str,
        examples: Sequence[str],
        advice: str,
        rows: Values,
    ) -> None:
        columns, shown = () if column is None else (column,), tuple(examples[:N_EXAMPLES])
        detail = ": ".join([pluralize(count, unit), *(["; ".join(shown)] if shown else [])])
        self.findings.append(Finding(what, columns, detail, advice, status, count, unit, rows, shown))

    def put(self, name: Any, values: Sequence[Any], dtype: Any) -> None:
        """Replace the values of a column."""
        self.frame = put(self.frame, name, values, dtype)

    def blank(self, name: Any, where: Values) -> None:
        """Make the values of a column at some positions missing."""
        chosen = np.zeros(len(self.frame), dtype=bool)
        chosen[where] = True
        self.frame = blank(self.frame, name, chosen)

    def remove_rows(self, where: Values) -> None:
        """Remove the rows at some positions."""
        kept = np.delete(np.arange(len(self.rows)), where)
        self.frame, self.rows = self.frame[kept], self.rows[kept]
