"""The estimator that fills gaps of series."""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus.autoencoder import Autoencoder
from isthmus.backbones import MLP
from isthmus.corruptions import HiddenChannels
from isthmus.data import Windows
from isthmus.data.series.series import interpolate
from isthmus.data.series.windows import check_channels
from isthmus.errors import require_type
from isthmus.formatting import pluralize
from isthmus.gap_filling.containers import fill_container, holds_many_series, join_series
from isthmus.gap_filling.gaps import (
    Gaps,
    find_enclosed,
    interpolate_linearly,
    make_context,
    measure_gaps,
    sample_gaps,
    starts_with_missing,
)
from isthmus.likelihoods import Gaussian
from isthmus.part import Configurable, is_count
from isthmus.randomness import seed_of

Values = np.ndarray[Any, Any]

# Default number of steps of a window, largest number of its values, which bounds the time, and smallest number of
# steps. Chosen on NAB and SMD, where windows of 128 steps are not better, see benchmarks/series_gaps.py.
LENGTH, MAX_VALUES, MIN_LENGTH = 64, 1024, 8
# Smallest number of steps of a window: a gap of one step, and known values on both sides of it.
SHORTEST = 3
# Size of the code, hidden units, training steps, and windows per step. They bound the time and are not tuned; the code
# is as large as a window of one channel, because values are to be predicted and not compressed.
N_COMPONENTS, HIDDEN, N_STEPS, BATCH_SIZE = 64, 256, 2500, 128
# Fraction of the windows from which trust is estimated, and number of gaps that each of them gets for this.
HELD_OUT, N_PASSES = 0.1, 8
# Number of windows in one batch of filling. Bounds memory.
CHUNK = 2**12


