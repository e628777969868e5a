"""The contract of a corruption."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from isthmus.part import Part
from isthmus.statistics import Statistics


class Corruption(Part):
    """Corrupts what the encoder sees in training, never what it must rebuild.

    Any callable from (n, *shape) to the same shape will do in its place.
    """

    role: ClassVar[str] = "corruption"
    hides: ClassVar[bool] = False
    # Whether it is of use for numbers alone: between positions in a list of levels there is nothing.
    numeric_only: ClassVar[bool] = False

    def build(self, statistics: Statistics) -> None:
        """Learn what the corruption needs of the training rows: deviation and range of each value."""

    def target(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """Return the values that the reconstruction is judged by; NaN is not judged."""
        return x

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return a corrupted copy; hidden cells are NaN."""


def corrupt(corruption: Callable[[Tensor], Tensor], x: Tensor, origin: Tensor | None) -> Tensor:
    """Corrupt values from which ``origin`` was subtracted. The corruption gets and returns the data's own units."""
    return corruption(x) if origin is None else (corruption(x + origin) - origin).to(x.dtype)
