"""Randomness that leaves the user's generators as it found them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

N_SEEDS = 2**31 - 1


def seed_of(random_state: Any) -> int:
    """Draw one integer seed from anything that scikit-learn takes as ``random_state``.

    An integer is its own seed. ``None`` asks the operating system, never NumPy's global generator, which it would move.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(N_SEEDS))
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(N_SEEDS))


def mix(*seeds: int) -> int:
    """Make one seed of several, such as (seed, epoch), so that neighbours share nothing."""
    return int(np.random.SeedSequence([seed % 2**64 for seed in seeds]).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch for a block and put its generators back afterwards."""
    device = torch.device(device)
    accelerators = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(accelerators, device_type="cuda" if device.type == "cpu" else device.type):
        # Not torch.manual_seed, which also looks for accelerators that are not there: a millisecond each time.
        torch.default_generator.manual_seed(seed)
        if accelerators:
            torch.manual_seed(seed)
        yield
