"""Layouts of arrays of images.

Models read (channels, height, width). A layout names the axes of an image of the user: "chw", "hwc", "hw" for grey
images without an axis of channels, or "" for arrays that are not images.
"""

from typing import Any

import numpy as np
from torch import Tensor

from isthmus.formatting import format_shape
from isthmus.schema import Schema

Shape = tuple[int, ...]
Values = np.ndarray[Any, Any]

# Numbers of channels: grey, colour, and colour with opacity.
CHANNELS = (1, 3, 4)
# Dtypes that only images have.
UNSIGNED = ("uint8", "uint16")


def infer_layout(shape: Shape, dtype: str) -> str:
    """Infer the layout of samples from shape and dtype.

    Samples with two axes are grey images if they are unsigned integers of 8 or 16 bits, and otherwise series (channels,
    time). Of three axes, the first is the axis of channels if it has length 1, 3 or 4; otherwise the last, if it has
    such a length and is shorter than the others.

    Raises
    ------
    ValueError
        If samples of bytes have three axes none of which can be channels.

    Examples
    --------
    >>> from isthmus.data.images.layout import infer_layout
    >>> infer_layout((28, 28), "uint8"), infer_layout((28, 28), "float32"), infer_layout((32, 32, 3), "float32")
    ('hw', '', 'hwc')
    """
    if len(shape) == 2 and dtype in UNSIGNED:
        return "hw"
    if len(shape) != 3:
        return ""
    if shape[0] in CHANNELS:
        return "chw"
    if shape[2] in CHANNELS and shape[2] < min(shape[:2]):
        return "hwc"
    if dtype == "uint8":
        raise ValueError(
            f"images of bytes have 1, 3 or 4 channels, first or last, got rows of {format_shape(shape)}; "
            "give grids of other channels as floats, (n, channels, height, width)"
        )
    return ""


def match_layout(shape: Shape, schema: Schema) -> str:
    """Infer the layout of samples with a known schema of images: its own, or another one with the same size.

    Raises
    ------
    ValueError
        If the size or the channels differ.
    """
    layouts = [schema.layout, "chw", "hwc", "hw"]
    matching = [layout for layout in layouts if convert_shape(schema.shape, layout) == shape]
    if not matching:
        expected = convert_shape(schema.shape, schema.layout)
        raise ValueError(f"X has rows of {format_shape(shape)}, but fit saw images of {format_shape(expected)}")
    return matching[0]


def convert_shape(shape: Shape, layout: str) -> Shape:
    """Convert a shape (channels, height, width) to another layout; return () if the layout cannot hold it."""
    channels, *sizes = shape
    if layout == "hw":
        return tuple(sizes) if channels == 1 else ()
    return (*sizes, channels) if layout == "hwc" else shape


def to_channels_first(values: Tensor, layout: str) -> Tensor:
    """Convert images (n, ...) in a layout to (n, channels, height, width), without a copy."""
    if layout == "hw":
        return values.unsqueeze(1)
    return values.movedim(-1, 1) if layout == "hwc" else values


def restore_images(values: Values, schema: Schema) -> Values:
    """Convert images (n, channels, height, width) to layout and dtype of a schema; integers are rounded and clipped."""
    if schema.layout == "hw":
        values = values[:, 0]
    elif schema.layout == "hwc":
        values = np.moveaxis(values, 1, -1)
    if not schema.layout or np.dtype(schema.dtype).kind not in "iu":
        return values
    limits = np.iinfo(schema.dtype)
    return np.clip(np.rint(values.astype(np.float64)), limits.min, limits.max).astype(schema.dtype)


def stack_images(X: Any) -> Values:
    """Convert nested lists or a list of images to one array.

    Raises
    ------
    ValueError
        If images have different sizes.
    """
    rows: Any = X.tolist() if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1 else X
    if not isinstance(rows, list | tuple) or not rows or np.ndim(rows[0]) < 2:
        return np.asarray(X)
    shapes = list(map(np.shape, rows))
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        first, found = format_shape(shapes[0]), format_shape(shapes[other])
        raise ValueError(
            f"images must be of one size: the first is of {first}, image {other} is of {found}; "
            "resize them, as ImageFolder does"
        )
    return np.stack([np.asarray(row) for row in rows])
