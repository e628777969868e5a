"""Where to compute, and how precisely."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from isthmus.backbones.grids import weight_uses

# Multiplications and additions of a step that keep one thread busy: with fewer, threads wait for each other longer
# than they compute, and for whatever else runs on the machine.
WORK = 2**25
# Those of a step from which on bfloat16 saves more in the products than it costs around them.
LARGE_WORK = 2**29
# The most that glibc ever lets its threshold grow to, less what its header and our alignment take.
LARGEST_KEPT = 2**25 - 2**12

PRECISIONS = ("auto", "float32", "float64", "bfloat16")


def choose_device(device: str | torch.device) -> torch.device:
    """Turn "auto" into the accelerator if there is one, and check that the asked-for device is there."""
    if device == "auto":
        return _own_accelerator() if torch.cuda.is_available() else torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device must be 'auto', 'cpu' or one that torch finds here, got {device!r}") from error
    return chosen


def _own_accelerator() -> torch.device:
    """Return the accelerator that ``torchrun`` means for this process, which may be the only one it sees."""
    rank = os.environ.get("LOCAL_RANK")
    return torch.device("cuda") if rank is None else torch.device("cuda", int(rank) % torch.cuda.device_count())


def check_precision(precision: str) -> torch.dtype:
    """Return the dtype of weights and of inference."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
    return torch.float64 if precision == "float64" else torch.float32


def uses_bfloat16(precision: str, model: nn.Module, batch_size: int) -> bool:
    """Whether to train in bfloat16: if asked for, or by itself where that is faster, for nets large enough to gain."""
    device = next(model.parameters()).device
    large = _work(model, batch_size) >= LARGE_WORK
    return precision == "bfloat16" or (precision == "auto" and large and _is_fast_in_bfloat16(device))


def autocast(lower: bool, device: torch.device) -> AbstractContextManager[Any]:
    """Multiply matrices in bfloat16 while the block runs, or as they are."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if lower else nullcontext()


def _is_fast_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Emulated bfloat16 is several times slower than float32, so the processor must say that it has the instructions.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)


@contextmanager
def limit_threads(model: nn.Module, batch_size: int) -> Iterator[None]:
    """Use as many threads as a training step keeps busy while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, _work(model, batch_size) // WORK)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _work(model: nn.Module, batch_size: int) -> int:
    """Multiplications and additions of a training step; of nets side by side, a row meets one."""
    n_nets = getattr(model, "n_nets", 1)
    return 6 * batch_size * sum(weight.numel() * times for weight, times in weight_uses(model)) // n_nets


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next one, where it is glibc.

    It gives freed blocks back to the system until it has seen one of their size freed, and to fetch them again, page by
    page, takes as long as to compute on them. This block is never touched and costs nothing.
    """
    torch.empty(LARGEST_KEPT, dtype=torch.uint8)
