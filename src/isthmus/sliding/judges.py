"""What nets say of windows, on one scale and at time points."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.data import Windows
from isthmus.ensemble import Ensemble
from isthmus.sliding.views import View

Values = np.ndarray[Any, Any]

# Share of the held-out windows that score -1 or less.
TAIL = 0.01
# Windows that are scored together: their contributions take a few hundred numbers each.
CHUNK = 2**13


@dataclass(frozen=True)
class Judge:
    """What an ensemble says of the windows of one view, on the scale of windows that its nets have not seen.

    Parameters
    ----------
    estimator : Ensemble
    view : View
        Of the training series.
    usual : float
        Median of what windows that are held out score, less what is expected of their values.
    unit : float
        How far below it the oddest in a hundred score.
    held_out : ndarray of shape (n_timepoints,)
    """

    estimator: Ensemble
    view: View
    usual: float
    unit: float
    held_out: Values

    @classmethod
    def fit(cls, estimator: Ensemble, view: View) -> "Judge":
        """Train on the windows of a view."""
        estimator.fit(view)
        # Without holes, what is expected of all values of a window is the same for each.
        some = view if estimator.schema_.missing else view.take(np.arange(1))
        expected = np.concatenate([addends[:, -1] for addends in addends_of(estimator, some)])
        held_out = estimator.held_out_scores_ - expected
        usual, odd = float(np.median(held_out)), float(np.quantile(held_out, TAIL))
        unit = usual - odd if usual > odd else 1.0
        return cls(estimator, view, usual, unit, view.windows.spread((held_out - usual) / unit))

    def contributions(self, windows: Windows) -> Values:
        """Give each time point what its channels say, and the rest (n_timepoints, n_channels + 1)."""
        view = self.view.like(windows)
        n_channels = view.schema.shape[0]
        channels, rest = [], []
        for addends in addends_of(self.estimator, view):
            channels.append(addends[:, :-2].reshape(len(addends), n_channels, -1).sum(-1))
            rest.append(addends[:, -2])
        each = np.column_stack([np.concatenate(channels), np.concatenate(rest) - self.usual]) / self.unit
        return np.column_stack([view.windows.spread(column) for column in each.T])


def addends_of(estimator: Ensemble, view: View) -> Iterator[Values]:
    """Take the scores of windows apart, some at a time."""
    n_chunks = math.ceil(len(view) / CHUNK)
    return (estimator.contributions(view.take(index)) for index in np.array_split(np.arange(len(view)), n_chunks))
