"""What nets say of windows, on one scale and at time points."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.window_views import View
from isthmus.data import Array, Windows

Values = np.ndarray[Any, Any]

# Share of the held-out windows that score -1 or less.
TAIL = 0.01
# Windows that are scored together: their contributions take a few hundred numbers each.
CHUNK = 2**13
# Share of its steps that a channel may lack in a window to be scored there.
MOST_MISSING = 0.5
# Times that missing values are expected anew from the values around them.
N_FILLS = 20


@dataclass(frozen=True)
class Judge:
    """What an ensemble says of the windows of one view, on the scale of windows that its nets have not seen.

    Parameters
    ----------
    estimator : BaggedAutoencoders
    view : View
        Of the training series.
    usual : float
        Median of what windows that are held out score, less what is expected of their values, if all are known.
    unit : float
        How far below it the oddest in a hundred score.
    held_out : ndarray of shape (n_timepoints,)
    """

    estimator: BaggedAutoencoders
    view: View
    usual: float
    unit: float
    held_out: Values

    @classmethod
    def fit(cls, estimator: BaggedAutoencoders, view: View) -> "Judge":
        """Train on the windows of a view."""
        estimator.fit(view)
        # Without holes, what is expected of all values of a window is the same for each.
        some = view if estimator.schema_.missing else view.take(np.arange(1))
        expected = np.concatenate([np.asarray(estimator.contributions(part))[:, -1] for part in in_parts(some)])
        held_out = estimator.held_out_scores_ - expected
        known = np.concatenate([known_share(rows_of(part)) for part in in_parts(some)])
        usual = float(np.median(held_out / np.where(known > 0, known, 1.0)))
        lack = held_out - usual * known
        odd = float(np.quantile(lack, TAIL))
        unit = -odd if odd < 0 else 1.0
        return cls(estimator, view, usual, unit, view.windows.spread(lack / unit))

    def contributions(self, windows: Windows) -> Values:
        """Give each time point what its channels say, and the rest (n_timepoints, n_channels + 1).

        A point has the mean over the windows that hold it and have values enough, and 0 if there are none.
        """
        view = self.view.like(windows)
        scored = np.concatenate([self._addends(part) for part in in_parts(view)])
        sums = [view.windows.spread(column) for column in scored.T]
        return np.column_stack(sums[:-1]) / np.where(sums[-1] > 0, sums[-1], 1.0)[:, None] / self.unit

    def _addends(self, view: View) -> Values:
        """Take the scores of some windows apart, (n_windows, n_channels + 2); last, whether they have values enough."""
        x = without_poor_channels(rows_of(view))
        addends = np.asarray(self.estimator.contributions(Array(view.look(self._complete(x)), view.schema)))
        values = np.where(x.isnan().numpy(), 0.0, addends[:, :-2].reshape(x.shape))
        known = known_share(x)
        scored = np.column_stack([values.sum(-1), addends[:, -2] - self.usual * known, np.ones(len(x))])
        return scored * (known > 0)[:, None]

    def _complete(self, x: Tensor) -> Tensor:
        """Put what the nets expect in the place of missing values.

        Nets that have seen few holes, or none, are sure of themselves on complete windows alone. Each pass starts from
        the one before, so that a channel without values comes to agree with the others.
        """
        missing = x.isnan()
        rows = missing.flatten(1).any(1)
        if not rows.any():
            return x
        holes, some = missing[rows], torch.where(missing, self.view.typical(x), x)[rows]
        for _ in range(N_FILLS):
            rebuilt = self.estimator.reconstruct(Array(self.view.look(some), self.view.schema))
            some = torch.where(holes, self.view.look_back(torch.as_tensor(rebuilt, dtype=x.dtype), some), some)
        return x.index_put((rows,), some)


def in_parts(view: View) -> Iterator[View]:
    """Take windows some at a time."""
    n_parts = math.ceil(len(view) / CHUNK)
    return (view.take(index) for index in np.array_split(np.arange(len(view)), n_parts))


def rows_of(view: View) -> Tensor:
    """Return the windows of a view in their own units, as one tensor (n_windows, n_channels, n_steps)."""
    return next(view.coarse_batches(len(view))).x


def without_poor_channels(x: Tensor) -> Tensor:
    """Leave out of each window the channels of which too little is known to expect the rest."""
    poor = x.isnan().float().mean(-1, keepdim=True) > MOST_MISSING
    return x.masked_fill(poor, torch.nan)


def known_share(x: Tensor) -> Values:
    """Share of the values of each window that is not missing, (n_windows,)."""
    return 1 - x.isnan().flatten(1).double().mean(1).numpy()
