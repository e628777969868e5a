"""Folders of images as input and output of commands, and pictures of what a detector found."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.anomaly import AnomalyDetector
from isthmus.cli.progress import say
from isthmus.data import ImageFolder
from isthmus.data.images.files import KINDS, list_sizes, to_picture
from isthmus.formatting import format_shape, list_texts, pluralize
from isthmus.schema import Schema
from isthmus.storage import replacing

Values = np.ndarray[Any, Any]

# Height and width that images are resized to if they have several sizes or are larger; small enough for a quick fit.
SIZE = (64, 64)


def open_folder(data: Path, size: str | None = None, like: Any = None) -> ImageFolder:
    """Read a folder of images, in the size that is asked for, or as a model or schema ``like`` expects them.

    Raises
    ------
    OSError, ValueError
        If there are no images, the size is not valid, or the model was fitted on other data.
    """
    if like is None:
        folder = ImageFolder(data, parse_size(size) if size is not None else _own_size(data))
        channels, height, width = folder.schema.shape
        sizes = " of" if list_sizes(data) == [(height, width)] else ", resized to"
        say(f"{data}: {pluralize(len(folder), f'{KINDS[channels]} image')}{sizes} {height} x {width}")
        return folder
    schema = like if isinstance(like, Schema) else getattr(like, "estimator_", like).schema_
    if not schema.layout:
        raise ValueError(
            f"{str(data)!r} is a folder of images, but the model was fitted on rows of {format_shape(schema.shape)}"
        )
    return ImageFolder(data, like=schema)


def summarize_folder(data: Path) -> str:
    """Describe a folder of images: their number, kind, sizes, dtype and subfolders, which are labels."""
    folder, sizes = ImageFolder(data, _own_size(data)), list_sizes(data)
    labels = Counter(folder.labels.tolist())
    named = list_texts([f"{label or 'no subfolder'} {count:,}" for label, count in labels.most_common()])
    facts = {
        "images": f"{len(folder):,}, {KINDS[folder.schema.shape[0]]}, {folder.schema.dtype}",
        "height x width": list_texts([f"{height} x {width}" for height, width in sizes]),
        "fit resizes to": "" if sizes == [folder.schema.shape[1:]] else " x ".join(map(str, folder.schema.shape[1:])),
        "subfolders": named if len(labels) > 1 else "",
    }
    return "\n".join(f"{name:14}  {fact}" for name, fact in facts.items() if fact)


def parse_size(text: str) -> tuple[int, int]:
    """Parse a size such as ``64x48``, height and width, or one number for both."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ValueError(f"--size must be height and width such as 64x48, or one number for both, got {text!r}")
    return int(parts[0]), int(parts[-1])


def _own_size(data: Path) -> tuple[int, int]:
    sizes = list_sizes(data)
    (height, width), *others = sizes or [SIZE]
    return SIZE if others or height > SIZE[0] or width > SIZE[1] else (height, width)


def choose_labels(folder: ImageFolder, conditional: bool) -> Values | None:
    """Return the names of the images' subfolders as labels for a conditional model; None for other models.

    Raises
    ------
    ValueError
        If all images for a conditional model have the same subfolder.
    """
    if not conditional:
        return None
    if len(set(folder.labels.tolist())) < 2:
        raise ValueError(f"subfolders of {str(folder.path)!r} are the labels: a conditional model needs at least two")
    return folder.labels


def write_samples(folder: Path, values: Values, schema: Schema) -> None:
    """Write new images, numbered from 1."""
    digits = len(str(len(values)))
    write_images(folder, [Path(f"{i:0{digits}}") for i in range(1, len(values) + 1)], values, schema)


def write_images(folder: Path, names: list[Path], values: Values, schema: Schema) -> None:
    """Write images to a folder, all of them or none.

    Images of 8 and 16 bits become PNG files, floats and integers of 32 bits TIFF files.
    """
    with replacing_folder(folder) as part:
        for name, image in zip(_without_suffixes(names), values, strict=True):
            picture, suffix = to_picture(image, schema)
            picture.save(_place(part, name, suffix))
    print(f"wrote {folder}: {pluralize(len(names), 'image')}")


def _without_suffixes(names: list[Path]) -> list[Path]:
    """Remove suffixes, unless two names differ only in them."""
    plain = [name.with_suffix("") for name in names]
    return plain if len(set(plain)) == len(plain) else names


def _place(folder: Path, name: Path, suffix: str) -> Path:
    """Return the path of a file in a folder, and make its subfolder."""
    target = folder / name.with_name(name.name + suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder, whose files are moved to ``folder`` if the block succeeds and removed if it fails."""
    folder = Path(os.path.abspath(folder))
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        yield part
        folder.mkdir(exist_ok=True)
        for file in sorted(path for path in part.rglob("*") if path.is_file()):
            target = folder / file.relative_to(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def list_file_names(folder: ImageFolder) -> list[str]:
    """Return the names of the files of all rows, relative to the folder."""
    return [file.relative_to(folder.path).as_posix() for file in folder.files]


def draw_heat_maps(
    detector: AnomalyDetector, images: ImageFolder, names: list[str], scores: Values, folder: Path
) -> None:
    """Draw each image beside the contributions of its pixels, in PNG files named after the images.

    The title states the score of the list of alarms: an image of fit is scored by nets that were not fitted on it.
    """
    from matplotlib.figure import Figure

    from isthmus import plots

    explanation: Any = detector.explain(images, n_nearest=1) if len(images) else None
    places = _without_suffixes([Path(name) for name in names])
    for i, name in enumerate(names):
        figure = Figure(figsize=(7, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        plots.images(images.take(np.array([i])), ax=left)
        plots.explain(explanation, row=i, ax=right)
        figure.suptitle(f"{name}, score {scores[i]:.4g}")
        figure.savefig(_place(folder, places[i], ".png"), dpi=100)


def draw_events(detector: AnomalyDetector, X: Any, target: Path, n_events: int | None) -> None:
    """Write a picture of a series and its most severe events."""
    from matplotlib.figure import Figure

    from isthmus.plots import events

    figure = Figure(figsize=(10, 6), layout="constrained")
    events(detector, X, n_events=n_events, ax=figure.subplots())
    with replacing(target) as file:
        figure.savefig(file, format=target.suffix[1:].lower(), dpi=150)
    print(f"wrote {target}: the series and its events")
