"""Traversals, interpolations and manifolds of the latent space, as grids of images or curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.decomposition import PCA

from isthmus.latent import interpolate, traverse
from isthmus.latent.codes import code_moments, decode
from isthmus.plots.grids import Grid, draw_grid
from isthmus.plots.inputs import default_label, first_rows, require_autoencoder, to_numbers
from isthmus.plots.samples import make_samples
from isthmus.plots.style import Axes

Values = np.ndarray[Any, Any]
Shape = tuple[int, ...]

# Share of codes below and above the range of a manifold.
TAIL = 0.02
# Codes drawn to find their principal plane, and largest number of components of a traversal.
N_DRAWN, N_COMPONENTS = 2000, 12
# Largest number of pairs of an interpolation.
N_PAIRS = 10


def traversal(
    model: Any,
    X: Any = None,
    y: Any = None,
    *,
    components: Sequence[int] | None = None,
    values: Any = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0),
    shape: Shape | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot the effect of each component of the code: one row per component, one column per value.

    Parameters
    ----------
    model : Autoencoder, or a detector built on one
        Fitted.
    X : array, data frame, Source or None, default=None
        The row whose code is varied, the first one if there are several; None is the mean of the codes.
    y : label or None, default=None
        For the decoder of a conditional model; None is its most frequent label.
    components : sequence of int or None, default=None
        Components to vary; None is all, at most 12.
    values : array of shape (n,), default=(-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
        In standard deviations of the codes, see ``isthmus.latent.traverse``.
    shape : tuple of int or None, default=None
        Of one image: (height, width), or (height, width, 3) in colour. None infers it from the model.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.plots import traversal
    >>> model = zoo.vae(3, max_epochs=1, random_state=0).fit(load_digits().data)
    >>> ax = traversal(model, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['code 1', 'code 2', 'code 3']
    """
    net, label = require_autoencoder(model, "traversal"), default_label(model, y)
    row = None if X is None else first_rows(model, X, 1)
    n_components = len(net.get_feature_names_out())
    chosen = range(min(n_components, N_COMPONENTS)) if components is None else components
    rows = {f"code {i + 1}": traverse(net, row, i, values, y=label) for i in chosen}
    grid = _draw(model, rows, shape, ax)
    grid.name_columns([f"{value:g}" for value in np.asarray(values, dtype=float)])
    grid.ax.set(xlabel="standard deviations of the code")
    return grid.ax


