"""Trials of a search for parameters, and the importance of the parameters."""

from typing import Any

import numpy as np

from isthmus.plots.style import PALETTE, Axes, new_axes


def trials(result: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the score of each trial with its standard error, the best score so far, and that of the default.

    Parameters
    ----------
    result : TuningResult
        Result of ``isthmus.tuning.tune``.
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
    >>> from isthmus.plots import trials
    >>> from isthmus.tuning import Trial, TuningResult
    >>> scores = np.array([1.0, 2.0])
    >>> found = [Trial(i, {}, "complete", 1.0, i + scores) for i in range(3)]
    >>> ax = trials(TuningResult(None, found[0], found, "score", 2.0, (2.0, 2.0), {}), ax=Figure().subplots())
    >>> [line.get_label() for line in ax.lines if line.get_label()[0] != "_"]
    ['best so far', 'default']
    """
    complete = sorted((trial for trial in result.trials if trial.state == "complete"), key=lambda trial: trial.number)
    numbers, scores = [trial.number for trial in complete], [trial.score for trial in complete]
    ax = new_axes(ax, 5.5, 3.0)
    errors = [trial.standard_error for trial in complete]
    ax.errorbar(numbers, scores, errors, fmt="o", color=PALETTE[6], elinewidth=1, markersize=4)
    ax.plot(numbers, np.maximum.accumulate(scores), drawstyle="steps-post", color=PALETTE[0], label="best so far")
    ax.axhline(result.default_score, color="black", linestyle="--", linewidth=1, label="default")
    stopped = [trial.number for trial in result.trials if trial.state != "complete"]
    if stopped:  # near the lower edge, because stopped trials have no score
        at = ax.get_xaxis_transform()
        ax.plot(stopped, np.full(len(stopped), 0.04), "x", color=PALETTE[9], transform=at, label="stopped")
    ax.set(xlabel="trial", ylabel="score (higher is better)")
    ax.locator_params("x", integer=True)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return ax


def importance(result: Any, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the share of the differences between trials that each parameter explains.

    Parameters
    ----------
    result : TuningResult
        Result of ``isthmus.tuning.tune``.
    ax : Axes or None, default=None
        Axes to draw in; None makes a new figure.

    Returns
    -------
    Axes
        The axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from isthmus.plots import importance
    >>> from isthmus.tuning import TuningResult
    >>> shares = {"learning_rate": 0.8, "batch_size": 0.2}
    >>> ax = importance(TuningResult(None, None, [], "score", 0.0, (0.0, 0.0), shares), ax=Figure().subplots())
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['batch_size', 'learning_rate']
    """
    names = sorted(result.importance, key=result.importance.__getitem__)
    ax = new_axes(ax, 5.5, 0.6 + 0.3 * max(1, len(names)))
    ax.barh(names, [result.importance[name] for name in names], color=PALETTE[6])
    ax.set(xlabel="share of the differences between trials")
    return ax
