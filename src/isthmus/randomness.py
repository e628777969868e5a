"""Random numbers that leave the user's generators unchanged."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import require_type

# Drawn seeds are below this number, the largest int32, which all libraries accept as a seed.
N_SEEDS = 2**31 - 1

# Held while torch is seeded, because all threads of a process share torch's global generators.
_seeding = RLock()


def _renew_lock() -> None:
    """Make the lock free in a forked process: the thread that holds it does not exist there."""
    global _seeding
    _seeding = RLock()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_renew_lock)


def seed_of(random_state: Any) -> int:
    """Return an integer seed for None, an integer >= 0 or a ``numpy.random.RandomState``.

    An integer is returned unchanged. For ``None``, the seed is drawn by ``draw_seed``.

    Raises
    ------
    TypeError
        If ``random_state`` is none of these.
    """
    if random_state is None:
        return draw_seed()
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    expected = "None, an integer >= 0 or a numpy.random.RandomState"
    require_type("random_state", random_state, np.random.RandomState, expected)
    return int(random_state.randint(N_SEEDS))


def draw_seed() -> int:
    """Return a random seed from the operating system, because NumPy's global generator would change its state."""
    return int(np.random.default_rng().integers(N_SEEDS))


def mix(*seeds: int) -> int:
    """Combine several seeds, such as (seed, epoch), into one; similar inputs give unrelated seeds."""
    return int(np.random.SeedSequence([seed % 2**64 for seed in seeds]).generate_state(1, np.uint64)[0]) >> 1


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global generators inside a block, and restore their state afterwards.

    Only one thread at a time can be inside such a block; other threads wait. So fits in several threads give the same
    results as one after the other. The block must not wait for another thread that calls ``seeded``.

    Parameters
    ----------
    seed : int
    device : torch.device or str, default="cpu"
        If it is an accelerator, its generator is seeded too.
    """
    device = torch.device(device)
    with _seeding:
        before = get_rng_state(device)
        try:
            # Not torch.manual_seed, which also looks for accelerators that are not there: a millisecond each time.
            torch.default_generator.manual_seed(seed)
            if device.type != "cpu":
                torch.manual_seed(seed)
            yield
        finally:
            set_rng_state(device, before)


def get_rng_state(device: torch.device) -> Tensor:
    """Return the state of the generators that random numbers on a device come from, in the memory of the processor."""
    states = [torch.get_rng_state()]
    if device.type == "mps":
        states.append(torch.mps.get_rng_state())
    elif device.type != "cpu":
        states.append(getattr(torch, device.type).get_rng_state(device))
    return torch.cat(states)


def set_rng_state(device: torch.device, state: Tensor) -> None:
    """Restore a state that ``get_rng_state`` returned."""
    n = len(torch.get_rng_state())
    torch.set_rng_state(state[:n])
    if device.type == "mps":
        torch.mps.set_rng_state(state[n:])
    elif device.type != "cpu":
        getattr(torch, device.type).set_rng_state(state[n:], device)


@contextmanager
def numpy_seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator for code that takes no ``random_state``, and restore its state afterwards."""
    state = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)
