"""What is measured at once: a method, on a table, with a seed."""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

T = TypeVar("T")
Figures = dict[str, float]


class Case(NamedTuple):
    """One method's turn at one task; ``fraction`` is the share of hidden cells, where there are such."""

    task: str
    method: str
    data: str
    fraction: float
    seed: int


def timed(function: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result
