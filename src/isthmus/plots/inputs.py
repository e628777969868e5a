"""Inputs of plots: a fitted model, and rows in any container."""

from math import prod
from typing import Any

import narwhals as nw
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from isthmus.autoencoder import Autoencoder
from isthmus.data import Array, ImageFolder, Source, as_source
from isthmus.data.images.layout import convert_shape
from isthmus.data.tables.frames import is_frame
from isthmus.errors import InputTypeError
from isthmus.latent.codes import is_single_row
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]


def check_model(model: Any, function: str) -> None:
    """Raise an error unless the first argument of a function is a fitted estimator."""
    if not isinstance(model, BaseEstimator):
        got = f"{type(model).__name__}; plots.images shows arrays"
        raise InputTypeError(f"plots.{function} takes a fitted model as its first argument, got {got}")
    check_is_fitted(model)


def unwrap(model: Any) -> Any:
    """Return the estimator of a detector; other models are returned unchanged."""
    return model if isinstance(getattr(model, "schema_", None), Schema) else getattr(model, "estimator_", model)


def require_autoencoder(model: Any, function: str) -> Autoencoder:
    """Return the autoencoder whose codes a function decodes.

    Raises
    ------
    TypeError
        If a model is neither an autoencoder nor a detector built on one.
    """
    check_model(model, function)
    estimator = unwrap(model)
    if not isinstance(estimator, Autoencoder):
        got = type(estimator).__name__
        raise InputTypeError(f"plots.{function} decodes codes of an Autoencoder or a detector built on one, got {got}")
    return estimator


def get_schema(model: Any, texts: bool = False) -> Schema | None:
    """Return the schema of a model; None for other libraries' models.

    Parameters
    ----------
    texts : bool
        Whether rows may be texts.

    Raises
    ------
    ValueError
        If rows are texts and must not be.
    """
    schema = getattr(unwrap(model), "schema_", None)
    if schema is not None and schema.vocabulary and not texts:
        raise ValueError("texts cannot be plotted; print the results of the model instead")
    return schema


def as_batch(model: Any, X: Any) -> Any:
    """Return a single row as a batch; other rows are returned unchanged."""
    schema = get_schema(model, texts=True)
    if nw.dependencies.is_pandas_series(X) and set(schema.names if schema else ()) <= set(X.index):
        return X.to_frame().T.infer_objects()
    if schema is None:
        return np.asarray(X)[None] if np.ndim(X) == 1 and np.size(X) == getattr(model, "n_features_in_", None) else X
    return X if schema.vocabulary else _as_batch(X, schema)


def count_rows(X: Any) -> int:
    """Count rows."""
    return len(X) if isinstance(X, Source | list | tuple) or is_frame(X) else int(X.shape[0])


def take_row(X: Any, row: int) -> Any:
    """Return one row, in its container."""
    if isinstance(X, Source):
        return X.take(np.array([row]))
    return nw.from_native(X, eager_only=True)[[row]].to_native() if is_frame(X) else X[row : row + 1]


def first_rows(model: Any, X: Any, n: int) -> Array:
    """Return the first rows of any container as numbers; a single row is a batch of one."""
    schema = get_schema(model)
    source = as_source(as_batch(model, X), schema)
    return Array(next(iter(source.batches(n))).x, source.schema)


def _as_batch(X: Any, schema: Schema) -> Any:
    """Return arrays in the shape that a model expects: single rows as a batch, images flattened or not."""
    if isinstance(X, Source) or is_frame(X) or schema.fields or schema.ragged:
        return X
    if is_single_row(X, schema) and np.size(X) == prod(schema.shape):
        return np.asarray(X)[None]
    shape = convert_shape(schema.shape, schema.layout) if schema.layout else schema.shape
    if not isinstance(X, np.ndarray) or X.shape[1:] == shape:
        return X
    if X.size == prod(shape):
        return X.reshape(1, *shape)
    flattened = schema.layout and X.ndim == 2 and X.shape[1] == prod(shape)
    unflattened = len(shape) == 1 and prod(X.shape[1:]) == shape[0]
    return X.reshape(len(X), *shape) if flattened or unflattened else X


