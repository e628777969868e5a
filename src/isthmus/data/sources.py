"""Conversion of any container of the user to a source, and of results back."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial, singledispatch
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import check_array

from isthmus.containers import refuse_container
from isthmus.data.arrays import COMPUTABLE, Array, as_tensor, in_computable_dtype
from isthmus.data.base import Source
from isthmus.data.images.folder import ImageFolder
from isthmus.data.images.layout import infer_layout, match_layout, restore_images, stack_images, to_channels_first
from isthmus.data.series.ragged import infer_ragged_schema, is_ragged, pad_series, read_ragged_rows, unpad_series
from isthmus.data.streams.stream import POOL, Stream, count_rows_within
from isthmus.data.tables.codec import decode as decode_table
from isthmus.data.tables.codec import encode, learn_table
from isthmus.data.tables.frames import is_frame, read_frame
from isthmus.data.texts.text import Texts, read_texts, to_texts
from isthmus.errors import InputTypeError
from isthmus.schema import Condition, Schema

# The schema with which all columns of a data frame are read as numbers.
NUMBERS = Schema(())
# Number of validation rows below which their mean loss is too noisy to be useful.
MIN_HELD_OUT = 5
COMPLEX = "Complex data not supported: expected real numbers, such as the real and the imaginary parts"


@singledispatch
def as_source(X: Any, schema: Schema | Mapping[str, str] | None = None) -> Source:
    """Convert data of any supported type to a source.

    Supported are float and integer arrays of rank 2 or higher, masked arrays, torch tensors, sparse rows of scipy and
    torch, memory maps, data frames, nested lists, lists of images, lists of series (time,) or (channels, time) of
    different lengths, ``Texts``, and sources. NaN, masked values and nulls mean missing.

    Object columns of data frames that hold only numbers become columns of numbers, and sparse columns of pandas become
    dense columns, in results too.

    Arrays of rank 3 are series (n, channels, time), except those of uint8 and uint16, which are grey images
    (n, height, width). Grey images of floats need an axis of channels: ``X[..., None]``. Arrays of rank 4 with 1, 3 or
    4 channels, first or last, are images. Results for images have the same layout, and for integers the same dtype.

    Parameters
    ----------
    X : array, tensor, sparse rows, data frame or Source
        Rows.
    schema : Schema, mapping or None, default=None
        For data frames: a schema of the columns, or a mapping of some column names to kinds. With a schema without
        fields, all columns are numbers. For arrays: whether they are images, and their size.

    Returns
    -------
    Source
        The rows as tensors, and what converts results back. A source is returned unchanged.

    Raises
    ------
    ValueError
        If there are no rows or no columns, values are not numbers, or images have different sizes or a number of
        channels other than 1, 3 or 4.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.data import as_source
    >>> source = as_source(np.zeros((10, 3)))
    >>> len(source), source.schema.shape
    (10, (3,))
    """
    if isinstance(schema, Schema) and schema.vocabulary:
        return read_texts(X, schema)
    if not is_frame(X):
        return _from_array(X, schema)
    if not isinstance(schema, Schema):
        return _not_empty(learn_table(X, schema or {}))
    return _not_empty(encode(X, schema) if schema.fields else read_frame(X))


@as_source.register
def _(X: Source, schema: Any = None) -> Source:
    return X


@as_source.register
def _(X: ImageFolder, schema: Any = None) -> Source:
    return X.match(schema) if isinstance(schema, Schema) and schema.layout else X


@as_source.register
def _(X: Texts, schema: Any = None) -> Source:
    return read_texts(X, schema if isinstance(schema, Schema) and schema.vocabulary else X.schema)


@as_source.register
def _(X: torch.Tensor, schema: Any = None) -> Source:
    if X.ndim < 2:
        return _from_array(X.detach().cpu().numpy())
    if X.is_complex():
        raise ValueError(COMPLEX)
    values = to_computable_rows(X)
    if not isinstance(values, torch.Tensor):
        return as_source(values)
    # Autograd cannot save tensors created under inference_mode.
    return _detect_images(values.clone() if values.is_inference() else values, str(X.dtype)[6:], schema)


@as_source.register(sparse.sparray)
@as_source.register(sparse.spmatrix)
def _(X: Any, schema: Any = None) -> Source:
    if X.dtype.kind == "c":
        raise ValueError(COMPLEX)
    rows = check_array(X, accept_sparse="csr", ensure_all_finite=False)
    return Array(in_computable_dtype(rows), Schema(tuple(rows.shape[1:]), dtype=rows.dtype.name))


@as_source.register
def _(X: np.ma.MaskedArray, schema: Any = None) -> Source:
    return _from_array(to_computable_rows(X), schema)


def decode(values: np.ndarray[Any, Any], schema: Schema, rounded: bool = False) -> Any:
    """Convert values (n, *shape) of a model to the container of the data of its schema.

    Parameters
    ----------
    values : ndarray of shape (n, *shape)
        NaN means missing.
    schema : Schema
        Description of a row, which names the container.
    rounded : bool, default=False
        Whether numbers of data frames are rounded to the digits that numbers of fit have.

    Returns
    -------
    array, data frame, list of series or list of texts
        The same rows.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from isthmus.data import as_source, decode
    >>> schema = as_source(pa.table({"city": ["Oslo", "Rome"] * 2, "age": [31, 42, 50, 71]})).schema
    >>> decode(np.array([[1.0, 38.4]]), schema, rounded=True).to_pylist()
    [{'city': 'Rome', 'age': 38}]
    """
    if schema.vocabulary:
        return to_texts(values, schema)
    if schema.ragged:
        return unpad_series(values, schema)
    return decode_table(values, schema, rounded) if schema.fields else restore_images(values, schema)


def to_computable_rows(X: Any) -> Any:
    """Return tensors in a dtype that torch computes with, sparse tensors as sparse rows of scipy, and masks as NaN.

    Texts with a vocabulary become rows of tokens. Other containers are returned unchanged.
    """
    if isinstance(X, Texts):
        return as_source(X)
    if isinstance(X, torch.Tensor):
        values = X.detach().to(COMPUTABLE.get(X.dtype, X.dtype))
        if values.layout == torch.strided:
            return values
        return _sparse_rows(values) if values.ndim == 2 else values.to_dense()
    if isinstance(X, np.ma.MaskedArray):
        kept = X.dtype if X.dtype.kind in "fO" else np.float64
        return np.ma.filled(X.astype(kept), np.nan) if np.ma.is_masked(X) else X.data
    return X


def _sparse_rows(values: torch.Tensor) -> sparse.csr_array:
    """Convert a sparse tensor of rank 2 to sparse rows of scipy."""
    triples = values.to_sparse_coo().coalesce()
    return sparse.coo_array((triples.values().numpy(), tuple(triples.indices().numpy())), tuple(values.shape)).tocsr()


def _from_array(X: Any, schema: Any = None) -> Source:
    refuse_container(X)
    rows = read_ragged_rows(X)
    if rows and (is_ragged(rows) or (isinstance(schema, Schema) and schema.ragged)):
        return _from_rows(rows, schema)
    name, X = type(X).__name__, stack_images(X)
    if not X.ndim and X.dtype.kind in "OU":
        remedy = "; isthmus.data.files.read reads files" if name == "str" else ""
        raise ValueError(f"X is of type {name}, expected an array or a data frame{remedy}")
    if X.ndim < 2:
        if X.size and isinstance(X.flat[0], str):
            raise ValueError("expected numbers, got texts; make tokens of them by isthmus.data.Texts, or count words")
        advice = "Reshape your data: X.reshape(-1, 1) if it is one column, X.reshape(1, -1) if it is one row"
        raise ValueError(f"expected rows and columns, got an array of shape {X.shape}. {advice}")
    values = X if X.dtype.kind in "biuf" else _numbers(X)
    return _detect_images(as_tensor(values), values.dtype.name, schema)


def _from_rows(rows: list[np.ndarray[Any, Any]], schema: Any) -> Source:
    """Pad series of different lengths, to the length of a known schema if there is one."""
    known = schema if isinstance(schema, Schema) and schema.ragged else infer_ragged_schema(rows)
    values, lengths = as_tensor(pad_series(rows, known.shape[-1])), [row.shape[-1] for row in rows]
    own = replace(known, shape=tuple(values.shape[1:]))
    return Array(values, own, container=partial(unpad_series, schema=own, lengths=lengths))


def _numbers(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Convert an array of another dtype to numbers."""
    if X.dtype.kind == "c":
        raise ValueError(COMPLEX)
    try:
        values: np.ndarray[Any, Any] = check_array(X, dtype="numeric", ensure_all_finite=False, allow_nd=True)
    except ValueError as error:
        raise _explain(error, X) from error
    return values


