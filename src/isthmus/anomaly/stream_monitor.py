"""Monitoring of arriving rows: decisions, a test for drift, and recalibration."""

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly.anomaly_detector import AnomalyDetector
from isthmus.anomaly.decisions import decide_by_threshold
from isthmus.anomaly.exchangeability import ExchangeabilityTest
from isthmus.anomaly.rows import Values
from isthmus.errors import require_type
from isthmus.part import is_count, passes
from isthmus.randomness import seed_of


class Decision(NamedTuple):
    """Scores of arriving rows, and decisions on them.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Higher is more normal.
    labels : ndarray of shape (n,)
        -1 for alarms, 1 for normal rows.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly import Decision
    >>> decision = Decision(scores=np.array([0.3, -4.0]), labels=np.array([1, -1]))
    >>> decision.scores[decision.labels == -1]
    array([-4.])
    """

    scores: Values
    labels: Values


class Drift(NamedTuple):
    """Result of the test whether the distribution of arriving rows has changed.

    Parameters
    ----------
    p_value : float
        Upper bound of the probability that rows without change ever give such a result, for any number of calls.
    drifted : bool
        Whether ``p_value`` is at most the level.
    where : str or None
        What has changed most: "score", or "code 2" for a component of the code. None without drift.
    p_values : dict of str to float
        Of the scores and of each component of the code, with Bonferroni's correction.

    Examples
    --------
    >>> from isthmus.anomaly import Drift
    >>> drift = Drift(0.002, True, "code 1", {"score": 0.4, "code 0": 1.0, "code 1": 0.002})
    >>> min(drift.p_values, key=drift.p_values.get) == drift.where
    True
    """

    p_value: float
    drifted: bool
    where: str | None
    p_values: dict[str, float]


class StreamMonitor:
    """Decides on arriving rows, in batches of any size, and tests whether their distribution has changed.

    The score of a row is compared with the scores of all rows that arrived after the monitor was made or recalibrated.
    With ``calibration="split"`` it is also compared with the calibration scores. Cross-fitted calibration scores are
    not used, because other nets computed them. Codes are compared in the same way if the estimator has ``transform``.
    If rows are exchangeable, the probability that ``drift`` ever reports a change is at most ``level``, for any
    distribution, any length of the stream and any number of calls. Time points of a series are not exchangeable: the
    test reports periods and bursts of anomalies as changes.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted. It is not copied: ``recalibrate`` moves its threshold. Make a new monitor after ``partial_fit``.
    window : int, default=1000
        Number of latest rows to recalibrate on.
    level : float, default=0.01
        Probability of a false report of drift between two calibrations.
    random_state : int, RandomState or None, default=None
        Breaks ties of scores, and selects the rows to test for drift: the first 20,000, then a decreasing share.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    sklearn.exceptions.NotFittedError
        If the detector is not fitted.

    References
    ----------
    Vovk, Nouretdinov and Gammerman, Testing exchangeability on-line, ICML 2003. Vovk, Testing randomness online,
    Statistical science 36, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import AnomalyDetector
    >>> from isthmus.anomaly import StreamMonitor
    >>> from sklearn.mixture import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> detector = AnomalyDetector(GaussianMixture(), calibration="split", random_state=0)
    >>> detector = detector.fit(rng.normal(size=(900, 3)))
    >>> monitor = StreamMonitor(detector, random_state=0)
    >>> monitor.update([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]).labels
    array([ 1, -1])
    >>> for _ in range(10):
    ...     decision = monitor.update(rng.normal(loc=1.0, size=(50, 3)))
    >>> monitor.drift().where
    'score'
    >>> monitor.recalibrate().drift().drifted
    False
    """

    _latest: Values
    _test: ExchangeabilityTest

    def __init__(
        self, detector: AnomalyDetector, *, window: int = 1000, level: float = 0.01, random_state: Any = None
    ) -> None:
        require_type("detector", detector, AnomalyDetector, "an AnomalyDetector")
        check_is_fitted(detector)
        if not is_count(window):
            raise ValueError(f"window must be a positive integer, got {window!r}")
        if not passes(lambda value: 0 < value < 1, level):
            raise ValueError(f"level must be in (0, 1), got {level!r}")
        self.detector = detector
        self.window = window
        self.level = level
        self._rng = np.random.default_rng(seed_of(random_state))
        self._restart(np.empty((0, 1)))

    def update(self, X: Any) -> Decision:
        """Score arriving rows, decide on them, and use them in the test for drift.

        Parameters
        ----------
        X : array, sparse rows or data frame of shape (n, ...)
            One row or more.

        Returns
        -------
        Decision
            Scores and labels of the rows.
        """
        scores = self.detector.score_samples(X)
        values = np.column_stack([scores, *self._codes(X)])
        if values.shape[1] != self._latest.shape[1]:
            self._restart(values[:0])
        self._latest = np.concatenate([self._latest, values])[-self.window :]
        self._test.observe(values)
        return Decision(scores, decide_by_threshold(scores, self.detector.offset_, self.detector.offset_))

    def drift(self) -> Drift:
        """Return whether the distribution of rows has changed.

        It may be called after every row.

        Returns
        -------
        Drift
            Whether it has, what has changed most, and p-values.
        """
        p_value, p_values = self._test.p_value, self._test.p_values
        names = ["score", *(f"code {i}" for i in range(len(p_values) - 1))]
        drifted = p_value <= self.level
        where = names[int(np.argmax(self._test.log_peaks))] if drifted else None
        return Drift(p_value, drifted, where, dict(zip(names, p_values.tolist(), strict=True)))

    def recalibrate(self, y: Any = None) -> Self:
        """Calibrate the detector on the latest rows, without fitting it again, and restart the test for drift.

        Most of the rows should be normal: anomalies among them reduce the number of alarms.

        Parameters
        ----------
        y : array of shape (n_latest,) or None, default=None
            Labels of the latest rows, at most ``window``, as in ``AnomalyDetector.fit``.

        Returns
        -------
        StreamMonitor
            The monitor itself.

        Raises
        ------
        ValueError
            If no rows have arrived, if there are too few for the threshold, or if labels are not valid.
        """
        if not len(self._latest):
            raise ValueError("no rows have arrived to recalibrate on: update first")
        self.detector._calibrate_on(self._latest[:, 0], y)
        self._restart(self._latest)
        return self

    def _restart(self, known: Values) -> None:
        """Start a new test, with known rows as its reference."""
        self._latest = known
        scores = np.sort(known[:, 0]) if len(known) else self._own_scores()
        self._test = ExchangeabilityTest([scores, *np.sort(known[:, 1:].T)], self._rng)

    def _own_scores(self) -> Values:
        """Calibration scores of the net that scores arriving rows; none if they are cross-fitted."""
        scores = self.detector.calibration_scores_
        return scores if self.detector.calibration == "split" else scores[:0]

    def _codes(self, X: Any) -> list[Values]:
        transform = getattr(self.detector.estimator_, "transform", None)
        if transform is None:
            return []
        return [np.asarray(transform(self.detector._scorer.without_novel_values(X)), dtype=np.float64)]
