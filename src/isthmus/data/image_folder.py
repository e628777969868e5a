"""Images in files: a folder of them is a source."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import torch

from isthmus.data.arrays import Array
from isthmus.data.base import WHOLE, Batch, Share, Source
from isthmus.data.images import WHITE, as_given
from isthmus.data.streams import ahead
from isthmus.part import is_count
from isthmus.schema import Schema

if TYPE_CHECKING:
    from PIL.Image import Image

Values = np.ndarray[Any, Any]
Result = TypeVar("Result")

# Bytes of pixels up to which they are kept in memory; of more, files are decoded each time they are needed.
CACHE = 2**30
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
N_TOLD, N_LOADED = 3, 256


class ImageFolder(Source):
    """The images in a folder and in its folders, each of them a sample (channels, height, width).

    Images are turned as their cameras say and stretched to one size. All are decoded once at the start, so that broken
    files are known before a training begins. What a model makes of images comes back as an array of uint8,
    (n, height, width) if they are grey and (n, height, width, channels) if not.

    Parameters
    ----------
    path : str or Path
    size : int or (int, int)
        Height and width; one number is both.
    mode : {"L", "RGB", "RGBA"} or None, default=None
        Grey, coloured, or coloured with opacity. None is grey if all images are, and coloured if not.
    strict : bool, default=False
        Whether a broken file is an error. Otherwise broken files are left out, with a warning.

    Attributes
    ----------
    files : list of Path
        Those of the rows, sorted.
    broken : dict of Path to str
        Files that cannot be decoded, and why.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no image in it.
    ValueError
        If ``size`` or ``mode`` make no sense, all files are broken, or one is and ``strict`` is true.
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
        self, path: str | Path, size: int | tuple[int, int], *, mode: str | None = None, strict: bool = False
    ) -> None:
        if not (mode is None or mode in CHANNELS):
            raise ValueError(f"mode must be None or one of {list(CHANNELS)}, got {mode!r}")
        sizes = _sizes(size)
        files = files_in(Path(path))
        self.broken: dict[Path, str] = {}
        grey = self._each(is_grey, files, strict)
        mode = mode or ("L" if all(grey.values()) else "RGB")
        decoded = partial(decode, sizes=sizes, mode=mode)
        shape = (CHANNELS[mode], *sizes)
        keep = len(grey) * prod(shape) <= CACHE
        good: dict[Path, Any] = self._each(decoded if keep else partial(_tried, decoded), list(grey), strict)
        _tell(self.broken, files)
        self._files = list(good)
        self.schema = Schema(shape, dtype="uint8", layout="hw" if mode == "L" else "hwc")
        images = np.stack(list(good.values())) if keep else Undecoded(self._files, decoded, shape)
        self._images = Array(torch.from_numpy(images) if keep else images, self.schema)

    def _each(self, function: Callable[[Path], Result], files: Sequence[Path], strict: bool) -> dict[Path, Result]:
        """Apply a function to files, side by side, and note those that are broken."""
        results = {}
        with ThreadPoolExecutor() as pool:
            for file, result in zip(files, pool.map(partial(_attempt, function), files), strict=True):
                if not isinstance(result, Exception):
                    results[file] = result
                elif strict:
                    raise ValueError(_reason(file, result)) from result
                else:
                    self.broken[file] = str(result)
        return results

    @property
    def files(self) -> list[Path]:
        """Those of the rows."""
        rows = self._images.rows
        return self._files if rows is None else [self._files[i] for i in rows.tolist()]

    def __len__(self) -> int:
        return len(self._images)

    def batches(self, size: int, seed: int | None = None, share: Share = WHOLE) -> Iterator[Batch]:
        """Hand over images; see the base class. Files are decoded by threads while the net computes."""
        batches = self._images.batches(size, seed, share)
        return batches if isinstance(self._images.values, torch.Tensor) else ahead(batches)

    def take(self, index: Values) -> Self:
        """Choose images; see the base class."""
        return self._with(self._images.take(index))

    def split(self, n: int, seed: int) -> tuple[Self, Self]:
        """Set images aside; see the base class."""
        kept, aside = self._images.split(n, seed)
        return self._with(kept), self._with(aside)

    def _with(self, images: Array) -> Self:
        chosen = copy(self)
        chosen._images = images
        return chosen

    def restore(self, values: Values) -> Values:
        """Give results back as uint8; see the base class."""
        return as_given(values, self.schema)

    def load(self) -> Array:
        """Decode all images into memory, where labels can go beside them."""
        images = torch.cat([batch.x for batch in self.batches(N_LOADED)])
        return Array(images, self.schema, container=self.restore)


