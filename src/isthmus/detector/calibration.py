"""Scores of rows that were held out of the fit: what thresholds, p-values and probabilities stand on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from isthmus.detector.rows import ANOMALY, UNKNOWN, Values, folds, take
from isthmus.detector.scores import Scorer
from isthmus.randomness import mix

# With calibration="split", one row in so many is kept from the fit.
SPLIT = 5


class Calibration(NamedTuple):
    """Scores (n,) and labels (n,), 1 normal, -1 anomaly, 0 unknown, of rows that the scoring net has not seen."""

    scores: Values
    labels: Values

    @classmethod
    def of(cls, scores: Values) -> "Calibration":
        """Take scores without labels."""
        return cls(scores, np.full(len(scores), UNKNOWN))

    @property
    def normal(self) -> Values:
        """Sorted scores of all rows but known anomalies."""
        return np.sort(self.scores[self.labels != ANOMALY])

    def joined(self, later: "Calibration", n_latest: int) -> "Calibration":
        """Join later rows, and keep the latest."""
        scores, labels = (np.concatenate(pair)[-n_latest:] for pair in zip(self, later, strict=True))
        return Calibration(scores, labels)

    def resampled(self, rng: np.random.Generator) -> "Calibration":
        """Draw as many rows with replacement, anomalies among themselves."""
        odd = self.labels == ANOMALY
        rows = np.concatenate(
            [rng.choice(group, len(group)) for group in map(np.flatnonzero, (odd, ~odd)) if len(group)]
        )
        return Calibration(self.scores[rows], self.labels[rows])


def fit_and_calibrate(
    make: Callable[[Any, int], Scorer], X: Any, labels: Values, how: str, n_folds: int, seed: int
) -> tuple[Scorer, Calibration]:
    """Fit a scorer and score every row by one that has not seen it.

    Parameters
    ----------
    make : callable
        ``make(rows, seed)`` fits a scorer on rows.
    X : array, data frame or Source
    labels : ndarray of shape (n_samples,)
        Rows labelled -1 are not learned from: they are held out of every fit.
    how : {"cross", "split"}
        Whether folds are scored by clones that have not seen them, or a fifth of the rows is kept from the one fit.
    n_folds : int
    seed : int
    """
    odd = labels == ANOMALY
    normal = take(X, np.flatnonzero(~odd)) if odd.any() else X
    fit = _split if how == "split" else _cross
    scorer, measured, held = fit(make, normal, labels[~odd], n_folds, seed)
    scorer.standardise(measured)
    scores = scorer.combine(measured)
    if odd.any():
        scores = np.concatenate([scores, scorer(take(X, np.flatnonzero(odd)))])
    return scorer, Calibration(scores, np.concatenate([held, labels[odd]]))


def _split(
    make: Callable[[Any, int], Scorer], X: Any, labels: Values, n_folds: int, seed: int
) -> tuple[Scorer, Values, Values]:
    rest, held, held_labels = next(folds(X, labels, SPLIT, mix(seed, 0)))
    scorer = make(rest, seed)
    return scorer, scorer.measure(held), held_labels


def _cross(
    make: Callable[[Any, int], Scorer], X: Any, labels: Values, n_folds: int, seed: int
) -> tuple[Scorer, Values, Values]:
    scorer = make(X, seed)
    if scorer.held_out is not None:
        return scorer, scorer.held_out, labels
    parts = [
        (make(rest, mix(seed, i)).measure(held), held_labels)
        for i, (rest, held, held_labels) in enumerate(folds(X, labels, n_folds, mix(seed, 0)), 1)
    ]
    measured, held_labels = zip(*parts, strict=True)
    return scorer, np.concatenate(measured), np.concatenate(held_labels)
