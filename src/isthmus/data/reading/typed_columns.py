"""Lossless conversion of columns of text to columns of numbers, dates and truth values."""

import shlex
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import compute

from isthmus.data.parsing.dates import read_dates
from isthmus.data.parsing.missing_words import find_missing_words
from isthmus.data.parsing.numbers import TELEPHONE, read_numbers
from isthmus.data.reading.options import Options
from isthmus.formatting import N_NAMED, list_names

# Types of columns other than floats and text; the first that represents every value is used.
PLAIN = (pa.int64(), pa.bool_(), pa.date32(), *map(pa.timestamp, ("s", "us", "ns")), pa.timestamp("us", "UTC"))
# Number of values on which a type is tested before all of them are converted.
N_FIRST = 100
# Number of digits from which float64 does not represent all integers exactly.
N_DIGITS = 16
# Codes and telephone numbers, which are not numbers.
CODE = rf"^\s*([+-]?[0-9]{{{N_DIGITS},}}|0[0-9]+|[+][0-9 ]+)\s*$"
# Numbers in which a point can be a decimal mark or a thousands separator.
THOUSANDS = r"^[+-]?([1-9][0-9]{0,2}([.][0-9]{3})+|[0-9]+)$"
# Number of distinct values for the test whether ``prepare`` would convert a column, and the share that it must read.
N_TRIED, MOSTLY = 1000, 0.95


class Column(NamedTuple):
    """A column that was read, the counts of words for missing values, and what it looks like except for other texts."""

    values: Any
    words: dict[str, int]
    hint: str = ""
    others: tuple[str, ...] = ()


def read_columns(table: pa.Table, options: Options, decimal: str | None) -> tuple[pa.Table, list[str]]:
    """Read the columns of a table of texts.

    Parameters
    ----------
    table : pyarrow.Table
        A table of texts; null where a cell is empty.
    options : Options
    decimal : str or None
        Decimal mark of the dialect.

    Returns
    -------
    table : pyarrow.Table
    notes : list of str
        Words that were read as missing, and columns that ``isthmus prepare`` would convert.
    """

    def read(name: str) -> Column:
        return read_column(table.column(name), options, decimal, name in options.text)

    with ThreadPoolExecutor(pa.cpu_count()) as workers:
        columns = dict(zip(table.column_names, workers.map(read, table.column_names), strict=True))
    notes = [*_describe_missing(columns), *([] if options.plain_notation else _describe_hints(columns))]
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
    texts, words = _replace_missing_words(encoded, options.missing)
    values, hint, others = (texts, "", ()) if is_text else _read_texts(texts, decimal)
    return Column(values.take(encoded.indices), words, hint, others)


def read_plain(column: Any, decimal: str | None, plain_notation: bool = False) -> Any:
    """Convert texts in the notation of programming languages; return None for others, or where digits would be lost."""
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


def _read_texts(texts: Any, decimal: str | None) -> tuple[Any, str, tuple[str, ...]]:
    """Convert distinct texts to values, or return the texts with what they look like except for others."""
    if texts.null_count == len(texts):
        return texts.cast(pa.float64()), "", ()
    trimmed = compute.utf8_trim_whitespace(texts)
    for read in (_read_marked, read_plain, _read_plain_points, _read_dates):
        values = read(trimmed, decimal)
        if values is not None:
            return values, "", ()
    return (trimmed if _all(texts, r"^\s") else texts), *_hint(trimmed)


def _read_marked(texts: Any, decimal: str | None) -> Any:
    """Read numbers with a decimal mark and groups of three digits."""
    if decimal is None or _are_telephones(texts):
        return None
    groups = f"[{'.' if decimal == ',' else ','}'’ \u00a0\u202f]"
    whole, fraction = rf"([1-9][0-9]{{0,2}}({groups}[0-9]{{3}})+|[0-9]+)", f"[{decimal}][0-9]"
    if not _all(texts, f"^[+-]?({whole}({fraction}*)?|{fraction}+)([eE][+-]?[0-9]+)?$"):
        return None
    plain = compute.replace_substring_regex(texts, f"{groups}|^[+]", "")
    return read_plain(compute.replace_substring(plain, decimal, "."), ".")


def _read_plain_points(texts: Any, _: str | None) -> Any:
    """Read numbers with a decimal point in a table of decimal commas."""
    return read_plain(texts, ".")


