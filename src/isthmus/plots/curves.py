"""Histograms of scores, training curves, and errors of codes of every size."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from isthmus.latent import CodeSizes, suggest_n_components
from isthmus.plots.inputs import check_model, get_labels, score, split_labels, unwrap
from isthmus.plots.style import PALETTE, Axes, class_styles, new_axes, shorten


def histogram(model: Any, X: Any = None, y: Any = None, *, name: str = "", ax: "Axes | None" = None) -> "Axes":
    """Plot histograms of scores or other values: the share of rows in each bin, for each class.

    Parameters
    ----------
    model : fitted estimator with ``score_samples``, or array of values of shape (n_samples,)
        For a detector, the threshold is shown too.
    X : array, data frame or Source of shape (n_samples, ...), or None, default=None
        Rows to score. If values are given instead of a model: their classes.
    y : array of shape (n_samples,), name of a column of X, or None, default=None
        Classes.
    name : str, default=""
        Name of the values; by default "score" for a model.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If the model has no scores, or labels have too many classes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from isthmus.plots import histogram
    >>> ax = histogram([-3.0, 0.1, 0.3], ["odd", "normal", "normal"], ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['normal', 'odd']
    """
    if isinstance(model, BaseEstimator):
        check_is_fitted(model)
        X, y = split_labels(model, X, y)
        values, name = score(model, X), name or "score"
    else:
        values, y = np.asarray(model, dtype=float), X if y is None else y
    check_consistent_length(values, y)
    labels = get_labels(X, y, len(values))
    classes = [None] if labels is None else np.unique(labels).tolist()
    ax = new_axes(ax, 5.5, 3.0)
    edges = np.histogram_bin_edges(values[np.isfinite(values)], 40)
    for level, (_, colour) in zip(classes, class_styles(len(classes)), strict=True):
        some, label = (values, None) if labels is None else (values[labels == level], str(level))
        weights = np.full(len(some), 1 / len(some))
        ax.hist(some, list(edges), weights=weights, color=colour, alpha=0.6, label=label)
    ax.set(xlabel=name, ylabel="share of rows")
    threshold = getattr(model, "offset_", None)
    if threshold is not None:
        ax.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
    if len(classes) > 1 or threshold is not None:
        handles, names = ax.get_legend_handles_labels()
        names = [shorten(name) for name in names]
        # Outside the axes: finding the best place inside is slow for many bars.
        ax.legend(handles, names, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return ax


def history(model: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Show the bound by epoch, on training and on validation rows, and the epoch whose weights were kept.

    Parameters
    ----------
    model : Autoencoder, BaggedAutoencoders, or a detector built on one
        Fitted.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    ValueError
        If the model has no training history.

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
    check_model(model, "history")
    rows = getattr(unwrap(model), "history_", None)
    if not rows:
        raise ValueError(f"{type(unwrap(model)).__name__} has no training history")
    epochs = [row["epoch"] for row in rows]
    ax = new_axes(ax, 5.5, 3.0)
    ax.plot(epochs, [row["negative_bound"] for row in rows], color=PALETTE[0], label="training")
    if "valid_negative_bound" in rows[0]:
        bounds = [row["valid_negative_bound"] for row in rows]
        best = int(np.nanargmin(bounds))
        ax.plot(epochs, bounds, color=PALETTE[6], label="validation")
        ax.plot(epochs[best], bounds[best], "o", color=PALETTE[6], label="kept")
    ax.set(xlabel="epoch", ylabel="loss bound (nats a sample)")
    ax.locator_params("x", integer=True)
    ax.legend(frameon=False)
    return ax


def code_sizes(found: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the error of codes of every size, the suggested size, and its interval.

    Parameters
    ----------
    found : CodeSizes, or array, data frame or Source of shape (n_samples, ...)
        Result of ``isthmus.latent.suggest_n_components``, or rows to call it with.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from isthmus.latent import CodeSizes
    >>> from isthmus.plots import code_sizes
    >>> errors = np.array([0.5, 0.08, 0.06])
    >>> found = CodeSizes(2, (2, 2), np.array([1, 2, 3]), errors, errors / 10, errors / [0.75, 0.5, 0.25])
    >>> ax = code_sizes(found, ax=Figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['error by free direction', 'suggested', 'error']
    """
    from matplotlib.ticker import LogLocator

    found = found if isinstance(found, CodeSizes) else suggest_n_components(found, random_state=0)
    ax = new_axes(ax, 5.5, 3.0)
    low, high = found.interval
    ax.axvspan(low - 0.5, high + 0.5, color="gray", alpha=0.2, linewidth=0)
    ax.errorbar(found.sizes, found.errors, 2 * found.standard_errors, color=PALETTE[6], elinewidth=1, label="error")
    ax.plot(found.sizes, found.noise, color=PALETTE[1], label="error by free direction")
    suggested = found.n_components - 1
    ax.plot(found.n_components, found.noise[suggested], "o", color=PALETTE[1], label="suggested")
    ax.set(xlabel="components", ylabel="mean squared error", yscale="log")
    # 0.2 instead of 2 x 10^-1
    ax.yaxis.set(major_formatter="{x:g}", minor_locator=LogLocator(subs=(2, 5)), minor_formatter="{x:g}")
    ax.locator_params("x", integer=True)
    ax.legend(frameon=False)
    return ax
