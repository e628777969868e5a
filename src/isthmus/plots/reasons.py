"""Why a row is odd."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.plots.base import PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = np.ndarray[Any, Any]

# Features that are shown.
N_SHOWN = 8


def explain(explanation: Any, row: int = 0, ax: "Axes | None" = None) -> "Axes":
    """Show which values make a row odd: bars of a table's features, a heat map of a window or an image.

    Parameters
    ----------
    explanation : Explanation
        What ``AnomalyDetector.explain`` returned.
    row : int, default=0
        Which of its rows.
    ax : Axes or None, default=None

    Raises
    ------
    ValueError
        If there is no such row, or rows have more than three axes.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.detector import Explanation
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
    n_rows, shape = len(explanation), explanation.shape
    if not 0 <= row < n_rows:
        raise ValueError(f"row must be from 0 to {n_rows - 1}, got {row}")
    if len(shape) > 3:
        raise ValueError(f"rows of shape {shape} have no picture; at most three axes do")
    if len(shape) == 1:
        return _bars(explanation, row, ax)
    values = -explanation.by_value[row]
    return _window(values, ax) if len(shape) == 2 else _image(values.sum(0), ax)


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
    # Room beside the longest bar for what is written there.
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
    """Draw what makes a row less normal in red, what makes it more so in blue."""
    largest = float(np.abs(values).max()) or 1.0
    picture = ax.imshow(
        values, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect=aspect, interpolation="nearest", origin="upper"
    )
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(picture, ax=ax, label="less normal by")
