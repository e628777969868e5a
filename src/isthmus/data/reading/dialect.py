"""The dialect of a text table, inferred from its first rows: delimiter, decimal mark and header."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile, zip_longest

from isthmus.data.parsing.numbers import NUMBER
from isthmus.data.reading.headers import count_titles, describe_titles, is_header
from isthmus.data.reading.options import Options

Row = list[str]

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SPACE = " "
NAMES = {**DELIMITERS, SPACE: "space"}
ENCODINGS = {"latin-1": "Latin-1", "cp1252": "Windows-1252", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
# Number of bytes from which a dialect is inferred, and largest number of rows in them.
HEAD, N_ROWS = 2**18, 300
SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
COMMENT = "#"
WHOLE = re.compile(r"[+-]?[0-9]+")
# Quoted cells, spaces at the ends of lines, and repeated spaces.
SPACES = re.compile(r'("[^"]*")|^ +| +(?=\r?$)|( ) +', re.MULTILINE)
# Numbers with an unambiguous decimal mark: 1.234 can be 1234, but 1.5, 0.123 and 1,234.5 cannot.
WITH_MARK = {
    mark: re.compile(
        rf"\s*[+-]?(?![1-9][0-9]{{0,2}}{re.escape(mark)}[0-9]{{3}}\s*$)"
        rf"([0-9]*|[1-9][0-9]{{0,2}}(['’ \u00a0\u202f{other}][0-9]{{3}})+){re.escape(mark)}[0-9]+([eE][+-]?[0-9]+)?\s*"
    )
    for mark, other in ((".", ","), (",", "."))
}


@dataclass(frozen=True)
class Dialect:
    """The dialect of a text table.

    Parameters
    ----------
    delimiter : str
    decimal : str or None
        None if no number determines it.
    names : tuple of str
        Names of the columns; empty texts for columns without a name.
    start : int
        Number of characters before the first row of values.
    header : bool
        Whether the names are from the file.
    titles : tuple of list of str
        Rows above the names, which are skipped.
    """

    delimiter: str
    decimal: str | None
    names: tuple[str, ...]
    start: int
    header: bool
    titles: tuple[Row, ...] = ()


def find_dialect(head: str, options: Options, usual: str) -> Dialect:
    """Infer the dialect of a table from the beginning of its text; options take precedence.

    Parameters
    ----------
    head : str
        Whole lines.
    options : Options
    usual : str
        The delimiter to prefer where several fit.

    Raises
    ------
    ValueError
        If the delimiter of the options occurs in no row, but another one splits all rows into equally many cells.
    """
    lines = list(io.StringIO(head, newline=""))
    stated = SEP.fullmatch(lines[0].rstrip("\r\n")) if lines else None
    n_before = _n_before(lines, int(stated is not None))
    body = lines[n_before : n_before + N_ROWS]
    if options.delimiter:
        _check_delimiter(body, options.delimiter)
    delimiter = options.delimiter or (stated[1] if stated else _find_delimiter(body, usual))
    rows = list(_parse(body, delimiter))
    titles, rows = _split_titles(rows, options)
    n_before = _n_before(lines, n_before + _n_lines(body, delimiter, len(titles)))
    body = lines[n_before : n_before + N_ROWS]
    names, n_header = _find_names(lines[:n_before], body, rows, delimiter, options.header)
    decimal = options.decimal or find_decimal(zip_longest(*rows[1:], fillvalue=""))
    start = sum(map(len, lines[: n_before + n_header]))
    names_of_all = _fit_names(names, rows[1 if n_header else 0 :])
    return Dialect(delimiter, decimal, tuple(names_of_all), start, bool(names), tuple(titles))


def _split_titles(rows: list[Row], options: Options) -> tuple[list[Row], list[Row]]:
    """Split the rows of titles from the rows of the table."""
    n_titles = count_titles(rows) if options.header is None else 0
    return rows[:n_titles], rows[n_titles:]


def _find_names(
    before: Sequence[str], body: Sequence[str], rows: Sequence[Row], delimiter: str, header: bool | None
) -> tuple[Row, int]:
    """Return the names of the columns, and the number of lines that contain them."""
    if not rows or header is False:
        return [], 0
    found = is_header(rows) if header is None else header
    comment = _named_by_comment(before, len(rows[0]), delimiter)
    if comment and header is None and not found:
        return comment, 0
    return ([], 0) if found is False else (rows[0], _n_lines(body, delimiter, 1))


def _n_before(lines: Sequence[str], n_stated: int) -> int:
    """Count the lines before the table: ``n_stated`` lines, then blank ones and comments."""
    before = takewhile(lambda line: not line.strip() or line.startswith(COMMENT), lines[n_stated:])
    return n_stated + sum(1 for _ in before)


def _parse(lines: Sequence[str], delimiter: str) -> Iterator[Row]:
    """Split lines into rows, without blank ones and comments, up to the first invalid line."""
    try:
        yield from (row for row in csv.reader(lines, delimiter=delimiter) if row and not row[0].startswith(COMMENT))
    except csv.Error:
        return


def _n_lines(lines: Sequence[str], delimiter: str, n_rows: int) -> int:
    """Count the lines of the first rows; quoted cells can span several lines."""
    reader = csv.reader(lines, delimiter=delimiter)
    filled = (row for row in reader if row and not row[0].startswith(COMMENT))
    return sum(1 for _ in islice(filled, n_rows)) and reader.line_num


def _check_delimiter(lines: Sequence[str], delimiter: str) -> None:
    if any(delimiter in line for line in lines):
        return
    for other, name in DELIMITERS.items():
        rows = list(_parse(lines, other))
        if _fit(rows)[0] == 1:
            found = f"each of the first {len(rows)} rows has {len(rows[0])} cells separated by {other!r} ({name})"
            raise ValueError(f"no row contains the delimiter {delimiter!r} (--delimiter), but {found}")


def _find_delimiter(lines: Sequence[str], usual: str) -> str:
    candidates = sorted(DELIMITERS, key=lambda delimiter: delimiter != usual)
    fits = {delimiter: _fit(list(_parse(lines, delimiter))) for delimiter in candidates}
    best = max(candidates, key=lambda delimiter: fits[delimiter])
    if _are_decimals(list(_parse(lines, ","))):
        return ";"
    return SPACE if not any(fits[best]) and _is_spaced(lines) else best


def _are_decimals(rows: Sequence[Row]) -> bool:
    """Whether rows with one comma are numbers with decimal commas in a column with a name, and not numbered rows."""
    body = rows[1:]
    if not body or len(rows[0]) != 1 or not all(len(row) == 2 and row[1].isdigit() for row in body):
        return False
    return all(WHOLE.fullmatch(row[0]) for row in body) and not _are_counted(body)


def _are_counted(rows: Sequence[Row]) -> bool:
    return all(int(row[0]) == int(rows[0][0]) + i for i, row in enumerate(rows))


def _is_spaced(lines: Sequence[str]) -> bool:
    """Whether spaces separate at least three columns, one of them of numbers: rows of words can be texts."""
    names, *body = list(_parse(list(map(collapse_spaces, lines)), SPACE)) or [[]]
    width = len(body[0]) if body else 0
    if width < 3 or width - len(names) not in (0, 1) or any(len(row) != width for row in body):
        return False
    return any(all(NUMBER.fullmatch(row[i]) for row in body) for i in range(width))


def collapse_spaces(text: str) -> str:
    """Replace repeated spaces between columns by one space; quoted cells stay unchanged."""
    return SPACES.sub(lambda found: found[1] or found[2] or "", text)


def _fit(rows: Sequence[Row]) -> tuple[float, float]:
    """Rate a delimiter: the share of rows with the most frequent width, and of cells without another delimiter."""
    width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
    if width < 2 or 2 * count < len(rows):
        return 0.0, 0.0
    cells = [cell for row in rows for cell in row]
    clean = [not any(delimiter in cell for delimiter in DELIMITERS) or bool(NUMBER.fullmatch(cell)) for cell in cells]
    return round(count / len(rows), 2), sum(clean) / len(cells)


def find_decimal(columns: Iterable[Sequence[str]]) -> str | None:
    """Return the decimal mark of most columns of texts with an unambiguous one, or None."""
    marks = Counter(mark for column in columns for mark in _marks([cell for cell in column if cell.strip()]))
    (best, count), (_, second) = [*marks.most_common(), (None, 0), (None, 0)][:2]
    return best if count > second else None


def _marks(cells: Sequence[str]) -> list[str]:
    """Return the unambiguous decimal marks of a column, if most of its cells are numbers."""
    if 2 * sum(NUMBER.fullmatch(cell) is not None for cell in cells) <= len(cells):
        return []
    return [mark for mark, pattern in WITH_MARK.items() if any(map(pattern.fullmatch, cells))]


def _named_by_comment(before: Sequence[str], width: int, delimiter: str) -> Row:
    """Return the names of columns in the last comment before a table, such as ``# x,y``, or none."""
    comments = [line.lstrip(f"{COMMENT} ").rstrip("\r\n") for line in before if line.startswith(COMMENT)]
    names = next(csv.reader(comments[-1:], delimiter=delimiter), [])
    return names if len(names) == width > 1 else []