def _read_dates(texts: Any, _: str | None) -> Any:
    """Read dates of any notation if the order of day and month is unambiguous, as ``prepare`` does."""
    if None in read_dates(texts[:N_TRIED].drop_null().to_pylist()).values:
        return None
    known = texts.drop_null().to_pylist()
    reading = read_dates(known)
    if reading.doubt or None in reading.values:
        return None
    found = dict(zip(known, reading.values, strict=True))
    days = all(value.time() == value.min.time() for value in reading.values)
    return pa.array([found.get(text) for text in texts.to_pylist()], pa.timestamp("us")).cast(
        pa.date32() if days else pa.timestamp("us")
    )


def _replace_missing_words(encoded: Any, missing: Collection[str]) -> tuple[Any, dict[str, int]]:
    """Return the distinct values of a column, null for words that mean a missing value, and the counts of the words."""
    texts = encoded.dictionary
    marked = find_missing_words(texts, missing)
    positions = [i.as_py() for i in compute.indices_nonzero(marked)]
    if not positions:
        return texts, {}
    words = {texts[i].as_py().strip(): compute.sum(compute.equal(encoded.indices, i)).as_py() for i in positions}
    return compute.if_else(marked, pa.scalar(None, pa.string()), texts), words


def _hint(texts: Any) -> tuple[str, tuple[str, ...]]:
    """Return what most texts are, "numbers", "dates" or an empty text, and those that are not."""
    if _any(texts, CODE):
        return "", ()
    tried = texts[:N_TRIED].drop_null().to_pylist()
    for what, read in (("numbers", read_numbers), ("dates", read_dates)):
        others = tuple(text for text, value in zip(tried, read(tried).values, strict=True) if value is None)
        if len(others) <= (1 - MOSTLY) * len(tried):
            return what, others
    return "", ()


def _describe_missing(columns: dict[str, Column]) -> list[str]:
    n_cells: dict[str, int] = {}
    for column in columns.values():
        for word, count in column.words.items():
            n_cells[word] = n_cells.get(word, 0) + count
    where = [name for name, column in columns.items() if column.words]
    counts = ", ".join(f"{word!r} ({count:,})" for word, count in n_cells.items())
    rest = " (isthmus look lists all columns)" if len(where) > N_NAMED else ""
    return [f"read as missing: {counts} in {list_names(where)}{rest}"] if n_cells else []


def _describe_hints(columns: dict[str, Column]) -> list[str]:
    hinted = {what: [name for name, column in columns.items() if column.hint == what] for what in ("numbers", "dates")}
    return [_describe_hint(what, {name: columns[name] for name in names}) for what, names in hinted.items() if names]


def _describe_hint(what: str, columns: dict[str, Column]) -> str:
    found = f"left as text though they look like {what}: {list_names([*columns])}"
    others = list(dict.fromkeys(text for column in columns.values() for text in column.others))
    if not others:
        return f"{found}, which isthmus prepare repairs or reports"
    return f"{found}, except for {list_names(others)}; add --missing {shlex.quote(others[0])} if it marks a gap"


def _cast(column: Any, kind: Any) -> Any:
    """Convert texts to a type, or return None; the first values are tested before all are converted."""
    try:
        column.slice(0, N_FIRST).cast(kind)
        return column.cast(kind)
    except pa.ArrowInvalid:
        return None


def _without_nan(values: Any) -> Any:
    """Replace NaN by null, so that there is one kind of missing number."""
    return (
        values
        if not compute.any(compute.is_nan(values)).as_py()
        else compute.if_else(compute.is_nan(values), None, values)
    )


def _leads_with_zero(column: Any, values: Any) -> bool:
    """Whether any number has a leading zero, as codes have; among floats, any number of at least 1."""
    zero = compute.starts_with(column, "0")
    longer = compute.greater(compute.binary_length(column), 1)
    beyond = longer if pa.types.is_integer(values.type) else compute.greater_equal(values, 1.0)
    return bool(compute.any(compute.and_(zero, beyond)).as_py())


def _is_too_long(column: Any) -> bool:
    """Whether any number is an integer with more digits than float64 represents."""
    if compute.max(compute.binary_length(column)).as_py() < N_DIGITS:
        return False
    return _any(column, rf"^[+-]?[0-9]{{{N_DIGITS},}}$")


def _are_telephones(column: Any) -> bool:
    """Whether any text is an international telephone number."""
    return bool(compute.any(compute.starts_with(column, "+")).as_py()) and _any(column, TELEPHONE.pattern)


def _any(column: Any, pattern: str) -> bool:
    return bool(compute.any(compute.match_substring_regex(column, pattern)).as_py())


def _all(column: Any, pattern: str) -> bool:
    return bool(compute.all(compute.match_substring_regex(column, pattern)).as_py())
