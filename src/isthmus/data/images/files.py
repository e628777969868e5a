"""Image files: finding them, reading their headers, and decoding their pixels."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.schema import Schema

if TYPE_CHECKING:
    from PIL.Image import Image

Values = np.ndarray[Any, Any]
Range = tuple[float, float]

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
# Names of images by number of channels.
KINDS = {1: "grey", 3: "coloured", 4: "transparent"}
BYTES: Range = (0.0, 255.0)
# Folders of operating systems and network storage. Names that begin with a dot are skipped too.
SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
# Formats that Pillow recognises but cannot decode without other programs.
UNDECODABLE = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
# Formats whose additional frames are views or previews of the first.
WITH_PREVIEWS = {"MPO"}
# Number of broken files that messages name.
N_NAMED = 3
# Usual bit depths of sensors, stored in 16 bits.
BITS = (8, 10, 12, 14, 16)


class Head(NamedTuple):
    """The header of a file: ``dtype`` is that of the pixels, ``size`` the upright (height, width)."""

    grey: bool
    dtype: str
    size: tuple[int, int]
    several_frames: bool
    deep_colours: bool


class Pixels(NamedTuple):
    """Pixels (channels, height, width) of a file, and the range of its values before resizing."""

    values: Values
    dtype: str
    range: Range


def list_images(folder: Path) -> list[Path]:
    """Find the image files in a folder and its subfolders, sorted; hidden and system folders are skipped."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("images in files need Pillow: pip install 'isthmus[images]'") from error
    if folder.is_file():
        raise NotADirectoryError(f"{str(folder)!r} is a file: give the folder that it lies in")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r}")
    formats = Image.registered_extensions().items()
    endings = {ending for ending, kind in formats if kind in Image.OPEN and kind not in UNDECODABLE}
    files = sorted(file for file in _visible(folder) if file.suffix.lower() in endings and file.is_file())
    if not files:
        raise FileNotFoundError(f"there is no image in the folder {str(folder)!r}")
    return files


def _visible(folder: Path) -> Iterable[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in SYSTEM_FOLDERS]
        yield from (Path(root, name) for name in names if not name.startswith("."))


def read_head(file: Path) -> Head:
    """Read the header of a file, without decoding its pixels."""
    from PIL import Image

    with Image.open(file) as image:
        frames = image.format not in WITH_PREVIEWS and bool(getattr(image, "is_animated", False))
        grey = Image.getmodebase(image.mode) == "L"
        deep_colours = not grey and any(";16" in str(tile[3]) for tile in image.tile)
        return Head(grey, _dtype(image), _upright_size(image), frames, deep_colours)


def decode_image(file: Path, sizes: tuple[int, int], mode: str, background: tuple[int, ...]) -> Pixels:
    """Decode an image, turn it upright and resize it; its values keep the range of the file.

    Transparent parts get the background, unless ``mode`` keeps the opacity.

    Raises
    ------
    ValueError
        If a value is infinite.
    """
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        dtype, range = _dtype(image), BYTES
        image.draft(None, (max(sizes), max(sizes)))  # decodes a large JPEG faster, at a reduced size
        upright = ImageOps.exif_transpose(image)
        if dtype == "uint8":
            upright = _compose(upright, mode, background)
        else:
            range = _range(values := np.asarray(upright, dtype=np.float32))
            upright = Image.fromarray(values)
        pixels = np.asarray(upright.resize(sizes[::-1], Image.Resampling.BILINEAR))
    pixels = np.ascontiguousarray(pixels.reshape(*sizes, -1).transpose(2, 0, 1))
    return Pixels(pixels if dtype == "uint8" else _channels(pixels, mode, range[1]), dtype, range)


