"""The common result of parsing numbers and dates."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parsed:
    """The parsed distinct values of a column.

    Parameters
    ----------
    what : str
        ``"number"`` or ``"date"``.
    values : list
        One for each distinct value; None where it cannot be parsed.
    dtype : narwhals type
        Dtype of a column of the values.
    how : str
        The convention that was used.
    doubt : str
        Why the values should not be used; empty if they are unambiguous.
    remedy : str
        What to do about the doubt.
    """

    what: str
    values: list[Any]
    dtype: Any
    how: str = ""
    doubt: str = ""
    remedy: str = ""
