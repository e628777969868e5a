"""A folder of image files as a source."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from isthmus.data.arrays import Array, ArraySource
from isthmus.data.base import WHOLE, Batch, Shard
from isthmus.data.images.files import (
    CHANNELS,
    KINDS,
    Head,
    Pixels,
    decode_image,
    describe_broken,
    describe_heads,
    explain_error,
    list_images,
    list_some,
    parse_colour,
    read_head,
)
from isthmus.data.images.layout import restore_images
from isthmus.data.images.pixel_scale import PixelScale
from isthmus.data.streams.stream import prefetch
from isthmus.errors import require_path
from isthmus.part import is_count
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]
Result = TypeVar("Result")
Size = tuple[int, int]

# Largest size in bytes of pixels that are kept in memory; if there are more, files are decoded for each batch.
CACHE = 2**30
N_LOADED = 256
EXPECTED_SIZE = "size must be a positive integer or two, height and width"
MODES = {n: mode for mode, n in CHANNELS.items()}


class ImageFolder(ArraySource):
    """The images in a folder and its subfolders, each of which is a sample (channels, height, width).

    Images are rotated by their EXIF data and resized to one size. Transparent parts show a background. Hidden files
    and files of the operating system are skipped. All images are decoded once at the start, which finds broken files.

    Grey images of 16 bits, floats or 32-bit integers keep their values, and results have the same dtype and range. If a
    folder has images of several dtypes, all are scaled to bytes: the smallest value of a dtype in the folder becomes 0,
    the largest 255. A fitted model stores these ranges, and new images are read with them. Results have shape
    (n, height, width) for grey images and (n, height, width, channels) for others. Colours of 16 bits are read with 8
    bits, and only the first of several frames or pages is read.

    Parameters
    ----------
    path : str or Path
        The folder; its subfolders are searched too.
    size : int, (int, int) or None, default=None
        Height and width, or one number for both. None uses the size of the images, which must be the same for all.
    mode : {"L", "RGB", "RGBA"} or None, default=None
        Grey, colour, or colour with opacity. None is grey if all images are grey, and otherwise colour.
    strict : bool, default=False
        Whether broken files raise an error. Otherwise they are left out, with a warning.
    background : str or tuple of int, default="white"
        Colour behind transparent parts, in the notation of Pillow, such as "black", "#20c0ff" or (255, 0, 0).
    like : fitted model, Schema or None, default=None
        Use the size, channels and range of values of the images that the model was fitted on.

    Attributes
    ----------
    files : list of Path
        The files of the rows, sorted.
    labels : ndarray of str of shape (n,)
        For each row, the subfolder of ``path`` that contains the file; empty for files in ``path`` itself.
    broken : dict of Path to str
        Files that cannot be decoded, with reasons.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder, or no image in it.
    ValueError
        If ``size``, ``mode`` or ``background`` is invalid, images have several sizes and ``size`` is None, all files
        are broken, or one is broken and ``strict`` is true.
    ImportError
        Without Pillow.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from PIL import Image
    >>> from isthmus.data import ImageFolder
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("a.png", "b.jpg"):
    ...         Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(f"{folder}/{name}")
    ...     photos = ImageFolder(folder, size=(20, 16))
    >>> len(photos), photos.schema.shape, [file.name for file in photos.files]
    (2, (3, 20, 16), ['a.png', 'b.jpg'])
    """

    def __init__(
        self,
        path: str | Path,
        size: int | Size | None = None,
        *,
        mode: str | None = None,
        strict: bool = False,
        background: str | tuple[int, ...] = "white",
        like: Any = None,
    ) -> None:
        require_path("path", path)
        if not (mode is None or mode in CHANNELS):
            raise ValueError(f"mode must be None or one of {list(CHANNELS)}, got {mode!r}")
        known = getattr(like, "schema_", like)
        if known is not None and not (isinstance(known, Schema) and known.layout):
            raise ValueError(f"like must be a model that was fitted on images, or its schema, got {like!r}")
        sizes = None if size is None else _sizes(size)
        self.path, self.broken, self._mode, self._strict = Path(path), dict[Path, str](), mode, strict
        files = list_images(self.path)
        self._background = parse_colour(background)
        self._heads = self._each(read_head, files)
        self._decode(sizes or (_own_size(self._heads) if known is None else _sizes(known.shape[1:])), known)
        notes = [*describe_broken(self.broken, len(files)), *describe_heads(self._heads)]
        for line in [*notes, *(self._scale.notes(self._heads) if known is None else ())]:
            warnings.warn(line, stacklevel=2)

    def _decode(self, sizes: Size, known: Schema | None) -> None:
        """Decode all files, in the channels and the scale of a known schema or in their own."""
        mode = self._mode or (_mode_of(self._heads) if known is None else MODES[known.shape[0]])
        decoded = partial(decode_image, sizes=sizes, mode=mode, background=self._background)
        shape, itemsize = (CHANNELS[mode], *sizes), 1 if _dtypes(self._heads) == {"uint8"} else 4
        keep = len(self._heads) * prod(shape) * itemsize <= CACHE
        good = self._each(decoded if keep else partial(_without_values, decoded), list(self._heads))
        self._heads = {file: self._heads[file] for file in good}
        scale = self._scale = PixelScale.of(good.values(), known)
        self.schema = Schema(shape, dtype=scale.dtype, layout="hw" if mode == "L" else "hwc", ranges=scale.ranges)
        images: Any = Undecoded(list(good), lambda file: scale(decoded(file)), shape, scale.stored)
        if keep:
            images = torch.from_numpy(np.stack([scale(pixels) for pixels in good.values()]))
        self._rows = Array(images, self.schema)

    def _each(self, function: Callable[[Path], Result], files: Sequence[Path]) -> dict[Path, Result]:
        """Apply a function to files on several threads, and record broken files.

        Raises
        ------
        ValueError
            If all files are broken, or one is broken and ``strict`` is true.
        """
        results = {}
        with ThreadPoolExecutor() as pool:
            for file, result in zip(files, pool.map(partial(_attempt, function), files), strict=True):
                if not isinstance(result, Exception):
                    results[file] = result
                elif self._strict:
                    raise ValueError(_reason(file, result)) from result
                else:
                    self.broken[file] = explain_error(result)
        if not results:
            raise ValueError(f"none of the {len(self.broken)} images can be decoded: {list_some(self.broken)}")
        return results

    def match(self, schema: Schema) -> Self:
        """Return the images with the channels and the range of values of the schema of a model.

        The size, and channels that ``mode`` set, stay the same.

        Parameters
        ----------
        schema : Schema
            Schema of a model, such as ``Autoencoder.schema_``.

        Returns
        -------
        ImageFolder
            The same images, which are decoded again if necessary.
        """
        channels = self.schema.shape[0] if self._mode else schema.shape[0]
        scale = self._scale.like(schema)
        if channels == self.schema.shape[0] and scale.scales_equally(self._scale, _dtypes(self._heads)):
            return self
        matched = copy(self)
        matched._decode(_sizes(self.schema.shape[1:]), schema)
        matched._rows = replace(matched._rows, rows=self._rows.rows, y=self._rows.y)
        return matched

    def __repr__(self) -> str:
        channels, height, width = self.schema.shape
        kind, dtype = KINDS[channels], self.schema.dtype
        images = "image" if len(self) == 1 else "images"
        return f"<ImageFolder {str(self.path)!r}: {len(self)} {kind} {images}, {height} x {width}, {dtype}>"

    @property
    def files(self) -> list[Path]:
        """The files of the rows, sorted."""
        files, rows = list(self._heads), self._rows.rows
        return files if rows is None else [files[i] for i in rows.tolist()]

    @property
    def labels(self) -> Values:
        """For each row, the subfolder that contains the file."""
        return np.array([next(iter(file.relative_to(self.path).parts[:-1]), "") for file in self.files])

    def batches(self, size: int, seed: int | None = None, shard: Shard = WHOLE) -> Iterator[Batch]:
        """Yield images in batches, in order or in a random order. Threads decode files while the model computes."""
        batches = self._rows.batches(size, seed, shard)
        return batches if isinstance(self._rows.values, Tensor) else prefetch(batches)

    def to_container(self, values: Values) -> Values:
        """Convert results to the dtype and the layout of the images."""
        return restore_images(values, self.schema)

    def load(self) -> Array:
        """Decode all images into memory.

        Returns
        -------
        Array
            The images as rows in memory.
        """
        images = torch.cat([batch.x for batch in self.batches(N_LOADED)])
        return Array(images, self.schema, container=self.to_container)


class Undecoded:
    """Files as rows (n, channels, height, width), which ``toarray`` decodes."""

    def __init__(
        self, files: Sequence[Path], decoded: Callable[[Path], Values], shape: tuple[int, ...], dtype: Any
    ) -> None:
        self.files, self.decoded = np.array(files, dtype=object), decoded
        self.shape, self.dtype = (len(files), *shape), np.dtype(dtype)

    def __getitem__(self, index: slice | Values) -> "Undecoded":
        return Undecoded(self.files[index].tolist(), self.decoded, self.shape[1:], self.dtype)

    def toarray(self) -> Values:
        """Decode the files on several threads."""
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(partial(_attempt, self.decoded), self.files))
        for file, result in zip(self.files, results, strict=True):
            if isinstance(result, Exception):
                raise ValueError(_reason(file, result)) from result
        return np.stack(results)  # type: ignore[arg-type]


def _attempt(function: Callable[[Path], Result], file: Path) -> Result | Exception:
    """Apply a function to a file, or return the exception: decoders of broken files raise exceptions of any type."""
    try:
        return function(file)
    except MemoryError:
        raise
    except Exception as error:
        return error


def _without_values(decoded: Callable[[Path], Pixels], file: Path) -> Pixels:
    """Decode a file, to check it and to measure the range of its values."""
    return decoded(file)._replace(values=np.empty(0))


def _reason(file: Path, error: Exception) -> str:
    return f"the image {str(file)!r} cannot be decoded: {explain_error(error)}"


def _sizes(size: Any) -> Size:
    pair = (size, size) if is_count(size) else size
    if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_count, pair))):
        raise ValueError(f"{EXPECTED_SIZE}, got {size!r}")
    return int(pair[0]), int(pair[1])


def _own_size(heads: Mapping[Path, Head]) -> Size:
    sizes = sorted({head.size for head in heads.values()})
    if len(sizes) > 1:
        low, high = (f"{height} x {width}" for height, width in (sizes[0], sizes[-1]))
        raise ValueError(
            f"the images have {len(sizes)} sizes, from {low} to {high}: bring them to one by size=(height, width)"
        )
    return sizes[0]


def _mode_of(heads: Mapping[Path, Head]) -> str:
    return "L" if all(head.grey for head in heads.values()) else "RGB"


def _dtypes(heads: Mapping[Path, Head]) -> set[str]:
    return {head.dtype for head in heads.values()}