def _detect_images(values: torch.Tensor, dtype: str, schema: Any) -> Array:
    """Detect images by the schema, or without one by shape and dtype, and move their channels first."""
    shape = tuple(values.shape[1:])
    if isinstance(schema, Schema):
        layout = match_layout(shape, schema) if schema.layout else ""
    else:
        layout = infer_layout(shape, dtype)
    values = to_channels_first(values, layout)
    own = Schema(tuple(values.shape[1:]), dtype=dtype, layout=layout)
    return _not_empty(Array(values, own, container=partial(restore_images, schema=own) if layout else None))


def _explain(error: ValueError, values: np.ndarray[Any, Any]) -> ValueError:
    """Return an error that names the first text of an array, or the given error if there is no text."""
    if values.dtype.kind not in "OSU":
        return error
    for position, value in np.ndenumerate(values):
        if isinstance(value, str | bytes) and not _is_number(value):
            return ValueError(f"row {position[0]}, column {position[1]} holds text, {str(value)!r}; expected numbers")
    return error if values.dtype.kind == "O" else ValueError(f"the array holds text ({values.dtype}), expected numbers")


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _not_empty(source: Array) -> Array:
    n_rows, n_columns = len(source), min(source.schema.shape)
    if n_rows == 0 or n_columns == 0:
        what = ("sample(s)", n_rows) if n_rows == 0 else ("feature(s)", n_columns)
        shape = (n_rows, *source.schema.shape)
        raise ValueError(f"Found array with {what[1]} {what[0]} (shape={shape}) while a minimum of 1 is required.")
    return source


