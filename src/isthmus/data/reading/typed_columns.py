"""Columns of text to columns of numbers, dates and truth values, where nothing is lost by it."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import compute

from isthmus.data.parsing.dates import read_dates
from isthmus.data.parsing.missing_words import find_missing_words
from isthmus.data.parsing.numbers import TELEPHONE, read_numbers
from isthmus.data.reading.options import Options
from isthmus.formatting import list_names

# What a column may be other than numbers with fractions and text; the first that holds every value is taken.
PLAIN = (pa.int64(), pa.bool_(), pa.date32(), *map(pa.timestamp, ("s", "us", "ns")), pa.timestamp("us", "UTC"))
# Values that a type is tried on before all of them are converted.
N_FIRST = 100
# Digits from which on a number with fractions does not hold a whole one exactly.
N_DIGITS = 16
# Codes and telephone numbers, which no program should take for numbers.
CODE = rf"^\s*([+-]?[0-9]{{{N_DIGITS},}}|0[0-9]+|[+][0-9 ]+)\s*$"
# Numbers of which nothing shows whether a point is a decimal mark.
THOUSANDS = r"^[+-]?([1-9][0-9]{0,2}([.][0-9]{3})+|[0-9]+)$"
# Distinct values by which is told whether prepare would read a column, and the share of them that it must read.
N_TRIED, MOSTLY = 1000, 0.95


class Column(NamedTuple):
    """A column that was read, which words in it were missing values and how often, and what else could be read."""

    values: Any
    words: dict[str, int]
    hint: str = ""


def read_columns(table: pa.Table, options: Options, decimal: str | None) -> tuple[pa.Table, list[str]]:
    """Read the columns of a table of texts.

    Parameters
    ----------
    table : pyarrow.Table
        Of texts; null where a cell is empty.
    options : Options
    decimal : str or None
        Decimal mark that other columns show, or that was stated.

    Returns
    -------
    table : pyarrow.Table
    notes : list of str
        What was read as missing, and what ``isthmus prepare`` would repair.
    """

    def read(name: str) -> Column:
        return read_column(table.column(name), options, decimal, name in options.text)

    with ThreadPoolExecutor(pa.cpu_count()) as workers:
        columns = dict(zip(table.column_names, workers.map(read, table.column_names), strict=True))
    notes = [*_say_missing(columns), *([] if options.plain_notation else _say_hints(columns))]
    return pa.table({name: column.values for name, column in columns.items()}), notes


def read_column(column: Any, options: Options, decimal: str | None, is_text: bool = False) -> Column:
    """Read a column of texts; see ``read_columns``."""
    if column.null_count == len(column):
        return Column(column.cast(pa.float64()), {})
    plain = None if is_text else read_plain(column, decimal, options.plain_notation)
    if plain is not None:
        return Column(plain, {})
    if options.plain_notation and options.decimal is None:
        return Column(column, {})
    encoded = column.combine_chunks().dictionary_encode()
    levels, words = _without(encoded, options.missing)
    values, hint = (levels, "") if is_text else _read_levels(levels, decimal)
    return Column(values.take(encoded.indices), words, hint)


def read_plain(column: Any, decimal: str | None, plain_notation: bool = False) -> Any:
    """Return texts as what they are in every program's notation, or None where they are not or would lose something."""
    for kind in PLAIN:
        values = _cast(column, kind)
        if values is not None:
            return None if kind == pa.int64() and _leads_with_zero(column, values) else values
    if decimal == ",":
        return None
    values = _cast(column, pa.float64())
    if values is None or _leads_with_zero(column, values) or _is_too_long(column) or _are_telephones(column):
        return None
    return None if plain_notation and decimal is None and _all(column, THOUSANDS) else _without_nan(values)


def _read_levels(levels: Any, decimal: str | None) -> tuple[Any, str]:
    """Return distinct texts as values, or as texts with a hint of what they could be."""
    if levels.null_count == len(levels):
        return levels.cast(pa.float64()), ""
    trimmed = compute.utf8_trim_whitespace(levels)
    for read in (_read_marked, read_plain, _read_plain_points, _read_dates):
        values = read(trimmed, decimal)
        if values is not None:
            return values, ""
    return (trimmed if _all(levels, r"^\s") else levels), _hint(trimmed)


def _read_marked(levels: Any, decimal: str | None) -> Any:
    """Read numbers with this decimal mark, and with groups of three digits."""
    if decimal is None or _are_telephones(levels):
        return None
    groups = f"[{'.' if decimal == ',' else ','}'’ \u00a0\u202f]"
    whole, fraction = rf"([1-9][0-9]{{0,2}}({groups}[0-9]{{3}})+|[0-9]+)", f"[{decimal}][0-9]"
    if not _all(levels, f"^[+-]?({whole}({fraction}*)?|{fraction}+)([eE][+-]?[0-9]+)?$"):
        return None
    plain = compute.replace_substring_regex(levels, f"{groups}|^[+]", "")
    return read_plain(compute.replace_substring(plain, decimal, "."), ".")


