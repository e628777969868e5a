"""Rows that come after fit, held against those of fit."""

from typing import Any

from sklearn.utils.validation import check_is_fitted, validate_data

from isthmus.data.base import Source
from isthmus.data.frames import empty, is_frame
from isthmus.data.sources import as_source


def read_new(estimator: Any, X: Any) -> Source:
    """Make a source of rows that are like those of fit, which left a ``schema_``.

    Raises
    ------
    ValueError
        If names, kinds or number of the columns differ.
    """
    check_is_fitted(estimator)
    schema = estimator.schema_
    framed = is_frame(X) and not schema.vocabulary
    if framed:
        check_names(estimator, X, reset=False)  # first, for columns are read by their names
    source = as_source(X, schema)
    if not framed:
        check_names(estimator, source, reset=False)
    if schema.levelled and not source.schema.fields:
        raise ValueError(f"fit saw a data frame with categories; X must be one too, got {type(X).__name__}")
    if source.schema.shape != schema.shape:
        raise ValueError(f"X has samples of shape {source.schema.shape}, but fit saw {schema.shape}")
    return source


def check_names(estimator: Any, X: Any, reset: bool) -> None:
    """Keep number and names of the columns, or hold them against those of fit."""
    like = empty(X.schema) if isinstance(X, Source) else X
    validate_data(estimator, like, skip_check_array=True, reset=reset)
