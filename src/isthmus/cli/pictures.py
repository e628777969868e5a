"""Folders of images: what the commands read of them, and the files that they write."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector
from isthmus.cli.models import decisions_of, load_for
from isthmus.cli.outputs import Output
from isthmus.cli.paths import WRITTEN_TABLES
from isthmus.cli.progress import say
from isthmus.cli.streaming import beside
from isthmus.data import ImageFolder
from isthmus.data.images.files import KINDS, list_sizes, to_picture
from isthmus.formatting import pluralize
from isthmus.schema import Schema
from isthmus.storage import replacing

Values = np.ndarray[Any, Any]

# Height and width that images get where they have several sizes, or are larger.
SIZE = (64, 64)


def open_folder(data: Path, size: str | None = None, like: Any = None) -> ImageFolder:
    """Read a folder of images: in the size that is asked for, or for a model or the schema of other images.

    Raises
    ------
    OSError, ValueError
        If there are no images, the size makes no sense, or the model was fitted on something else.
    """
    if like is None:
        folder = ImageFolder(data, parse_size(size) if size is not None else _own_size(data))
        channels, height, width = folder.schema.shape
        say(f"{data}: {pluralize(len(folder), f'{KINDS[channels]} image')}, resized to {height} x {width}")
        return folder
    schema = like if isinstance(like, Schema) else getattr(like, "estimator_", like).schema_
    if not schema.layout:
        raise ValueError(
            f"{str(data)!r} is a folder of images, but the model was fitted on rows of shape {schema.shape}"
        )
    return ImageFolder(data, like=schema)


def parse_size(text: str) -> tuple[int, int]:
    """Read a size such as ``64x48``, height and width, or one number that is both."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ValueError(f"--size must be height and width such as 64x48, or one number that is both, got {text!r}")
    return int(parts[0]), int(parts[-1])


def _own_size(data: Path) -> tuple[int, int]:
    sizes = list_sizes(data)
    (height, width), *others = sizes or [SIZE]
    return SIZE if others or height > SIZE[0] or width > SIZE[1] else (height, width)


def labels_for(folder: ImageFolder, conditional: bool) -> Values | None:
    """Return the subfolders of images as labels for a conditional model; None for others.

    Raises
    ------
    ValueError
        If all images of a conditional model lie in the same place.
    """
    if not conditional:
        return None
    if len(set(folder.labels.tolist())) < 2:
        raise ValueError(f"a conditional model takes its labels from the subfolders of {str(folder.path)!r}: make two")
    return folder.labels


def transform(model: Path, data: Path, output: Output) -> None:
    """Write codes beside the names of the files."""
    out = _table(output, model, data, "codes")
    estimator = load_for("transform", model)
    folder = open_folder(data, like=estimator)
    codes = estimator.transform(folder)
    _write_table(output, out, folder, dict(zip(estimator.get_feature_names_out(), codes.T, strict=True)))


def score(model: Path, data: Path, output: Output, draws: int) -> None:
    """Write a score beside the name of each file; of a detector, the p-value and the decision as well."""
    out = _table(output, model, data, "scores")
    estimator = load_for("score --draws" if draws else "score", model)
    folder = open_folder(data, like=estimator)
    if isinstance(estimator, AnomalyDetector):
        found = decisions_of(estimator, folder)
    else:
        found = {"score": estimator.score_samples(folder, **({"n_draws": draws} if draws else {}))}
    _write_table(output, out, folder, found)


def reconstruct(model: Path, data: Path, output: Output) -> None:
    """Write images that were rebuilt from their codes."""
    folder = _folder(output, model, data, "rebuilt")
    estimator = load_for("reconstruct", model)
    images = open_folder(data, like=estimator)
    _write_rebuilt(folder, images, estimator.reconstruct(images))


def impute(model: Path, data: Path, output: Output, draws: int, seed: int | None) -> None:
    """Write images with their missing pixels filled."""
    if draws:
        raise ValueError(f"{str(data)!r} is a folder of images, but --draws fills rows of tables")
    folder = _folder(output, model, data, "filled")
    estimator = load_for("impute", model)
    images = open_folder(data, like=estimator)
    _write_rebuilt(folder, images, estimator.impute(images))