def _fit_names(names: Row, rows: Sequence[Row]) -> Row:
    """Fit the number of names to that of cells: rows can start with a row name, or end with a delimiter."""
    widths: Counter[int] = Counter(map(len, rows))
    width = widths.most_common(1)[0][0] if rows else len(names)
    if not names:
        return [""] * width
    if width == len(names) + 1:
        ends_blank = not any(row[-1].strip() for row in rows if len(row) == width)
        return [*names, ""] if ends_blank else ["", *names]
    return names[:-1] if width == len(names) - 1 and not names[-1].strip() else names


def describe(dialect: Dialect, encoding: str, usual: str, options: Options) -> list[str]:
    """Describe what is unusual about a dialect."""
    delimiter, found = dialect.delimiter, []
    if options.delimiter is None and delimiter != usual and len(dialect.names) > 1:
        found.append(f"as {NAMES.get(delimiter, repr(delimiter))}-separated")
    if options.decimal is None and dialect.decimal == ",":
        found.append("with decimal commas")
    if options.encoding is None and not encoding.startswith("utf-8"):
        found.append(f"in {ENCODINGS.get(encoding, encoding.upper())}")
    notes = [*([f"read {', '.join(found)}"] if found else []), *describe_titles(dialect.titles)]
    return notes if dialect.header or options.header is False else [*notes, "no header, columns are named x0, x1, ..."]
