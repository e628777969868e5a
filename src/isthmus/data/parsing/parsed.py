"""What a text is read as: the common answer of the readers of numbers and of dates."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parsed:
    """The distinct values of a column, read.

    Parameters
    ----------
    what : str
        ``"number"`` or ``"date"``.
    values : list
        One for each distinct value; None where it cannot be read.
    dtype : narwhals type
        Of the column that they make.
    how : str
        The convention by which they were read.
    doubt : str
        Why they should not be taken; empty if they can be.
    remedy : str
        What to do about the doubt.
    """

    what: str
    values: list[Any]
    dtype: Any
    how: str = ""
    doubt: str = ""
    remedy: str = ""