def with_labels(source: Source, condition: Condition, y: Any) -> Source:
    """Return the same rows with encoded labels.

    Parameters
    ----------
    source : Source
        Rows in memory.
    condition : Condition
        Kind and values of the labels of ``fit``.
    y : array of shape (n,)
        Labels of the rows.

    Returns
    -------
    Source
        The rows with encoded labels.

    Raises
    ------
    ValueError
        If the number of labels differs from that of the rows, or a label was not seen in fit.
    TypeError
        If the rows are not in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.data import as_source, with_labels
    >>> from isthmus.schema import Condition
    >>> labels = ["red", "blue", "red"]
    >>> rows = with_labels(as_source(np.zeros((3, 2))), Condition.of(labels), labels)
    >>> next(rows.batches(3)).y
    tensor([[0., 1.],
            [1., 0.],
            [0., 1.]])
    """
    if not isinstance(source, Array | ImageFolder):
        raise InputTypeError(f"labels go beside rows in memory, got {type(source).__name__}; load its rows first")
    encoded = torch.from_numpy(condition.encode(y))
    if len(encoded) != len(source):
        raise ValueError(f"y must have a label for each of the {len(source)} rows of X, got {len(encoded)}")
    return source.with_labels(encoded)


def hold_out(source: Source, fraction: float, seed: int) -> tuple[Source, Source | None]:
    """Split off a fraction of the rows for validation, or none where either part would be too small.

    The rows for validation of a stream are loaded into memory, because they are read after every epoch. There are at
    most as many as fit into a pool.

    Parameters
    ----------
    source : Source
        Rows to split.
    fraction : float
        Fraction of the rows to hold out, in [0, 1).
    seed : int
        Seed that determines which rows are held out.

    Returns
    -------
    source : Source
        The other rows.
    held_out : Source or None
        The rows for validation.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.data import as_source, hold_out
    >>> rest, held_out = hold_out(as_source(np.zeros((100, 2))), 0.1, seed=0)
    >>> len(rest), len(held_out)
    (90, 10)
    """
    n_held_out = int(fraction * len(source))
    if n_held_out < MIN_HELD_OUT:
        return source, None
    if not isinstance(source, Stream):
        rest, held_out = source.split(n_held_out, seed)
        return (rest, held_out) if len(rest) > len(held_out) else (source, None)
    others, held = source.split(min(n_held_out, count_rows_within(POOL, source.schema)), seed)
    return others, held.load()