def encode(model: Any, X: Any) -> Values:
    """Return the codes of rows.

    Raises
    ------
    ValueError
        If the model has none.
    """
    estimator = unwrap(model)
    if getattr(estimator, "transform", None) is None:
        raise ValueError(f"{type(estimator).__name__} has no codes: it has no transform")
    return np.asarray(estimator.transform(as_batch(model, X)))


def score(model: Any, X: Any) -> Values:
    """Return the score of each row.

    Raises
    ------
    ValueError
        If the model has none.
    """
    if getattr(model, "score_samples", None) is None:
        raise ValueError(f"{type(model).__name__} has no scores: it has no score_samples")
    return np.asarray(model.score_samples(as_batch(model, X)), dtype=float)


def predict_labels(model: Any, X: Any) -> Values | None:
    """Return the decision of a detector for each row; None for other models."""
    if unwrap(model) is model or getattr(model, "predict", None) is None:
        return None
    return np.where(model.predict(as_batch(model, X)) == -1, "alarm", "normal")


def split_labels(model: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Split a data frame into rows and labels if labels are given by the name of their column."""
    if not (isinstance(y, str) and is_frame(X)):
        return X, y
    schema, frame = get_schema(model, texts=True), nw.from_native(X, eager_only=True)
    if y not in frame.columns:
        raise ValueError(f"X has no column {y!r} of labels; it has {frame.columns}")
    names = frame.columns if schema is None else [name for name in frame.columns if name in schema.names]
    return frame.select(names).to_native(), frame.get_column(y).to_numpy()


def to_numbers(model: Any, rows: Any) -> Values:
    """Return rows of a model in any container as numbers (n, *shape)."""
    schema = get_schema(model)
    source = as_source(rows, schema) if schema is not None else as_source(rows)
    return np.concatenate([batch.x.numpy() for batch in source.batches(2**10)])


def reconstruct(model: Any, rows: Array, labels: Values | None = None) -> Values:
    """Return the reconstructions of rows as numbers; those of a conditional model use the labels.

    Raises
    ------
    ValueError
        If the model has neither ``reconstruct`` nor ``inverse_transform``.
    """
    estimator, schema = unwrap(model), get_schema(model)
    if getattr(estimator, "reconstruct", None) is not None:
        conditional = labels is not None and schema is not None and schema.condition is not None
        return np.asarray(estimator.reconstruct(rows, labels) if conditional else estimator.reconstruct(rows))
    if getattr(estimator, "inverse_transform", None) is None:
        raise ValueError(f"{type(estimator).__name__} has no reconstruct or inverse_transform, which the plot needs")
    return np.asarray(estimator.inverse_transform(estimator.transform(rows.values.numpy())))


def get_labels(X: Any, y: Any, n: int) -> Values | None:
    """Return the labels of the first n rows, by default those of a folder of images; None if there are none.

    Raises
    ------
    ValueError
        If there is not one label per row.
    """
    if y is None and isinstance(X, ImageFolder) and (X.labels != "").any():
        y = X.labels
    if y is None:
        return None
    labels = np.atleast_1d(np.asarray(y))
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or len(labels) < n:
        raise ValueError(f"y must have a label for each of the {n} rows, got an array of shape {labels.shape}")
    if labels.dtype.kind == "O":
        labels = np.array(["missing" if value is None or value != value else str(value) for value in labels])
    return labels[:n]


def default_label(model: Any, y: Any) -> Any:
    """Return the given label, or else the default label of a conditional model, such as the most frequent one."""
    schema = get_schema(model)
    condition = None if schema is None else schema.condition
    if y is not None or condition is None:
        return y
    return condition.default
