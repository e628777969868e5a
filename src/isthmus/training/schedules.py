"""Learning rates as functions of the share of the training that is done."""

import math
from collections.abc import Callable
from typing import NamedTuple

from isthmus.part import did_you_mean

WARM = 0.3
START, END = 0.04, 1e-3


class Schedule(NamedTuple):
    """A factor of the learning rate by progress in [0, 1], and from where on it falls."""

    name: str
    factor: Callable[[float], float]
    anneals_from: float


def one_cycle(progress: float) -> float:
    """Rise by a cosine from 4 % to 1 over the first 30 %, then fall by a cosine to 0.1 %.

    Smith and Topin, Super-convergence, 2018, arXiv:1708.07120, with cosines.
    """
    if progress < WARM:
        return START + (1 - START) * (1 - math.cos(math.pi * progress / WARM)) / 2
    return END + (1 - END) * (1 + math.cos(math.pi * (progress - WARM) / (1 - WARM))) / 2


SCHEDULES = {
    "one_cycle": Schedule("one_cycle", one_cycle, WARM),
    "constant": Schedule("constant", lambda progress: 1.0, 0.0),
}


def resolve_schedule(name: str) -> Schedule:
    """Look a schedule up by name."""
    if name not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {sorted(SCHEDULES)}, got {name!r}{did_you_mean(str(name), SCHEDULES)}"
        )
    return SCHEDULES[name]
