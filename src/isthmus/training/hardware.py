"""Device, precision and threads of a training."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import nn

from isthmus.backbones.grids import weight_uses

# Floating-point operations of a step for each thread. With less work, threads wait for each other longer than they
# compute. Measured on two cores, see docs/performance.md.
WORK_PER_THREAD = 2**25
# Floating-point operations of a step from which bfloat16 is faster than float32. Measured on a processor with
# bfloat16 instructions, see docs/performance.md.
MIN_BFLOAT16_WORK = 2**29
# Bytes of the block that is freed: the maximum of glibc's dynamic threshold for mmap (DEFAULT_MMAP_THRESHOLD_MAX,
# 32 MiB on 64-bit systems; see M_MMAP_THRESHOLD in mallopt(3)), minus the header of the block and torch's alignment.
LARGEST_KEPT = 2**25 - 2**12

# Accelerators that device="auto" takes, by torch's names.
ACCELERATORS = ("cuda", "xpu", "mps")
# Measured on an NVIDIA H100: additional seconds of the first fit of a process, seconds of a recorded step, and seconds
# of a step that is not recorded, both of a small net. See docs/performance.md.
ACCELERATOR_START, RECORDED_STEP, ACCELERATOR_STEP = 4.0, 2e-4, 2.7e-3
# Measured on two cores: seconds of a step of a small net, and floating-point operations per second.
PROCESSOR_STEP, PROCESSOR_SPEED = 7e-4, 1e11

PRECISIONS = ("auto", "float32", "float64", "bfloat16")


def choose_device(
    device: str | torch.device, model: nn.Module, batch_size: int = 256, n_steps: int = 3_500, recorded: bool = True
) -> torch.device:
    """Resolve "auto" to the faster device for a training, and check that any other device exists.

    Parameters
    ----------
    device : str or torch.device
        "auto", or a device that torch knows.
    model : Module
        On any device.
    batch_size : int, default=256
        Rows of a step. Both defaults are those of many fits, for a model that is applied.
    n_steps : int, default=3500
        Number of steps.
    recorded : bool, default=True
        Whether steps can be recorded on an accelerator; others spend much time between their kernels.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If torch does not find the device.

    Examples
    --------
    >>> from torch import nn
    >>> from isthmus.training import choose_device
    >>> choose_device("cpu", nn.Linear(3, 2))
    device(type='cpu')
    """
    if device == "auto":
        accelerator = _find_accelerator()
        if accelerator is None or not _supports(accelerator, model):
            return torch.device("cpu")
        seconds = ACCELERATOR_START + n_steps * (RECORDED_STEP if recorded else ACCELERATOR_STEP)
        on_processor = n_steps * (PROCESSOR_STEP + _work(model, batch_size) / PROCESSOR_SPEED)
        return accelerator if seconds < on_processor else torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device must be 'auto', 'cpu' or one that torch finds here, got {device!r}") from error
    return chosen


def _find_accelerator() -> torch.device | None:
    """Return the accelerator, of several the one that ``torchrun`` assigns to this process, or None."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if found is None or found.type not in ACCELERATORS:
        return None
    rank = os.environ.get("LOCAL_RANK")
    # The assigned accelerator may be the only visible one.
    return found if rank is None else torch.device(found.type, int(rank) % torch.accelerator.device_count())


def _supports(accelerator: torch.device, model: nn.Module) -> bool:
    """Whether an accelerator has the dtypes of a model. Apple's have no float64, as origins of far values need."""
    dtypes = {tensor.dtype for tensor in chain(model.parameters(), model.buffers())}
    return accelerator.type != "mps" or torch.float64 not in dtypes


def check_precision(precision: str) -> torch.dtype:
    """Return the dtype of weights and of inference.

    Parameters
    ----------
    precision : {"auto", "float32", "float64", "bfloat16"}
        Precision of a training. Results of "bfloat16" are computed in float32.

    Returns
    -------
    torch.dtype
        Float64 for "float64", otherwise float32.

    Raises
    ------
    ValueError
        If the precision is unknown.

    Examples
    --------
    >>> from isthmus.training import check_precision
    >>> check_precision("auto")
    torch.float32
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
    return torch.float64 if precision == "float64" else torch.float32


def uses_bfloat16(precision: str, model: nn.Module, batch_size: int) -> bool:
    """Whether to train in bfloat16: always for "bfloat16", and for "auto" if that is faster for this model."""
    device = next(model.parameters()).device
    large = _work(model, batch_size) >= MIN_BFLOAT16_WORK
    return precision == "bfloat16" or (precision == "auto" and large and _is_fast_in_bfloat16(device))


def autocast(lower: bool, device: torch.device) -> AbstractContextManager[Any]:
    """Multiply matrices in bfloat16 inside the block if ``lower``, else in their own dtype."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if lower else nullcontext()


def _is_fast_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Without the instructions, bfloat16 is emulated and several times slower than float32. These two functions of torch
    # are private; without them the answer is no.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, probe, bool)() for probe in probes)


def widest_float(device: torch.device) -> torch.dtype:
    """Return the dtype for sums over many rows. Apple's accelerators have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


@contextmanager
def limit_threads(model: nn.Module, batch_size: int) -> Iterator[None]:
    """Limit torch's threads inside the block to as many as a training step keeps busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, _work(model, batch_size) // WORK_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _work(model: nn.Module, batch_size: int) -> int:
    """Floating-point operations of a training step: 2 per weight and row forward, 4 backward.

    With several nets in parallel, each row passes through one net.
    """
    n_nets = getattr(model, "n_nets", 1)
    return 6 * batch_size * sum(weight.numel() * times for weight, times in weight_uses(model)) // n_nets


def keep_freed_memory() -> None:
    """Make glibc keep the memory that a step frees for the next step.

    Glibc returns freed blocks to the system if they are larger than a threshold, and raises the threshold when a larger
    block is freed. Getting pages from the system again takes as long as the computation on them. Nothing is written to
    the block that is freed here, so it uses no memory. Other C libraries are not affected.
    """
    torch.empty(LARGEST_KEPT, dtype=torch.uint8)