def interpolation(
    model: Any,
    a: Any,
    b: Any = None,
    y: Any = None,
    *,
    n: int = 10,
    kind: str = "linear",
    shape: Shape | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot interpolations between pairs of rows, one pair per row of the grid.

    Parameters
    ----------
    model : Autoencoder, or a detector built on one
        Fitted.
    a : array, data frame or Source of shape (n_pairs, ...), or one row
        At most ten pairs are shown.
    b : array, data frame or Source of shape (n_pairs, ...), one row, or None, default=None
        The other rows of the pairs; None makes a pair of the first and the second row of ``a``.
    y : label or None, default=None
        For the decoder of a conditional model; None is its most frequent label.
    n : int, default=10
        Number of steps, including both ends.
    kind : {"linear", "spherical"}, default="linear"
        See ``isthmus.latent.interpolate``.
    shape : tuple of int or None, default=None
        Of one image: (height, width), or (height, width, 3) in colour. None infers it from the model.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If ``a`` and ``b`` do not have the same number of rows.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.plots import interpolation
    >>> X = load_digits().data
    >>> model = Autoencoder(4, max_epochs=1, random_state=0).fit(X)
    >>> ax = interpolation(model, X[:2], X[2:4], ax=Figure().subplots())
    """
    net, label = require_autoencoder(model, "interpolation"), default_label(model, y)
    starts = first_rows(model, a, N_PAIRS)
    if b is None:
        if len(starts) < 2:
            raise ValueError("an interpolation needs two rows: give b, or two rows in a")
        starts, ends = starts.take(np.array([0])), starts.take(np.array([1]))
    else:
        ends = first_rows(model, b, N_PAIRS)
    if len(starts) != len(ends):
        raise ValueError(f"a and b must have the same number of rows, got {len(starts)} and {len(ends)}")
    pairs = [(starts.take(np.array([i])), ends.take(np.array([i]))) for i in range(len(starts))]
    rows = {str(i): interpolate(net, *pair, n, kind=kind, y=label) for i, pair in enumerate(pairs, 1)}
    grid = _draw(model, rows, shape, ax)
    grid.ax.set_yticks([])
    return grid.ax


def manifold(
    model: Any,
    X: Any = None,
    y: Any = None,
    *,
    n: int = 12,
    shape: Shape | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Plot decoded codes on a grid of quantiles of the normal distribution.

    For codes of more than two components, the plane of the first two principal components is shown.

    Parameters
    ----------
    model : Autoencoder, or a detector built on one
        Fitted.
    X : array, data frame, Source or None, default=None
        Rows whose codes the grid covers; None draws codes with ``sample``.
    y : label or None, default=None
        For the decoder of a conditional model; None is its most frequent label.
    n : int, default=12
        Number of images per side.
    shape : tuple of int or None, default=None
        Of one image: (height, width), or (height, width, 3) in colour. None infers it from the model.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If the code has one component.

    References
    ----------
    Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014, arXiv:1312.6114, appendix A.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.plots import manifold
    >>> model = zoo.vae(2, max_epochs=1, random_state=0).fit(load_digits().data)
    >>> ax = manifold(model, ax=Figure().subplots())
    >>> ax.get_xlabel()
    'code 1'
    """
    net, label = require_autoencoder(model, "manifold"), default_label(model, y)
    centre, axes, names = _plane(net, X)
    steps = norm.ppf(np.linspace(TAIL, 1 - TAIL, n))
    # The second component increases upwards, as on a map.
    rows = {
        f"{_coordinate(centre, axes, 1, up):.1f}": decode(net, centre + steps[:, None] * axes[0] + up * axes[1], label)
        for up in steps[::-1]
    }
    grid = _draw(model, rows, shape, ax)
    grid.name_columns([f"{_coordinate(centre, axes, 0, right):.1f}" for right in steps])
    grid.ax.set(xlabel=names[0], ylabel=names[1])
    if label is not None and y is None:
        grid.ax.set_title(f"label {label}")
    return grid.ax


def _plane(net: Any, X: Any) -> tuple[Values, Values, tuple[str, str]]:
    """Return the centre of a plane of codes, two axes of one standard deviation, and their names."""
    codes = None if X is None else np.asarray(net.transform(X), dtype=float)
    centre, deviation = code_moments(net) if codes is None else (codes.mean(0), codes.std(0))
    if len(centre) < 2:
        raise ValueError("a manifold needs codes of at least 2 components, got 1; use traversal")
    if len(centre) == 2:
        return centre, np.diag(deviation), ("code 1", "code 2")
    if codes is None:
        codes = np.asarray(net.transform(net.sample(N_DRAWN, random_state=0)), dtype=float)
    pca = PCA(2, random_state=0).fit(codes)
    axes = pca.components_ * np.sqrt(pca.explained_variance_)[:, None]
    return pca.mean_, axes, ("principal component 1 of the codes", "principal component 2 of the codes")


def _coordinate(centre: Values, axes: Values, axis: int, step: float) -> float:
    """Return the coordinate of a step: the value of the code, or the position along the principal component."""
    length = float(np.linalg.norm(axes[axis]))
    return step * length + (float(centre[axis]) if len(centre) == 2 else 0.0)


def _draw(model: Any, rows: dict[str, Any], shape: Shape | None, ax: "Axes | None") -> Grid:
    """Draw rows of a model on one scale."""
    numbers = {name: to_numbers(model, X) for name, X in rows.items()}
    everything = np.concatenate(list(numbers.values()))
    samples = make_samples(model, everything, shape)
    limits = float(np.nanmin(samples.values)), float(np.nanmax(samples.values))
    parts = np.split(samples.values, np.cumsum([len(part) for part in numbers.values()])[:-1])
    return draw_grid({name: samples._replace(values=part) for name, part in zip(rows, parts, strict=True)}, ax, limits)
