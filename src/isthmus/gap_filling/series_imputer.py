"""The estimator that fills gaps of series from what lies around them in time."""

import math
from collections.abc import Sequence
from typing import Any, Self

import narwhals as nw
import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus.autoencoder import Autoencoder
from isthmus.backbones import MLP
from isthmus.corruptions import HiddenChannels
from isthmus.data import Windows
from isthmus.data.series.series import interpolate
from isthmus.data.series.windows import check_channels
from isthmus.data.tables.cells import find_missing
from isthmus.data.tables.frames import is_frame
from isthmus.data.tables.native_dtypes import make_column_like
from isthmus.gap_filling.gaps import Gaps, bridge, draw_gaps, look
from isthmus.likelihoods import Gaussian
from isthmus.part import is_count
from isthmus.randomness import seed_of

Values = np.ndarray[Any, Any]

# Steps of a window, and values of all channels together: more are slow to learn. Chosen on NAB and SMD, where 128 steps
# filled no gap better; see benchmarks/series_gaps.py.
LENGTH, MAX_VALUES, SHORTEST = 64, 1024, 8
# Size of the code, hidden units, steps of the training and windows of each.
N_COMPONENTS, HIDDEN, N_STEPS, BATCH = 64, 256, 2500, 128
# Share of the windows that tell how far the net is to be trusted, and how often each gets a gap for that.
ASIDE, N_PASSES = 0.1, 8
# Windows that are filled together.
CHUNK = 2**12


