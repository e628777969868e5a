"""Images, reconstructions and residuals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from isthmus.plots.grids import Grid, draw_grid, draw_signed
from isthmus.plots.inputs import check_model, first_rows, get_labels, reconstruct
from isthmus.plots.samples import Samples, make_samples, to_images
from isthmus.plots.style import Axes

Values = np.ndarray[Any, Any]
Shape = tuple[int, ...]


def images(X: Any, *, shape: Shape | None = None, n: int = 10, ax: "Axes | None" = None) -> "Axes":
    """Plot images, or several versions of the same images, one row per version.

    Parameters
    ----------
    X : array of shape (n_samples, ...), one image, ImageFolder, or mapping of str to these
        A mapping contains versions by name.
    shape : tuple of int or None, default=None
        Of one image: (height, width), or (height, width, 3) in colour. None infers it from the array; rows of a
        square number of values are square images.
    n : int, default=10
        Number of rows to plot, from the first.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If the images do not have this shape, or an array contains no images.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus.plots import images
    >>> X = load_digits().data
    >>> ax = images({"original": X, "noisy": X + 1.0}, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['original', 'noisy']
    """
    versions = X if isinstance(X, Mapping) else {"": X}
    rows = {name: Samples(to_images(name or "X", rows, shape, n), True) for name, rows in versions.items()}
    # All versions share the range of the first one, so that intensities can be compared.
    return draw_grid(rows, ax).ax


def reconstructions(
    model: Any, X: Any, y: Any = None, *, shape: Shape | None = None, n: int = 10, ax: "Axes | None" = None
) -> "Axes":
    """Plot rows above their reconstructions, as images or curves.

    Parameters
    ----------
    model : fitted estimator
        Any model with ``reconstruct`` or ``inverse_transform``, or a detector built on one.
    X : array, data frame or Source of shape (n_samples, ...), or one row
        Rows to plot.
    y : array of shape (n_samples,) or None, default=None
        Labels, shown below the columns and used by a conditional model.
    shape : tuple of int or None, default=None
        Of one image: (height, width), or (height, width, 3) in colour. None infers it from the model and the rows.
    n : int, default=10
        Number of rows to plot, from the first.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If rows do not have this shape, are texts, or the model cannot reconstruct them.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.plots import reconstructions
    >>> X = load_digits().data
    >>> model = zoo.linear(8, max_epochs=3, random_state=0).fit(X)
    >>> ax = reconstructions(model, X, ax=Figure().subplots())
    """
    before, after, labels = _before_and_after("reconstructions", model, X, y, shape, n)
    return _name_columns(draw_grid({"original": before, "reconstructed": after}, ax), labels)


def residuals(
    model: Any, X: Any, y: Any = None, *, shape: Shape | None = None, n: int = 10, ax: "Axes | None" = None
) -> "Axes":
    """Plot rows, their reconstructions, and the residuals: red is too large, blue too small.

    Parameters
    ----------
    model : fitted estimator
        Any model with ``reconstruct`` or ``inverse_transform``, or a detector built on one.
    X : array, data frame or Source of shape (n_samples, ...), or one row
        Rows to plot.
    y : array of shape (n_samples,) or None, default=None
        Labels, shown below the columns and used by a conditional model.
    shape : tuple of int or None, default=None
        Of one image: (height, width), or (height, width, 3) in colour, whose differences are averaged. None infers it
        from the model and the rows.
    n : int, default=10
        Number of rows to plot, from the first.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If rows do not have this shape, are texts, or the model cannot reconstruct them.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.plots import residuals
    >>> X = load_digits().data
    >>> model = zoo.linear(8, max_epochs=3, random_state=0).fit(X)
    >>> ax = residuals(model, X, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['original', 'reconstructed', 'residual']
    """
    before, after, labels = _before_and_after("residuals", model, X, y, shape, n)
    gap = after.values - before.values
    if before.are_images:
        rows = {"original": before.values, "reconstructed": after.values}
        grid = draw_signed(rows, "residual", gap if gap.ndim == 3 else gap[..., :3].mean(-1), ax)
    else:
        grid = draw_grid({"original": before, "reconstructed": after, "residual": Samples(gap, False)}, ax)
    return _name_columns(grid, labels)


def _before_and_after(
    function: str, model: Any, X: Any, y: Any, shape: Shape | None, n: int
) -> tuple[Samples, Samples, Values | None]:
    """Return the first rows, their reconstructions, and their labels if there are any."""
    check_model(model, function)
    rows = first_rows(model, X, n)
    labels = get_labels(X, y, len(rows))
    before = make_samples(model, rows.values.numpy(), shape)
    image_shape = before.values.shape[1:] if before.are_images else None
    return before, make_samples(model, reconstruct(model, rows, labels), image_shape, "reconstructed"), labels


def _name_columns(grid: Grid, labels: Values | None) -> "Axes":
    if labels is not None:
        grid.name_columns([str(label) for label in labels])
    return grid.ax
