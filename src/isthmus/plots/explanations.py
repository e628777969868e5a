"""Explanations of anomalous rows."""

from typing import Any

import numpy as np

from isthmus.anomaly import Explanation
from isthmus.errors import InputTypeError
from isthmus.formatting import format_shape
from isthmus.plots.inputs import as_batch, check_model, count_rows, first_rows, reconstruct, score, take_row
from isthmus.plots.samples import make_samples, reshape_images
from isthmus.plots.style import PALETTE, Axes, new_axes

Values = np.ndarray[Any, Any]

# Number of features that are shown.
N_SHOWN = 8
# Rows from which it is inferred whether rows are flattened images.
N_INSPECTED = 100


def explain(
    model: Any, X: Any = None, *, row: int | None = None, shape: tuple[int, ...] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Plot which values make a row anomalous: bars for features of a table, a heat map for a window or an image.

    Parameters
    ----------
    model : AnomalyDetector, Autoencoder, BaggedAutoencoders, or Explanation
        A fitted model, or the result of ``AnomalyDetector.explain``.
    X : array, data frame or Source of shape (n_samples, ...), one row, or None, default=None
        Rows, of which one is explained; None if an explanation is given.
    row : int or None, default=None
        Index of the row; None is the row with the lowest score.
    shape : tuple of int or None, default=None
        (height, width) of rows that are flattened images. None infers it from the model and the rows.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    TypeError
        If the model has no contributions and is not a detector.
    ValueError
        If there is no such row, or rows have more than three axes.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly import Explanation
    >>> from isthmus.plots import explain
    >>> from matplotlib.figure import Figure
    >>> x, zero, one = np.array([[9.1e6, 2.0]]), np.zeros((1, 2)), np.ones((1, 2))
    >>> addends = np.array([[-9.0, -1.0, 0.0, 3.0]])
    >>> explanation = Explanation(
    ...     addends.sum(1), addends, x, zero, zero, one, np.array([[0]]), [x], ("bytes_out", "hour")
    ... )
    >>> ax = explain(explanation, ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['bytes_out', 'hour']
    """
    explanation, row = _explanation_of(model, X, row)
    flat, shape = explanation.by_value[row], shape or _flattened_shape(model, X) or explanation.shape
    if len(shape) > 3:
        raise ValueError(f"rows of {format_shape(shape)} cannot be plotted; at most three axes can")
    if len(shape) == 1:
        return _bars(explanation, row, ax)
    values = -flat
    if flat.ndim == 1:
        return _image(reshape_images(values[None], shape, "X")[0], ax)
    return _window(values, ax) if flat.ndim == 2 else _image(values.sum(0), ax)


def _explanation_of(model: Any, X: Any, row: int | None) -> tuple[Any, int]:
    """Return an explanation, and the index of the row in it."""
    if X is None:
        scores = getattr(model, "scores", None)
        if scores is None:
            raise InputTypeError(f"plots.explain takes a model and rows, or an explanation, got {type(model).__name__}")
        return model, _checked(int(np.argmin(scores)) if row is None else row, len(scores))
    check_model(model, "explain")
    rows = as_batch(model, X)
    row = _checked(int(np.argmin(score(model, rows))) if row is None else row, count_rows(rows))
    if getattr(model, "explain", None) is not None:
        return model.explain(take_row(rows, row)), 0
    if getattr(model, "contributions", None) is None:
        raise InputTypeError(
            f"plots.explain needs a detector or a model with contributions, got {type(model).__name__}"
        )
    return _explain_by_contributions(model, take_row(rows, row)), 0


def _explain_by_contributions(model: Any, X: Any) -> Explanation:
    """Explain one row by the contributions of its values; there are no limits and no similar rows."""
    rows = first_rows(model, X, 1)
    numbers, schema = rows.values.numpy(), rows.schema
    addends = np.asarray(model.contributions(rows), dtype=float)
    names = tuple(field.name for field in schema.used) or tuple(schema.column(i) for i in range(numbers.size))
    unknown = np.full_like(numbers, np.nan, dtype=float)
    expected = reconstruct(model, rows).reshape(numbers.shape)
    return Explanation(addends.sum(1), addends, numbers, expected, unknown, unknown, np.empty((1, 0), int), [], names)


def _flattened_shape(model: Any, X: Any) -> tuple[int, ...] | None:
    """Return the shape of rows that are flattened images; None for other rows."""
    if X is None:
        return None
    numbers = first_rows(model, X, N_INSPECTED).values.numpy()
    samples = make_samples(model, numbers, None) if numbers.ndim == 2 else None
    return samples.values.shape[1:] if samples is not None and samples.are_images else None


def _checked(row: int, n_rows: int) -> int:
    if not 0 <= row < n_rows:
        raise ValueError(f"row must be from 0 to {n_rows - 1}, got {row}")
    return row


def _bars(explanation: Any, row: int, ax: "Axes | None") -> "Axes":
    reasons = explanation.reasons(row, N_SHOWN)
    ax = new_axes(ax, 6.5, 0.8 + 0.4 * len(reasons))
    places = range(len(reasons))
    shares = [100 * reason.share for reason in reasons]
    ax.barh(places, shares, height=0.6, color=PALETTE[1])
    for place, share, reason in zip(places, shares, reasons, strict=True):
        what = f"{reason.value}, expected {reason.expected}" if reason.value else ""
        ax.annotate(what, (share, place), (5, 0), textcoords="offset points", va="center")
    ax.set_yticks(places, [reason.feature for reason in reasons])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    # Space for the text next to the longest bar.
    ax.set_xlim(0, 2.0 * max(shares, default=1))
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= 100])
    ax.set(xlabel="% of the score")
    return ax


def _window(values: Values, ax: "Axes | None") -> "Axes":
    n_channels = len(values)
    ax = new_axes(ax, 6.5, 1.4 + 0.25 * min(n_channels, 20))
    _heat(ax, values, aspect="auto")
    ax.set(xlabel="time step", ylabel="channel")
    ax.locator_params("y", integer=True, nbins=min(n_channels, 8))
    return ax


def _image(values: Values, ax: "Axes | None") -> "Axes":
    ax = new_axes(ax, 4.2, 3.5)
    _heat(ax, values, aspect="equal")
    ax.set(xticks=[], yticks=[])
    return ax


def _heat(ax: "Axes", values: Values, aspect: Any) -> None:
    """Draw values that make a row less normal in red, and values that make it more normal in blue."""
    largest = float(np.abs(values).max()) or 1.0
    picture = ax.imshow(
        values, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect=aspect, interpolation="nearest", origin="upper"
    )
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(picture, ax=ax, label="less normal by")
