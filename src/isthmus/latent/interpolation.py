"""Interpolation and traversal of codes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.latent.codes import Values, code_moments, decode, encode_row
from isthmus.part import is_count

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

KINDS = ("linear", "spherical")


def interpolate(
    model: "Autoencoder", a: Any, b: Any, n: int = 8, *, kind: str = "linear", y: Any = None, **options: Any
) -> Any:
    """Interpolate between the codes of two rows in equal steps, and decode each.

    The first and the last row are the reconstructions of the two rows.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    a, b : array or data frame
        One row each, or a batch of one row.
    n : int, default=8
        Number of rows, including both ends.
    kind : {"linear", "spherical"}, default="linear"
        A straight line, or an arc around the origin [1]. Codes of many components from a normal prior are near a
        sphere; an arc stays near it, and a straight line does not [2].
    y : label, array of shape (n,) or None, default=None
        Labels with which a conditional model decodes.
    **options
        Parameters of ``Autoencoder.inverse_transform``, such as ``sample_values=True``.

    Returns
    -------
    array or data frame of shape (n, ...)
        Decoded rows, in the container of the rows of ``fit``.

    Raises
    ------
    ValueError
        If ``a`` or ``b`` is more than one row, the kind is unknown, or n is below 2.

    References
    ----------
    [1] Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985.
    [2] White, Sampling generative networks, 2016, arXiv:1609.04468.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.latent import interpolate
    >>> X = load_digits().data
    >>> model = Autoencoder(4, max_epochs=1, random_state=0).fit(X)
    >>> interpolate(model, X[0], X[1], n=5).shape
    (5, 64)
    """
    if not (is_count(n) and n >= 2):
        raise ValueError(f"n must be an integer >= 2, got {n!r}")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    start, end = encode_row(model, a, "a"), encode_row(model, b, "b")
    steps = np.linspace(0.0, 1.0, n)[:, None]
    codes = _slerp(start, end, steps) if kind == "spherical" else start + steps * (end - start)
    return decode(model, codes, y, **options)


def traverse(
    model: "Autoencoder",
    X: Any = None,
    component: int = 0,
    values: Any = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0),
    *,
    y: Any = None,
) -> Any:
    """Vary one component of a code while all others are fixed, and decode each.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    X : array, data frame or None, default=None
        The row whose code is varied; None is the mean of the codes that ``sample`` draws.
    component : int, default=0
        Index of the component, from 0.
    values : array of shape (n,), default=(-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
        Values of the component, in standard deviations of the drawn codes from their mean.
    y : label, array of shape (n,) or None, default=None
        Labels with which a conditional model decodes.

    Returns
    -------
    array or data frame of shape (n, ...)
        Decoded rows, in the container of the rows of ``fit``.

    Raises
    ------
    ValueError
        If there is no such component, or X is more than one row.

    References
    ----------
    Higgins et al., beta-VAE: learning basic visual concepts with a constrained variational framework, ICLR 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.latent import traverse
    >>> X = load_digits().data
    >>> model = zoo.vae(4, max_epochs=1, random_state=0).fit(X)
    >>> traverse(model, X[0], component=2, values=[-2, 0, 2]).shape
    (3, 64)
    """
    center, deviation = code_moments(model)
    if component not in range(len(center)):
        raise ValueError(f"component must be from 0 to {len(center) - 1}, got {component!r}")
    values = np.asarray(values, dtype=float)
    codes = np.tile(center if X is None else encode_row(model, X, "X"), (len(values), 1))
    codes[:, component] = center[component] + values * deviation[component]
    return decode(model, codes, y)


def _slerp(start: Values, end: Values, steps: Values) -> Values:
    """Interpolate spherically; linearly if the vectors are parallel."""
    cosine = start @ end / max(float(np.linalg.norm(start) * np.linalg.norm(end)), 1e-30)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.sin(angle) < 1e-6:
        return start + steps * (end - start)
    return (np.sin((1 - steps) * angle) * start + np.sin(steps * angle) * end) / np.sin(angle)
