"""Where to compute, and how precisely."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

PRECISIONS = ("auto", "float32", "float64", "bfloat16")


def choose_device(device: str | torch.device) -> torch.device:
    """Turn "auto" into the accelerator if there is one, and check that the asked-for device is there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device must be 'auto', 'cpu' or one that torch finds here, got {device!r}") from error
    return chosen


def check_precision(precision: str) -> torch.dtype:
    """Return the dtype of weights and of inference."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
    return torch.float64 if precision == "float64" else torch.float32


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Training's lower precision: bfloat16 if asked for, or by itself where the hardware multiplies it faster."""
    if precision == "bfloat16" or (precision == "auto" and _is_fast_in_bfloat16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _is_fast_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Emulated bfloat16 is several times slower than float32, so the processor must say that it has the instructions.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)
