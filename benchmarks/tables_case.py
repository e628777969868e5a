"""One measurement: a method, a table and a seed."""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

Result = TypeVar("Result")
Figures = dict[str, float]


class Case(NamedTuple):
    """One method in a task; ``fraction`` is the share of hidden cells, if cells are hidden."""

    task: str
    method: str
    data: str
    fraction: float
    seed: int

    def __str__(self) -> str:
        hidden = f" with {self.fraction:.0%} hidden" if self.fraction else ""
        return f"{self.task}, {self.method} on {self.data}{hidden}, seed {self.seed}"


def timed(function: Callable[[], Result], clock: Callable[[], float] = time.perf_counter) -> tuple[float, Result]:
    started = clock()
    result = function()
    return clock() - started, result
