"""Rows as images or curves."""

from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np
import torch

from isthmus import likelihoods
from isthmus.containers import open_frame
from isthmus.data import Source
from isthmus.data.images.layout import CHANNELS
from isthmus.data.tables.frames import is_frame
from isthmus.formatting import format_shape
from isthmus.plots.inputs import get_schema, unwrap
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]
Shape = tuple[int, ...]

# Smallest side of a square image in pixels that is inferred from the number of values.
MIN_SIDE = 4


class Samples(NamedTuple):
    """Images (n, height, width) or (n, height, width, colours); or curves (n, channels, time)."""

    values: Values
    are_images: bool


def make_samples(model: Any, numbers: Values, shape: Shape | None, name: str = "X") -> Samples:
    """Return rows as images, if their shape is given or can be inferred, or as curves.

    Rows of a square number of values are images if neighbouring values correlate like pixels.

    Raises
    ------
    ValueError
        If rows do not have the shape, or have too many axes.
    """
    schema = get_schema(model)
    if schema is not None and schema.layout:
        numbers = np.moveaxis(numbers, 1, -1)
    if shape is not None:
        return Samples(reshape_images(numbers, shape, name), True)
    if numbers.ndim == 2:
        side = isqrt(numbers.shape[1])
        is_square = _is_square(numbers.shape[1]) and not (schema is not None and schema.fields)
        if is_square and _are_pixels(model, numbers):
            return Samples(numbers.reshape(-1, side, side), True)
        return Samples(numbers[:, None], False)
    if numbers.ndim == 4 and schema is not None and schema.layout:
        return Samples(_squeeze_grey(numbers), True)
    if numbers.ndim == 3:
        return Samples(numbers, False)
    raise ValueError(f"rows of {format_shape(numbers.shape[1:])} cannot be plotted; give shape=(height, width)")


def reshape_images(numbers: Values, shape: Shape, name: str) -> Values:
    """Reshape rows to images, channels last, or raise ``ValueError``."""
    if numbers[0].size != prod(shape) or len(shape) not in (2, 3):
        raise ValueError(f"{name!r}: an image of shape {shape} has {prod(shape)} values, got {numbers[0].size}")
    images = numbers.reshape(-1, *shape)
    if len(shape) == 3 and shape[-1] not in CHANNELS and shape[0] in CHANNELS:
        images = np.moveaxis(images, 1, -1)
    return _squeeze_grey(images)


def _squeeze_grey(images: Values) -> Values:
    return images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images


def _are_pixels(model: Any, numbers: Values) -> bool:
    likelihood = getattr(unwrap(model), "likelihood_", None)
    if isinstance(likelihood, likelihoods.Gaussian):
        return likelihood.scale == "shared"
    if isinstance(likelihood, likelihoods.Bernoulli | likelihoods.ContinuousBernoulli):
        return True
    return Statistics.of(torch.from_numpy(numbers)).are_pixels


def to_images(name: str, X: Any, shape: Shape | None, n: int) -> Values:
    """Return the first images of an array, a folder or another container, channels last.

    A single image is accepted. Without a shape, rows of a square number of values are square images, and a square
    matrix is one image.

    Raises
    ------
    ValueError
        If rows do not have the shape, or contain no images.
    """
    if isinstance(X, Source):
        rows = next(iter(X.batches(n))).x.numpy()
        return _channels_last(rows) if shape is None else reshape_images(_channels_last(rows), shape, name)
    if is_frame(X):
        X = open_frame(X).to_numpy()
        if X.dtype.kind not in "biuf" or (shape is None and not _is_square(X.shape[1])):
            raise ValueError(f"{name!r}: a table of {X.shape[1]} columns is not images; give shape=(height, width)")
    X = np.asarray(X)
    if shape is not None:
        return reshape_images(np.asarray(X if X.size != prod(shape) else X[None])[:n], shape, name)
    return _images_by_shape(name, X)[:n]


def _is_square(n_values: int) -> bool:
    side = isqrt(n_values)
    return side >= MIN_SIDE and side**2 == n_values


def _images_by_shape(name: str, X: Values) -> Values:
    if X.ndim == 4:
        return _channels_last(X)
    if X.ndim == 3:
        is_one = (X.shape[-1] in (3, 4) or X.shape[0] in CHANNELS) and min(sorted(X.shape)[1:]) > 4
        return _channels_last(X[None]) if is_one else X
    side = isqrt(X.shape[-1]) if X.ndim else 0
    if X.ndim == 2 and (not _is_square(X.shape[1]) or len(set(X.shape)) == 1):
        return X[None]
    if X.ndim not in (1, 2) or side**2 != X.shape[-1]:
        raise ValueError(f"{name!r}: an array of shape {X.shape} is not an image; give shape=(height, width)")
    return X.reshape(-1, side, side)


def _channels_last(X: Values) -> Values:
    first = X.shape[1] in CHANNELS and (X.shape[-1] not in CHANNELS or X.shape[1] <= X.shape[-1])
    return _squeeze_grey(np.moveaxis(X, 1, -1) if first and X.ndim == 4 else X)
