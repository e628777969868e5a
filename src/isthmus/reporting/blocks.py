"""The blocks that sections are made of. They hold values; the writers format them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Share(float):
    """A number from 0 to 1 that is shown as a percentage."""


class Quantity(float):
    """A number with a unit of its own: it is shown with the digits that it needs, not with those of its column."""


class Interval(NamedTuple):
    """An estimate and the limits of its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @property
    def includes_zero(self) -> bool:
        """Whether the sign of the estimate is not known."""
        return self.low <= 0 <= self.high

    def as_share(self) -> "Interval":
        """Return an interval that is shown as percentages."""
        return self._replace(value=Share(self.value))

    def __neg__(self) -> "Interval":
        return Interval(-self.value, -self.high, -self.low)


class Bars(tuple[int, ...]):
    """Counts of a histogram that fits into a cell of a table."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Named values."""

    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table; a cell is a text, a number, a ``Share``, an ``Interval``, ``Bars`` or None.

    Parameters
    ----------
    columns : sequence of str
    rows : sequence of sequences of cells
    caption : str
        What a row is.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], caption: str) -> "Table":
        """Make a table of records with the same keys, which are the names of the columns."""
        rows = list(records)
        return cls(tuple(rows[0]), [tuple(row.values()) for row in rows], caption)


@dataclass(frozen=True)
class Figure:
    """A picture.

    Parameters
    ----------
    svg : str
        An ``<svg>`` element without a prolog.
    alt : str
        What the picture shows, for readers who do not see it.
    caption : str
    """

    svg: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Code:
    """Commands or a program."""

    code: str
    caption: str


Block = Text | Facts | Table | Figure | Code


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Parameters
    ----------
    name : str
        Identifier in the HTML file and in JSON.
    title : str
    lead : str
        The result in one sentence.
    blocks : sequence of blocks
    values : mapping
        The numbers of the section as plain values, for JSON.
    answers : {"", "quality", "problem", "limit"}
        The question of the verdict that ``lead`` answers.
    """

    name: str
    title: str
    lead: str
    blocks: Sequence[Block] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    answers: str = ""
