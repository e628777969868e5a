"""The estimator that scores the time points of a series by the windows around them."""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self, cast

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from isthmus.ambient import with_own_settings
from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.channel_limits import ChannelLimits
from isthmus.anomaly.window_scores import WindowScorer
from isthmus.anomaly.window_views import KINDS, View, choose_lengths
from isthmus.autoencoder import Autoencoder
from isthmus.backbones import MLP
from isthmus.data import Windows
from isthmus.data.series.windows import check_channels
from isthmus.errors import require_type
from isthmus.formatting import list_texts
from isthmus.likelihoods import Gaussian
from isthmus.part import Configurable, is_count
from isthmus.randomness import mix, seed_of
from isthmus.training import name_fit

Values = np.ndarray[Any, Any]

# Nets of an ensemble, and the share of the windows that each is trained on. Not tuned.
N_NETS, SHARE = 4, 0.75


class Training(NamedTuple):
    """Length and rate of the training of a small net.

    Parameters
    ----------
    n_steps : int
    batch_size : int
        Windows per net and step.
    learning_rate : float
    """

    n_steps: int
    batch_size: int
    learning_rate: float


# With several channels, a window has many values, and training takes long. The shorter one was chosen among three on
# six servers of ASD (mean VUS-PR 0.643 after 0.604); two servers of SMD, not used for the choice, stay level (0.568
# after 0.569). With one channel, hits of the UCR archive stay equal and VUS-PR falls by 0.01 (standard error 0.05).
ONE_CHANNEL, SEVERAL_CHANNELS = Training(700, 128, 3e-3), Training(300, 64, 6e-3)


