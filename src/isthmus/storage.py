"""The byte format: named tensors and one JSON document in a safetensors file, written all or nothing."""

import glob
import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from safetensors import SafetensorError, safe_open

if TYPE_CHECKING:
    from torch import Tensor

KEY = "isthmus"
CHECKSUM = "checksum"


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``path`` when the block ends well, and vanishes when it does not.

    A reader sees the old file or the whole new one, also after a crash or on a full disk.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {str(path.parent)!r}")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_parts(path: str | os.PathLike[str]) -> None:
    """Remove what ``replacing`` left of a file when its process was killed."""
    path = Path(path)
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        part.unlink(missing_ok=True)


def write(path: str | os.PathLike[str], tensors: Mapping[str, "Tensor"], document: Mapping[str, Any]) -> None:
    """Write tensors and a document to one file."""
    from safetensors.torch import save as serialise

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One entry of metadata: the order of several would differ from file to file.
    document = {**document, CHECKSUM: _checksum(contiguous)}
    data = serialise(contiguous, metadata={KEY: json.dumps(document)})
    with replacing(path) as file:
        file.write(data)


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the document alone, which takes no time however large the tensors are, and no torch."""
    with _opened(path, "np") as file:
        return _document(path, file)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read tensors and document.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or not written by isthmus.
    """
    with _opened(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        document = _document(path, file)
        if document.pop(CHECKSUM, checksum := _checksum(tensors)) != checksum:
            raise ValueError(f"{str(path)!r} is damaged: its tensors are not those that were saved")
    return tensors, document


def put_under(prefix: str, tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Put a prefix and a dot before the names of tensors, so that several sets fit into one file."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def take_from(prefix: str, tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return what ``put_under`` put there, under its own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


@contextmanager
def _opened(path: str | os.PathLike[str], framework: str) -> Iterator[Any]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no model file {str(path)!r}")
    try:
        with safe_open(str(path), framework=framework) as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{str(path)!r} is damaged or not a model file of isthmus ({error})") from error


def _document(path: str | os.PathLike[str], file: Any) -> dict[str, Any]:
    try:
        return {**json.loads((file.metadata() or {})[KEY])}
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{str(path)!r} is a safetensors file, but not a model file of isthmus") from error


def _checksum(tensors: Mapping[str, "Tensor"]) -> str:
    import torch

    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, checksum)
    return f"crc32:{checksum:08x}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
