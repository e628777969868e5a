"""Scatter plots of codes."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from isthmus.formatting import format_percent
from isthmus.plots.curves import histogram
from isthmus.plots.inputs import encode, get_labels, predict_labels, split_labels
from isthmus.plots.style import PALETTE, Axes, class_styles, new_axes, shorten

Values = np.ndarray[Any, Any]

# Size in inches of a plot with a short legend.
WIDTH, HEIGHT = 5.5, 4.5


def code_map(model: Any, X: Any = None, y: Any = None, *, ax: "Axes | None" = None) -> "Axes":
    """Scatter the codes of rows in the plane; codes of one component are shown as a histogram.

    Parameters
    ----------
    model : fitted estimator with ``transform``, or array of codes of shape (n_samples, n_components)
        Of more than two components, the first two principal components are shown.
    X : array, data frame or Source of shape (n_samples, ...), one row, or None, default=None
        Rows to encode. If codes are given instead of a model: their labels.
    y : array of shape (n_samples,), name of a column of X, or None, default=None
        Labels. Classes get a legend; numbers that are not integers, and integers or dates of many values, get a colour
        bar. None shows the subfolders of images, or the decisions of a detector.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If the model has no codes, or labels have too many classes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.plots import code_map
    >>> X, y = load_digits(return_X_y=True)
    >>> model = Autoencoder(2, max_epochs=1, random_state=0).fit(X)
    >>> ax = code_map(model, X, y, ax=Figure().subplots())
    >>> ax.get_xlabel()
    'code 1'
    """
    codes, labels = _codes_and_labels(model, X, y)
    if codes.shape[1] == 1:
        return histogram(codes[:, 0], labels, name="code 1", ax=ax)
    plane, names = _project(codes)
    ax = new_axes(ax, _width(labels), HEIGHT)
    ax.set(xlabel=names[0], ylabel=names[1])
    # Later points cover earlier ones: random order prevents one class from covering another.
    order = np.random.default_rng(0).permutation(len(plane))
    plane = plane[order]
    if labels is None:
        _scatter(ax, plane, len(plane), color=PALETTE[0])
        return ax
    labels = labels[order]
    if _is_continuous(labels):
        _scatter_values(ax, plane, labels)
    else:
        _scatter_classes(ax, plane, labels)
    return ax


def _codes_and_labels(model: Any, X: Any, y: Any) -> tuple[Values, Values | None]:
    if not isinstance(model, BaseEstimator):
        codes, y = check_array(model), X if y is None else y
    else:
        check_is_fitted(model)
        X, y = split_labels(model, X, y)
        codes = check_array(encode(model, X))
        y = predict_labels(model, X) if y is None else y
    check_consistent_length(codes, y)
    return codes, get_labels(X, y, len(codes))


def _project(codes: Values) -> tuple[Values, tuple[str, str]]:
    """Return two coordinates of each code, and their names."""
    if codes.shape[1] == 2 or len(codes) == 1:
        return codes[:, :2], ("code 1", "code 2")
    pca = PCA(2).fit(codes)
    first, second = (
        f"principal component {i} of the codes ({format_percent(share)})"
        for i, share in enumerate(pca.explained_variance_ratio_, 1)
    )
    return pca.transform(codes), (first, second)


def _width(labels: Values | None) -> float:
    """Return the width of a plot and its legend in inches."""
    if labels is None or _is_continuous(labels):
        return WIDTH
    classes = np.unique(labels)
    longest = max(len(shorten(level)) for level in classes)
    return max(WIDTH, HEIGHT + _n_columns(len(classes)) * (0.4 + 0.09 * longest))


def _n_columns(n_classes: int) -> int:
    """Return the number of columns of a legend."""
    return -(-n_classes // 14)


def _is_continuous(labels: Values) -> bool:
    if labels.dtype.kind not in "iufM":
        return False
    fractions = labels.dtype.kind == "f" and bool((labels % 1 != 0).any())
    return fractions or len(np.unique(labels)) > 2 * len(PALETTE)


def _scatter(ax: "Axes", points: Values, n: int, **options: Any) -> Any:
    """Draw points, smaller and more transparent the more there are in the whole plot."""
    size, alpha = np.clip(400 / np.sqrt(n), 1.5, 25), np.clip(30 / np.sqrt(n), 0.3, 0.8)
    return ax.scatter(points[:, 0], points[:, 1], s=size, alpha=alpha, linewidths=0, rasterized=True, **options)


def _scatter_values(ax: "Axes", plane: Values, values: Values) -> None:
    from matplotlib.cm import ScalarMappable

    dates = _dates() if values.dtype.kind == "M" else None
    points = _scatter(ax, plane, len(plane), c=values if dates is None else dates.date2num(values), cmap="viridis")
    # A separate mappable, because the bar would inherit the transparency of the points.
    bar = ScalarMappable(points.norm, points.cmap)
    ticks = None if dates is None else dates.AutoDateLocator()
    ax.figure.colorbar(bar, ax=ax, ticks=ticks, format=None if dates is None else dates.ConciseDateFormatter(ticks))


def _dates() -> Any:
    """Return the module ``matplotlib.dates``, whose functions are untyped."""
    from matplotlib import dates

    return dates


def _scatter_classes(ax: "Axes", plane: Values, labels: Values) -> None:
    """Draw one collection per marker."""
    from matplotlib.lines import Line2D

    classes, index = np.unique(labels, return_inverse=True)
    styles = class_styles(len(classes))
    for marker in dict.fromkeys(marker for marker, _ in styles):
        some = np.array([styles[i][0] == marker for i in index])
        _scatter(ax, plane[some], len(plane), color=[styles[i][1] for i in index[some]], marker=marker)
    handles = [
        Line2D([], [], linestyle="", marker=marker, markersize=5, markeredgewidth=0, color=colour, label=shorten(level))
        for level, (marker, colour) in zip(classes, styles, strict=True)
    ]
    # Outside the axes: finding the best place inside is slow for many points.
    n_columns = _n_columns(len(classes))
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, ncols=n_columns)