def _read_plain_points(levels: Any, _: str | None) -> Any:
    """Read numbers with a decimal point in a table of decimal commas."""
    return read_plain(levels, ".")


def _read_dates(levels: Any, _: str | None) -> Any:
    """Read dates of any notation, if all can be read and their order is beyond doubt, as ``prepare`` does."""
    if None in read_dates(levels[:N_TRIED].drop_null().to_pylist()).values:
        return None
    texts = levels.to_pylist()
    known = [text for text in texts if text is not None]
    reading = read_dates(known)
    if reading.doubt or None in reading.values:
        return None
    found = dict(zip(known, reading.values, strict=True))
    days = all(value.time() == value.min.time() for value in reading.values)
    return pa.array([found.get(text) for text in texts], pa.timestamp("us")).cast(
        pa.date32() if days else pa.timestamp("us")
    )


def _without(encoded: Any, missing: Collection[str]) -> tuple[Any, dict[str, int]]:
    """Return the distinct values of a column, null for words that mean a missing value, and how often these occur."""
    levels = encoded.dictionary
    marked = find_missing_words(levels, missing)
    positions = [i.as_py() for i in compute.indices_nonzero(marked)]
    if not positions:
        return levels, {}
    words = {levels[i].as_py().strip(): compute.sum(compute.equal(encoded.indices, i)).as_py() for i in positions}
    return compute.if_else(marked, pa.scalar(None, pa.string()), levels), words


def _hint(levels: Any) -> str:
    """Say what ``prepare`` would find in texts: numbers or dates that are not written plainly."""
    texts = levels[:N_TRIED].drop_null().to_pylist()
    if _any(levels, CODE):
        return ""
    for what, read in (("numbers", read_numbers), ("dates", read_dates)):
        unread = sum(value is None for value in read(texts).values)
        if unread <= (1 - MOSTLY) * len(texts):
            return what
    return ""


def _say_missing(columns: dict[str, Column]) -> list[str]:
    n_cells: dict[str, int] = {}
    for column in columns.values():
        for word, count in column.words.items():
            n_cells[word] = n_cells.get(word, 0) + count
    where = [name for name, column in columns.items() if column.words]
    counts = ", ".join(f"{word!r} ({count:,})" for word, count in n_cells.items())
    return [f"read as missing: {counts} in {list_names(where)}"] if n_cells else []


def _say_hints(columns: dict[str, Column]) -> list[str]:
    hinted = {what: [name for name, column in columns.items() if column.hint == what] for what in ("numbers", "dates")}
    return [
        f"left as text though they look like {what}: {list_names(names)}, which isthmus prepare repairs or reports"
        for what, names in hinted.items()
        if names
    ]


def _cast(column: Any, kind: Any) -> Any:
    """Return texts as values of a type, or None if one of them is not; pyarrow itself would look at all of them."""
    try:
        column.slice(0, N_FIRST).cast(kind)
        return column.cast(kind)
    except pa.ArrowInvalid:
        return None


def _without_nan(values: Any) -> Any:
    """Return numbers with null for NaN, so that there is one kind of missing number."""
    return (
        values
        if not compute.any(compute.is_nan(values)).as_py()
        else compute.if_else(compute.is_nan(values), None, values)
    )


def _leads_with_zero(column: Any, values: Any) -> bool:
    """Whether any number is written with a zero before its first digit, as codes are; of fractions those from 1 on."""
    zero = compute.starts_with(column, "0")
    longer = compute.greater(compute.binary_length(column), 1)
    beyond = longer if pa.types.is_integer(values.type) else compute.greater_equal(values, 1.0)
    return bool(compute.any(compute.and_(zero, beyond)).as_py())


def _is_too_long(column: Any) -> bool:
    """Whether any of some numbers is a whole one of more digits than a number with fractions holds."""
    if compute.max(compute.binary_length(column)).as_py() < N_DIGITS:
        return False
    return _any(column, rf"^[+-]?[0-9]{{{N_DIGITS},}}$")


def _are_telephones(column: Any) -> bool:
    """Whether any text is a telephone number with the sign before the code of its country."""
    return bool(compute.any(compute.starts_with(column, "+")).as_py()) and _any(column, TELEPHONE.pattern)


def _any(column: Any, pattern: str) -> bool:
    return bool(compute.any(compute.match_substring_regex(column, pattern)).as_py())


def _all(column: Any, pattern: str) -> bool:
    return bool(compute.all(compute.match_substring_regex(column, pattern)).as_py())
