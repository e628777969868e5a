"""Components of a code that are used, and projections of codes to the plane."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_array

from isthmus.latent.codes import Values, check_model

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

METHODS = ("pca", "tsne", "umap", "opentsne")


def active_units(model: "Autoencoder", X: Any, threshold: float = 0.01) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which components of the code are used: those whose mean varies between rows.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    X : array or data frame of shape (n_samples, ...)
        Rows to encode.
    threshold : float, default=0.01
        Variance of the code over the rows above which a component is active; that of the prior is 1.

    Returns
    -------
    ndarray of bool of shape (n_components,)
        True for components that are used.

    References
    ----------
    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, ICLR 2016, arXiv:1509.00519.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.latent import active_units
    >>> X = load_digits().data
    >>> active_units(zoo.vae(3, max_epochs=10, random_state=0).fit(X), X)
    array([ True,  True,  True])
    """
    check_model(model)
    active: np.ndarray[Any, np.dtype[np.bool_]] = model.transform(X).var(0) > threshold
    return active


def map2d(codes: Any, method: str = "pca", *, random_state: int | None = None, **options: Any) -> Values:
    """Project codes to the plane; ``isthmus.plots.code_map`` draws them.

    Parameters
    ----------
    codes : array of shape (n_samples, n_components)
        Codes, such as those of ``Autoencoder.transform``.
    method : {"pca", "tsne", "umap", "opentsne"}, default="pca"
        PCA preserves large distances [1], t-SNE preserves neighborhoods [2]; both use scikit-learn. UMAP [3] and
        openTSNE, which is faster for many rows [4], are extras: ``pip install 'isthmus[maps]'``.
    random_state : int or None, default=None
        Seed of the methods that start at random.
    **options
        Parameters of scikit-learn's ``PCA`` or ``TSNE``, of ``umap.UMAP`` or of ``openTSNE.TSNE``.

    Returns
    -------
    ndarray of shape (n_samples, 2)
        Coordinates in the plane.

    Raises
    ------
    ValueError
        If the method is unknown, or the codes have only one component.
    ImportError
        If the method is an extra that is not installed.

    References
    ----------
    [1] Pearson, On lines and planes of closest fit, 1901.
    [2] van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 9, 2008.
    [3] McInnes, Healy and Melville, UMAP, 2018, arXiv:1802.03426.
    [4] Policar, Strazar and Zupan, openTSNE, JSS 109, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.latent import map2d
    >>> map2d(np.random.default_rng(0).normal(size=(50, 5))).shape
    (50, 2)
    """
    codes = check_array(codes)
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    if codes.shape[1] < 2:
        raise ValueError("codes have 1 component; a map needs at least 2")
    options = {"n_components": 2, "random_state": random_state, **options}
    if method == "opentsne":
        return np.asarray(_extra("openTSNE", "openTSNE").TSNE(**options).fit(codes))
    if method == "umap":
        return np.asarray(_extra("umap", "umap-learn").UMAP(**options).fit_transform(codes))
    return np.asarray((PCA if method == "pca" else TSNE)(**options).fit_transform(codes))


def _extra(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"this map needs {package}: pip install 'isthmus[maps]'") from error
