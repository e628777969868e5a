"""Weights of rows, as in scikit-learn's ``sample_weight``."""

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from isthmus.containers import open_frame
from isthmus.data.sources import as_source
from isthmus.data.tables.frames import is_frame


def split_off_weights(X: Any, y: Any, sample_weight: Any, schema: Any = None) -> tuple[Any, Any, Any]:
    """Return rows, labels and weights, without the rows of weight 0.

    The weights are None if none are given or all are equal.

    Parameters
    ----------
    X : array, data frame or Source of shape (n_samples, ...)
    y : array of shape (n_samples,) or None
    sample_weight : array of shape (n_samples,), float or None
    schema : Schema, mapping or None
        As of ``as_source``.

    Raises
    ------
    ValueError
        If the weights are not finite numbers >= 0, one for each row, or all are 0.
    """
    if sample_weight is None:
        return X, y, None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    kept = np.flatnonzero(weight)
    if len(kept) < len(weight):
        X, y = _take(X, kept, schema), None if y is None else np.asarray(y)[kept]
    return X, y, weight[kept] if np.ptp(weight[kept]) else None


def _take(X: Any, rows: np.ndarray[Any, Any], schema: Any) -> Any:
    """Select rows before the columns of a data frame are inspected, so that the others do not affect the schema."""
    return open_frame(X)[rows].to_native() if is_frame(X) else as_source(X, schema).take(rows)
