"""Rows for the fits of a search, and rows on which the fits are judged."""

from typing import Any, NamedTuple

import numpy as np

from isthmus.anomaly.rows import count_rows, take_rows
from isthmus.data import Source, Texts, as_source, hold_out
from isthmus.data.series.ragged import is_ragged
from isthmus.data.streams.stream import Stream
from isthmus.randomness import mix

# Share of the rows on which fits are judged, and the largest number of them, which bounds time and memory.
JUDGED, MAX_JUDGED = 0.2, 10_000
# Smallest number of rows on which fits are judged: an interval of fewer differences is meaningless.
MIN_JUDGED = 10
# Rows that are searched for missing values at once.
CHUNK = 4096


class Split(NamedTuple):
    """Rows and labels of fits, which split off rows for early stopping, and rows and labels that judge the fits."""

    X: Any
    y: Any
    X_judged: Any
    y_judged: Any


def split_rows(X: Any, y: Any, seed: int, schema: Any = None) -> Split:
    """Split rows before anything is learned from them, and so before the kinds of columns are inferred.

    Raises
    ------
    ValueError
        If there are too few rows.
    """
    X = as_source(X) if isinstance(X, Texts) or (isinstance(X, list) and is_ragged(X)) else X
    n_rows = count_rows(X)
    n_judged = min(MAX_JUDGED, int(JUDGED * n_rows))
    if n_judged < MIN_JUDGED:
        raise ValueError(f"n_samples={n_rows}: tune needs at least {int(MIN_JUDGED / JUDGED)} rows to judge fits")
    if isinstance(X, Stream):
        kept, judged = hold_out(X, n_judged / n_rows, mix(seed, 5))
        return Split(kept, None, judged, None)
    used, held_out = _choose_positions(X, schema, n_judged / n_rows, mix(seed, 5))
    labels = (None, None) if y is None else (np.asarray(y)[used], np.asarray(y)[held_out])
    return Split(take_rows(X, used), labels[0], take_rows(X, held_out), labels[1])


def _choose_positions(X: Any, schema: Any, share: float, seed: int) -> tuple[Any, Any]:
    """Return the positions of rows for fits and of rows for judging; windows of a series do not overlap."""
    if isinstance(X, Source):
        return next(X.folds(round(1 / share), seed))
    order = np.random.default_rng(seed).permutation(count_rows(X))
    held_out = np.setdiff1d(order[: round(share * len(order))], _first_incomplete(X, schema))
    return np.setdiff1d(order, held_out), held_out


def _first_incomplete(X: Any, schema: Any) -> list[int]:
    """Return the position of the first row with a missing value, in a list.

    A model accepts rows with missing values only if it was fitted to such a row.
    """
    start = 0
    for batch in as_source(X, schema).batches(CHUNK):
        incomplete = batch.x.flatten(1).isnan().any(1)
        if incomplete.any():
            return [start + int(incomplete.int().argmax())]
        start += len(incomplete)
    return []
