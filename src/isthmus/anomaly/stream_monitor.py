"""Rows that arrive: decisions on them, an eye on whether they still are of the kind that was learned, recalibration."""

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly.anomaly_detector import AnomalyDetector
from isthmus.anomaly.decisions import by_threshold
from isthmus.anomaly.exchangeability import ExchangeabilityTest
from isthmus.anomaly.rows import Values
from isthmus.part import is_count, passes
from isthmus.randomness import seed_of


class Decision(NamedTuple):
    """What became of arriving rows.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Higher is more normal.
    labels : ndarray of shape (n,)
        -1 for alarms, 1 for normal rows.
    """

    scores: Values
    labels: Values


class Drift(NamedTuple):
    """Whether arriving rows are still of the kind that came before.

    Parameters
    ----------
    p_value : float
        Chance, at most, that rows which have not changed ever look so different, however often one asks.
    drifted : bool
        Whether it is at most the level.
    where : str or None
        If they have, what has changed most: "score", or "code 2" for a component of the code.
    p_values : dict of str to float
        Of the scores and of each component of the code, after Bonferroni.
    """

    p_value: float
    drifted: bool
    where: str | None
    p_values: dict[str, float]


class StreamMonitor:
    """Decides on rows as they arrive, in batches of any size, and watches whether they have changed.

    Scores are held against those of all rows since the watch began or was recalibrated, and before against those of
    calibration rows that were kept from the one fit (``calibration="split"``): cross-fitted scores are those of other
    nets, which are no measure for this one. Codes, if the estimator has some (``transform``), are held against those of
    all rows since. As long as rows are exchangeable, whatever their distribution, the chance that ``drift`` ever finds
    a change is at most ``level``, no matter how long the stream is and how often one looks. Neighbours in a series are
    not exchangeable: rhythms count as change, and so do anomalies that come in bursts.

    Parameters
    ----------
    detector : AnomalyDetector
        Fitted. It is not copied: ``recalibrate`` moves its threshold. After ``partial_fit``, make a new watch.
    window : int, default=1000
        Latest rows to recalibrate on.
    level : float, default=0.01
        Chance of a false alarm of drift, between two calibrations.
    random_state : int, RandomState or None, default=None
        Breaks ties among scores, and chooses which rows are tested for drift: the first 20,000, then ever fewer.

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
    >>> watch = StreamMonitor(detector, random_state=0)
    >>> watch.update([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]).labels
    array([ 1, -1])
    >>> for _ in range(10):
    ...     decision = watch.update(rng.normal(loc=1.0, size=(50, 3)))
    >>> watch.drift().where
    'score'
    >>> watch.recalibrate().drift().drifted
    False
    """

    _latest: Values
    _test: ExchangeabilityTest

    def __init__(
        self, detector: AnomalyDetector, *, window: int = 1000, level: float = 0.01, random_state: Any = None
    ) -> None:
        check_is_fitted(detector)
        if not is_count(window):
            raise ValueError(f"window must be a positive integer, got {window!r}")
        if not passes(lambda value: 0 < value < 1, level):
            raise ValueError(f"level must be in (0, 1), got {level!r}")
        self.detector = detector
        self.window = window
        self.level = level
        self._rng = np.random.default_rng(seed_of(random_state))
        self._begin(np.empty((0, 1)))

    def update(self, X: Any) -> Decision:
        """Score arriving rows, decide on them and remember them.

        Parameters
        ----------
        X : array, sparse rows or data frame of shape (n, ...)
            Micro-batches: even one row, in as many rows as come.
        """
        scores = self.detector.score_samples(X)
        values = np.column_stack([scores, *self._codes(X)])
        if values.shape[1] != self._latest.shape[1]:
            self._begin(values[:0])
        self._latest = np.concatenate([self._latest, values])[-self.window :]
        self._test.observe(values)
        return Decision(scores, by_threshold(scores, self.detector.offset_, self.detector.offset_))

    def drift(self) -> Drift:
        """Say whether rows have changed. Asking costs nothing, nor does it often."""
        p_value, p_values = self._test.p_value, self._test.p_values
        names = ["score", *(f"code {i}" for i in range(len(p_values) - 1))]
        drifted = p_value <= self.level
        where = names[int(np.argmax(self._test.log_peaks))] if drifted else None
        return Drift(p_value, drifted, where, dict(zip(names, p_values.tolist(), strict=True)))

    def recalibrate(self, y: Any = None) -> Self:
        """Calibrate the detector on the latest rows, without fitting it again, and watch for change from these on.

        The rows are taken for normal ones, but for few: anomalies among them make alarms fewer.

        Parameters
        ----------
        y : array of shape (n_latest,) or None, default=None
            Labels of the latest rows, ``window`` of them or all so far, as of ``AnomalyDetector.fit``.

        Raises
        ------
        ValueError
            If there are too few rows for the threshold, or labels that do not serve.
        """
        if not len(self._latest):
            raise ValueError("no rows have arrived to recalibrate on: update first")
        self.detector._calibrate_on(self._latest[:, 0], y)
        self._begin(self._latest)
        return self

    def _begin(self, known: Values) -> None:
        """Watch for change from known rows on."""
        self._latest = known
        scores = np.sort(known[:, 0]) if len(known) else self._comparable()
        self._test = ExchangeabilityTest([scores, *np.sort(known[:, 1:].T)], self._rng)

    def _comparable(self) -> Values:
        """Calibration scores by the net that scores arriving rows; cross-fitted ones are by others."""
        scores = self.detector.calibration_scores_
        return scores if self.detector.calibration == "split" else scores[:0]

    def _codes(self, X: Any) -> list[Values]:
        transform = getattr(self.detector.estimator_, "transform", None)
        return [] if transform is None else [np.asarray(transform(self.detector._scorer.settled(X)), dtype=np.float64)]
