"""Pictures: one a function, of a fitted model and rows as the user has them.

Rows go in as they went into ``fit``: arrays, images of any layout, one image, data frames, folders, streams. Functions
compute codes, reconstructions and scores by themselves. Images are shown as such, large values white; other rows are
curves. Flat rows of a square number of values are images where the values share a range, as pixels do; ``shape`` says
so where that cannot be told. Labels are found where the data or the model have them. Axes are returned.
Given axes, a function draws there and leaves pyplot alone; without, it makes a figure with pyplot, as notebooks want.
"""

from isthmus.plots.codes import code_map
from isthmus.plots.curves import code_sizes, histogram, history
from isthmus.plots.events import events
from isthmus.plots.explanations import explain
from isthmus.plots.latent_space import interpolation, manifold, traversal
from isthmus.plots.reconstructions import images, reconstructions, residuals
from isthmus.plots.style import MARKERS as MARKERS
from isthmus.plots.style import PALETTE as PALETTE

__all__ = [
    "code_map",
    "code_sizes",
    "events",
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
