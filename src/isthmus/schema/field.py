"""The columns of a data frame."""

from dataclasses import dataclass
from typing import Any, cast

from isthmus.plain import dataclass_of

# Microseconds in a day.
MICROSECONDS = 86_400e6
# Kinds of columns that a model learns from, and kinds that are left out.
NUMBERS = ("real", "positive", "count")
CATEGORICAL = ("binary", "category", "ordered")
USED = (*NUMBERS, *CATEGORICAL, "date")
LEFT_OUT = ("identifier", "constant", "text")
KINDS = (*USED, *LEFT_OUT)


@dataclass(frozen=True)
class Field:
    """A column of a data frame: its kind and properties of its values.

    Parameters
    ----------
    name : str or int
    dtype : str
        Name of the dtype as the data frame prints it.
    kind : str
        "real", "positive" (for a log scale) or "count" (counts and ratings) for numbers; "binary", "category" or
        "ordered" for categories, which are learned in the same way; "date"; and "identifier", "constant" or "text" for
        columns that are left out.
    categories : tuple
        The values of a categorical column, in the order of its dtype if that has one (``polars.Enum``, an ordered
        ``pandas.Categorical``), and otherwise sorted; for a constant column, its only value.
    common_values : tuple of float
        Numbers that many rows share, such as the zeros of an amount; all numbers if there are few different ones.
    open_ends : tuple of int
        Dates that stand for an open end, such as 9999-12-31, in microseconds since 1970-01-01.
    low, high : float
        Smallest and largest number; for dates, days since ``origin``, without open ends.
    step : float
        Largest power of ten, at most 1, that divides all numbers; 0 if there is none. For dates, 1 if all are midnight.
    knots : tuple of float
        Quantiles of the numbers that are not ``common_values``, or of the dates if some are open ends.
    origin : float
        For dates, the Monday from which days are counted, in days since 1970-01-01.
    note : str
        Reason why the column is left out.
    """

    name: Any
    dtype: str
    kind: str = "real"
    categories: tuple[Any, ...] = ()
    common_values: tuple[float, ...] = ()
    open_ends: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float = 0.0
    knots: tuple[float, ...] = ()
    origin: float = 0.0
    note: str = ""

    @property
    def used(self) -> bool:
        """Whether a model learns from the column."""
        return self.kind in USED

    @property
    def is_categorical(self) -> bool:
        """Whether values are encoded as positions in ``categories``."""
        return self.kind in CATEGORICAL

    @property
    def ends(self) -> tuple[float, ...]:
        """Open ends of dates, in days since ``origin``."""
        return tuple(end / MICROSECONDS - self.origin for end in self.open_ends)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Field":
        """Rebuild a field from plain values; lists become tuples."""
        return cast(Field, dataclass_of(cls, document))
