"""A table during preparation; every change is recorded as a finding."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isthmus.data.tables.blocks import replace_columns
from isthmus.finding import N_EXAMPLES, Finding, Status
from isthmus.formatting import pluralize
from isthmus.preparing.coding import Values, blank, make_series


@dataclass
class Draft:
    """A table, the positions of its rows in the given table, and the findings so far.

    Parameters
    ----------
    unchanged : narwhals.DataFrame
        The table before the latest changes.
    rows : ndarray of int
    findings : list of Finding
    changed : dict
        New columns by name. They enter the frame together, because libraries replace a single column in time in
        proportion to the width of the table.
    """

    unchanged: Any
    rows: Values
    findings: list[Finding] = field(default_factory=list)
    changed: dict[Any, Any] = field(default_factory=dict)

    @property
    def frame(self) -> Any:
        """The table as a narwhals frame, with all changes."""
        if self.changed:
            self.unchanged = replace_columns(self.unchanged, self.changed.values())
            self.changed = {}
        return self.unchanged

    @frame.setter
    def frame(self, frame: Any) -> None:
        """Replace the table."""
        self.unchanged, self.changed = frame, {}

    def column(self, name: Any) -> Any:
        """Return a column as a narwhals series."""
        return self.changed[name] if name in self.changed else self.unchanged.get_column(name)

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
        self.changed[name] = make_series(self.column(name), values, dtype)

    def blank(self, name: Any, where: Values) -> None:
        """Make the values of a column at some positions missing."""
        if len(where):
            self.changed[name] = blank(self.column(name), np.isin(np.arange(len(self.rows)), where))

    def remove_rows(self, where: Values) -> None:
        """Remove the rows at some positions."""
        kept = np.delete(np.arange(len(self.rows)), where)
        self.frame, self.rows = self.frame[kept], self.rows[kept]
