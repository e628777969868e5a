"""The detector: decisions, p-values, probabilities and explanations for any estimator that scores rows."""

from typing import Any, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin, OutlierMixin, clone
from sklearn.utils import ClassifierTags, Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from isthmus.ambient import with_own_settings
from isthmus.anomaly.calibration import Calibration, fit_and_calibrate, restore_order, score_then_learn
from isthmus.anomaly.dates import replace_unknown_dates
from isthmus.anomaly.decisions import (
    check_decision,
    decide_by_fdr,
    decide_by_threshold,
    p_values,
    threshold_interval,
    uniforms_of,
)
from isthmus.anomaly.events import Event, find_events
from isthmus.anomaly.exemplar_distance import ExemplarDistance
from isthmus.anomaly.explain import explain
from isthmus.anomaly.explanation import Explanation
from isthmus.anomaly.probability import Probability
from isthmus.anomaly.rows import ANOMALY, NORMAL, ReferenceRows, Values, count_rows, read_labels
from isthmus.anomaly.scores import Scorer, clone_with_seeds, prefer_densities, read_kinds
from isthmus.anomaly.sliding_windows import SlidingWindows
from isthmus.anomaly.thresholds import Rule, choose_rule
from isthmus.errors import InputTypeError, describe_value
from isthmus.part import Configurable, is_count
from isthmus.randomness import mix, seed_of
from isthmus.training import name_fit

CALIBRATIONS = ("cross", "split")


def _can_learn_more(detector: "AnomalyDetector") -> bool:
    """Whether the estimator has ``partial_fit``."""
    return callable(getattr(detector._template(), "partial_fit", None))


