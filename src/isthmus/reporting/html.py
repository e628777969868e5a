"""The writer of the HTML file."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from isthmus.formatting import is_missing
from isthmus.reporting.blocks import Bars, Interval, Table
from isthmus.reporting.texts import align, is_number, show, show_limits, show_value

# Rows of a table that are shown; the rest is folded.
N_SHOWN = 30
# Characters of a text above which its column has a smallest width, and above which a phone shows the cells of a row
# below each other.
N_CHARACTERS, N_LONG = 14, 40
# Width and height of a histogram in a cell, in pixels.
WIDTH, HEIGHT = 60, 16


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
    )
    environment.filters["cell"] = write_cell
    environment.tests["number"] = is_number
    style = files("isthmus.reporting").joinpath("templates", "report.css").read_text(encoding="utf-8")
    template = environment.get_template("report.html")
    return template.render(
        report=report, style=Markup(style), layout=lay_out, kind_of=lambda block: type(block).__name__, markup=Markup
    )


def lay_out(table: Table) -> dict[str, Any]:
    """Return the rows of a table as HTML, those shown and those folded, the class of each column and of the table."""
    columns = list(zip(*table.rows, strict=True))
    cells = [[write_cell(cell, text) for cell, text in zip(column, align(column), strict=True)] for column in columns]
    rows = list(zip(*cells, strict=True))
    has_long = any(isinstance(cell, str) and len(cell) > N_LONG for row in table.rows for cell in row)
    return {
        "classes": list(map(_classify, columns)),
        "kind": "long" if has_long else "",
        "shown": rows[:N_SHOWN],
        "folded": rows[N_SHOWN:],
    }


def _classify(column: Sequence[Any]) -> str:
    """Return the class of a column: "n" for numbers, "w" for texts that need room on a phone, "" for others."""
    known = [cell for cell in column if cell is not None]
    if known and all(map(is_number, known)):
        return "n"
    return "w" if any(isinstance(cell, str) and len(cell) > N_CHARACTERS for cell in known) else ""


def write_cell(cell: Any, text: str | None = None) -> Any:
    """Return a cell as HTML; the exact value of a number is in its ``data`` element."""
    from markupsafe import Markup

    if isinstance(cell, Bars):
        return _draw_bars(cell)
    if isinstance(cell, Interval):
        limits = " to ".join(show_limits(cell))
        return Markup('<data value="{}">{}</data> <span class="limits">({})</span>').format(
            repr(float(cell.value)), text or show_value(cell), limits
        )
    if not is_number(cell) or is_missing(cell):
        return text or show(cell)
    return Markup('<data value="{}">{}</data>').format(
        repr(cell if type(cell) is int else float(cell)), text or show(cell)
    )


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
