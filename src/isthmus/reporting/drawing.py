"""Pictures as inline SVG, whose colours are variables of the page, so that they suit light, dark and printed pages."""

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from isthmus.plots.style import PALETTE
from isthmus.reporting.blocks import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that are replaced by variables of the page: lines and texts, secondary texts, rules, and the accent; and the
# first two colours of ``isthmus.plots``: data, and alarms.
INK, MUTED, LINE, ACCENT = "#010101", "#020202", "#030303", "#040404"
DATA, ALARM = PALETTE[:2]
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    DATA: "var(--accent)",
    ALARM: "var(--alarm)",
}
# Width and height of a picture in inches. On a phone it is shown at most a fifth smaller.
WIDTH, HEIGHT = 4.6, 2.6
# Points per inch of SVG, and pixels of a page per point.
POINTS, PIXELS = 72, 4 / 3
# Margin around a picture in inches.
MARGIN = 0.03
# Dots per inch of the parts of a picture that are pixels.
DPI = 200
# Number of points above which a scatter is drawn as pixels.
MAX_POINTS = 2000
STYLE: Any = {
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "isthmus",
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in the name of a column is no formula
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.color": LINE,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
}


def draw(
    paint: Callable[["Axes"], object], alt: str, caption: str = "", size: tuple[float, float] = (WIDTH, HEIGHT)
) -> Figure:
    """Return what a function paints on axes.

    Parameters
    ----------
    paint : callable
        Paints on the axes that it gets.
    alt, caption : str
    size : (float, float)
        Width and height in inches.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    with rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the font of matplotlib lacks: the page has its own font
        canvas = Canvas(figsize=size, layout="constrained")
        paint(canvas.subplots())
        buffer, nothing = io.StringIO(), dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.savefig(buffer, format="svg", metadata=nothing, dpi=DPI, bbox_inches="tight", pad_inches=MARGIN)
    return Figure(inline(buffer.getvalue(), alt), alt, caption)


def inline(svg: str, alt: str) -> str:
    """Return an SVG file as an element of a page: without its prolog, with rounded numbers and unique identifiers."""
    name = f"f{hashlib.sha256(svg.encode()).hexdigest()[:8]}"
    svg = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r"\s*font-family: [^;\"]*(&quot;[^;\"]*)*;?", "", svg)
    svg = re.sub(r'\b(?:d|x|y|transform|points)="[^"]*"', _round, svg)
    used = set(re.findall(r'(?:href="#|url\(#)([\w.-]+)', svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    return _label(re.sub(r">\s+<", "><", svg), alt)


def _label(svg: str, alt: str) -> str:
    from markupsafe import escape

    width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2]
    size = f'width="{float(width) * PIXELS:.0f}" height="{float(height) * PIXELS:.0f}"'
    box = f'viewBox="0 0 {width} {height}"'
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return re.sub(
        r"<svg[^>]*>", lambda _: f'<svg {namespaces} role="img" aria-label="{escape(alt)}" {size} {box}>', svg, count=1
    )


def _round(found: re.Match[str]) -> str:
    """Round the numbers of an attribute to a tenth of a point, and join its lines."""
    short = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), found[0])
    return re.sub(r"\s*\n\s*", " ", short)
