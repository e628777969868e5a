"""The range of values of images in files: one scale for a folder, and for the images that come later."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from isthmus.data.images.files import BYTES, Head, Pixels, Range, measure_range
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Range from black to white of a dtype that no file of the folder has.
FULL = {"uint8": BYTES, "uint16": (0.0, 65535.0)}
NAMES = {"uint16": "16 bits", "int32": "integers of 32 bits", "float32": "floats"}


@dataclass(frozen=True)
class PixelScale:
    """Brings pixels of any dtype to those of one.

    Parameters
    ----------
    dtype : str
        What pixels are brought to.
    ranges : tuple of (str, float, float)
        By dtype, the values that are black and white.
    """

    dtype: str
    ranges: tuple[tuple[str, float, float], ...]

    @classmethod
    def of(cls, images: Iterable[Pixels], known: Schema | None = None) -> "PixelScale":
        """Measure the ranges of some images; a known schema decides where there is one.

        Images of one dtype keep their values, those of several become bytes.
        """
        found: dict[str, list[Range]] = {}
        for pixels in images:
            found.setdefault(pixels.dtype, []).append(pixels.range)
        ranges = tuple((dtype, *measure_range(dtype, found[dtype])) for dtype in sorted(found))
        own = cls(ranges[0][0] if len(ranges) == 1 else "uint8", ranges)
        return own if known is None else own.like(known)

    def like(self, known: Schema) -> Self:
        """Return the scale of a known schema, with the ranges of other dtypes added."""
        ranges = {dtype: (dtype, low, high) for dtype, low, high in (*self.ranges, *known.ranges)}
        return replace(self, dtype=known.dtype, ranges=tuple(ranges[dtype] for dtype in sorted(ranges)))

    def maps_alike(self, other: "PixelScale", dtypes: Iterable[str]) -> bool:
        """Whether another scale makes the same of all pixels of some dtypes."""
        return self.dtype == other.dtype and all(
            dtype == self.dtype
            or (self.range(dtype), self.range(self.dtype)) == (other.range(dtype), other.range(self.dtype))
            for dtype in dtypes
        )

    def range(self, dtype: str) -> Range | None:
        """Return what is black and white in a dtype, as far as it is known."""
        return next(((low, high) for name, low, high in self.ranges if name == dtype), FULL.get(dtype))

    @property
    def stored(self) -> type:
        """The dtype in memory."""
        return np.uint8 if self.dtype == "uint8" else np.float32

    def __call__(self, pixels: Pixels) -> Values:
        """Bring the values of an image to the dtype and range of all."""
        values, own, target = pixels.values, self.range(pixels.dtype), self.range(self.dtype)
        if pixels.dtype != self.dtype and own is not None and target is not None:
            share = (values - own[0]) / (own[1] - own[0])
            values = target[0] + share * (target[1] - target[0])
        if self.stored is np.uint8 and values.dtype != np.uint8:
            values = np.clip(np.rint(values), *BYTES)
        return values.astype(self.stored, copy=False)

    def notes(self, heads: Mapping[Path, Head]) -> Iterator[str]:
        """Say which images have other values than bytes, and what becomes of these."""
        for dtype, low, high in self.ranges:
            n = sum(head.dtype == dtype for head in heads.values())
            if dtype != "uint8":
                what = "; results come back in it" if dtype == self.dtype else ", which becomes 0 to 255"
                yield f"{n} of {len(heads)} images hold {NAMES[dtype]}: their range is {low:g} to {high:g}{what}"
