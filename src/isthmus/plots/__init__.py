"""Plots of a fitted model and rows: one function per plot.

Rows are given in any container that ``fit`` accepts: arrays, images in any layout, one image, data frames, folders,
streams. Functions compute codes, reconstructions and scores. Images are shown with large values white; other rows are
curves. Flat rows of a square number of values are images if neighbouring values correlate like pixels; ``shape`` sets
the shape of an image explicitly. Labels are taken from the data or the model if they are known. Axes are returned.
Given axes, a function draws there without pyplot; without axes, it makes a figure with pyplot, for notebooks.
"""

from isthmus.plots.codes import code_map
from isthmus.plots.curves import code_sizes, histogram, history
from isthmus.plots.events import events
from isthmus.plots.explanations import explain
from isthmus.plots.latent_space import interpolation, manifold, traversal
from isthmus.plots.reconstructions import images, reconstructions, residuals
from isthmus.plots.style import MARKERS as MARKERS
from isthmus.plots.style import PALETTE as PALETTE
from isthmus.plots.trials import importance, trials

__all__ = [
    "code_map",
    "code_sizes",
    "events",
    "explain",
    "histogram",
    "history",
    "images",
    "importance",
    "interpolation",
    "manifold",
    "reconstructions",
    "residuals",
    "traversal",
    "trials",
]
