"""Distributions of scores, the course of a training, and what codes of every size leave."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from isthmus.plots.base import PALETTE, new_axes, styles_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isthmus.autoencoder import Autoencoder
    from isthmus.latent import Sizes


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


def code_sizes(found: "Sizes", ax: "Axes | None" = None) -> "Axes":
    """Show what codes of every size leave unexplained, the size that is suggested, and how sure it is.

    Parameters
    ----------
    found : Sizes
        What ``isthmus.latent.suggest_n_components`` returned.
    ax : Axes or None, default=None

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from isthmus.latent import Sizes
    >>> from isthmus.plots import code_sizes
    >>> errors = np.array([0.5, 0.08, 0.06])
    >>> found = Sizes(2, (2, 2), np.array([1, 2, 3]), errors, errors / 10, errors / [0.75, 0.5, 0.25])
    >>> ax = code_sizes(found, ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['error by free direction', 'suggested', 'error']
    """
    ax = new_axes(ax, 5.5, 3.0)
    low, high = found.interval
    ax.axvspan(low - 0.5, high + 0.5, color="gray", alpha=0.2, linewidth=0)
    ax.errorbar(found.sizes, found.errors, 2 * found.stds, color=PALETTE[6], elinewidth=1, label="error")
    ax.plot(found.sizes, found.noise, color=PALETTE[1], label="error by free direction")
    suggested = found.n_components - 1
    ax.plot(found.n_components, found.noise[suggested], "o", color=PALETTE[1], label="suggested")
    ax.set(xlabel="components", ylabel="mean squared error", yscale="log")
    ax.locator_params("x", integer=True)
    ax.legend(frameon=False)
    return ax
