"""Scaling of pixels of several dtypes to one, the same for all images of a folder and for later images."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from isthmus.data.images.files import BYTES, Head, Pixels, Range, measure_range
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Values of black and white for dtypes that no file of the folder has.
FULL = {"uint8": BYTES, "uint16": (0.0, 65535.0)}
NAMES = {"uint16": "16 bits", "int32": "integers of 32 bits", "float32": "floats"}


@dataclass(frozen=True)
class PixelScale:
    """Scales pixels of any dtype to one dtype.

    Parameters
    ----------
    dtype : str
        Dtype of the scaled pixels.
    ranges : tuple of (str, float, float)
        For each dtype, the values of black and white.
    """

    dtype: str
    ranges: tuple[tuple[str, float, float], ...]

    @classmethod
    def of(cls, images: Iterable[Pixels], known: Schema | None = None) -> "PixelScale":
        """Measure the ranges of images; the dtype and ranges of a known schema take precedence.

        Images of one dtype keep their values, those of several dtypes become bytes.
        """
        found: dict[str, list[Range]] = {}
        for pixels in images:
            found.setdefault(pixels.dtype, []).append(pixels.range)
        ranges = tuple((dtype, *measure_range(dtype, found[dtype])) for dtype in sorted(found))
        own = cls(ranges[0][0] if len(ranges) == 1 else "uint8", ranges)
        return own if known is None else own.like(known)

    def like(self, known: Schema) -> Self:
        """Return the scale of a known schema, extended by the ranges of other dtypes."""
        ranges = {dtype: (dtype, low, high) for dtype, low, high in (*self.ranges, *known.ranges)}
        return replace(self, dtype=known.dtype, ranges=tuple(ranges[dtype] for dtype in sorted(ranges)))

    def scales_equally(self, other: "PixelScale", dtypes: Iterable[str]) -> bool:
        """Whether another scale has the same results for all pixels of some dtypes."""
        return self.dtype == other.dtype and all(
            dtype == self.dtype
            or (self.range(dtype), self.range(self.dtype)) == (other.range(dtype), other.range(self.dtype))
            for dtype in dtypes
        )

    def range(self, dtype: str) -> Range | None:
        """Return the values of black and white of a dtype, or None."""
        return next(((low, high) for name, low, high in self.ranges if name == dtype), FULL.get(dtype))

    @property
    def stored(self) -> type:
        """The dtype of scaled pixels in memory."""
        return np.uint8 if self.dtype == "uint8" else np.float32

    def __call__(self, pixels: Pixels) -> Values:
        """Scale the values of an image."""
        values, own, target = pixels.values, self.range(pixels.dtype), self.range(self.dtype)
        if pixels.dtype != self.dtype and own is not None and target is not None:
            share = (values - own[0]) / (own[1] - own[0])
            values = target[0] + share * (target[1] - target[0])
        if self.stored is np.uint8 and values.dtype != np.uint8:
            values = np.clip(np.rint(values), *BYTES)
        return values.astype(self.stored, copy=False)

    def notes(self, heads: Mapping[Path, Head]) -> Iterator[str]:
        """Describe images with values other than bytes, and their conversion."""
        for dtype, low, high in self.ranges:
            n = sum(head.dtype == dtype for head in heads.values())
            if dtype != "uint8":
                what = "; results come back in it" if dtype == self.dtype else ", which becomes 0 to 255"
                yield f"{n} of {len(heads)} images hold {NAMES[dtype]}: their range is {low:g} to {high:g}{what}"
