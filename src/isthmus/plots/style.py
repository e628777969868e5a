"""Axes and colours of all plots."""

from itertools import product
from typing import TYPE_CHECKING, TypeAlias

# Matplotlib is slow to import: it is imported in the functions that draw.
if TYPE_CHECKING:
    import matplotlib.axes

Axes: TypeAlias = "matplotlib.axes.Axes"

# Ten colours that colour-blind readers can distinguish: "muted" of Paul Tol, Colour schemes, SRON technical note, 2021,
# with a darker grey.
PALETTE = ("#332288", "#cc6677", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499", "#777777")
# Each marker is used for ten classes, one per colour.
MARKERS = ("o", "^", "s", "P")
# Characters of a label in a legend.
N_CHARACTERS = 24


def new_axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the given axes, or those of a new figure of this size in inches, without the upper and right spine."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(width, height), layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def shorten(label: object) -> str:
    """Return a label, truncated for a legend."""
    text = str(label)
    return text if len(text) <= N_CHARACTERS else f"{text[: N_CHARACTERS - 1]}…"


def class_styles(n_classes: int) -> list[tuple[str, str]]:
    """Return a marker and a colour for each class."""
    styles = list(product(MARKERS, PALETTE))
    if n_classes > len(styles):
        raise ValueError(f"labels have {n_classes} classes; at most {len(styles)} can be distinguished")
    return styles[:n_classes]
