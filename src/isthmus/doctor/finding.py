"""What the doctor says: what is wrong, in figures, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# Columns that a sentence names; the others are counted.
N_NAMED = 5


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
        where = f" ({listed(self.columns)})" if self.columns else ""
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


def listed(columns: Sequence[Any]) -> str:
    """Name columns in a sentence: ``'age', 'sex' and 3 others``."""
    named, n_others = ", ".join(map(repr, columns[:N_NAMED])), len(columns) - N_NAMED
    return f"{named} and {n_others} other{'s' * (n_others > 1)}" if n_others > 0 else named


def percent(share: float) -> str:
    """Write a share so that neither a small one looks like none nor a large one like all."""
    digits = 0 if 0.1 <= share <= 0.9 or share in (0, 1) else 2
    return f"{100 * share:.{digits}f} %"


def as_kind(columns: Sequence[Any], kind: str) -> str:
    """Write the argument that gives columns of a data frame a kind."""
    return f"schema={{{', '.join(f'{column!r}: {kind!r}' for column in columns[:N_NAMED])}}}"
