"""Import of Ray, and its sessions."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from isthmus.part import is_count

Resources = Mapping[str, float]


def load_ray() -> Any:
    """Import Ray with its libraries, or raise an error that names the extra to install."""
    try:
        import ray.data
        import ray.train.torch
    except ImportError as error:
        raise ImportError("isthmus.distributed needs ray: pip install 'isthmus[ray]'") from error
    return ray


@contextmanager
def session(num_workers: int, resources: dict[str, float]) -> Iterator[None]:
    """Use the open session, or open one for the block."""
    ray = load_ray()
    if ray.is_initialized():
        yield
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    else:
        # At least the requested number of processors; with fewer, Ray would wait for other machines.
        n_cpus = max(os.cpu_count() or 1, math.ceil(num_workers * resources.get("CPU", 1)))
        ray.init("local", num_cpus=n_cpus, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


def check_workers(num_workers: Any) -> None:
    """Raise ``ValueError`` unless ``num_workers`` is a positive integer."""
    if not is_count(num_workers):
        raise ValueError(f"num_workers must be a positive integer, got {num_workers!r}")