def _dtype(image: "Image") -> str:
    """Return the dtype of the pixels; older versions of Pillow read 16-bit PNG files as 32-bit integers."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return "uint16"
    return {"I": "int32", "F": "float32"}.get(image.mode, "uint8")


def _upright_size(image: "Image") -> tuple[int, int]:
    from PIL import ExifTags

    width, height = image.size
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return (width, height) if turned else (height, width)


def _compose(image: "Image", mode: str, background: tuple[int, ...]) -> "Image":
    from PIL import Image

    if mode == "RGBA" or not image.has_transparency_data:
        return image.convert(mode)
    ground = Image.new("RGBA", image.size, background)
    return Image.alpha_composite(ground, image.convert("RGBA")).convert(mode)


def _range(values: Values) -> Range:
    if np.isinf(values).any():
        raise ValueError("it holds infinite values")
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _channels(grey: Values, mode: str, high: float) -> Values:
    """Repeat grey values for each colour; the opacity is the largest value of the file."""
    colours = np.repeat(grey, min(CHANNELS[mode], 3), axis=0)
    return np.concatenate([colours, np.full_like(grey, high)]) if mode == "RGBA" else colours


def list_sizes(folder: Path) -> list[tuple[int, int]]:
    """List the sizes (height, width) of the images in a folder, without broken files."""
    sizes = set()
    for file in list_images(folder):
        with suppress(Exception):  # decoders of broken files raise anything
            sizes.add(read_head(file).size)
    return sorted(sizes)


def to_picture(values: Values, schema: Schema) -> tuple["Image", str]:
    """Convert an image of a model to an image of Pillow, and return a suffix of files that can store it.

    Colours other than bytes are scaled to bytes, from the range of fit, or else from their own range.
    """
    from PIL import Image

    if schema.layout == "chw":
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim == 3 and values.dtype != np.uint8:
        low, high = next(((low, high) for dtype, low, high in schema.ranges if dtype == schema.dtype), _range(values))
        values = np.clip(np.rint((values - low) / ((high - low) or 1.0) * 255), 0, 255).astype(np.uint8)
    if values.dtype in (np.uint8, np.uint16):
        return Image.fromarray(values), ".png"
    return Image.fromarray(values.astype(np.int32 if values.dtype.kind in "iu" else np.float32)), ".tif"


def parse_colour(colour: Any) -> tuple[int, ...]:
    """Parse a name of a colour, or three or four integers from 0 to 255, as (red, green, blue, 255)."""
    from PIL import ImageColor

    if isinstance(colour, str):
        colour = ImageColor.getrgb(colour)
    values = tuple(colour) if isinstance(colour, tuple | list) else ()
    if len(values) not in (3, 4) or not all(isinstance(value, int) and 0 <= value <= 255 for value in values):
        raise ValueError(f"background must be a colour such as 'white' or (255, 255, 255), got {colour!r}")
    return (*values[:3], 255)


def describe_broken(broken: Mapping[Path, str], n_files: int) -> Iterator[str]:
    """Describe files that were left out."""
    if broken:
        yield f"left out {len(broken)} of {n_files} images that cannot be decoded: {list_some(broken)}"


def describe_heads(heads: Mapping[Path, Head]) -> Iterator[str]:
    """Describe contents of files that are not used."""
    frames = [file.name for file, head in heads.items() if head.several_frames]
    deep = [file.name for file, head in heads.items() if head.deep_colours]
    if frames:
        yield f"{len(frames)} of {len(heads)} images have several frames or pages: the first is used ({frames[0]!r})"
    if deep:
        yield f"{len(deep)} of {len(heads)} images have colours of 16 bits, which are read with 8 ({deep[0]!r})"


def list_some(broken: Mapping[Path, str]) -> str:
    """List the first broken files with reasons."""
    return "; ".join(f"{str(file)!r}: {reason}" for file, reason in list(broken.items())[:N_NAMED])


def explain_error(error: Exception) -> str:
    """Return the reason why a file cannot be decoded, without its name."""
    from PIL import UnidentifiedImageError

    return "it is not an image" if isinstance(error, UnidentifiedImageError) else str(error)


def measure_range(dtype: str, ranges: Iterable[Range]) -> Range:
    """Return the values of black and white for all files of one dtype.

    For 16 bits they are those of the sensor, such as 0 and 4095 for 12 bits; for floats from 0 to 1, they are 0 and 1.
    """
    lows, highs = zip(*ranges, strict=True)
    low, high = min(lows), max(highs)
    if dtype == "uint8":
        return BYTES
    if dtype == "uint16":
        return 0.0, float(next(2**bits - 1 for bits in BITS if high < 2**bits))
    if dtype == "float32" and low >= 0 and 0 < high <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1