def contributions(model: Path, data: Path, output: Output, draws: int) -> None:
    """Raise ``ValueError``: those of images are pictures."""
    raise ValueError(f"{str(data)!r} is a folder of images: detect --heatmaps draws what each pixel contributes")


def write_samples(folder: Path, values: Values, schema: Schema) -> None:
    """Write new images, numbered from 1."""
    digits = len(str(len(values)))
    write_images(folder, [Path(f"{i:0{digits}}") for i in range(1, len(values) + 1)], values, schema)


def _write_rebuilt(folder: Path, images: ImageFolder, values: Values) -> None:
    write_images(folder, [Path(name) for name in file_names(images)], values, images.schema)


def _folder(output: Output, model: Path, data: Path, what: str) -> Path:
    folder = output.path or beside(data, f".{what}")
    output.check_folder(folder, [model, data])
    return folder


def write_images(folder: Path, names: list[Path], values: Values, schema: Schema) -> None:
    """Write images to a folder, all of them or none.

    Those of bytes and of 16 bits become PNG files, floats and integers of 32 bits TIFF files.
    """
    with filling(folder) as part:
        for name, image in zip(_without_suffixes(names), values, strict=True):
            picture, suffix = to_picture(image, schema)
            picture.save(_place(part, name, suffix))
    print(f"wrote {folder}: {pluralize(len(names), 'image')}")


def _without_suffixes(names: list[Path]) -> list[Path]:
    """Leave suffixes out, unless names differ by these alone."""
    plain = [name.with_suffix("") for name in names]
    return plain if len(set(plain)) == len(plain) else names


def _place(folder: Path, name: Path, suffix: str) -> Path:
    """Name a file in a folder, and make the subfolder that it lies in."""
    target = folder / name.with_name(name.name + suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Yield a new folder whose files are put into ``folder`` if the block ends well, and vanish if it does not."""
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


def file_names(folder: ImageFolder) -> list[str]:
    """Name the files of the rows, relative to the folder."""
    return [file.relative_to(folder.path).as_posix() for file in folder.files]


def _table(output: Output, model: Path, data: Path, what: str) -> Path:
    out = output.path or beside(data, f".{what}.csv")
    output.check([out], [model, data], WRITTEN_TABLES)
    return out


def _write_table(output: Output, out: Path, folder: ImageFolder, columns: Mapping[str, Iterable[Any]]) -> None:
    table = pa.table({"file": file_names(folder), **{name: np.asarray(values) for name, values in columns.items()}})
    output.write({out: table})
    print(f"wrote {out}: {pluralize(table.num_rows, 'image')} x {pluralize(table.num_columns, 'column')}")


def draw_heat_maps(detector: AnomalyDetector, images: ImageFolder, names: list[str], folder: Path) -> None:
    """Draw each image beside what makes it less normal, in a folder of PNG files named after the images."""
    from matplotlib.figure import Figure

    from isthmus import plots

    explanation: Any = detector.explain(images, n_nearest=1) if len(images) else None
    places = _without_suffixes([Path(name) for name in names])
    for i, name in enumerate(names):
        figure = Figure(figsize=(7, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        plots.images(images.take(np.array([i])), ax=left)
        plots.explain(explanation, row=i, ax=right)
        figure.suptitle(f"{name}, score {explanation.scores[i]:.4g}")
        figure.savefig(_place(folder, places[i], ".png"), dpi=100)


def draw_events(detector: AnomalyDetector, X: Any, target: Path) -> None:
    """Write a picture of a series and its events."""
    from matplotlib.figure import Figure

    from isthmus.plots import events

    figure = Figure(figsize=(10, 6), layout="constrained")
    events(detector, X, ax=figure.subplots())
    with replacing(target) as file:
        figure.savefig(file, format=target.suffix[1:].lower(), dpi=150)
    print(f"wrote {target}: the series and its events")
