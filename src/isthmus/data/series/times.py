"""Times of a series, from one column of dates or numbers or from parts of dates in several columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from isthmus.errors import require_type
from isthmus.formatting import pluralize
from isthmus.part import did_you_mean

Values = np.ndarray[Any, Any]

# Smallest and largest value of each part of a date: hour 24 is the end of a day (ISO 8601), second 60 a leap second.
PARTS = {
    "year": (1, 9999),
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 24),
    "minute": (0, 59),
    "second": (0, 60),
}
# Length in nanoseconds.
UNITS = {"hour": 3600 * 10**9, "minute": 60 * 10**9, "second": 10**9}


class Times(NamedTuple):
    """Times of points: the original times, the time since the first point, and whether they are dates.

    ``elapsed`` is float64, in nanoseconds for dates and in the unit of the column for numbers.
    """

    times: Values
    elapsed: Values
    is_date: bool


def list_time_columns(time: str | Sequence[str] | None) -> list[str]:
    """Return the names of the columns of times."""
    require_type("time", time, str | Sequence | None, "the name of a column, a sequence of names or None")
    return [] if time is None else [time] if isinstance(time, str) else [str(name) for name in time]


def select_time_columns(frame: Any, names: Sequence[str]) -> list[Any]:
    """Return the columns of times of a narwhals frame.

    Raises
    ------
    ValueError
        If a column does not exist.
    """
    for name in names:
        if name not in frame.columns:
            raise ValueError(
                f"there is no column {name!r} of times, only {frame.columns}{did_you_mean(name, frame.columns)}"
            )
    return [frame.get_column(name) for name in names]


def read_times(columns: Sequence[Any]) -> Times:
    """Read the times of at least two points, from one column or from parts of dates.

    Raises
    ------
    ValueError
        If the columns do not hold times, or times are missing, infinite, duplicated or not ascending.
    """
    for column in columns:
        _check_present(column)
    if len(columns[0]) < 2:
        raise ValueError(f"the series has {pluralize(len(columns[0]), 'time point')}, expected at least 2")
    ticks, is_date = _ticks(columns[0]) if len(columns) == 1 else (_join_parts(columns), True)
    times = ticks.astype("datetime64[ns]") if is_date else ticks
    _check_order(times, ", ".join(column.name for column in columns))
    return Times(times, _elapsed(ticks), is_date)


def _check_present(column: Any) -> None:
    values = column.to_numpy() if column.dtype.is_float() else None
    bad = column.is_null().to_numpy() if values is None else ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        infinite = values is not None and np.isinf(values[row])
        found = f"holds {values[row]}" if infinite and values is not None else "has no time"
        raise ValueError(f"column {column.name!r} {found} in row {row}; leave such rows out")


def _ticks(column: Any) -> tuple[Values, bool]:
    """Read dates in nanoseconds since 1970, or numbers; the second result is whether they are dates."""
    if column.dtype.is_numeric():
        return column.to_numpy(), False
    if column.dtype not in (nw.Datetime, nw.Date):
        raise ValueError(f"column {column.name!r} holds {column.dtype}, expected dates or numbers as times")
    dates = column.cast(nw.Datetime("ns")) if column.dtype == nw.Date else column
    return dates.dt.timestamp("ns").to_numpy(), True


def _check_order(times: Values, name: str) -> None:
    # Differences of unsigned integers would wrap around.
    rising = times[1:] > times[:-1]
    if not rising.all():
        row = int(np.argmin(rising)) + 1
        fault = "has the same time as the row before" if times[row] == times[row - 1] else "lies before the row before"
        raise ValueError(
            f"row {row} {fault}: {name!r} is {times[row]} after {times[row - 1]}; expected times in order, each once"
        )


def _elapsed(ticks: Values) -> Values:
    """Subtract the first time without rounding: ascending integers have exact differences modulo 2**64."""
    if ticks.dtype.kind in "iu":
        ticks = ticks.astype(np.uint64)
    return (ticks - ticks[0]).astype(np.float64)


def _join_parts(columns: Sequence[Any]) -> Values:
    """Join a date and a time of day, or numbers such as year, month, day and hour, to nanoseconds since 1970."""
    first, *others = columns
    if first.dtype in (nw.Datetime, nw.Date) and [column.dtype for column in others] == [nw.Time]:
        return _ticks(first)[0] + _nanoseconds_of_day(others[0])
    for column in columns:
        if not column.dtype.is_numeric():
            raise ValueError(
                f"column {column.name!r} holds {column.dtype}; times in several columns are numbers such as year, "
                "month, day and hour, or a date and a time of day"
            )
    units = _infer_parts([column.name for column in columns])
    return _to_nanoseconds({unit: _read_part(column, unit) for unit, column in zip(units, columns, strict=True)})


def _nanoseconds_of_day(column: Any) -> Values:
    midnight = [(t.hour * 3600 + t.minute * 60 + t.second) * 10**6 + t.microsecond for t in column.to_list()]
    return np.array(midnight, dtype=np.int64) * 1000


def _infer_parts(names: Sequence[str]) -> list[str]:
    """Infer the part of a date in each column from its name, or else from the order, which starts with the year."""
    found = [[unit for unit in PARTS if unit in name.lower()] for name in names]
    units = [each[0] for each in found if len(each) == 1]
    if len(set(units)) < len(names):
        units = list(PARTS)[: len(names)]
    if "year" not in units or len(names) > len(PARTS):
        raise ValueError(f"times in several columns start with a year, then {', '.join(list(PARTS)[1:])}; got {names}")
    return units


def _read_part(column: Any, unit: str) -> Values:
    low, high = PARTS[unit]
    values = column.to_numpy().astype(np.float64)
    good = (values >= low) & (values <= high) & ((values == np.floor(values)) | (unit == "second"))
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"column {column.name!r} is {values[row]:g} in row {row}, expected a {unit} from {low} to {high}"
        )
    return values


def _to_nanoseconds(parts: dict[str, Values]) -> Values:
    whole = {unit: parts[unit].astype(np.int64) for unit in ("year", "month", "day") if unit in parts}
    months = (whole["year"] - 1970) * 12 + whole.get("month", np.int64(1)) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (whole.get("day", np.int64(1)) - 1)
    wrong = days.astype("datetime64[M]") != months.astype("datetime64[M]")
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"row {row} holds day {whole['day'][row]} of {months.astype('datetime64[M]')[row]}")
    ticks: Values = days.astype("datetime64[ns]").astype(np.int64)
    for unit, length in UNITS.items():
        ticks = ticks + np.round(parts.get(unit, np.float64(0)) * length).astype(np.int64)
    return ticks
