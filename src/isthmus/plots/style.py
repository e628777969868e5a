"""Axes and colours of all pictures."""

from itertools import product
from typing import TYPE_CHECKING

# Matplotlib takes long to import: it is imported where a picture is drawn.
if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Ten colours that colour-blind readers tell apart: "muted" of Paul Tol, Colour schemes, SRON technical note, 2021, with
# a darker grey.
PALETTE = ("#332288", "#cc6677", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499", "#777777")
# When the colours are used up, the next ten classes get another shape.
MARKERS = ("o", "^", "s", "P")
# Characters of a label that a legend shows.
N_CHARACTERS = 24


def new_axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the caller's axes, or those of a new figure of so many inches, without needless lines."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(width, height), layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def shorten(label: object) -> str:
    """Write a label in a legend, cut where it would take the room of the picture."""
    text = str(label)
    return text if len(text) <= N_CHARACTERS else f"{text[: N_CHARACTERS - 1]}…"


def class_styles(n_classes: int) -> list[tuple[str, str]]:
    """Return a marker and a colour for each class."""
    styles = list(product(MARKERS, PALETTE))
    if n_classes > len(styles):
        raise ValueError(f"labels have {n_classes} classes; at most {len(styles)} can be told apart")
    return styles[:n_classes]
