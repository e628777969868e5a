"""Scores of held-out rows, from which thresholds, p-values and probabilities are computed.

Scores of a series depend on each other. A quantile of n dependent scores is as uncertain as a quantile of n / m
independent ones, where m is the integrated autocorrelation time [1]. Blocks of m points are approximately exchangeable,
and the share of alarms in a block is a loss that decreases with the threshold: conformal risk control [2] bounds its
expectation in a new block.

References
----------
[1] Sokal, Monte Carlo methods in statistical mechanics, 1997, section 3: the window of the estimate.
[2] Angelopoulos, Bates, Fisch, Lei and Schuster, Conformal risk control, ICLR 2024, arXiv:2208.02814.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import fft
from scipy.stats import rankdata

from isthmus.anomaly.dates import replace_unknown_dates
from isthmus.anomaly.rows import ANOMALY, UNKNOWN, Values, split_folds, take_rows
from isthmus.anomaly.scores import Scorer
from isthmus.data import Windows
from isthmus.randomness import mix

# calibration="split" holds out one of SPLIT rows.
SPLIT = 5
# Name of the fit on all rows; a checkpoint has a folder of this name.
ALL_ROWS = "all-rows"
# Largest number of calibration scores after ``partial_fit``: the latest.
MAX_SCORES = 10_000
# The sum over lags ends at a lag of WINDOW autocorrelation times (Sokal, 1997).
WINDOW = 5.0
# Fits a scorer on rows, given a seed and a name for the fit.
Fit = Callable[[Any, int, str], Scorer]


class Calibration(NamedTuple):
    """Scores (n,) and labels (n,), 1 normal, -1 anomaly, 0 unknown, of rows that the scoring net was not trained on.

    ``block`` consecutive scores carry the information of one independent score; 1 for independent rows.
    """

    scores: Values
    labels: Values
    block: int = 1

    @classmethod
    def unlabelled(cls, scores: Values) -> "Calibration":
        """Make a calibration without labels."""
        return cls(scores, np.full(len(scores), UNKNOWN))

    @property
    def normal(self) -> Values:
        """Sorted scores of all rows that are not labelled as anomalies."""
        return np.sort(self.scores[self.labels != ANOMALY])

    def append(self, later: "Calibration", max_scores: int) -> "Calibration":
        """Append scores, and keep the latest."""
        scores, labels = (np.concatenate(pair)[-max_scores:] for pair in zip(self[:2], later[:2], strict=True))
        return Calibration(scores, labels, self.block)

    def resample(self, rng: np.random.Generator) -> "Calibration":
        """Draw a bootstrap sample in blocks [Kuensch, 1989], of anomalies and of other rows separately."""
        is_anomaly = self.labels == ANOMALY
        groups = map(np.flatnonzero, (is_anomaly, ~is_anomaly))
        rows = np.concatenate([_resample_blocks(group, self.block, rng) for group in groups])
        return Calibration(self.scores[rows], self.labels[rows], self.block)


def _resample_blocks(rows: Values, block: int, rng: np.random.Generator) -> Values:
    block = min(block, len(rows))
    if not block:
        return rows
    starts = rng.integers(0, len(rows) - block + 1, -(-len(rows) // block))
    return rows[(starts[:, None] + np.arange(block)).ravel()[: len(rows)]]


# Fitting


def fit_and_calibrate(
    fit: Fit, X: Any, labels: Values, how: str, n_folds: int, seed: int
) -> tuple[Scorer, Calibration]:
    """Fit a scorer, and score each row by a scorer that has not seen it. The scores of anomalies come last.

    Parameters
    ----------
    fit : callable
        ``fit(rows, seed, name)`` fits a scorer.
    X : array, data frame or Source
    labels : ndarray of shape (n_samples,)
        Rows labelled -1 are held out of every fit.
    how : {"cross", "split"}
        Whether each fold is scored by a scorer that is fitted on the other folds, or a fifth of the rows is held out of
        the only fit.
    n_folds : int
    seed : int
    """
    is_anomaly = labels == ANOMALY
    rows = take_rows(X, np.flatnonzero(~is_anomaly)) if is_anomaly.any() else X
    if how == "split":
        scorer, measured, held_labels = _fit_on_split(fit, rows, labels[~is_anomaly], seed)
    else:
        scorer, measured, held_labels = _cross_fit(fit, rows, labels[~is_anomaly], n_folds, seed)
    scorer.standardise(measured)
    scores = scorer.combine(measured)
    overlap = count_overlapping(scorer.estimator, X)
    block = 1 if overlap == 1 else block_length(scores, overlap)
    if is_anomaly.any():
        scores = np.concatenate([scores, scorer(take_rows(X, np.flatnonzero(is_anomaly)))])
    return scorer, Calibration(scores, np.concatenate([held_labels, labels[is_anomaly]]), block)


def _fit_on_split(fit: Fit, X: Any, labels: Values, seed: int) -> tuple[Scorer, Values, Values]:
    rest, held, held_labels, _ = next(split_folds(X, labels, SPLIT, mix(seed, 0)))
    scorer = fit(rest, seed, ALL_ROWS)
    return scorer, scorer.measure(held), held_labels


def _cross_fit(fit: Fit, X: Any, labels: Values, n_folds: int, seed: int) -> tuple[Scorer, Values, Values]:
    scorer = fit(X, seed, ALL_ROWS)
    if scorer.held_out is not None:
        return scorer, scorer.held_out, labels
    parts = [
        (fit(rest, mix(seed, i), f"without-fold-{i}").measure(held), held_labels, positions)
        for i, (rest, held, held_labels, positions) in enumerate(split_folds(X, labels, n_folds, mix(seed, 0)), 1)
    ]
    measured, held_labels, positions = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(positions)
    return scorer, measured[order], held_labels[order]


def restore_order(scores: Values, labels: Values) -> Values | None:
    """Put scores, of anomalies last, in the order of the training rows; None if some rows have no score."""
    if len(scores) != len(labels):
        return None
    is_anomaly = labels == ANOMALY
    ordered = np.empty(len(labels))
    ordered[~is_anomaly], ordered[is_anomaly] = np.split(scores, [np.count_nonzero(~is_anomaly)])
    return ordered


def score_then_learn(scorer: Scorer, calibration: Calibration, X: Any, labels: Values) -> Calibration:
    """Score new rows, call ``partial_fit`` with those that are not anomalies, and append the scores to the calibration.

    Rows are scored first, so that the net has not seen them.

    Raises
    ------
    ValueError
        If codes are scored by their density: ``partial_fit`` moves the codes, and the density stays.
    """
    if scorer.codes is not None:
        raise ValueError("score_from='latent' cannot follow partial_fit, which moves the codes; call fit instead")
    arrived = Calibration(scorer(replace_unknown_dates(scorer.estimator, X)), labels)
    is_anomaly, rows = labels == ANOMALY, scorer.without_novel_values(X)
    scorer.estimator.partial_fit(take_rows(rows, np.flatnonzero(~is_anomaly)) if is_anomaly.any() else rows)
    return calibration.append(arrived, MAX_SCORES)


# Dependence


def count_overlapping(estimator: Any, X: Any) -> int:
    """Return the number of consecutive scores that share values: the length of a window of a series, 1 for tables."""
    if isinstance(X, Windows):
        return max(1, math.ceil(X.length / X.stride))
    return max(getattr(estimator, "lengths_", [1]))


def block_length(scores: Values, at_least: int) -> int:
    """Return how many consecutive scores (n,) carry the information of one independent score, at least ``at_least``.

    Scores are in order of time; ``at_least`` of them share values.
    """
    return min(len(scores), max(at_least, math.ceil(autocorrelation_time(rankdata(scores)))))


def autocorrelation_time(values: Values) -> float:
    """Sum the autocorrelation over all lags, up to the lag where only noise remains; 1 for independent values.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.calibration import autocorrelation_time
    >>> noise = np.random.default_rng(0).standard_normal(10_000)
    >>> round(autocorrelation_time(noise)), round(autocorrelation_time(np.repeat(noise, 20)))
    (1, 20)
    """
    n = len(values)
    centred = values - values.mean()
    size = fft.next_fast_len(2 * n, real=True)
    products = fft.irfft(np.abs(fft.rfft(centred, size)) ** 2, size)[:n]
    if not products[0] > 0:
        return 1.0
    times = 2 * np.cumsum(products / products[0]) - 1
    ends = np.flatnonzero(np.arange(n) >= WINDOW * times)
    return max(1.0, float(times[ends[0] if len(ends) else -1]))
