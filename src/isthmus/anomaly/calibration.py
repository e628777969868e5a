"""Scores of rows that were held out of the fit: what thresholds, p-values and probabilities stand on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from isthmus.anomaly.blocks import block_length, overlap
from isthmus.anomaly.rows import ANOMALY, UNKNOWN, Values, folds, take
from isthmus.anomaly.scores import Scorer
from isthmus.randomness import mix

# With calibration="split", one row in so many is kept from the fit.
SPLIT = 5
# What the fit is called that is not that of a fold.
ALL_ROWS = "all-rows"


class Calibration(NamedTuple):
    """Scores (n,) and labels (n,), 1 normal, -1 anomaly, 0 unknown, of rows that the scoring net has not seen.

    ``block`` scores in a row say as much as one: 1 for rows that do not depend on each other.
    """

    scores: Values
    labels: Values
    block: int = 1

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
        scores, labels = (np.concatenate(pair)[-n_latest:] for pair in zip(self[:2], later[:2], strict=True))
        return Calibration(scores, labels, self.block)

    def resampled(self, rng: np.random.Generator) -> "Calibration":
        """Draw as many rows with replacement, anomalies among themselves, and in blocks (Kuensch, 1989)."""
        odd = self.labels == ANOMALY
        rows = np.concatenate([_drawn(group, self.block, rng) for group in map(np.flatnonzero, (odd, ~odd))])
        return Calibration(self.scores[rows], self.labels[rows], self.block)


def _drawn(rows: Values, block: int, rng: np.random.Generator) -> Values:
    """Draw blocks of rows with replacement until there are as many."""
    block = min(block, len(rows))
    if not block:
        return rows
    starts = rng.integers(0, len(rows) - block + 1, -(-len(rows) // block))
    return rows[(starts[:, None] + np.arange(block)).ravel()[: len(rows)]]


def fit_and_calibrate(
    make: Callable[[Any, int, str], Scorer], X: Any, labels: Values, how: str, n_folds: int, seed: int
) -> tuple[Scorer, Calibration]:
    """Fit a scorer and score every row by one that has not seen it; normal rows come first, each kind in its order.

    Parameters
    ----------
    make : callable
        ``make(rows, seed, name)`` fits a scorer on rows, of which the name says which they are.
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
    shared = overlap(scorer.estimator, X)
    block = 1 if shared == 1 else block_length(scores, shared)
    if odd.any():
        scores = np.concatenate([scores, scorer(take(X, np.flatnonzero(odd)))])
    return scorer, Calibration(scores, np.concatenate([held, labels[odd]]), block)


def in_order(scores: Values, labels: Values) -> Values | None:
    """Put scores of all rows, known anomalies last, in the order of the rows; None if rows are without a score."""
    if len(scores) != len(labels):
        return None
    odd = labels == ANOMALY
    ordered = np.empty(len(labels))
    ordered[~odd], ordered[odd] = np.split(scores, [np.count_nonzero(~odd)])
    return ordered


def _split(
    make: Callable[[Any, int, str], Scorer], X: Any, labels: Values, n_folds: int, seed: int
) -> tuple[Scorer, Values, Values]:
    rest, held, held_labels, _ = next(folds(X, labels, SPLIT, mix(seed, 0)))
    scorer = make(rest, seed, ALL_ROWS)
    return scorer, scorer.measure(held), held_labels


def _cross(
    make: Callable[[Any, int, str], Scorer], X: Any, labels: Values, n_folds: int, seed: int
) -> tuple[Scorer, Values, Values]:
    scorer = make(X, seed, ALL_ROWS)
    if scorer.held_out is not None:
        return scorer, scorer.held_out, labels
    parts = [
        (make(rest, mix(seed, i), f"without-fold-{i}").measure(held), held_labels, positions)
        for i, (rest, held, held_labels, positions) in enumerate(folds(X, labels, n_folds, mix(seed, 0)), 1)
    ]
    measured, held_labels, positions = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(positions)
    return scorer, measured[order], held_labels[order]
