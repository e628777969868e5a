"""Walks through the latent space, as grids of images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from isthmus.latent import interpolate, traverse
from isthmus.latent.codes import decode, spread
from isthmus.plots.strips import mosaic, strip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isthmus.autoencoder import Autoencoder

# Of the codes between which a manifold is shown, these shares lie below and above.
TAIL = 0.02


def traversal(
    model: "Autoencoder",
    shape: tuple[int, ...],
    X: Any = None,
    components: Sequence[int] | None = None,
    values: Any = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0),
    *,
    y: Any = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Show what each component of the code does: one row a component, one column a value.

    Parameters
    ----------
    model : Autoencoder
        Fitted on images.
    shape : tuple of int
        Of one image: (height, width), or (height, width, 3) in colour.
    X : array, data frame or None, default=None
        The row whose code is changed; None is the centre of the codes.
    components : sequence of int or None, default=None
        Which; None is all.
    values : array of shape (n,), default=(-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
        In deviations of the codes, see ``isthmus.latent.traverse``.
    y : label or None, default=None
        For the decoder of a conditional model.
    ax : Axes or None, default=None

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.plots import traversal
    >>> model = zoo.vae(3, max_epochs=1, random_state=0).fit(load_digits().data)
    >>> ax = traversal(model, (8, 8), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['code 1', 'code 2', 'code 3']
    """
    check_is_fitted(model)
    components = range(len(model.get_feature_names_out())) if components is None else components
    rows = {f"code {i + 1}": traverse(model, X, i, values, y=y) for i in components}
    ax = _grid(rows, shape, ax)
    _name_columns(ax, [f"{value:g}" for value in values], shape)
    ax.set(xlabel="deviations of the code")
    return ax


def interpolation(
    model: "Autoencoder",
    a: Any,
    b: Any,
    shape: tuple[int, ...],
    n: int = 10,
    *,
    kind: str = "linear",
    y: Any = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Show the way from images to others, one pair a row.

    Parameters
    ----------
    model : Autoencoder
        Fitted on images.
    a, b : array or data frame of shape (n_pairs, ...)
    shape : tuple of int
        Of one image: (height, width), or (height, width, 3) in colour.
    n : int, default=10
        Images of a row.
    kind : {"linear", "spherical"}, default="linear"
        See ``isthmus.latent.interpolate``.
    y : label or None, default=None
        For the decoder of a conditional model.
    ax : Axes or None, default=None

    Raises
    ------
    ValueError
        If there are not as many images on both sides.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.plots import interpolation
    >>> X = load_digits().data
    >>> model = Autoencoder(4, max_epochs=1, random_state=0).fit(X)
    >>> ax = interpolation(model, X[:2], X[2:4], (8, 8), ax=Figure().subplots())
    """
    if len(a) != len(b):
        raise ValueError(f"a and b must have equally many rows, got {len(a)} and {len(b)}")
    pairs = [interpolate(model, a[i : i + 1], b[i : i + 1], n, kind=kind, y=y) for i in range(len(a))]
    ax = _grid({str(i + 1): pair for i, pair in enumerate(pairs)}, shape, ax)
    ax.set_yticks([])
    return ax


def manifold(
    model: "Autoencoder", shape: tuple[int, ...], n: int = 12, *, y: Any = None, ax: "Axes | None" = None
) -> "Axes":
    """Show what codes of two components decode to: a grid at quantiles of the normal distribution.

    Parameters
    ----------
    model : Autoencoder
        Fitted on images, of two components.
    shape : tuple of int
        Of one image: (height, width), or (height, width, 3) in colour.
    n : int, default=12
        Images a side.
    y : label or None, default=None
        For the decoder of a conditional model.
    ax : Axes or None, default=None

    Raises
    ------
    ValueError
        If the code has more or fewer components.

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
    >>> ax = manifold(model, (8, 8), ax=Figure().subplots())
    >>> ax.get_xlabel()
    'code 1'
    """
    centre, deviation = spread(model)
    if len(centre) != 2:
        raise ValueError(f"a manifold is shown of codes of 2 components, got {len(centre)}")
    places = centre + norm.ppf(np.linspace(TAIL, 1 - TAIL, n))[:, None] * deviation
    # As on a map: the second component grows upwards.
    rows = {
        f"{second:.1f}": decode(model, np.column_stack([places[:, 0], np.full(n, second)]), y)
        for second in places[::-1, 1]
    }
    ax = _grid(rows, shape, ax)
    _name_columns(ax, [f"{first:.1f}" for first in places[:, 0]], shape)
    ax.set(xlabel="code 1", ylabel="code 2")
    return ax


def _grid(rows: dict[str, Any], shape: tuple[int, ...], ax: "Axes | None") -> "Axes":
    """Draw rows of images with one range of grey for all."""
    strips = [strip(name, X, shape, len(X)) for name, X in rows.items()]
    limits = np.nanmin(strips), np.nanmax(strips)
    return mosaic(strips, list(rows), shape, limits, ax)


def _name_columns(ax: "Axes", names: list[str], shape: tuple[int, ...]) -> None:
    ax.set_xticks([shape[1] / 2 - 0.5 + i * (shape[1] + 1) for i in range(len(names))], names)
