"""The style of figures of guides and examples."""

import matplotlib as mpl

from isthmus.plots import PALETTE


def use_palette(gallery: object, program: str) -> None:
    """Draw with the colours and spines of ``isthmus.plots``; sphinx-gallery calls this before each program."""
    mpl.rcParams["axes.prop_cycle"] = mpl.cycler(color=PALETTE)
    mpl.rcParams["axes.spines.top"] = mpl.rcParams["axes.spines.right"] = False
