"""Fixed settings of torch, so that the settings of the caller do not change results."""

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TypeVar

import torch

T = TypeVar("T", bound=type)

# Default dtype inside ``own_settings``.
PRECISION = torch.float32


@contextmanager
def own_settings() -> Iterator[None]:
    """Run a block, or a decorated function, with torch's default settings, and restore the caller's afterwards.

    Inside, gradients are recorded, autocast is off, and new tensors are float32 on the CPU, whatever ``no_grad``,
    ``inference_mode``, ``autocast``, ``set_default_device`` or ``set_default_dtype`` the caller has set. The default
    dtype is one setting for all threads of a process; the others belong to the thread.
    """
    with ExitStack() as settings:
        if torch.is_inference_mode_enabled():
            settings.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            settings.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                settings.enter_context(torch.autocast(device, enabled=False))
        # In torch 2.6, ``get_default_device`` fails after ``set_default_device(None)``.
        if torch.empty(0).device.type != "cpu":
            settings.enter_context(torch.device("cpu"))
        settings.enter_context(_default_dtype)
        yield


class _DefaultDtype:
    """Sets torch's default dtype to float32 from the first of overlapping blocks until the end of the last one."""

    def __init__(self) -> None:
        self.lock, self.n_blocks, self.before = Lock(), 0, PRECISION

    def __enter__(self) -> None:
        with self.lock:
            if not self.n_blocks:
                self.before = torch.get_default_dtype()
            self.n_blocks += 1
            if torch.get_default_dtype() != PRECISION:
                torch.set_default_dtype(PRECISION)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.n_blocks -= 1
            if not self.n_blocks and self.before != PRECISION:
                torch.set_default_dtype(self.before)


_default_dtype = _DefaultDtype()


def _adapt_to_fork() -> None:
    """Use one thread and a new lock in a forked process: it would wait forever for threads of its parent."""
    torch.set_num_threads(1)
    _default_dtype.lock = Lock()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_adapt_to_fork)


def with_own_settings(cls: T) -> T:
    """Run every public method that a class defines under ``own_settings``."""
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(cls, name, own_settings()(member))
    return cls
