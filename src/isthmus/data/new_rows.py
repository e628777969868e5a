"""Validation of rows after fit."""

import warnings
from typing import Any

from sklearn.utils.validation import check_is_fitted, validate_data

from isthmus.containers import open_frame, select_columns
from isthmus.data.base import Source
from isthmus.data.sources import as_source
from isthmus.data.tables.codec import check_columns
from isthmus.data.tables.frames import is_frame, make_empty
from isthmus.formatting import format_shape, list_names
from isthmus.schema import Schema


def read_new_rows(estimator: Any, X: Any) -> Source:
    """Read rows that have the schema of a fitted estimator.

    Columns of data frames are selected by name; columns that fit has not seen are ignored, with one warning.

    Raises
    ------
    ValueError
        If a column is missing, or the kinds or the number of the columns differ.
    """
    check_is_fitted(estimator)
    schema = estimator.schema_
    if is_frame(X) and schema.fields:
        source = as_source(_select_known_columns(X, schema), schema)
    else:
        source = as_source(X, schema)
        check_feature_names(estimator, source if schema.vocabulary or not is_frame(X) else X, reset=False)
    if schema.categorical and not source.schema.fields:
        raise ValueError(f"fit saw a data frame with categories; X must be one too, got {type(X).__name__}")
    if source.schema.shape != schema.shape:
        found, expected = format_shape(source.schema.shape), format_shape(schema.shape)
        raise ValueError(f"X has rows of {found}, but fit saw rows of {expected}")
    return source


def _select_known_columns(X: Any, schema: Schema) -> Any:
    frame = open_frame(X)
    check_columns(frame, schema)
    known = set(schema.names)
    warn_ignored_columns([name for name in frame.columns if name not in known], stacklevel=6)
    return select_columns(frame, schema.names).to_native()


def warn_ignored_columns(extra: list[Any], stacklevel: int) -> None:
    """Warn of columns that fit has not seen, if there are any."""
    if extra:
        what = f"column {list_names(extra)} of X was" if len(extra) == 1 else f"columns {list_names(extra)} of X were"
        warnings.warn(f"{what} ignored: fit has not seen {'it' if len(extra) == 1 else 'them'}", stacklevel=stacklevel)


def check_feature_names(estimator: Any, X: Any, reset: bool) -> None:
    """Store the number and names of the columns in the estimator, or compare them with those of fit."""
    model = make_empty(X.schema) if isinstance(X, Source) else open_frame(X).to_native() if is_frame(X) else X
    validate_data(estimator, model, skip_check_array=True, reset=reset)
