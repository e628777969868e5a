"""Pictures: one a function, matplotlib axes in and out.

Given axes, a function draws there and leaves pyplot alone; without, it makes a figure with pyplot, as notebooks want.
"""

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, check_is_fitted

# Matplotlib takes long to import: it is imported where a picture is drawn.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

    from isthmus.autoencoder import Autoencoder

__all__ = ["code_map", "histogram", "history", "images", "reconstructions"]

Values = np.ndarray[Any, Any]

# Ten colours that colour-blind readers tell apart: "muted" of Paul Tol, Colour schemes, SRON technical note, 2021, with
# a darker grey.
PALETTE = ("#332288", "#cc6677", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499", "#777777")
# When the colours are used up, the next ten classes get another shape.
MARKERS = ("o", "^", "s", "P")


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
    strips = [_strip(name, X, shape, n) for name, X in rows.items()]
    n_shown = strips[0].shape[1] // (shape[1] + 1)
    ax = _axes(ax, 0.3 + 0.7 * n_shown, 0.75 * len(strips))
    # One range for all, that of the first version: what is paler there is paler here.
    low, high = np.nanmin(strips[0]), np.nanmax(strips[0])
    ax.imshow(np.concatenate(strips), cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
    ax.set_yticks([shape[0] / 2 - 0.5 + i * (shape[0] + 1) for i in range(len(strips))], list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


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


def code_map(codes: Any, labels: Any = None, ax: "Axes | None" = None) -> "Axes":
    """Scatter codes in the plane.

    Parameters
    ----------
    codes : array of shape (n_samples, n_components)
        With more than two components, their first two principal components are shown.
    labels : array of shape (n_samples,) or None, default=None
        Classes get a legend; numbers that are not whole, or whole ones of many values, get a colour bar.
    ax : Axes or None, default=None

    Raises
    ------
    ValueError
        If the codes have one component only, or the labels more classes than can be told apart.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.plots import code_map
    >>> X, y = load_digits(return_X_y=True)
    >>> model = Autoencoder(2, max_epochs=1, random_state=0).fit(X)
    >>> ax = code_map(model.transform(X), y, ax=Figure().subplots())
    >>> ax.get_xlabel()
    'code 1'
    """
    plane, names = _plane(check_array(codes))
    ax = _axes(ax, 5.5, 4.5)
    ax.set(xlabel=names[0], ylabel=names[1])
    # Later points cover earlier ones: in random order no class covers another.
    order = np.random.default_rng(0).permutation(len(plane))
    plane = plane[order]
    if labels is None:
        _scatter(ax, plane, len(plane), color=PALETTE[0])
        return ax
    check_consistent_length(codes, labels)
    labels = np.asarray(labels)[order]
    if _is_continuous(labels):
        _scatter_values(ax, plane, labels)
    else:
        _scatter_classes(ax, plane, labels)
    return ax


def histogram(values: Any, labels: Any = None, name: str = "", ax: "Axes | None" = None) -> "Axes":
    """Show how values, such as scores, are spread: the share of rows in each bin, for each class by itself.

    Parameters
    ----------
    values : array of shape (n_samples,)
    labels : array of shape (n_samples,) or None, default=None
        Classes.
    name : str, default=""
        What the values are.
    ax : Axes or None, default=None

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from isthmus.plots import histogram
    >>> ax = histogram([-3.0, 0.1, 0.3], ["odd", "normal", "normal"], ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['normal', 'odd']
    """
    values = np.asarray(values, dtype=float)
    labels = np.zeros(len(values)) if labels is None else np.asarray(labels)
    check_consistent_length(values, labels)
    classes = np.unique(labels)
    ax = _axes(ax, 5.5, 3.0)
    edges = np.histogram_bin_edges(values, 40)
    for level, (_, colour) in zip(classes, _styles(len(classes)), strict=True):
        some = values[labels == level]
        weights = np.full(len(some), 1 / len(some))
        ax.hist(some, list(edges), weights=weights, color=colour, alpha=0.6, label=str(level))
    ax.set(xlabel=name, ylabel="share of rows")
    if len(classes) > 1:
        ax.legend(frameon=False)
    return ax


def history(estimator: "Autoencoder", ax: "Axes | None" = None) -> "Axes":
    """Show the bound by epoch, on training and on validation rows, and the epoch whose weights were kept.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted.
    ax : Axes or None, default=None

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.plots import history
    >>> model = Autoencoder(2, max_epochs=3, random_state=0).fit(load_digits().data)
    >>> ax = history(model, ax=Figure().subplots())
    >>> [line.get_label() for line in ax.lines]
    ['training', 'validation', 'kept']
    """
    check_is_fitted(estimator)
    rows = estimator.history_
    epochs = [row["epoch"] for row in rows]
    ax = _axes(ax, 5.5, 3.0)
    ax.plot(epochs, [row["bound"] for row in rows], color=PALETTE[0], label="training")
    if "valid_bound" in rows[0]:
        bounds = [row["valid_bound"] for row in rows]
        best = int(np.nanargmin(bounds))
        ax.plot(epochs, bounds, color=PALETTE[6], label="validation")
        ax.plot(epochs[best], bounds[best], "o", color=PALETTE[6], label="kept")
    ax.set(xlabel="epoch", ylabel="loss bound (nats a sample)")
    ax.locator_params("x", integer=True)
    ax.legend(frameon=False)
    return ax


def _axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the caller's axes, or those of a new figure of so many inches, without needless lines."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(width, height), layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _strip(name: str, X: Any, shape: tuple[int, ...], n: int) -> Values:
    """Put the first images side by side, with a blank line below and to the right of each."""
    some = np.asarray(X[:n], dtype=float)
    if some[0].size != np.prod(shape):
        raise ValueError(f"{name!r}: an image of shape {shape} has {np.prod(shape)} values, got {some[0].size}")
    blank = [(0, 0), (0, 1), (0, 1), *[(0, 0)] * (len(shape) - 2)]
    padded = np.pad(some.reshape(-1, *shape), blank, constant_values=np.nan)
    return np.concatenate(list(padded), axis=1)


def _plane(codes: Values) -> tuple[Values, tuple[str, str]]:
    """Return two columns and their names."""
    n_components = codes.shape[1]
    if n_components < 2:
        raise ValueError("codes have 1 component; a map needs at least 2")
    if n_components == 2:
        return codes, ("code 1", "code 2")
    pca = PCA(2).fit(codes)
    first, second = (
        f"principal component {i} of the codes ({share:.0%})"
        for i, share in enumerate(pca.explained_variance_ratio_, 1)
    )
    return pca.transform(codes), (first, second)


def _is_continuous(labels: Values) -> bool:
    if labels.dtype.kind not in "iuf":
        return False
    return bool((labels % 1 != 0).any()) or len(np.unique(labels)) > 2 * len(PALETTE)


def _scatter(ax: "Axes", points: Values, n: int, **options: Any) -> "PathCollection":
    """Draw points, the smaller and fainter the more there are on the whole map."""
    size, alpha = np.clip(400 / np.sqrt(n), 1.5, 25), np.clip(30 / np.sqrt(n), 0.3, 0.8)
    return ax.scatter(points[:, 0], points[:, 1], s=size, alpha=alpha, linewidths=0, rasterized=True, **options)


def _scatter_values(ax: "Axes", plane: Values, values: Values) -> None:
    from matplotlib.cm import ScalarMappable

    points = _scatter(ax, plane, len(plane), c=values, cmap="viridis")
    # A mappable of its own, because the bar would inherit the points' transparency.
    ax.figure.colorbar(ScalarMappable(points.norm, points.cmap), ax=ax)


def _scatter_classes(ax: "Axes", plane: Values, labels: Values) -> None:
    """Draw one collection for every ten classes, which share a marker."""
    from matplotlib.lines import Line2D

    classes, index = np.unique(labels, return_inverse=True)
    styles = _styles(len(classes))
    for marker in dict.fromkeys(marker for marker, _ in styles):
        some = np.array([styles[i][0] == marker for i in index])
        _scatter(ax, plane[some], len(plane), color=[styles[i][1] for i in index[some]], marker=marker)
    handles = [
        Line2D([], [], linestyle="", marker=marker, markersize=5, markeredgewidth=0, color=colour, label=str(level))
        for level, (marker, colour) in zip(classes, styles, strict=True)
    ]
    # Beside the axes: the best place within would be searched for among all the points.
    n_columns = -(-len(classes) // 14)
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, ncols=n_columns)


def _styles(n_classes: int) -> list[tuple[str, str]]:
    """Return a marker and a colour for each class."""
    styles = list(product(MARKERS, PALETTE))
    if n_classes > len(styles):
        raise ValueError(f"labels have {n_classes} classes; at most {len(styles)} can be told apart")
    return styles[:n_classes]
