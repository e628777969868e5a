"""Distributions of scores, and the course of a training."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from isthmus.plots.base import PALETTE, new_axes, styles_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isthmus.autoencoder import Autoencoder


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
    ax = new_axes(ax, 5.5, 3.0)
    edges = np.histogram_bin_edges(values, 40)
    for level, (_, colour) in zip(classes, styles_of(len(classes)), strict=True):
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
    ax = new_axes(ax, 5.5, 3.0)
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
