"""What the doctor says: what is wrong, in figures, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.formatting import N_NAMED, list_names


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Parameters
    ----------
    what : str
    columns : tuple
        Names of columns of a data frame, positions of those of an array; empty where whole rows or nets are meant.
    detail : str
        How much of it there is.
    advice : str
        What to do.
    severity : {"error", "warning", "hint"}
        An error: fit refuses, or what one measures afterwards is wrong. A warning: the model suffers. A hint: worth a
        look.

    Examples
    --------
    >>> from isthmus.doctor import Finding
    >>> print(Finding("near-constant", ("flag",), "one value in 99.8 % of the rows", "leave it out"))
    warning: near-constant ('flag'): one value in 99.8 % of the rows
      leave it out
    """

    what: str
    columns: tuple[Any, ...]
    detail: str
    advice: str
    severity: str = "warning"

    def __str__(self) -> str:
        where = f" ({list_names(self.columns)})" if self.columns else ""
        return f"{self.severity}: {self.what}{where}: {self.detail}\n  {self.advice}"


def report(findings: Iterable[Finding]) -> str:
    """Write findings as text, two lines each.

    Examples
    --------
    >>> from isthmus.doctor import report
    >>> report([])
    'nothing to mend'
    """
    return "\n".join(map(str, findings)) or "nothing to mend"


def as_kind(columns: Sequence[Any], kind: str) -> str:
    """Write the argument that gives columns of a data frame a kind."""
    return f"schema={{{', '.join(f'{column!r}: {kind!r}' for column in columns[:N_NAMED])}}}"
