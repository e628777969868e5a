"""Pictures: one a function, matplotlib axes in and out.

Given axes, a function draws there and leaves pyplot alone; without, it makes a figure with pyplot, as notebooks want.
"""

from isthmus.plots.base import MARKERS as MARKERS
from isthmus.plots.base import PALETTE as PALETTE
from isthmus.plots.codes import code_map
from isthmus.plots.curves import code_sizes, histogram, history
from isthmus.plots.reasons import explain
from isthmus.plots.strips import images, reconstructions, residuals
from isthmus.plots.walks import interpolation, manifold, traversal

__all__ = [
    "code_map",
    "code_sizes",
    "explain",
    "histogram",
    "history",
    "images",
    "interpolation",
    "manifold",
    "reconstructions",
    "residuals",
    "traversal",
]
