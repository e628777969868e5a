"""Scores of windows by an ensemble, on a common scale, and their means at each time point."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.window_views import View, steps_per_average
from isthmus.data import Array, Windows

Values = np.ndarray[Any, Any]

# This quantile of the held-out windows has the score -1.
TAIL = 0.01
# Windows that are scored at once; the contributions of a window are a few hundred numbers.
CHUNK = 2**13
# A channel with a larger share of missing steps in a window is not scored in that window. Not tuned.
MAX_MISSING = 0.5
# Iterations of the reconstruction of missing values. Not tuned.
N_ITERATIONS = 20


@dataclass(frozen=True)
class WindowScorer:
    """Scores windows of one view, on the scale of held-out training windows.

    The reference score of a window is ``center`` times its share of known values, since scores are sums over known
    values.

    Parameters
    ----------
    estimator : BaggedAutoencoders
    view : View
        Of the training series.
    center : float
        Median score of held-out windows without missing values, minus the constants of ``contributions``.
    scale : float
        Distance from ``center`` down to the 1 % quantile.
    held_out : ndarray of shape (n_timepoints,)
        Scores of the time points of the training series.
    """

    estimator: BaggedAutoencoders
    view: View
    center: float
    scale: float
    held_out: Values

    @classmethod
    def fit(cls, estimator: BaggedAutoencoders, view: View) -> "WindowScorer":
        """Train an ensemble on the windows of a view."""
        estimator.fit(view)
        # Without missing values the constants of all windows are the same.
        sample = view if estimator.schema_.missing else view.take(np.arange(1))
        constants = np.concatenate([np.asarray(estimator.contributions(chunk))[:, -1] for chunk in _chunks(sample)])
        scores = estimator.held_out_scores_ - constants
        known = np.concatenate([_known_share(_read(chunk)) for chunk in _chunks(view)])
        center = float(np.median(scores / np.where(known > 0, known, 1.0)))
        centred = scores - center * known
        low = float(np.quantile(centred, TAIL))
        scale = -low if low < 0 else 1.0
        return cls(estimator, view, center, scale, view.windows.spread(centred / scale))

    def contributions(self, windows: Windows) -> Values:
        """Return the contributions of channels and constants to each time point, (n_timepoints, n_channels + 1).

        They are means over the windows that contain the point and have enough known values; 0 if there are none.
        """
        view = self.view.like(windows)
        scored = np.concatenate([self._addends(chunk) for chunk in _chunks(view)])
        sums = [view.windows.spread(column) for column in scored.T]
        return np.column_stack(sums[:-1]) / np.where(sums[-1] > 0, sums[-1], 1.0)[:, None] / self.scale

    def step_contributions(self, windows: Windows) -> Values:
        """Return the mean contribution of each value itself to the windows that contain it, (n_timepoints, n_channels).

        0 is its mean over the training windows.
        """
        view = self.view.like(windows)
        length = view.windows.length
        steps = np.minimum(np.arange(length) // steps_per_average(length), view.schema.shape[-1] - 1)
        chunks = ((chunk.windows, self._contribute(chunk)[1][..., steps]) for chunk in _chunks(view))
        return view.windows.spread_chunks(chunks, view.schema.shape[:1]) / self.scale

    def _addends(self, view: View) -> Values:
        """Return addends of channels and constants, and 1 if a window has known values, (n_windows, n_channels + 2)."""
        known, values, code = self._contribute(view)
        scored = np.column_stack([values.sum(-1), code - self.center * known, np.ones(len(known))])
        return scored * (known > 0)[:, None]

    def _contribute(self, view: View) -> tuple[Values, Values, Values]:
        """Return the share of known values of each window, the contributions of its values, and that of its code.

        Contributions of values have the shape (n_windows, n_channels, n_steps), and are 0 for missing values.
        """
        x = _hide_poor_channels(_read(view))
        addends = np.asarray(self.estimator.contributions(Array(view.transform(self._complete(x)), view.schema)))
        values = np.where(x.isnan().numpy(), 0.0, addends[:, :-2].reshape(x.shape))
        return _known_share(x), values, addends[:, -2]

    def _complete(self, x: Tensor) -> Tensor:
        """Replace missing values by their reconstructions.

        Nets that were trained with few or no missing values are reliable on complete windows only. Each iteration
        starts from the previous one, so that a channel without values becomes consistent with the others.
        """
        missing = x.isnan()
        rows = missing.flatten(1).any(1)
        if not rows.any():
            return x
        is_missing, filled = missing[rows], torch.where(missing, self.view.typical(x), x)[rows]
        for _ in range(N_ITERATIONS):
            rebuilt = self.estimator.reconstruct(Array(self.view.transform(filled), self.view.schema))
            values = self.view.inverse_transform(torch.as_tensor(rebuilt, dtype=x.dtype), filled)
            filled = torch.where(is_missing, values, filled)
        return x.index_put((rows,), filled)


def _chunks(view: View) -> Iterator[View]:
    """Split windows into chunks of at most ``CHUNK``."""
    n_chunks = math.ceil(len(view) / CHUNK)
    return (view.take(index) for index in np.array_split(np.arange(len(view)), n_chunks))


def _read(view: View) -> Tensor:
    """Return the averaged windows of a view in their own units, (n_windows, n_channels, n_steps)."""
    return next(view.averaged_batches(len(view))).x


def _hide_poor_channels(x: Tensor) -> Tensor:
    """Set channels to missing in windows in which too few of their values are known to predict the others."""
    poor = x.isnan().float().mean(-1, keepdim=True) > MAX_MISSING
    return x.masked_fill(poor, torch.nan)


def _known_share(x: Tensor) -> Values:
    """Return the share of known values of each window, (n_windows,)."""
    return 1 - x.isnan().flatten(1).double().mean(1).numpy()
