"""The detector: scikit-learn's verbs for outliers over anything that scores rows."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.utils import ClassifierTags, Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from isthmus.ambient import with_own_settings
from isthmus.anomaly.background import Background
from isthmus.anomaly.calibration import Calibration, fit_and_calibrate, in_order
from isthmus.anomaly.conformal import p_values
from isthmus.anomaly.dates import with_known_dates
from isthmus.anomaly.decisions import by_discovery_rate, by_threshold, check_decision, interval
from isthmus.anomaly.events import Event, find_events
from isthmus.anomaly.explaining import explain
from isthmus.anomaly.explanation import Explanation
from isthmus.anomaly.probability import Probability
from isthmus.anomaly.recipe import default_estimator
from isthmus.anomaly.rows import ANOMALY, NORMAL, Values, read_labels
from isthmus.anomaly.scores import Scorer, kinds_of, with_seeds
from isthmus.anomaly.streaming import score_then_learn
from isthmus.anomaly.thresholds import Rule, choose_rule
from isthmus.anomaly.tie_breaking import uniforms_of
from isthmus.part import is_count
from isthmus.randomness import mix, seed_of
from isthmus.training import with_checkpoint_folder

CALIBRATIONS = ("cross", "split")


def _learns_on(detector: "AnomalyDetector") -> bool:
    """Whether the estimator can learn from more rows."""
    return callable(getattr(detector._template(), "partial_fit", None))


@with_own_settings
class AnomalyDetector(OutlierMixin, MetaEstimatorMixin, BaseEstimator):
    """Tells anomalies from normal rows, by scores of an estimator and a threshold with a known rate of false alarms.

    Thresholds, p-values and probabilities stand on held-out scores: an autoencoder rebuilds the rows it was trained on
    better than others, so that training scores promise too much.

    Parameters
    ----------
    estimator : object with ``score_samples`` or None, default=None
        An autoencoder, a pipeline, any density of scikit-learn. None is one recipe for all tables.
    threshold : {"auto", "tail", "mad", "labels"} or float, default="auto"
        "auto" keeps to the false-positive rate ``fpr``; "tail" too, beyond what so few rows can show, by extreme-value
        theory of independent rows, which points of a series are not, and at 0.001 if no rate is given; "mad" is 3.5
        robust deviations below the median; "labels" costs least on labelled rows; a number is itself, a value of
        ``score_samples``.
    contamination : float or None, default=None
        Share of the training rows to alarm on, in (0, 0.5], as elsewhere in scikit-learn: a guess, not a guarantee.
    fpr : float or None, default=None
        Share of normal rows to alarm on at most. None is 0.01, or 1 / (n + 1) where there are fewer than 99 rows.
    score_from : {"full", "encoder", "decoder", "latent"} or tuple of them, default="full"
        The estimator's own score; less the divergence of the code, from the encoder alone; the full score without that
        divergence; the density of the code among those of training rows. Several are standardised and added.
    calibration : {"cross", "split"}, default="cross"
        "cross" scores every row by a clone fitted on other folds (or asks the estimator for ``held_out_scores_``, if it
        has some), and takes ``n_folds + 1`` fits. "split" keeps a fifth of the rows from the one fit.
    n_folds : int, default=5
    costs : (float, float), default=(1.0, 1.0)
        Of a false alarm and of a miss, for ``threshold="labels"``.
    random_state : int, RandomState or None, default=None
        Decides everything random, also that of the estimator; None leaves the estimator its own.

    Attributes
    ----------
    estimator_ : object
        Fitted.
    offset_ : float
        The threshold: rows that score lower are alarms.
    fpr_ : float
        Share of normal rows to expect alarms on, by the rank of the threshold among calibration scores. Points of a
        series depend on each other and count by blocks: it is higher than ``fpr`` where the series has too few blocks
        to promise that rate, and the average of many series, from which a single one may be far.
    block_length_ : int
        Points of a series that say as much as one that depends on no other; 1 for rows of tables.
    calibration_scores_ : ndarray of shape (n_calibration,)
        Sorted, of held-out rows that are not known anomalies.
    held_out_scores_ : ndarray of shape (n_samples,) or None
        Scores of the rows of fit, each by an estimator that has not seen it: what to hold against ``offset_`` where
        anomalies are sought among the rows of fit themselves. None where not all are scored so, and not in files.
    classes_ : ndarray of shape (2,)
        -1 and 1, in the order of the columns of ``predict_proba``.
    n_features_in_ : int
        If the estimator has it.
    feature_names_in_ : ndarray of str
        If the estimator has it.

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
    _background: Background
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
        """Learn what is normal, and where it ends.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
        y : array of shape (n_samples,) or None, default=None
            1 for normal rows, -1 for anomalies, which are not learned from, 0 where it is not known. Needed by
            ``threshold="labels"``; if there are some, probabilities use them. Other targets are not looked at.

        Raises
        ------
        ValueError
            If a parameter, the labels or the number of rows do not serve; the message names which.
        """
        rule = self._check_parameters()
        labels = read_labels(y, X, required=self.threshold == "labels")
        seed = seed_of(self.random_state)
        scorer, calibration = fit_and_calibrate(self._scorer_on, X, labels, self.calibration, self.n_folds, seed)
        self.held_out_scores_ = in_order(calibration.scores, labels)
        ruled = calibration if self.contamination is None else Calibration.of(scorer(X))
        return self._take_over(scorer, Background.of(X, labels, seed))._settle(calibration, rule(ruled))

    @available_if(_learns_on)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from arriving rows.

        Their scores, taken before the estimator learns of them, join the calibration, of which the latest 10,000 count.
        The first call keeps a fifth of its rows from the estimator to calibrate on. ``X`` and ``y`` are as of ``fit``.
        """
        rule = self._check_parameters()
        labels = read_labels(y, X, required=False)
        if "estimator_" not in vars(self):
            seed = seed_of(self.random_state)
            scorer, calibration = fit_and_calibrate(self._scorer_on, X, labels, "split", self.n_folds, seed)
            return self._take_over(scorer, Background.of(X, labels, seed))._settle(calibration, rule(calibration))
        calibration = score_then_learn(self._scorer, self._calibration, X, labels)
        return self._settle(calibration, rule(calibration))

    def calibrate(self, X: Any, y: Any = None) -> Self:
        """Take calibration scores and threshold from new rows, without fitting the estimator again.

        On clean rows that played no part in the fit, p-values are exactly uniform and rates of false alarms are kept
        exactly, whatever the estimator is worth. ``X`` and ``y`` are as of ``fit``.
        """
        return self._calibrate_on(self.score_samples(X), y)

    # Using

    def score_samples(self, X: Any) -> Values:
        """Score rows, (n_samples,); higher is more normal.

        Dates beyond those of fit do not count, with a warning: they are taken for the same weekday and time of day in
        the nearest week of fit.
        """
        check_is_fitted(self)
        return self._scorer(with_known_dates(self.estimator_, X))

    def decision_function(self, X: Any) -> Values:
        """Return by how much rows score above the threshold; alarms are below 0."""
        return self.score_samples(X) - self.offset_

    def predict(
        self, X: Any, *, fdr: float | None = None, min_confidence: float | None = None, scores: Values | None = None
    ) -> Values:
        """Decide.

        Parameters
        ----------
        X : array, sparse rows, data frame or Source of shape (n_samples, ...)
        fdr : float or None, default=None
            Alarms such that at most this share of them is false on average (Benjamini and Hochberg, 1995), instead of
            a threshold. They depend on all rows that are given together. The promise is for independent rows: points
            of a series depend on each other, and it does not hold for them.
        min_confidence : float or None, default=None
            Confidence, in (0, 1), with which a score must be on one side of the threshold, which few calibration rows
            do not determine: rows that could be on either side are undecided.
        scores : ndarray of shape (n_samples,) or None, default=None
            Scores of these rows where they are known: those of ``score_samples``, or ``held_out_scores_`` for the rows
            of fit. None computes them.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            -1 for alarms, 1 for normal rows, 0 for undecided ones.
        """
        check_decision(fdr, min_confidence)
        scores = self._scores_of(X, scores)
        if fdr is not None:
            return by_discovery_rate(scores, self._calibration, fdr)
        if min_confidence is None:
            return by_threshold(scores, self.offset_, self.offset_)
        seed = mix(seed_of(self.random_state), 1)
        return by_threshold(
            scores, *interval(self._check_parameters(), self._calibration, self.offset_, min_confidence, seed)
        )

    def fit_predict(self, X: Any, y: Any = None) -> Values:
        """Fit, and decide on the same rows."""
        return self.fit(X, y).predict(X)

    def p_values(self, X: Any, *, scores: Values | None = None) -> Values:
        """Return how often a normal row would score as low as each row, (n_samples,).

        Uniform on [0, 1] for normal rows, exactly so if calibration rows are normal and took no part in the fit:
        ``calibration="split"`` on clean rows, or ``calibrate``. Cross-fitted scores come close; their guarantee is
        weaker, twice the level (Vovk, 2015; Barber et al., 2021). Anomalies among calibration rows make values larger,
        which errs on the side of fewer alarms.

        The rank among equal scores is random (smoothed conformal p-values: Vovk, Gammerman and Shafer, 2005). It
        depends on the seed and on the row alone, so that a row has the same p-value in every call and in any batch;
        only of equal rows in one call, the later ones have ranks of their own. The seed is ``random_state`` if that is
        an integer, and else 0.

        Points of a series depend on each other, which p-values do not take into account: they are finer than a series
        of few blocks (``block_length_``) can show, and far from uniform in single series.

        ``scores`` are those of the rows where they are known, as of ``predict``.
        """
        return p_values(self._scores_of(X, scores), self.calibration_scores_, uniforms_of(X, self._tie_seed()))

    def predict_proba(self, X: Any) -> Values:
        """Return how likely rows are anomalies, and normal.

        With labels, a logistic curve over held-out scores. Without, one less the local false discovery rate: how far
        the density of scores exceeds that of normal rows, whose shape the centre of the calibration scores shows. Where
        normal scores have a heavier tail than a gamma distribution, that tail counts as anomalies. Either goes by how
        frequent anomalies are among calibration rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Columns are those of ``classes_``: of -1, and of 1.
        """
        scores = self.score_samples(X)
        anomaly = self._probability(scores)
        return np.column_stack([anomaly, 1 - anomaly])

    def explain(self, X: Any, *, n_nearest: int = 3) -> Explanation:
        """Say why rows, such as the alarms, score as they do.

        Each value's contribution to the score, what was expected of it, and the ``n_nearest`` normal rows among those
        of fit, of which up to 10,000 are kept, in files too. An odd value answers for what it spoils: it is set right,
        and what the score gains is its own.
        """
        check_is_fitted(self)
        return explain(self._scorer, X, self._background, n_nearest, seed_of(self.random_state))

    def events(self, X: Any, *, gap: int | None = None, min_length: int = 1) -> list[Event]:
        """Merge alarms of a series into intervals of time.

        Parameters
        ----------
        X : Windows, or series of shape (n_timepoints,) or (n_timepoints, n_channels)
            As the estimator takes it: windows, whose scores are spread to time points, or rows that are time points.
        gap : int or None, default=None
            Points without alarm that may lie within an event; None is half a window.
        min_length : int, default=1
            Points of an event at least.

        Returns
        -------
        list of Event
            In order of time, with start, end, peak, n_points, severity and channels; ``pandas.DataFrame`` takes it.
        """
        check_is_fitted(self)
        return find_events(self, X, gap, min_length)

    # How

    def _check_parameters(self) -> Rule:
        kinds_of(self.score_from)
        if self.calibration not in CALIBRATIONS:
            raise ValueError(f"calibration must be one of {list(CALIBRATIONS)}, got {self.calibration!r}")
        if not (is_count(self.n_folds) and self.n_folds >= 2):
            raise ValueError(f"n_folds must be an integer from 2 on, got {self.n_folds!r}")
        return choose_rule(self.threshold, self.contamination, self.fpr, self.costs)

    def _scores_of(self, X: Any, scores: Values | None) -> Values:
        """Return the scores that are given, or compute them."""
        check_is_fitted(self)
        return self.score_samples(X) if scores is None else scores

    def _tie_seed(self) -> int:
        """Return the seed of ties, the same in every call: a generator as ``random_state`` would move on."""
        return seed_of(self.random_state) if isinstance(self.random_state, int | np.integer) else 0

    def _template(self) -> Any:
        return default_estimator() if self.estimator is None else self.estimator

    def _scorer_on(self, X: Any, seed: int, name: str) -> Scorer:
        template = self._template()
        estimator = clone(template) if self.random_state is None else with_seeds(template, seed)
        return Scorer.fit(with_checkpoint_folder(estimator, name), kinds_of(self.score_from), X, seed)

    def _take_over(self, scorer: Scorer, background: Background) -> Self:
        self._scorer, self.estimator_, self._background = scorer, scorer.estimator, background
        for name in ("n_features_in_", "feature_names_in_"):
            if (value := getattr(scorer.estimator, name, None)) is not None:
                setattr(self, name, value)
        return self

    def _calibrate_on(self, scores: Values, y: Any) -> Self:
        labels = read_labels(y, scores, required=self.threshold == "labels")
        calibration = Calibration(scores, labels, self._calibration.block)
        return self._settle(calibration, self._check_parameters()(calibration))

    def _settle(self, calibration: Calibration, offset: float) -> Self:
        """Keep the calibration, and all that follows from it."""
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
        # predict_proba has two columns, which scikit-learn's checks look up here.
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags
