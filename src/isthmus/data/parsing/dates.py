"""Dates as text in one or several formats; the order of day and month is decided once per column."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

import narwhals as nw

from isthmus.data.parsing.parsed import Parsed

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
TIME = (
    r"(?:(?:T|,? +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?)?(?: ?(?P<half>[AaPp][Mm]))?)?"
)
YEAR, NUMBER, NAME = r"(?P<year>[0-9]{4})", r"[0-9]{1,2}", r"(?P<name>[A-Za-z]{3,9})\.?"
FORMATS = [
    re.compile(pattern + TIME)
    for pattern in (
        rf"{YEAR}(?P<by>[-/.])(?P<month>{NUMBER})(?P=by)(?P<day>{NUMBER})",
        rf"(?P<day>{NUMBER})\.(?P<month>{NUMBER})\.{YEAR}",
        rf"(?P<one>{NUMBER})(?P<by>[-/])(?P<other>{NUMBER})(?P=by){YEAR}",
        rf"(?P<day>{NUMBER})\.?[ -]{NAME},?[ -]{YEAR}",
        rf"{NAME} (?P<day>{NUMBER}),? {YEAR}",
    )
]


class Moment(NamedTuple):
    """A date as written; with ``open_order``, the order of day and month is ambiguous."""

    year: int
    month: int
    day: int
    clock: time
    open_order: bool = False

    def read(self, day_first: bool) -> datetime | None:
        """Return the date, or None if the day does not exist."""
        day, month = (self.month, self.day) if self.open_order and day_first else (self.day, self.month)
        try:
            return datetime.combine(date(self.year, month, day), self.clock)
        except ValueError:
            return None


def read_dates(distinct: Sequence[Any], day_first: bool | None = None) -> Parsed:
    """Read the distinct values of a column as dates, with or without a time.

    Supported are ``2020-03-31``, ``2020/3/31``, ``31.3.2020``, ``31/3/2020``, ``3/31/2020`` and English names of
    months. A number over 12 decides whether the day is first. Without one, or if both orders occur, the result is
    doubtful. Years of two digits and time zones are not supported.

    Parameters
    ----------
    distinct : sequence
        Texts and dates.
    day_first : bool or None
        The order; None infers it from the column.
    """
    moments = [_moment(value) for value in distinct]
    open_ones = [moment for moment in moments if moment is not None and moment.open_order]
    orders = {moment.month > 12 for moment in open_ones if max(moment.month, moment.day) > 12}
    order = day_first if day_first is not None else orders == {True}
    values = [_read(moment, order, either=day_first is None) for moment in moments]
    doubt = "" if day_first is not None else _doubt(open_ones, orders)
    how = f"{'day' if order else 'month'} first" if open_ones else ""
    return Parsed("date", values, nw.Datetime("us"), how, doubt, "say which by day_first" if doubt else "")


def _read(moment: Moment | None, day_first: bool, either: bool) -> datetime | None:
    if moment is None:
        return None
    return moment.read(day_first) or (moment.read(not day_first) if either else None)


def _doubt(open_ones: list[Moment], orders: set[bool]) -> str:
    if len(orders) > 1:
        return "dates with the day first beside dates with the month first, left as text"
    if not orders and any(moment.month != moment.day for moment in open_ones):
        return "dates of which nothing shows whether the day or the month comes first, left as text"
    return ""


def _moment(value: Any) -> Moment | None:
    if isinstance(value, str):
        found = next((match for pattern in FORMATS if (match := pattern.fullmatch(value))), None)
        return None if found is None else _parse(found.groupdict())
    if isinstance(value, datetime):
        return Moment(value.year, value.month, value.day, value.time()) if value.tzinfo is None else None
    return Moment(value.year, value.month, value.day, time()) if isinstance(value, date) else None


def _parse(found: dict[str, str | None]) -> Moment | None:
    clock, year = _clock(found), int(found["year"] or 0)
    if clock is None:
        return None
    if found.get("one"):
        return Moment(year, int(found["one"] or 0), int(found["other"] or 0), clock, open_order=True)
    month = _month(found["name"] or "") if "name" in found else int(found["month"] or 0)
    return Moment(year, month, int(found["day"] or 0), clock)


def _month(name: str) -> int:
    """Return the number of a month from its name, its first three letters or "Sept"; 0 for other texts."""
    name = name.lower()
    fits = [i for i, month in enumerate(MONTHS, 1) if name in (month, month[:3]) or (name == "sept" and i == 9)]
    return fits[0] if fits else 0


def _clock(found: dict[str, str | None]) -> time | None:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (found["half"].lower() == "pm")
    try:
        return time(hour, minute, second, int((found["fraction"] or "").ljust(6, "0")))
    except ValueError:
        return None
