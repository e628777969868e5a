"""The writer of the HTML file."""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from isthmus.formatting import is_missing, join_limits
from isthmus.reporting.blocks import Bars, Interval, Table
from isthmus.reporting.texts import align, count_column_digits, is_number, is_numeric, show, show_limits, show_value

# Rows of a table that are shown; the rest is folded.
N_SHOWN = 30
# Characters of a text above which its column has a smallest width, and above which a phone shows the cells of a row
# below each other.
N_CHARACTERS, N_LONG = 14, 40
# Width and height of a histogram in a cell, in pixels.
WIDTH, HEIGHT = 60, 16
# The space of a percentage.
PERCENTAGE = re.compile(r"(?<=\d) %")
# A command or a name of Python in a sentence.
COMMAND = re.compile(r"`([^`]+)`")


def write_html(report: Any) -> str:
    """Return a report as one HTML page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("isthmus.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=keep_units,
    )
    environment.filters["cell"] = write_cell
    style = files("isthmus.reporting").joinpath("templates", "report.css").read_text(encoding="utf-8")
    template = environment.get_template("report.html")
    return template.render(
        report=report, style=Markup(style), layout=lay_out, kind_of=lambda block: type(block).__name__, markup=Markup
    )


def keep_units(value: Any) -> Any:
    r"""Return a value of the template; a percentage in it is not broken into two lines, and `commands` are code.

    Examples
    --------
    >>> from isthmus.reporting.html import keep_units
    >>> keep_units("95 % intervals")
    Markup('95\xa0% intervals')
    >>> keep_units("see `isthmus prepare`")
    Markup('see <code>isthmus prepare</code>')
    """
    from markupsafe import Markup, escape

    if not isinstance(value, str):
        return value
    text = type(value)(PERCENTAGE.sub("\u00a0%", value))
    return text if isinstance(text, Markup) else Markup(COMMAND.sub(r"<code>\1</code>", str(escape(text))))


def lay_out(table: Table) -> dict[str, Any]:
    """Return the rows of a table as HTML, those shown and those folded, the class of each column and of the table."""
    columns = list(zip(*table.rows, strict=True))
    rows = list(zip(*map(_write_column, columns), strict=True))
    has_long = any(isinstance(cell, str) and len(cell) > N_LONG for row in table.rows for cell in row)
    return {
        "classes": list(map(_classify, columns)),
        "kind": "long" if has_long else "",
        "shown": rows[:N_SHOWN],
        "folded": rows[N_SHOWN:],
    }


def _write_column(column: Sequence[Any]) -> list[Any]:
    n_digits = count_column_digits(column)
    return [write_cell(cell, text, n_digits) for cell, text in zip(column, align(column), strict=True)]


def _classify(column: Sequence[Any]) -> str:
    """Return the class of a column: "n" for numbers, "w" for texts that need room on a phone, "" for others."""
    if is_numeric(column):
        return "n"
    return "w" if any(isinstance(cell, str) and len(cell) > N_CHARACTERS for cell in column) else ""


def write_cell(cell: Any, text: str | None = None, n_digits: int | None = None) -> Any:
    """Return a cell as HTML; the exact value of a number is in its ``data`` element.

    ``text`` is the text of a cell in a column of aligned numbers, and ``n_digits`` the digits of limits of intervals.
    """
    from markupsafe import Markup

    if isinstance(cell, Bars):
        return _draw_bars(cell)
    if not is_number(cell) or is_missing(cell):
        return text or show(cell)
    number = cell.value if isinstance(cell, Interval) else cell
    exact = repr(number if type(number) is int else float(number))
    if not isinstance(cell, Interval):
        return Markup('<data value="{}">{}</data>').format(exact, text or show(cell))
    limits = join_limits(*show_limits(cell, n_digits))
    shown = text or show_value(cell)
    return Markup('<data value="{}">{}</data> <span class="limits">({})</span>').format(exact, shown, limits)


def _draw_bars(counts: Bars) -> Any:
    """Draw a histogram as one path."""
    from markupsafe import Markup

    top, step = max(counts, default=1) or 1, WIDTH / max(1, len(counts))
    bars = (
        f"M{i * step:.1f} {HEIGHT}v{-max(count / top * HEIGHT, 0.7):.1f}h{step - 1:.1f}V{HEIGHT}z"
        for i, count in enumerate(counts)
        if count
    )
    return Markup('<svg class="bars" aria-hidden="true" width="{}" height="{}"><path d="{}"/></svg>').format(
        WIDTH, HEIGHT, "".join(bars)
    )
