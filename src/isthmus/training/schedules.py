"""Schedules: factors of the learning rate as functions of progress, the completed fraction of the training."""

import math
from collections.abc import Callable
from typing import NamedTuple

from isthmus.part import did_you_mean

# Fraction of the training during which the learning rate rises, and its factor at the start: the defaults of
# torch's OneCycleLR (pct_start=0.3, div_factor=25).
WARMUP, START = 0.3, 0.04
# Factor of the learning rate at the end of the training. Torch's default is 4e-6; not tuned.
END = 1e-3


class Schedule(NamedTuple):
    """A function from progress in [0, 1] to a factor of the learning rate, and the progress from which it falls."""

    factor: Callable[[float], float]
    anneals_from: float


def one_cycle(progress: float) -> float:
    """Rise from 4 % to 1 in the first 30 % of the training, then fall to 0.1 %, along cosines.

    Smith and Topin, Super-convergence, 2018, arXiv:1708.07120, whose schedule is linear.
    """
    if progress < WARMUP:
        return START + (1 - START) * (1 - math.cos(math.pi * progress / WARMUP)) / 2
    return END + (1 - END) * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP))) / 2


SCHEDULES = {
    "one_cycle": Schedule(one_cycle, WARMUP),
    "constant": Schedule(lambda progress: 1.0, 0.0),
}


def resolve_schedule(name: str) -> Schedule:
    """Return the schedule of a name, or raise ``ValueError``."""
    if not isinstance(name, str) or name not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {sorted(SCHEDULES)}, got {name!r}{did_you_mean(str(name), SCHEDULES)}"
        )
    return SCHEDULES[name]
