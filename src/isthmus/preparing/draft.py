"""The table in preparation: changes go through it, so that each is written down as it is made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isthmus.preparing.coding import Values, blank, put
from isthmus.preparing.findings import N_EXAMPLES, Action, Finding


@dataclass
class Draft:
    """A narwhals frame, the row of the given table that each of its rows was, and what was found so far.

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
        action: Action,
        what: str,
        column: Any,
        where: Values,
        examples: Sequence[str] = (),
        advice: str = "",
        unit: str = "value",
    ) -> None:
        """Write down something of the rows at these positions; nothing, if there are none."""
        if len(where):
            rows, shown = self.rows[where], tuple(examples[:N_EXAMPLES])
            self.findings.append(Finding(what, column, len(rows), action, rows, shown, advice, unit))

    def note_column(
        self, action: Action, what: str, column: Any, examples: Sequence[str] = (), advice: str = ""
    ) -> None:
        """Write down something of a column as a whole."""
        self.findings.append(Finding(what, column, 1, action, examples=tuple(examples), advice=advice, unit="column"))

    def put(self, name: Any, values: Sequence[Any], dtype: Any) -> None:
        """Give a column other values."""
        self.frame = put(self.frame, name, values, dtype)

    def blank(self, name: Any, where: Values) -> None:
        """Make the values of a column at these positions missing."""
        chosen = np.zeros(len(self.frame), dtype=bool)
        chosen[where] = True
        self.frame = blank(self.frame, name, chosen)

    def remove_rows(self, where: Values) -> None:
        """Remove the rows at these positions."""
        kept = np.delete(np.arange(len(self.rows)), where)
        self.frame, self.rows = self.frame[kept], self.rows[kept]
