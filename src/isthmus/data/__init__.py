"""Data of any kind in, tensors out, and back."""

from isthmus.data.arrays import Array
from isthmus.data.base import Batch, Source
from isthmus.data.chunks import Chunks
from isthmus.data.files import apply
from isthmus.data.image_folder import ImageFolder
from isthmus.data.parquet import Parquet
from isthmus.data.preparing import Finding, Prepared, prepare
from isthmus.data.sources import as_source, set_aside, with_labels
from isthmus.data.text import Texts
from isthmus.data.windows import Windows

__all__ = [
    "Array",
    "Batch",
    "Chunks",
    "Finding",
    "ImageFolder",
    "Parquet",
    "Prepared",
    "Source",
    "Texts",
    "Windows",
    "apply",
    "as_source",
    "prepare",
    "set_aside",
    "with_labels",
]
