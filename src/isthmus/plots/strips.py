"""Rows of images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.plots.base import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = np.ndarray[Any, Any]


def images(rows: Mapping[str, Any], shape: tuple[int, ...], n: int = 10, ax: "Axes | None" = None) -> "Axes":
    """Show the same images in several versions, one row a version.

    Parameters
    ----------
    rows : mapping of str to array of shape (n_samples, ...)
        Images by the name of their version.
    shape : tuple of int
        Of one image: (height, width), or (height, width, 3) in colour.
    n : int, default=10
        How many to show: the first.
    ax : Axes or None, default=None

    Raises
    ------
    ValueError
        If the images do not have this shape.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus.plots import images
    >>> X = load_digits().data
    >>> ax = images({"original": X, "noisy": X + 1.0}, (8, 8), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['original', 'noisy']
    """
    strips = [strip(name, X, shape, n) for name, X in rows.items()]
    # One range for all, that of the first version: what is paler there is paler here.
    return mosaic(strips, list(rows), shape, (np.nanmin(strips[0]), np.nanmax(strips[0])), ax)


def reconstructions(X: Any, rebuilt: Any, shape: tuple[int, ...], n: int = 10, ax: "Axes | None" = None) -> "Axes":
    """Show images above their reconstructions.

    Parameters
    ----------
    X, rebuilt : array of shape (n_samples, ...)
    shape : tuple of int
        Of one image: (height, width), or (height, width, 3) in colour.
    n : int, default=10
        How many to show: the first.
    ax : Axes or None, default=None

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.plots import reconstructions
    >>> X = load_digits().data
    >>> model = zoo.linear(8, max_epochs=3, random_state=0).fit(X)
    >>> ax = reconstructions(X, model.reconstruct(X), (8, 8), ax=Figure().subplots())
    """
    return images({"original": X, "rebuilt": rebuilt}, shape, n, ax)


def residuals(X: Any, rebuilt: Any, shape: tuple[int, ...], n: int = 10, ax: "Axes | None" = None) -> "Axes":
    """Show images, their reconstructions, and below where these are too dark (red) or too pale (blue).

    Parameters
    ----------
    X, rebuilt : array of shape (n_samples, ...)
    shape : tuple of int
        Of one image: (height, width), or (height, width, 3) in colour, whose differences are averaged.
    n : int, default=10
        How many to show: the first.
    ax : Axes or None, default=None

    Raises
    ------
    ValueError
        If the images do not have this shape.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.plots import residuals
    >>> X = load_digits().data
    >>> model = zoo.linear(8, max_epochs=3, random_state=0).fit(X)
    >>> ax = residuals(X, model.reconstruct(X), (8, 8), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['original', 'rebuilt', 'too much']
    """
    before, after = strip("X", X, shape, n), strip("rebuilt", rebuilt, shape, n)
    gap = after - before if len(shape) == 2 else (after - before).mean(-1)
    height, width = gap.shape
    blank = np.full_like(before, np.nan)
    limits = np.nanmin(before), np.nanmax(before)
    ax = mosaic([before, after, blank], ["original", "rebuilt", "too much"], shape, limits, ax)
    largest = np.nanmax(np.abs(gap)) or 1.0
    below = (-0.5, width - 0.5, 3 * height - 0.5, 2 * height - 0.5)
    picture = ax.imshow(gap, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest", extent=below)
    ax.set_ylim(3 * height - 0.5, -0.5)
    ax.figure.colorbar(picture, ax=ax, fraction=0.03, pad=0.01)
    return ax


def mosaic(
    strips: list[Values], names: list[str], shape: tuple[int, ...], limits: tuple[float, float], ax: "Axes | None"
) -> "Axes":
    """Draw strips of images of this shape below each other, black being the upper limit."""
    height, width = shape[0] + 1, shape[1] + 1
    ax = new_axes(ax, 0.3 + 0.7 * strips[0].shape[1] / width, 0.75 * len(strips))
    low, high = limits
    ax.imshow(np.concatenate(strips), cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
    ax.set_yticks([shape[0] / 2 - 0.5 + i * height for i in range(len(strips))], names)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def strip(name: str, X: Any, shape: tuple[int, ...], n: int) -> Values:
    """Put the first images side by side, with a blank line below and to the right of each."""
    some = np.asarray(X[:n], dtype=float)
    if some[0].size != np.prod(shape):
        raise ValueError(f"{name!r}: an image of shape {shape} has {np.prod(shape)} values, got {some[0].size}")
    blank = [(0, 0), (0, 1), (0, 1), *[(0, 0)] * (len(shape) - 2)]
    padded = np.pad(some.reshape(-1, *shape), blank, constant_values=np.nan)
    return np.concatenate(list(padded), axis=1)