@with_own_settings
class AnomalyDetector(OutlierMixin, MetaEstimatorMixin, Configurable):
    """Detects anomalies by the scores of an estimator and a threshold with a known false-positive rate.

    Thresholds, p-values and probabilities are computed from held-out scores. Training scores would be too optimistic:
    an autoencoder reconstructs its training rows better than new ones. Rows cannot be weighted, because
    calibration counts them.

    Parameters
    ----------
    estimator : object with ``score_samples`` or None, default=None
        For example an autoencoder, a pipeline or a density of scikit-learn. None is ``ExemplarDistance()``, which suits
        all tables.
    threshold : {"auto", "tail", "mad", "labels"} or float, default="auto"
        "auto" has the false-positive rate ``fpr``. "tail" has this rate too, but extrapolates with extreme-value
        theory: use it for rates that need more calibration rows than there are. Its default rate is 0.001. It assumes
        independent rows; time points of a series are not independent. "mad" is 3.5 robust standard deviations below the
        median. "labels" has the lowest cost on labelled rows. A number is a value of ``score_samples``.
    contamination : float or None, default=None
        Share of the training rows that are alarms, in (0, 0.5], as in scikit-learn. It does not guarantee a rate on
        new rows.
    fpr : float or None, default=None
        Largest share of normal rows that are alarms. None is 0.01, or 1 / (n + 1) for fewer than 99 rows.
    score_from : {"full", "encoder", "decoder", "latent"} or tuple of them, default="full"
        "full" is the score of the estimator. "encoder" is minus the divergence of the code from its prior. "decoder" is
        the full score without the divergence. "latent" is the density of the code among those of the training rows.
        Several scores are standardised and added.
    calibration : {"cross", "split"}, default="cross"
        "cross" scores each row by a clone that is fitted on the other folds, in ``n_folds + 1`` fits, or takes
        ``held_out_scores_`` of the estimator if it has this attribute. "split" holds a fifth of the rows out of one
        fit.
    n_folds : int, default=5
        Number of folds of "cross", at least 2.
    costs : (float, float), default=(1.0, 1.0)
        Costs of a false alarm and of a miss, for ``threshold="labels"``.
    random_state : int, RandomState or None, default=None
        Source of all random numbers, also those of the estimator. None does not change the random state of the
        estimator.

    Attributes
    ----------
    estimator_ : object
        The fitted estimator.
    offset_ : float
        The threshold: rows with lower scores are alarms.
    fpr_ : float
        Expected share of alarms among normal rows, from the rank of the threshold among the calibration scores. Points
        of a series depend on each other and count by blocks: ``fpr_`` is higher than ``fpr`` if the series has too few
        blocks. It is an average over series; the rate in a single series can differ much from it.
    block_length_ : int
        Number of points of a series that carry the information of one independent point; 1 for rows of tables.
    calibration_scores_ : ndarray of shape (n_calibration,)
        Sorted scores of held-out rows that are not labelled as anomalies.
    held_out_scores_ : ndarray of shape (n_samples,) or None
        Scores of the training rows, each by an estimator that has not seen it. Compare these with ``offset_`` to find
        anomalies among the training rows. None if some rows have no held-out score, and after loading.
    classes_ : ndarray of shape (2,)
        -1 and 1, in the order of the columns of ``predict_proba``.
    n_features_in_ : int
        If the estimator has this attribute.
    feature_names_in_ : ndarray of str
        If the estimator has this attribute.

    References
    ----------
    Bates, Candes, Lei, Romano and Sesia, Testing for outliers with conformal p-values, Annals of statistics 51, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import AnomalyDetector
    >>> from sklearn.mixture import GaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> detector = AnomalyDetector(GaussianMixture(), fpr=0.02, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    estimator_: Any
    offset_: float
    fpr_: float
    calibration_scores_: Values
    held_out_scores_: Values | None
    _scorer: Scorer
    _reference: ReferenceRows
    _calibration: Calibration
    _probability: Probability

    def __init__(
        self,
        estimator: Any = None,
        *,
        threshold: str | float = "auto",
        contamination: float | None = None,
        fpr: float | None = None,
        score_from: Any = "full",
        calibration: str = "cross",
        n_folds: int = 5,
        costs: tuple[float, float] = (1.0, 1.0),
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.threshold = threshold
        self.contamination = contamination
        self.fpr = fpr
        self.score_from = score_from
        self.calibration = calibration
        self.n_folds = n_folds
        self.costs = costs
        self.random_state = random_state

    # Fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the estimator, and compute the threshold from held-out scores.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Training rows, most of them normal.
        y : array of shape (n_samples,) or None, default=None
            1 for normal rows, -1 for anomalies, which are held out of the fit, 0 for unknown rows. Required by
            ``threshold="labels"``, and used by ``predict_proba``. Other targets are ignored.

        Returns
        -------
        AnomalyDetector
            The fitted detector itself.

        Raises
        ------
        ValueError
            If a parameter, the labels or the number of rows are not valid.
        """
        rule = self._check_parameters()
        labels = read_labels(y, X, required=self.threshold == "labels")
        if isinstance(self.estimator, SlidingWindows) and ANOMALY in labels:
            raise ValueError(
                "y of fit marks anomalies, but SlidingWindows cannot leave out points of a series: fit without y, on "
                "points without anomalies or with missing values in their place, and give y to calibrate"
            )
        seed = seed_of(self.random_state)
        scorer, calibration = fit_and_calibrate(self._fit_scorer, X, labels, self.calibration, self.n_folds, seed)
        self.held_out_scores_ = restore_order(calibration.scores, labels)
        ruling = calibration if self.contamination is None else Calibration.unlabelled(scorer(X))
        self._adopt(scorer, ReferenceRows.sample(X, labels, seed))
        return self._set_calibration(calibration, rule(ruling))

    @available_if(_can_learn_more)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from new rows.

        The rows are scored before the estimator learns from them. Their scores join the calibration scores, of which
        the latest 10,000 count. The first call holds a fifth of its rows out for calibration. ``X`` and ``y`` are as in
        ``fit``.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            New rows.
        y : array of shape (n_samples,) or None, default=None
            Labels as in ``fit``.

        Returns
        -------
        AnomalyDetector
            The detector itself.
        """
        rule = self._check_parameters()
        labels = read_labels(y, X, required=False)
        if "estimator_" in vars(self):
            calibration = score_then_learn(self._scorer, self._calibration, X, labels)
        else:
            seed = seed_of(self.random_state)
            scorer, calibration = fit_and_calibrate(self._fit_scorer, X, labels, "split", self.n_folds, seed)
            self._adopt(scorer, ReferenceRows.sample(X, labels, seed))
        return self._set_calibration(calibration, rule(calibration))

    def calibrate(self, X: Any, y: Any = None) -> Self:
        """Compute calibration scores and threshold from new rows, without fitting the estimator again.

        If the rows are normal and took no part in the fit, p-values are exactly uniform and false-positive rates are
        exact, for any estimator. ``X`` and ``y`` are as in ``fit``.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows that took no part in the fit.
        y : array of shape (n_samples,) or None, default=None
            Labels as in ``fit``.

        Returns
        -------
        AnomalyDetector
            The detector itself, with a new threshold.
        """
        return self._calibrate_on(self.score_samples(X), y)

    # Predicting

    def score_samples(self, X: Any) -> Values:
        """Score rows; higher is more normal.

        Dates outside the range of ``fit`` do not affect the score: the same weekday and time of day within the range
        replaces them, with a warning.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores, in the unit of the estimator.
        """
        check_is_fitted(self)
        return self._scorer(replace_unknown_dates(self.estimator_, X))

    def decision_function(self, X: Any) -> Values:
        """Return the score minus the threshold; alarms are negative.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Differences, in the unit of the scores.
        """
        return self.score_samples(X) - self.offset_

    def predict(
        self, X: Any, *, fdr: float | None = None, min_confidence: float | None = None, scores: Values | None = None
    ) -> Values:
        """Return a decision for each row.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows.
        fdr : float or None, default=None
            False discovery rate: alarms are selected such that at most this share of them is false on average
            (Benjamini and Hochberg, 1995). Decisions depend on all rows of the call. The guarantee assumes independent
            rows; it does not hold for points of a series.
        min_confidence : float or None, default=None
            Confidence, in (0, 1), of the decision, given that few calibration rows leave the threshold uncertain. Rows
            whose scores lie in the confidence interval of the threshold are undecided.
        scores : ndarray of shape (n_samples,) or None, default=None
            Scores of these rows, if already computed: from ``score_samples``, or ``held_out_scores_`` for the rows of
            ``fit``. None computes them.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            -1 for alarms, 1 for normal rows, 0 for undecided rows.
        """
        check_decision(fdr, min_confidence)
        scores = self._scores_of(X, scores)
        if fdr is not None:
            return decide_by_fdr(scores, self._calibration, fdr)
        if min_confidence is None:
            return decide_by_threshold(scores, self.offset_, self.offset_)
        rule, seed = self._check_parameters(), mix(seed_of(self.random_state), 1)
        interval = threshold_interval(rule, self._calibration, self.offset_, min_confidence, seed)
        return decide_by_threshold(scores, *interval)

    def fit_predict(self, X: Any, y: Any = None) -> Values:
        """Fit, and return decisions for the same rows.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Training rows.
        y : array of shape (n_samples,) or None, default=None
            Labels as in ``fit``.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            -1 for alarms, 1 for normal rows.
        """
        return self.fit(X, y).predict(X)

    def p_values(self, X: Any, *, scores: Values | None = None) -> Values:
        """Return for each row the probability that a normal row has at most its score.

        P-values of normal rows are uniform on [0, 1]. They are exactly so if calibration rows are normal and took no
        part in the fit: with ``calibration="split"`` on clean rows, or after ``calibrate``. P-values from cross-fitted
        scores are approximately uniform, and guaranteed up to twice the level (Vovk, 2015; Barber et al., 2021).
        Anomalies among calibration rows make p-values larger, and alarms fewer.

        The rank among equal scores is random (smoothed conformal p-values: Vovk, Gammerman and Shafer, 2005). It
        depends on the seed and on the row alone, so that a row has the same p-value in every call; equal rows in one
        call get different ranks. The seed is ``random_state`` if that is an integer, else 0.

        P-values assume independent rows. Time points of a series are not independent. P-values of a series of few
        blocks (``block_length_``) are therefore less precise than they look, and far from uniform within one series.

        ``scores`` are as in ``predict``.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows.
        scores : ndarray of shape (n_samples,) or None, default=None
            Scores of these rows, as in ``predict``.

        Returns
        -------
        ndarray of shape (n_samples,)
            P-values in (0, 1].
        """
        return p_values(self._scores_of(X, scores), self.calibration_scores_, uniforms_of(X, self._tie_seed()))

    def predict_proba(self, X: Any) -> Values:
        """Return the probabilities of an anomaly and of a normal row.

        With labels, the probability is a logistic function of the score, fitted to held-out scores. Without labels, it
        is one minus the local false discovery rate: the density of all scores is compared with that of normal scores, a
        gamma distribution fitted to the centre of the calibration scores. If normal scores have a heavier tail, the
        excess counts as anomalies. Both depend on the share of anomalies among the calibration rows.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Columns are those of ``classes_``: probability of -1, probability of 1.
        """
        scores = self.score_samples(X)
        anomaly = self._probability(scores)
        return np.column_stack([anomaly, 1 - anomaly])

    def explain(self, X: Any, *, n_nearest: int = 3) -> Explanation:
        """Explain the scores of rows.

        The explanation holds the contribution of each value to the score, its expected value, and the ``n_nearest``
        most similar normal rows among up to 10,000 training rows, which are also saved. An anomalous value changes the
        contributions of other values. It is therefore replaced by its expected value, and the whole gain of the score
        is attributed to it.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows to explain, usually alarms.
        n_nearest : int, default=3
            Number of similar normal rows for each row.

        Returns
        -------
        Explanation
            Contributions, expected values and similar rows; it prints as sentences.
        """
        check_is_fitted(self)
        return explain(self._scorer, X, self._reference, n_nearest, seed_of(self.random_state))

    def events(self, X: Any, *, gap: int | None = None, min_length: int = 1) -> list[Event]:
        """Merge alarms of a series into events.

        Parameters
        ----------
        X : Windows, or series of shape (n_timepoints,) or (n_timepoints, n_channels)
            In the form of ``fit``. Scores of windows are averaged over the windows of each time point.
        gap : int or None, default=None
            Largest number of points without alarm within an event; None is half a window.
        min_length : int, default=1
            Smallest number of points of an event.

        Returns
        -------
        list of Event
            In order of time, with start, end, peak, n_points, severity, channels and expected_if_normal, the expected
            number of events at least as severe in normal data of this length. ``pandas.DataFrame`` accepts it.
        """
        check_is_fitted(self)
        return find_events(self, X, gap, min_length)

    # Internal

    def _check_parameters(self) -> Rule:
        if isinstance(self.estimator, type) or not callable(getattr(self._template(), "get_params", None)):
            expected = "None or an estimator that scores rows"
            raise InputTypeError(f"estimator must be {expected}, got {describe_value(self.estimator)}")
        read_kinds(self.score_from)
        if self.calibration not in CALIBRATIONS:
            raise ValueError(f"calibration must be one of {list(CALIBRATIONS)}, got {self.calibration!r}")
        if not (is_count(self.n_folds) and self.n_folds >= 2):
            raise ValueError(f"n_folds must be an integer >= 2, got {self.n_folds!r}")
        return choose_rule(self.threshold, self.contamination, self.fpr, self.costs)

    def _scores_of(self, X: Any, scores: Values | None) -> Values:
        """Compute the scores of rows unless they are given."""
        check_is_fitted(self)
        if scores is None:
            return self.score_samples(X)
        if np.shape(scores) != (n_rows := count_rows(X),):
            raise ValueError(f"scores must have one value for each of the {n_rows} rows, got shape {np.shape(scores)}")
        return np.asarray(scores)

    def _tie_seed(self) -> int:
        """Return a seed that is the same in every call; a generator as ``random_state`` changes with each use."""
        return seed_of(self.random_state) if isinstance(self.random_state, int | np.integer) else 0

    def _template(self) -> Any:
        return ExemplarDistance() if self.estimator is None else self.estimator

    def _fit_scorer(self, X: Any, seed: int, name: str) -> Scorer:
        template = self._template()
        estimator = clone(template) if self.random_state is None else clone_with_seeds(template, seed)
        return Scorer.fit(name_fit(prefer_densities(estimator), name), read_kinds(self.score_from), X, seed)

    def _adopt(self, scorer: Scorer, reference: ReferenceRows) -> Self:
        self._scorer, self.estimator_, self._reference = scorer, scorer.estimator, reference
        for name in ("n_features_in_", "feature_names_in_"):
            if (value := getattr(scorer.estimator, name, None)) is not None:
                setattr(self, name, value)
        return self

    def _calibrate_on(self, scores: Values, y: Any) -> Self:
        labels = read_labels(y, scores, required=self.threshold == "labels")
        calibration = Calibration(scores, labels, self._calibration.block)
        return self._set_calibration(calibration, self._check_parameters()(calibration))

    def _set_calibration(self, calibration: Calibration, offset: float) -> Self:
        """Store the calibration, the threshold and the attributes that follow from them."""
        scores = calibration.normal
        self._calibration, self._probability = calibration, Probability(calibration)
        self.calibration_scores_, self.offset_ = scores, offset
        self.block_length_ = block = calibration.block
        self.fpr_ = float((np.searchsorted(scores, offset) + block) / (len(scores) + block))
        self.classes_ = np.array([ANOMALY, NORMAL])
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._template()).input_tags
        # scikit-learn's checks read here that predict_proba has two columns.
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags
