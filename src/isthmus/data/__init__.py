"""Conversion of data of any kind to tensors, and of tensors to the kind of the data."""

from isthmus.data.arrays import Array
from isthmus.data.base import Batch, Source
from isthmus.data.files import apply
from isthmus.data.images.folder import ImageFolder
from isthmus.data.series.windows import Windows
from isthmus.data.sources import as_source, decode, hold_out, with_labels
from isthmus.data.streams.chunks import Chunks
from isthmus.data.streams.parquet import Parquet
from isthmus.data.texts.text import Texts

__all__ = [
    "Array",
    "Batch",
    "Chunks",
    "ImageFolder",
    "Parquet",
    "Source",
    "Texts",
    "Windows",
    "apply",
    "as_source",
    "decode",
    "hold_out",
    "with_labels",
]