class Undecoded:
    """Files as rows (n, channels, height, width) that are decoded when needed, as sparse rows are made dense."""

    dtype = np.dtype(np.uint8)

    def __init__(self, files: Sequence[Path], decoded: Callable[[Path], Values], shape: tuple[int, ...]) -> None:
        self.files, self.decoded = np.array(files, dtype=object), decoded
        self.shape = (len(files), *shape)

    def __getitem__(self, index: slice | Values) -> "Undecoded":
        return Undecoded(self.files[index].tolist(), self.decoded, self.shape[1:])

    def toarray(self) -> Values:
        """Decode the files, side by side."""
        with ThreadPoolExecutor() as pool:
            results = list(pool.map(partial(_attempt, self.decoded), self.files))
        for file, result in zip(self.files, results, strict=True):
            if isinstance(result, Exception):
                raise ValueError(_reason(file, result)) from result
        return np.stack(results)  # type: ignore[arg-type]


def files_in(folder: Path) -> list[Path]:
    """Find the files in a folder and in its folders that Pillow knows by their ending, sorted."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("images in files need Pillow: pip install 'isthmus[images]'") from error
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r}")
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in endings and file.is_file())
    if not files:
        raise FileNotFoundError(f"there is no image in the folder {str(folder)!r}")
    return files


def is_grey(file: Path) -> bool:
    """Whether an image has no colours, by the head of its file."""
    from PIL import Image

    with Image.open(file) as image:
        return Image.getmodebase(image.mode) == "L"


def decode(file: Path, sizes: tuple[int, int], mode: str) -> Values:
    """Read an image as bytes (channels, height, width)."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        image.draft(None, (max(sizes), max(sizes)))  # a large JPEG is decoded at a smaller size, in less time
        upright = _eight_bits(ImageOps.exif_transpose(image)).convert(mode)
        pixels = np.asarray(upright.resize(sizes[::-1], Image.Resampling.BILINEAR))
    return np.ascontiguousarray(pixels.reshape(*sizes, -1).transpose(2, 0, 1))


def _eight_bits(image: "Image") -> "Image":
    """Keep the upper half of 16 bits, where Pillow would cut off all that is brighter than 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray(np.clip(np.asarray(image) // (WHITE + 1), 0, WHITE).astype(np.uint8))


def _attempt(function: Callable[[Path], Result], file: Path) -> Result | Exception:
    """Apply a function to a file, or return what went wrong: decoders of broken files raise anything."""
    try:
        return function(file)
    except Exception as error:
        return error


def _tried(function: Callable[[Path], Any], file: Path) -> None:
    """Apply a function without keeping the result."""
    function(file)


def _reason(file: Path, error: Exception) -> str:
    return f"the image {str(file)!r} cannot be decoded: {error}"


def _tell(broken: dict[Path, str], files: Sequence[Path]) -> None:
    """Warn of broken files, or raise ``ValueError`` where all are."""
    if not broken:
        return
    some = "; ".join(f"{str(file)!r}: {reason}" for file, reason in list(broken.items())[:N_TOLD])
    if len(broken) == len(files):
        raise ValueError(f"none of the {len(files)} images can be decoded: {some}")
    warnings.warn(
        f"left out {len(broken)} of {len(files)} images, listed in broken, that cannot be decoded: {some}", stacklevel=3
    )


def _sizes(size: Any) -> tuple[int, int]:
    pair = (size, size) if is_count(size) else size
    if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_count, pair))):
        raise ValueError(f"size must be a positive integer or two, height and width, got {size!r}")
    return int(pair[0]), int(pair[1])