@with_own_settings
class SlidingWindows(MetaEstimatorMixin, Configurable):
    """Scores the time points of a series by the windows around them, of several lengths and in two views.

    No single window length finds every anomaly. Windows of half a period, one period and two periods are therefore
    scored, each length by its own nets, in two views: their values, and their shape, without their level and scale. The
    scores of a view are standardised by those of held-out windows: 0 is the median, and -1 the 1 % quantile. The score
    of a time point is the mean over the windows that contain it, in the view in which this mean is lowest.

    Parameters
    ----------
    estimator : Autoencoder, BaggedAutoencoders or None, default=None
        Learns the windows of a view, samples of shape (n_channels, length). An autoencoder is bagged, so that each
        window is held out by some net. None is an ensemble of four small nets with a short training.
    lengths : tuple of int or "auto", default="auto"
        Steps of the windows. "auto" is half a period, one period and two periods; less for many channels, since a
        window holds at most 1,024 values, and for short series, since a window holds at most an eighth of them.
    views : tuple of {"values", "shape"}, default=("values", "shape")
        Views of the windows. Windows of more than 128 steps are averaged over several steps to at most 128.
    time : str, tuple of str or None, default=None
        The column of a data frame that holds the times, or several; see ``isthmus.data.Windows``.
    random_state : int, RandomState or None, default=None
        Source of all random numbers.
    verbose : int, default=0
        1 shows a progress bar of the views.

    Attributes
    ----------
    lengths_ : list of int
    estimators_ : list of BaggedAutoencoders
        One per view: all lengths of the first of ``views``, then those of the next.
    held_out_scores_ : ndarray of shape (n_timepoints,)
        Score of each time point of the training series, by nets that have not seen it.
    channel_limits_ : ChannelLimits
        Range of each channel of the training series, and how many equal and missing values it has in a row.
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of str
        Only if the channels have names.

    References
    ----------
    Schmidl, Wenig and Papenbrock, Anomaly detection in time series: a comprehensive evaluation, PVLDB 15, 2022: no
    length or method is best everywhere. Keogh, Lin and Fu, HOT SAX, ICDM 2005: subsequences compared by shape.

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

    channel_limits_: ChannelLimits
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

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the nets on the windows of a series.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            In order of time; see ``isthmus.data.Windows`` for times, gaps and uneven steps.
        y : ignored
            Not used; present for pipelines.
        sample_weight : None, default=None
            Time points have no weights, because windows share them.

        Returns
        -------
        SlidingWindows
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If a parameter is not valid, weights are given, the series is too short for its windows, or a channel has no
            value.
        """
        self._check_parameters()
        if sample_weight is not None:
            raise ValueError("sample_weight of SlidingWindows must be None: windows share time points")
        seed = seed_of(self.random_state)
        windows = self._cut(X)
        lengths = self._choose_lengths(windows)
        views = [View.fit(windows.cut(length), kind) for kind in self.views for length in lengths]
        scorers = [
            WindowScorer.fit(self._make_ensemble(view, mix(seed, i)), view) for i, view in enumerate(self._track(views))
        ]
        self.held_out_scores_ = np.min([scorer.held_out for scorer in scorers], axis=0)
        self.lengths_, self.estimators_ = lengths, [scorer.estimator for scorer in scorers]
        self._windows, self._window_scorers = windows.cut(max(lengths)), scorers
        self._fingerprint = self._windows.fingerprint
        self.channel_limits_ = ChannelLimits.of(windows.series)
        self.n_features_in_ = windows.schema.shape[0]
        if windows.channels:
            self.feature_names_in_ = np.array(windows.channels, dtype=object)
        return self

    def score_samples(self, X: Any) -> Values:
        """Score time points; higher is more normal.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            At least as long as the longest window. Missing values do not count in the scores, even if a whole channel
            is missing; a warning names the channels. A point is scored by the values around it, and 0 if there are
            none.

        Returns
        -------
        ndarray of shape (n_timepoints,), float64
            0 is a typical window of the training series, -1 its 1 % quantile. The points of the training series itself
            are scored by nets that have not seen them: ``held_out_scores_``.
        """
        return self.contributions(X).sum(1)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of ``score_samples``.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            A series, as in ``score_samples``.
        y : object, default=None
            Not used; present for pipelines.

        Returns
        -------
        float
            Mean score.
        """
        return float(self.score_samples(X).mean())

    def contributions(self, X: Any) -> Values:
        """Return the contribution of each channel to the scores.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            A series, as in ``score_samples``.

        Returns
        -------
        ndarray of shape (n_timepoints, n_channels + 1)
            One column per channel, and last the constants. Each row adds up to ``score_samples``. For the training
            series, the difference between held-out scores and scores by all nets is part of the constants.
        """
        check_is_fitted(self)
        windows = self._windows.like(X)
        self._warn_of_missing(windows)
        each = np.stack([scorer.contributions(windows) for scorer in self._window_scorers])
        lowest = each.sum(-1).argmin(0)
        addends = np.asarray(each[lowest, np.arange(each.shape[1])])
        if windows.fingerprint == self._fingerprint:
            addends[:, -1] += self.held_out_scores_ - addends.sum(1)
        return addends

    def step_contributions(self, X: Any) -> Values:
        """Return how unusual each value itself is within its windows.

        One unusual value lowers the scores of all windows around it, and thus ``contributions`` of all their points.
        These contributions are those of the value alone.

        Parameters
        ----------
        X : array, tensor or data frame of shape (n_timepoints,) or (n_timepoints, n_channels)
            A series, as in ``score_samples``.

        Returns
        -------
        ndarray of shape (n_timepoints, n_channels)
            Mean over the windows that contain the value, and over lengths and views; 0 is its mean over the training
            series, and negative is unusual. The unit is that of the scores of windows.
        """
        check_is_fitted(self)
        windows = self._windows.like(X)
        return np.asarray(np.mean([scorer.step_contributions(windows) for scorer in self._window_scorers], axis=0))

    def prepare_search(self, X: Any) -> tuple[Autoencoder, View]:
        """Return the net that ``fit`` bags, and windows on which its parameters can be searched.

        The windows have the middle length, in the first view.

        Parameters
        ----------
        X : array, tensor or data frame
            As in ``fit``.

        Returns
        -------
        estimator : Autoencoder
            The net, not fitted.
        windows : View
            The windows as rows.
        """
        self._check_parameters()
        windows = self._cut(X)
        lengths = self._choose_lengths(windows)
        view = View.fit(windows.cut(lengths[len(lengths) // 2]), self.views[0])
        ensemble = self._make_ensemble(view, seed_of(self.random_state))
        return cast(Autoencoder, ensemble.estimator).set_params(random_state=None), view

    def _cut(self, X: Any) -> Windows:
        windows = Windows(X, "auto" if self.lengths == "auto" else max(self.lengths), time=self.time)
        check_channels(windows)
        return windows

    def _check_parameters(self) -> None:
        lengths, views = self.lengths, self.views
        counts = isinstance(lengths, tuple | list) and bool(lengths) and all(map(is_count, lengths))
        known = isinstance(views, tuple | list) and bool(views) and set(views) <= set(KINDS)
        if not (counts or (isinstance(lengths, str) and lengths == "auto")):
            raise ValueError(f'lengths must be "auto" or positive integers, got {lengths!r}')
        if not known:
            raise ValueError(f"views must be some of {KINDS}, got {views!r}")
        kinds = Autoencoder | BaggedAutoencoders | None
        require_type("estimator", self.estimator, kinds, "an Autoencoder, BaggedAutoencoders or None")

    def _track(self, views: list[View]) -> Iterable[View]:
        """Show a progress bar over the views."""
        from rich.progress import track

        return track(views, "fit views") if self.verbose else views

    def _warn_of_missing(self, windows: Windows) -> None:
        """Warn of channels with missing values that the training series did not have."""
        expected = self._window_scorers[0].estimator.schema_.missing
        lacking = np.flatnonzero(windows.n_missing == windows.n_steps if expected else windows.n_missing)
        names = [repr(windows.channels[i]) if windows.channels else str(i) for i in lacking]
        counts = [f"{name} ({windows.n_missing[i]})" for name, i in zip(names, lacking, strict=True)]
        if counts:
            warnings.warn(
                f"values are missing and scores use the others; missing of {windows.n_steps} steps, by channel: "
                f"{list_texts(counts)}",
                stacklevel=3,
            )

    def _choose_lengths(self, windows: Windows) -> list[int]:
        if self.lengths != "auto":
            return sorted({int(length) for length in self.lengths})
        return choose_lengths(windows.length, windows.schema.shape[0], len(windows) + windows.length - 1)

    def _make_ensemble(self, view: View, seed: int) -> BaggedAutoencoders:
        """Make the ensemble of a view."""
        one = _small_net(view) if self.estimator is None else clone(self.estimator)
        ensemble = one if isinstance(one, BaggedAutoencoders) else BaggedAutoencoders(one, N_NETS, max_samples=SHARE)
        return name_fit(ensemble.set_params(random_state=seed), f"{view.kind}-{view.windows.length}")


def _small_net(view: View) -> Autoencoder:
    """Make the default net, small enough to reconstruct only what recurs in the series."""
    training = ONE_CHANNEL if view.schema.shape[0] == 1 else SEVERAL_CHANNELS
    return Autoencoder(
        8,
        backbone=MLP((64,)),
        likelihood=Gaussian(),
        batch_size=training.batch_size,
        # A step takes at most all windows.
        max_epochs=math.ceil(training.n_steps * min(1.0, training.batch_size / (SHARE * len(view)))),
        learning_rate=training.learning_rate,
    )