class SeriesImputer(TransformerMixin, BaseEstimator):
    """Fills gaps of a series from what lies around them in time and in other channels.

    An autoencoder of windows learns by how much hidden blocks lie off the straight lines between their ends. A filling
    is that line and what the net adds to it, the mean over all windows that hold both ends of the gap. How far the net
    is trusted is measured on windows set aside, for short and for long gaps: where it knows no more than the line, the
    line is what remains. Gaps that no window spans, and those at the ends of a series, are filled by the line alone.

    Parameters
    ----------
    length : int or "auto", default="auto"
        Steps of a window. "auto" is 64, and less for more than 16 channels or short series.
    time : str, tuple of str or None, default=None
        The column of a data frame that holds the times, or several; see ``isthmus.data.Windows``.
    random_state : int, RandomState or None, default=None
        Decides everything random.

    Attributes
    ----------
    estimator_ : Autoencoder
    trust_ : ndarray of shape (n_sizes,)
        By how much the net's additions count in gaps of 1, 2 to 3, 4 to 7 and so on steps, in [0, 1].
    relative_error_ : ndarray of shape (n_sizes,)
        Root mean squared error of fillings of such gaps, as a share of the straight line's, on windows set aside.
    length_ : int
    n_features_in_ : int
        Channels.
    feature_names_in_ : ndarray of str
        Only where the channels had names.

    References
    ----------
    Moritz and Bartz-Beielstein, imputeTS: time series missing value imputation in R, The R Journal 9, 2017: straight
    lines are hard to beat on short gaps. Cao et al., BRITS, NeurIPS 2018, arXiv:1805.10572.

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
        self, length: int | str = "auto", *, time: str | Sequence[str] | None = None, random_state: Any = None
    ) -> None:
        self.length = length
        self.time = time
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn how a series goes on.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            In order of time, with or without gaps; see ``isthmus.data.Windows``. Or an array of many series of shape
            (n_series, n_channels, n_timepoints).
        y : ignored

        Raises
        ------
        ValueError
            If the length is not usable, the series is too short, or a channel has no value.
        """
        if not (self.length == "auto" or is_count(self.length)):
            raise ValueError(f'length must be "auto" or a positive integer, got {self.length!r}')
        rows = _joined(X, LENGTH if self.length == "auto" else int(self.length))
        windows = Windows(rows, 1, time=self.time)
        check_channels(windows)
        self.length_ = self._choose_length(windows, X)
        seed = seed_of(self.random_state)
        gaps = Gaps(windows.cut(self.length_), _scale_of(windows.series.values))
        self._gaps, self.estimator_ = gaps, _net(gaps, seed).fit(gaps)
        self.trust_, self.relative_error_ = self._measure_trust(gaps, seed)
        self.n_features_in_ = windows.schema.shape[0]
        if windows.channels:
            self.feature_names_in_ = np.array(windows.channels, dtype=object)
        return self

    def transform(self, X: Any) -> Any:
        """Fill missing values, as ``impute`` does: for pipelines."""
        return self.impute(X)

    def impute(self, X: Any) -> Any:
        """Fill missing values, and leave all others as they are.

        Parameters
        ----------
        X : array, tensor or data frame
            As of ``fit``. Rows that are missing altogether are not added.

        Returns
        -------
        ndarray or data frame, like X
        """
        check_is_fitted(self)
        windows = self._gaps.windows.like(_joined(X, self.length_))
        filled = self._filled(windows)
        series = windows.series
        points = interpolate(series.points, np.arange(filled.shape[1]), filled.T)
        return _put_in(X, points, windows.channels, self.length_)

    # How

    def _choose_length(self, windows: Windows, X: Any) -> int:
        if self.length != "auto":
            return int(self.length)
        n_steps = np.shape(X)[2] if _holds_many(X) else windows.n_steps // 4
        return max(1, min(LENGTH, max(SHORTEST, MAX_VALUES // windows.schema.shape[0]), n_steps))

    def _measure_trust(self, gaps: Gaps, seed: int) -> tuple[Values, Values]:
        """Regress what was hidden on what the net says of it, by the size of the gap; and return what is left."""
        n_aside = max(1, round(ASIDE * len(gaps)))
        aside = gaps.take(np.arange(len(gaps) - n_aside, len(gaps)))
        n_sizes = int(math.log2(max(1, (self.length_ - 1) // 2))) + 1
        moments = np.zeros((3, n_sizes))
        generator = torch.Generator().manual_seed(seed)
        for _ in range(N_PASSES):
            for batch in aside.windows.batches(CHUNK):
                hidden = draw_gaps(batch.x, generator)
                sample = gaps.sample(batch.x, hidden)
                off = sample[:, len(gaps.scale) * 2 :].numpy()
                sizes = np.log2(hidden.sum(-1).clamp(min=1).numpy()).astype(int).clip(0, n_sizes - 1)
                said = self._additions(sample)
                known = ~np.isnan(off)
                at = np.broadcast_to(sizes[..., None], off.shape)[known]
                pairs = off * said, said**2, off**2
                moments += [np.bincount(at, values[known], n_sizes) for values in pairs]
        products, squares, total = moments
        trust = np.clip(products / np.where(squares > 0, squares, 1.0), 0.0, 1.0)
        left = total - 2 * trust * products + trust**2 * squares
        return trust, np.sqrt(np.maximum(left, 0.0) / np.where(total > 0, total, 1.0))

    def _additions(self, sample: Tensor) -> Values:
        """Return what the net adds to the lines, (n_windows, n_channels, length) in units of the scale."""
        n_known = 2 * len(self._gaps.scale)
        blind = sample.clone()
        blind[:, n_known:] = torch.nan
        return np.asarray(self.estimator_.reconstruct(blind.numpy())[:, n_known:], dtype=np.float64)

    def _filled(self, windows: Windows) -> Values:
        """Fill a series on even steps, (n_channels, n_steps)."""
        values = windows.series.values
        sums, weights = np.zeros(values.shape), np.zeros(values.shape)
        height = np.minimum(np.arange(1, self.length_ + 1), np.arange(self.length_, 0, -1)) ** 2.0
        starts = windows.starts
        broken = np.flatnonzero(_holds_holes(values, self.length_)[starts])
        for some in np.array_split(broken, math.ceil(len(broken) / CHUNK)) if len(broken) else []:
            x = next(windows.take(some).batches(len(some))).x
            context, missing, _ = look(x, self._gaps.scale)
            said = self._additions(torch.cat([context, missing, torch.full_like(x, torch.nan)], 1).float())
            spanned = _spanned(x).numpy() * height
            at = starts[some][:, None] + np.arange(self.length_)
            for channel in range(len(values)):
                np.add.at(sums[channel], at, (said * spanned)[:, channel])
                np.add.at(weights[channel], at, spanned[:, channel])
        sizes = np.log2(_gap_sizes(values.isnan().numpy())).astype(int).clip(0, len(self.trust_) - 1)
        added = self.trust_[sizes] * sums / np.where(weights > 0, weights, 1.0) * self._gaps.scale.numpy()
        line = bridge(values.double()).numpy()
        return np.where(values.isnan().numpy(), line + added, values.double().numpy())


def _net(gaps: Gaps, seed: int) -> Autoencoder:
    """Make the net that learns what lies off the lines."""
    return Autoencoder(
        N_COMPONENTS,
        backbone=MLP((HIDDEN,)),
        likelihood=Gaussian(),
        corruption=HiddenChannels(len(gaps.scale)),
        batch_size=BATCH,
        max_epochs=max(1, math.ceil(N_STEPS * BATCH / len(gaps))),
        random_state=seed,
    )


def _scale_of(values: Tensor) -> Tensor:
    """Return the deviation of each channel, (n_channels, 1); 1 for channels that never vary."""
    deviation = torch.from_numpy(np.nanstd(values.double().numpy(), 1, keepdims=True))
    return torch.where(deviation > 0, deviation, 1.0).to(values.dtype)


def _holds_holes(values: Tensor, length: int) -> Values:
    """Which windows hold a missing value, by their start, (n_steps,)."""
    counts = np.concatenate([[0], np.cumsum(values.isnan().any(0).numpy())])
    ends = np.minimum(np.arange(values.shape[1]) + length, values.shape[1])
    return counts[ends] > counts[:-1]


def _spanned(x: Tensor) -> Tensor:
    """Which missing values have known ones before and after them in their window."""
    known = (~x.isnan()).int()
    before, after = known.cummax(-1).values, known.flip(-1).cummax(-1).values.flip(-1)
    return x.isnan() & (before > 0) & (after > 0)


def _gap_sizes(missing: Values) -> Values:
    """Count the steps of the gap that each missing value lies in, (n_channels, n_steps); 1 for known ones."""
    sizes = np.ones(missing.shape, dtype=int)
    for channel, row in enumerate(missing):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]])))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            sizes[channel, start:stop] = stop - start
    return sizes


def _holds_many(X: Any) -> bool:
    return not is_frame(X) and np.ndim(X) == 3


def _joined(X: Any, length: int) -> Any:
    """Put many series (n_series, n_channels, n_timepoints) behind each other, a window of nothing after each."""
    if not _holds_many(X):
        return X
    series = np.asarray(X, dtype=np.float64).transpose(0, 2, 1)
    apart = np.full((len(series), min(length, series.shape[1]), series.shape[2]), np.nan)
    return np.concatenate([series, apart], 1).reshape(-1, series.shape[2])


def _put_in(X: Any, filled: Values, channels: Sequence[str], length: int) -> Any:
    """Put values (n_points, n_channels) where those of a container are missing."""
    if is_frame(X):
        return _put_in_frame(X, filled, channels)
    values = np.array(X, dtype=np.float64) if np.asarray(X).dtype.kind != "f" else np.array(X)
    if values.ndim == 3:
        n_series, n_channels, n_steps = values.shape
        filled = filled.reshape(n_series, -1, n_channels)[:, :n_steps].transpose(0, 2, 1)
    return np.where(np.isnan(values), filled.reshape(values.shape), values).astype(values.dtype)


def _put_in_frame(X: Any, filled: Values, channels: Sequence[str]) -> Any:
    frame = nw.from_native(X, eager_only=True)
    values = dict(zip(channels, filled.T, strict=True))
    new = [
        column.zip_with(~find_missing(column), make_column_like(column, values[str(column.name)]))
        for column in frame.iter_columns()
        if str(column.name) in values and find_missing(column).any()
    ]
    return frame.with_columns(*new).to_native() if new else X