class SeriesImputer(TransformerMixin, Configurable):
    """Fills gaps of a series from earlier and later values and from other channels.

    An autoencoder of windows learns the differences between hidden values and linear interpolation. A filled value is
    the linear interpolation plus the mean output of the net over all windows with known values on both sides of the
    gap, multiplied by a trust. The trust is estimated on held-out windows for each length of gap, and is 0 where the
    net is no better than linear interpolation. Gaps that are longer than a window, and gaps at the ends of a series,
    are filled by interpolation only.

    Parameters
    ----------
    length : int or "auto", default="auto"
        Number of steps of a window. "auto" is 64, and less for more than 16 channels or short series.
    estimator : Autoencoder or None, default=None
        Net of the windows, whose ``corruption`` and ``random_state`` are replaced. None is a net of one hidden layer
        with 256 units.
    time : str, tuple of str or None, default=None
        Column or columns of a data frame with the times; see ``isthmus.data.Windows``.
    random_state : int, RandomState or None, default=None
        Source of all random numbers.

    Attributes
    ----------
    estimator_ : Autoencoder
    trust_ : ndarray of shape (n_sizes,)
        Factor of the output of the net, in [0, 1], for gaps of 1 step, 2 to 3 steps, 4 to 7 steps, and so on.
    relative_error_ : ndarray of shape (n_sizes,)
        Root mean squared error divided by that of linear interpolation, for the same lengths of gaps, on held-out
        windows.
    length_ : int
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of str
        Only defined if the channels have names.

    References
    ----------
    Moritz and Bartz-Beielstein, imputeTS: time series missing value imputation in R, The R Journal 9, 2017: linear
    interpolation is hard to beat on short gaps. Cao et al., BRITS, NeurIPS 2018, arXiv:1805.10572.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import SeriesImputer
    >>> series = np.sin(np.arange(1200) / 4)
    >>> broken = series.copy()
    >>> broken[600:612] = np.nan
    >>> filled = SeriesImputer(32, random_state=0).fit(broken).impute(broken)
    >>> bool(np.abs(filled - series).max() < 0.3)
    True
    """

    estimator_: Autoencoder
    trust_: Values
    relative_error_: Values
    length_: int

    def __init__(
        self,
        length: int | str = "auto",
        *,
        estimator: Any = None,
        time: str | Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        self.length = length
        self.estimator = estimator
        self.time = time
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the net and estimate the trust.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            A series in order of time, with or without gaps; see ``isthmus.data.Windows``. An array of shape
            (n_series, n_channels, n_timepoints) is many series.
        y : ignored
            Not used; present for pipelines.

        Returns
        -------
        SeriesImputer
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If the length is not valid, the series is too short, or a channel has no value.
        """
        net, gaps = self.prepare_search(X)
        seed = seed_of(self.random_state)
        self.length_ = gaps.windows.length
        self._gaps, self.estimator_ = gaps, net.set_params(random_state=seed).fit(gaps)
        self.trust_, self.relative_error_ = self._measure_trust(gaps, seed)
        self.n_features_in_ = len(gaps.scale)
        if gaps.windows.channels:
            self.feature_names_in_ = np.array(gaps.windows.channels, dtype=object)
        return self

    def prepare_search(self, X: Any) -> tuple[Autoencoder, Gaps]:
        """Return the net that ``fit`` trains, and windows with gaps on which its parameters can be searched.

        Parameters
        ----------
        X : array, tensor or data frame
            As in ``fit``.

        Returns
        -------
        estimator : Autoencoder
            The net, not fitted.
        gaps : Gaps
            The windows as rows.
        """
        if not (self.length == "auto" or (is_count(self.length) and int(self.length) >= SHORTEST)):
            raise ValueError(f'length must be "auto" or an integer >= {SHORTEST}, got {self.length!r}')
        require_type("estimator", self.estimator, Autoencoder | None, "an Autoencoder or None")
        windows = Windows(join_series(X, LENGTH if self.length == "auto" else int(self.length)), 1, time=self.time)
        length = self._choose_length(windows, X)
        check_channels(windows)
        gaps = Gaps(windows.cut(length), _scale_of(windows.series.values))
        net = _default_net(gaps) if self.estimator is None else clone(self.estimator)
        return net.set_params(corruption=HiddenChannels(len(gaps.scale)), random_state=None), gaps

    def transform(self, X: Any) -> Any:
        """Fill missing values as ``impute`` does; for pipelines.

        Parameters
        ----------
        X : array, tensor or data frame
            As in ``fit``.

        Returns
        -------
        ndarray or data frame, like X
            The series without gaps.
        """
        return self.impute(X)

    def impute(self, X: Any) -> Any:
        """Fill missing values; known values do not change.

        Parameters
        ----------
        X : array, tensor or data frame
            As in ``fit``. Rows for missing time points are not added.

        Returns
        -------
        ndarray or data frame, like X
            The series without gaps.
        """
        check_is_fitted(self)
        windows = self._gaps.windows.like(join_series(X, self.length_))
        filled = self._fill(windows)
        series = windows.series
        points = interpolate(series.points, np.arange(filled.shape[1]), filled.T)
        return fill_container(X, points, windows.channels)

    # Helpers

    def _choose_length(self, windows: Windows, X: Any) -> int:
        if self.length != "auto":
            return int(self.length)
        n_points, share = (np.shape(X)[2], 1) if holds_many_series(X) else (windows.n_steps, 4)
        if n_points < SHORTEST * share:
            raise ValueError(
                f"the series has {pluralize(n_points, 'time point')}, expected at least {SHORTEST * share}"
            )
        return min(LENGTH, max(MIN_LENGTH, MAX_VALUES // windows.schema.shape[0]), n_points // share)

    def _measure_trust(self, gaps: Gaps, seed: int) -> tuple[Values, Values]:
        """Regress hidden differences on the output of the net, by length of gap; return slopes and relative errors."""
        n_held_out = max(1, round(HELD_OUT * len(gaps)))
        held_out = gaps.take(np.arange(len(gaps) - n_held_out, len(gaps)))
        n_sizes = int(math.log2(max(1, (self.length_ - 1) // 2))) + 1
        moments = np.zeros((3, n_sizes))
        generator = torch.Generator().manual_seed(seed)
        for _ in range(N_PASSES):
            for batch in held_out.windows.batches(CHUNK):
                hidden = sample_gaps(batch.x, generator)
                sample = gaps.sample(batch.x, hidden)
                target = sample[:, len(gaps.scale) * 2 :].numpy()
                sizes = np.log2(hidden.sum(-1).clamp(min=1).numpy()).astype(int).clip(0, n_sizes - 1)
                output = self._predict(sample)
                known = ~np.isnan(target)
                at = np.broadcast_to(sizes[..., None], target.shape)[known]
                terms = [target * output, output**2, target**2]
                moments += [np.bincount(at, values[known], n_sizes) for values in terms]
        products, squares, total = moments
        trust = np.clip(products / np.where(squares > 0, squares, 1.0), 0.0, 1.0)
        error = total - 2 * trust * products + trust**2 * squares
        return trust, np.sqrt(np.maximum(error, 0.0) / np.where(total > 0, total, 1.0))

    def _predict(self, sample: Tensor) -> Values:
        """Predict the differences from linear interpolation, (n_windows, n_channels, length) in units of the scale."""
        n_context = 2 * len(self._gaps.scale)
        masked = sample.clone()
        masked[:, n_context:] = torch.nan
        return np.asarray(self.estimator_.reconstruct(masked.numpy())[:, n_context:], dtype=np.float64)

    def _fill(self, windows: Windows) -> Values:
        """Fill a series with regular steps, (n_channels, n_steps)."""
        values = windows.series.values
        sums, weights = np.zeros(values.shape), np.zeros(values.shape)
        # Weights of the steps of a window: predictions in the middle have more context.
        centrality = np.minimum(np.arange(1, self.length_ + 1), np.arange(self.length_, 0, -1)) ** 2.0
        starts = windows.starts
        incomplete = np.flatnonzero(starts_with_missing(values, self.length_)[starts])
        for chunk in np.array_split(incomplete, math.ceil(len(incomplete) / CHUNK)) if len(incomplete) else []:
            x = next(windows.take(chunk).batches(len(chunk))).x
            context, missing, _ = make_context(x, self._gaps.scale)
            output = self._predict(torch.cat([context, missing, torch.full_like(x, torch.nan)], 1).float())
            weight = find_enclosed(x).numpy() * centrality
            at = starts[chunk][:, None] + np.arange(self.length_)
            for channel in range(len(values)):
                np.add.at(sums[channel], at, (output * weight)[:, channel])
                np.add.at(weights[channel], at, weight[:, channel])
        is_missing = values.isnan().numpy()
        sizes = np.log2(measure_gaps(is_missing)).astype(int).clip(0, len(self.trust_) - 1)
        added = self.trust_[sizes] * sums / np.where(weights > 0, weights, 1.0) * self._gaps.scale.numpy()
        line = interpolate_linearly(values.double()).numpy()
        return np.where(is_missing, line + added, values.double().numpy())


def _default_net(gaps: Gaps) -> Autoencoder:
    """Make the default net, which learns the differences from linear interpolation."""
    return Autoencoder(
        N_COMPONENTS,
        backbone=MLP((HIDDEN,)),
        likelihood=Gaussian(),
        batch_size=BATCH_SIZE,
        # A step takes at most all windows.
        max_epochs=math.ceil(N_STEPS * min(1.0, BATCH_SIZE / len(gaps))),
    )


def _scale_of(values: Tensor) -> Tensor:
    """Return the standard deviation of each channel, (n_channels, 1); 1 for constant channels."""
    deviation = torch.from_numpy(np.nanstd(values.double().numpy(), 1, keepdims=True))
    return torch.where(deviation > 0, deviation, 1.0).to(values.dtype)
