"""Directions in the latent space."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.latent.codes import Values, check_model, decode

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder


def concept_vector(model: "Autoencoder", positive: Any, negative: Any) -> Values:
    """Return the direction from rows without a concept to rows with it: the difference of their mean codes.

    The direction also contains all other differences between the two sets: choose rows that differ in the concept only,
    or balance the sets.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    positive, negative : array or data frame of shape (n_samples, ...)
        Rows with the concept, and rows without.

    Returns
    -------
    ndarray of shape (n_components,)
        The direction, whose length is the distance of the means.

    References
    ----------
    Larsen et al., Autoencoding beyond pixels using a learned similarity metric, ICML 2016, arXiv:1512.09300.
    White, Sampling generative networks, 2016, arXiv:1609.04468.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.latent import concept_vector, edit
    >>> X, y = load_digits(return_X_y=True)
    >>> model = zoo.vae(8, max_epochs=1, random_state=0).fit(X)
    >>> vector = concept_vector(model, X[y == 8], X[y == 3])
    >>> edit(model, X[y == 3], vector).shape
    (183, 64)
    """
    check_model(model)
    vector: Values = model.transform(positive).mean(0) - model.transform(negative).mean(0)
    return vector


def edit(model: "Autoencoder", X: Any, vector: Any, strength: float = 1.0, *, y: Any = None) -> Any:
    """Move the codes of rows along a direction, and decode them.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    X : array or data frame of shape (n_samples, ...)
        Rows to edit.
    vector : array of shape (n_components,)
        A direction, such as a ``concept_vector``.
    strength : float, default=1.0
        Factor of the vector: 1 adds it once, negative values remove the concept, 0 reconstructs.
    y : label, array of shape (n_samples,) or None, default=None
        Labels with which a conditional model decodes.

    Returns
    -------
    array or data frame of shape (n_samples, ...)
        The edited rows, in the container of the rows of ``fit``.

    Raises
    ------
    ValueError
        If the vector does not have the shape of a code.

    References
    ----------
    Larsen et al., Autoencoding beyond pixels using a learned similarity metric, ICML 2016, arXiv:1512.09300.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.latent import edit
    >>> X = load_digits().data
    >>> model = Autoencoder(4, max_epochs=1, random_state=0).fit(X)
    >>> edit(model, X[:10], [1.0, 0.0, 0.0, 0.0], strength=2.0).shape
    (10, 64)
    """
    check_model(model)
    codes, vector = model.transform(X), np.asarray(vector, dtype=float)
    if vector.shape != codes.shape[1:]:
        raise ValueError(f"vector must have the shape {codes.shape[1:]} of a code, got {vector.shape}")
    return decode(model, codes + strength * vector, y)


def analogy(model: "Autoencoder", a: Any, b: Any, c: Any, *, y: Any = None) -> Any:
    """Complete the analogy "a is to b as c is to ..." by decoding the code c + b - a.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    a, b, c : array or data frame of shape (n_samples, ...)
        Each with the same number of rows, or with one row that is used for all.
    y : label, array of shape (n_samples,) or None, default=None
        Labels with which a conditional model decodes.

    Returns
    -------
    array or data frame of shape (n_samples, ...)
        The completed rows, in the container of the rows of ``fit``.

    Raises
    ------
    ValueError
        If the numbers of rows do not match.

    References
    ----------
    Mikolov, Yih and Zweig, Linguistic regularities in continuous space word representations, NAACL 2013.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.latent import analogy
    >>> X = load_digits().data
    >>> model = Autoencoder(4, max_epochs=1, random_state=0).fit(X)
    >>> analogy(model, X[:1], X[1:2], X[2:7]).shape
    (5, 64)
    """
    check_model(model)
    codes = [model.transform(rows) for rows in (a, b, c)]
    lengths = [len(rows) for rows in codes]
    if len({*lengths} - {1}) > 1:
        raise ValueError(
            f"a, b and c must have the same number of rows, or one row, got {lengths[0]}, {lengths[1]}, {lengths[2]}"
        )
    return decode(model, codes[2] + codes[1] - codes[0], y)
