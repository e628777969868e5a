"""The caller's settings of torch, which must not change what is computed."""

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import torch

T = TypeVar("T", bound=type)

PRECISION = torch.float32


@contextmanager
def own_settings() -> Iterator[None]:
    """Compute in a block, or in a decorated function, as if the caller had set nothing.

    Within, gradients are recorded, nothing is cast, and tensors are made on the processor in float32: whatever
    ``no_grad``, ``inference_mode``, ``autocast``, ``set_default_device`` or ``set_default_dtype`` is in force outside.
    Afterwards all of it is as before.
    """
    with ExitStack() as settings:
        if torch.is_inference_mode_enabled():
            settings.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            settings.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                settings.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            settings.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != PRECISION:
            settings.enter_context(_default_dtype(PRECISION))
        yield


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def with_own_settings(cls: T) -> T:
    """Run every public method that a class defines under ``own_settings``."""
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(cls, name, own_settings()(member))
    return cls
