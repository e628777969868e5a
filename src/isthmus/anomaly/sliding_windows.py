"""The estimator of series."""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from isthmus.ambient import with_own_settings
from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.window_scores import Judge
from isthmus.anomaly.window_views import KINDS, View, choose_lengths
from isthmus.autoencoder import Autoencoder
from isthmus.backbones import MLP
from isthmus.data import Windows
from isthmus.data.series.windows import check_channels
from isthmus.errors import InputTypeError
from isthmus.likelihoods import Gaussian
from isthmus.part import is_count
from isthmus.randomness import mix, seed_of
from isthmus.training import with_checkpoint_folder

Values = np.ndarray[Any, Any]

# Nets of an ensemble, the share of the windows that each learns from, its steps and the rows of one.
N_NETS, SHARE, N_STEPS, BATCH = 4, 0.75, 700, 128


@with_own_settings
class SlidingWindows(MetaEstimatorMixin, BaseEstimator):
    """Judges the time points of a series by the windows around them, of several lengths and in two ways.

    No window length finds every anomaly. So windows of half a period, one period and two are looked at, each by nets of
    its own, once as they are and once by their shape alone: less their own level, over their own scale. What the nets
    of one view say of a window is put on the scale of windows that they have not seen: 0 is the median of these, -1 as
    odd as the oddest in a hundred. A time point has the mean of the windows that hold it, of the view in which it is
    the oddest.

    Parameters
    ----------
    estimator : Autoencoder, BaggedAutoencoders or None, default=None
        What learns the windows of a view, samples of shape (n_channels, length). An autoencoder is made an ensemble, so
        that every window is held out by a net. None takes four small nets and trains them briefly.
    lengths : tuple of int or "auto", default="auto"
        Steps of the windows. "auto" is half the period, the period and twice it; shorter for many channels, of which no
        window holds more than 1,024 values, and for short series, of which none holds more than an eighth.
    views : tuple of {"values", "shape"}, default=("values", "shape")
        How windows are looked at. Windows of more than 128 steps are averaged to at most so many.
    time : str, tuple of str or None, default=None
        The column of a data frame that holds the times, or several; see ``isthmus.data.Windows``.
    random_state : int, RandomState or None, default=None
        Decides everything random.
    verbose : int, default=0
        1 shows a progress bar of the views.

    Attributes
    ----------
    lengths_ : list of int
    estimators_ : list of BaggedAutoencoders
        One a view: all lengths of the first of ``views``, then those of the next.
    held_out_scores_ : ndarray of shape (n_timepoints,)
        Score of every time point of the training series, by nets that have not seen it.
    n_features_in_ : int
        Channels.
    feature_names_in_ : ndarray of str
        Only where the channels had names.

    References
    ----------
    Schmidl, Wenig and Papenbrock, Anomaly detection in time series: a comprehensive evaluation, PVLDB 15, 2022: no
    length or method wins everywhere. Keogh, Lin and Fu, HOT SAX, ICDM 2005: subsequences compared by shape.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import SlidingWindows
    >>> series = np.sin(np.arange(1200) / 5) + 0.05 * np.random.default_rng(0).standard_normal(1200)
    >>> model = SlidingWindows(lengths=(16,), random_state=0).fit(series[:800])
    >>> broken = series[800:].copy()
    >>> broken[200:220] = 0
    >>> bool(195 < model.score_samples(broken).argmin() < 225)
    True
    """

    held_out_scores_: Values
    lengths_: list[int]
    estimators_: list[BaggedAutoencoders]

    def __init__(
        self,
        estimator: Autoencoder | BaggedAutoencoders | None = None,
        lengths: tuple[int, ...] | str = "auto",
        *,
        views: tuple[str, ...] = KINDS,
        time: str | Sequence[str] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.lengths = lengths
        self.views = views
        self.time = time
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is normal from a series.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            In order of time; see ``isthmus.data.Windows`` for times, gaps and uneven steps.
        y : ignored

        Raises
        ------
        ValueError
            If a parameter is not usable, or the series too short for its windows.
        """
        self._check_parameters()
        seed = seed_of(self.random_state)
        windows = Windows(X, "auto" if self.lengths == "auto" else max(self.lengths), time=self.time)
        check_channels(windows)
        lengths = self._choose_lengths(windows)
        views = [View.of(windows.cut(length), kind) for kind in self.views for length in lengths]
        judges = [Judge.fit(self._make(view, mix(seed, i)), view) for i, view in enumerate(self._track(views))]
        self.held_out_scores_ = np.min([judge.held_out for judge in judges], axis=0)
        self.lengths_, self.estimators_ = lengths, [judge.estimator for judge in judges]
        self._windows, self._judges = windows.cut(max(lengths)), judges
        self._fingerprint = self._windows.fingerprint
        self.n_features_in_ = windows.schema.shape[0]
        if windows.channels:
            self.feature_names_in_ = np.array(windows.channels, dtype=object)
        return self

    def score_samples(self, X: Any) -> Values:
        """Score time points; higher is more normal.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            At least as long as the longest window. Missing values are left out of the scores, also those of a sensor
            that is dead throughout, with a warning that names the channels: a point is scored by the values around it,
            and 0 where there are none.

        Returns
        -------
        ndarray of shape (n_timepoints,), float64
            0 is a typical window of the training series, -1 the oddest in a hundred. The series of fit itself is scored
            by nets that have not seen the points: ``held_out_scores_``.
        """
        return self.contributions(X).sum(1)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of ``score_samples``."""
        return float(self.score_samples(X).mean())

    def contributions(self, X: Any) -> Values:
        """Take the scores apart: which channels make a time point odd.

        Returns
        -------
        ndarray of shape (n_timepoints, n_channels + 1)
            A column a channel, and last the constants. Rows add up to ``score_samples``. Points of the series of fit
            are scored by nets that have not seen them: what these find beside the others is among the constants.
        """
        check_is_fitted(self)
        windows = self._windows.like(X)
        self._warn_of_missing(windows)
        each = np.stack([judge.contributions(windows) for judge in self._judges])
        oddest = each.sum(-1).argmin(0)
        addends = np.asarray(each[oddest, np.arange(each.shape[1])])
        if windows.fingerprint == self._fingerprint:
            addends[:, -1] += self.held_out_scores_ - addends.sum(1)
        return addends

    def _check_parameters(self) -> None:
        lengths, views = self.lengths, self.views
        counts = isinstance(lengths, tuple | list) and bool(lengths) and all(map(is_count, lengths))
        known = isinstance(views, tuple | list) and bool(views) and set(views) <= set(KINDS)
        if not (counts or (isinstance(lengths, str) and lengths == "auto")):
            raise ValueError(f'lengths must be "auto" or positive integers, got {lengths!r}')
        if not known:
            raise ValueError(f"views must be some of {KINDS}, got {views!r}")
        if not (self.estimator is None or isinstance(self.estimator, Autoencoder | BaggedAutoencoders)):
            raise InputTypeError(
                f"estimator must be an Autoencoder, BaggedAutoencoders or None, got {self.estimator!r}"
            )

    def _track(self, views: list[View]) -> Iterable[View]:
        """Show a progress bar while views are fitted."""
        from rich.progress import track

        return track(views, "fit views", disable=not self.verbose)

    def _warn_of_missing(self, windows: Windows) -> None:
        """Name the channels that lack values which fit had, and are scored by the rest."""
        usual = self._judges[0].estimator.schema_.missing
        lacking = np.flatnonzero(windows.n_missing == windows.n_steps if usual else windows.n_missing)
        names = [repr(windows.channels[i]) if windows.channels else str(i) for i in lacking]
        told = [f"{name} ({windows.n_missing[i]})" for name, i in zip(names, lacking, strict=True)]
        if told:
            warnings.warn(
                f"values are missing and scores go by the rest; missing of {windows.n_steps} steps, by channel: "
                f"{', '.join(told)}",
                stacklevel=3,
            )

    def _choose_lengths(self, windows: Windows) -> list[int]:
        if self.lengths != "auto":
            return sorted({int(length) for length in self.lengths})
        return choose_lengths(windows.length, windows.schema.shape[0], len(windows) + windows.length - 1)

    def _make(self, view: View, seed: int) -> BaggedAutoencoders:
        """Make the ensemble of a view."""
        one = small_net(len(view)) if self.estimator is None else clone(self.estimator)
        ensemble = one if isinstance(one, BaggedAutoencoders) else BaggedAutoencoders(one, N_NETS, max_samples=SHARE)
        return with_checkpoint_folder(ensemble.set_params(random_state=seed), f"{view.kind}-{view.windows.length}")


def small_net(n_windows: int) -> Autoencoder:
    """Make the net that learns windows if nobody says which: it rebuilds what repeats itself, and no more."""
    return Autoencoder(
        8,
        backbone=MLP((64,)),
        likelihood=Gaussian(),
        batch_size=BATCH,
        max_epochs=max(1, math.ceil(N_STEPS * BATCH / max(1.0, SHARE * n_windows))),
        learning_rate=3e-3,
    )
