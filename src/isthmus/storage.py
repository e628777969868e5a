"""The file format: named tensors and one JSON document in a safetensors file, which is written completely or not."""

import glob
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from safetensors import SafetensorError, safe_open

from isthmus.errors import memory_errors, require_path

try:
    import fcntl
except ImportError:  # not on Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from torch import Tensor

KEY = "isthmus"
# Number of the form of model files. Files with a smaller number cannot be read; those of 0.1.0 have 1.
FORMAT = 2
# Names of two checksums in the document: that of the tensors, and that of the document with the first checksum.
TENSORS, CHECKSUM = "tensors", "checksum"
# Bytes of a checksum (BLAKE2b).
DIGEST = 16
# Largest depth of nested lists and objects in a document. A detector with bagged nets, the deepest one, has about 20.
MAX_DEPTH = 64
# Suffix of a file that is being written.
PART = ".part"


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file that replaces ``path`` if the block succeeds, and is removed if it fails.

    A reader sees the old file or the complete new file, even after a crash or on a full disk. A replaced file keeps its
    owner and permissions, and a link keeps its target. Partial files of killed processes are removed.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target = _target_of(path)
    remove_parts(target)
    handle, part = _new_part(target)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _copy_permissions(target, part)
            os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check that ``replacing`` can write a file, before a long computation.

    Raises
    ------
    OSError
        If the folder does not exist or is not writable, or the path exists and is not a file.
    """
    handle, part = _new_part(_target_of(path))
    os.close(handle)
    part.unlink()


def remove_parts(path: str | os.PathLike[str]) -> None:
    """Remove the partial files that ``replacing`` left when its process was killed."""
    path = Path(path)
    for part in path.parent.glob(f".{glob.escape(path.name)}.????????{PART}"):
        with suppress(OSError), part.open("r+b") as file:  # a file that is being written is locked
            _lock(file.fileno())
            part.unlink()


def _target_of(path: str | os.PathLike[str]) -> Path:
    """Return the path that links lead to, and check that it can be a file."""
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {str(path)!r}: there is no folder {str(target.parent)!r}")
    if target.exists() and not target.is_file():
        raise FileExistsError(f"cannot write {str(path)!r}: it exists and is not a file")
    return target


def _new_part(target: Path) -> tuple[int, Path]:
    """Open a new file in the folder of ``target``, locked while it is open."""
    while True:
        try:
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=PART, dir=target.parent)
        except OSError as error:
            raise type(error)(f"cannot write {str(target)!r}: {error.strerror}") from error
        with suppress(OSError):
            _lock(handle)
        if os.path.exists(name):
            return handle, Path(name)
        os.close(handle)  # removed by another process before it was locked


def _lock(handle: int) -> None:
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _copy_permissions(target: Path, part: Path) -> None:
    """Give a new file the owner and mode of the file that it replaces, or the default mode."""
    if not target.exists():
        os.chmod(part, 0o666 & ~_umask())
        return
    old = target.stat()
    with suppress(OSError, AttributeError):  # requires privileges, and does not exist on Windows
        os.chown(part, old.st_uid, old.st_gid)
    os.chmod(part, stat.S_IMODE(old.st_mode))


def write(
    path: str | os.PathLike[str] | BinaryIO, tensors: Mapping[str, "Tensor"], document: Mapping[str, Any]
) -> None:
    """Write tensors and a document to a file, or to an open binary file; an existing file is replaced."""
    from safetensors.torch import save as serialise

    if not callable(getattr(path, "write", None)):
        require_path("path", path)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    document = {**document, TENSORS: _checksum_of_tensors(contiguous)}
    # One metadata entry, because safetensors does not preserve the order of several.
    data = serialise(contiguous, metadata={KEY: json.dumps({**document, CHECKSUM: _checksum(document)})})
    with replacing(path) if isinstance(path, str | os.PathLike) else nullcontext(path) as file:
        file.write(data)


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the document only. This is fast for tensors of any size, and does not import torch.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the header is damaged, or was not written by isthmus. Tensors are not checked.
    """
    with _open(path, "np") as file:
        document = _document(path, file)
    document.pop(TENSORS)
    return document


def read(path: str | os.PathLike[str]) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read tensors and document.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or was not written by isthmus.
    """
    with _open(path, "pt") as file:
        document = _document(path, file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if document.pop(TENSORS) != _checksum_of_tensors(tensors):
        raise ValueError(f"{str(path)!r} is damaged: its tensors have changed since it was saved")
    return tensors, document


def put_under(prefix: str, tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Add a prefix and a dot to the names of tensors, so that several sets fit into one file."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def take_from(prefix: str, tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Return the tensors with a prefix of ``put_under``, without the prefix."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


@contextmanager
def _open(path: str | os.PathLike[str], framework: str) -> Iterator[Any]:
    require_path("path", path)
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no model file {str(path)!r}")
    try:
        with memory_errors(f"read {str(path)!r}"), safe_open(str(path), framework=framework) as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{str(path)!r} is damaged or not a model file of isthmus ({error})") from error


def _document(path: str | os.PathLike[str], file: Any) -> dict[str, Any]:
    try:
        document = {**json.loads((file.metadata() or {})[KEY])}
        checksum = document.pop(CHECKSUM, None)
        has_changed = _is_deeper(document, MAX_DEPTH) or checksum not in (None, _checksum(document))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is a safetensors file, but not a model file of isthmus") from error
    if has_changed:
        raise ValueError(f"{str(path)!r} is damaged: its header has changed since it was saved")
    if document.get("format", FORMAT) != FORMAT:
        raise ValueError(f"{str(path)!r} {_explain_format(document)}")
    if checksum is None or TENSORS not in document:
        raise ValueError(f"{str(path)!r} is damaged: its header lacks a checksum")
    return document


def _explain_format(document: Mapping[str, Any]) -> str:
    version, found = document.get("isthmus"), document["format"]
    if isinstance(found, int) and found < FORMAT:
        return f"was written by isthmus {version}: fit the model again, or load the file with that version"
    return f"has format {found}, and this version of isthmus reads format {FORMAT}: update isthmus"


def _is_deeper(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested more than ``limit`` times."""
    if not isinstance(value, dict | list):
        return False
    children = value.values() if isinstance(value, dict) else value
    return not limit or any(_is_deeper(child, limit - 1) for child in children)


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(document).encode(), digest_size=DIGEST).hexdigest()


def _checksum_of_tensors(tensors: Mapping[str, "Tensor"]) -> str:
    """Hash names, dtypes, shapes and values."""
    import torch

    checksum = hashlib.blake2b(digest_size=DIGEST)
    for name in sorted(tensors):
        tensor = tensors[name]
        checksum.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        checksum.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return checksum.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
