"""Damage to files: bits, lengths, cells, headers with and without the correct checksum, and tensors."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from isthmus import storage

# Replacements of a value in a header.
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 7, 10**7, 10**9, 10**18, 10**400, 1.5, -0.5, 1e308, float("nan"), float("inf"),
    "", "x", "auto", "os.system", "gaussian", [], [[]], {}, [1, 2], {"a": 1}, {"tuple": [3, 3]},
    {"class": "bottlenecks.Gaussian", "params": {}}, {"class": "os.system", "params": {}}, {"dict": {}},
)  # fmt: skip
# Replacements of a cell in a table.
CELLS = (
    b"", b"nan", b"inf", b"-inf", b"1e999", b"1e308", b"-1e-320", b"9" * 400, b"0x1f", b"=cmd|' /C calc'!A0", b"NULL",
    b'"', b'"a', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"a,b,c", b"\t", b"\r", b"\n", b"x" * 10**5, b"2024-13-45",
    b"1970-01-01T00:00:00Z", b"true", "é".encode(), b"1,5", b"12:61", b" ", b"1_000", b"\xe2\x80\xae",
)  # fmt: skip


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Flip a few bits."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Remove the end or the beginning."""
    cut = rng.randrange(len(data))
    return data[:cut] if rng.random() < 0.8 else data[cut:]


def splice(data: bytes, rng: random.Random) -> bytes:
    """Move, duplicate, remove or randomise a piece."""
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    piece = data[a:b][:5000]
    to = rng.randrange(len(data))
    return rng.choice(
        (
            data[:to] + piece + data[to:],
            data[:a] + data[a + len(piece) :],
            data[:a] + rng.randbytes(len(piece)) + data[a + len(piece) :],
            data[:a] + bytes(len(piece)) + data[a + len(piece) :],
            data + rng.randbytes(50),
        )
    )


def change_cells(data: bytes, rng: random.Random) -> bytes:
    """Insert unusual cells into a text file, or unusual bytes anywhere."""
    damaged = data
    for _ in range(rng.choice((1, 1, 3, 20))):
        places = [i for i, byte in enumerate(damaged[:5000]) if byte in b",\t\n"] or [rng.randrange(len(damaged))]
        i = rng.choice(places) + 1
        end = next((j for j in range(i, len(damaged)) if damaged[j] in b",\t\n"), len(damaged))
        damaged = damaged[:i] + rng.choice(CELLS) + damaged[end:]
    return damaged


BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (flip_bits, truncate, splice, change_cells)


def damage_bytes(path: Path, target: Path, rng: random.Random) -> str:
    """Write a damaged copy of a file, and return a description of the damage."""
    how = rng.choice(BYTES)
    target.write_bytes(how(path.read_bytes(), rng))
    return how.__name__


def damage_model(path: Path, target: Path, rng: random.Random) -> tuple[str, bool]:
    """Write a damaged copy of a model file; return a description of the damage and whether the checksum is correct."""
    how = rng.choice(("bytes", "header", "header", "resealed header", "resealed header", "tensors", "resealed tensors"))
    if how == "bytes":
        return damage_bytes(path, target, rng), False
    tensors, document = load_file(path), _metadata(path)
    if "header" in how:
        for _ in range(rng.choice((1, 1, 1, 3))):
            document = edit(document, rng)
    else:
        tensors = edit_tensors(tensors, rng)
    if how.startswith("resealed"):
        storage.write(target, tensors, {k: v for k, v in document.items() if k not in ("checksum", "tensors")})
    else:
        save_file(tensors, target, metadata={storage.KEY: json.dumps(document)})
    return how, how.startswith("resealed")


def _metadata(path: Path) -> Any:
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"][storage.KEY])


def edit(document: Any, rng: random.Random) -> Any:
    """Change, delete, duplicate, rename or nest a random value of a document."""
    places = list(_places(document))
    holder, key = rng.choice(places)
    how = rng.choice(("value", "value", "number", "delete", "rename", "nest", "swap"))
    if how == "number" and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] = rng.choice((holder[key] + 1, -holder[key], holder[key] * 10**7, holder[key] / 3))
    elif how == "delete":
        del holder[key]
    elif how == "rename" and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif how == "nest":
        for _ in range(rng.choice((1, 50, 200))):
            holder[key] = [holder[key]]
    elif how == "swap":
        other, name = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[name]))
    else:
        holder[key] = rng.choice(VALUES)
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def edit_tensors(tensors: dict[str, torch.Tensor], rng: random.Random) -> dict[str, torch.Tensor]:
    """Swap, remove, add, reshape, cast or corrupt tensors."""
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    one, other = (rng.choice(list(tensors)) for _ in range(2))
    how = rng.choice(("swap", "drop", "add", "rename", "shape", "dtype", "nan", "huge", "empty", "values"))
    if how == "swap":
        tensors[one], tensors[other] = tensors[other], tensors[one]
    elif how == "drop":
        del tensors[one]
    elif how == "add":
        tensors[f"{one}.more"] = torch.zeros(3)
    elif how == "rename":
        tensors[f"{one}0"] = tensors.pop(one)
    elif how == "shape":
        tensors[one] = rng.choice(
            (tensors[one].reshape(-1), tensors[one][None], torch.cat([tensors[one].reshape(-1)] * 2))
        )
    elif how == "dtype":
        tensors[one] = tensors[one].to(rng.choice((torch.int64, torch.float64, torch.float16, torch.bool, torch.uint8)))
    elif how == "empty":
        tensors[one] = torch.zeros((0, *tensors[one].shape))
    else:
        filling = {"nan": float("nan"), "huge": 1e30, "values": rng.gauss(0, 10)}[how]
        tensors[one] = torch.full_like(tensors[one].double(), filling).to(tensors[one].dtype)
    return tensors
