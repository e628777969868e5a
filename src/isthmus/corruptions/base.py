"""The interface of a corruption."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from torch import Tensor

from isthmus.part import Part
from isthmus.statistics import Statistics


class Corruption(Part):
    """Changes the encoder's input during training; the loss still compares with the original values.

    Values are in the units of the data; NaN is missing. Any callable from (n, *shape) to the same shape can be used
    instead.
    """

    role: ClassVar[str] = "corruption"
    # Whether it sets values to NaN (missing), so that the encoder needs flags of missing values.
    hides: ClassVar[bool] = False
    # Whether it changes numbers only. Categories are stored as integers without an order.
    numeric_only: ClassVar[bool] = False

    def build(self, statistics: Statistics) -> None:
        """Check the parameters, and store the statistics of the training rows that ``forward`` needs.

        Parameters
        ----------
        statistics : Statistics
            Moments, ranges and kinds of the training rows.
        """

    def target(self, x: Tensor, corrupted: Tensor) -> Tensor:
        """Return the targets of the loss; targets that are NaN do not contribute.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            The original rows.
        corrupted : Tensor of shape (n, *shape)
            The corrupted rows.

        Returns
        -------
        Tensor of shape (n, *shape)
            The targets.
        """
        return x

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return a corrupted copy.

        Parameters
        ----------
        x : Tensor of shape (n, *shape)
            Rows in the units of the data; NaN is missing.

        Returns
        -------
        Tensor of shape (n, *shape)
            The copy, in which hidden cells are NaN.
        """


def corrupt(corruption: Callable[[Tensor], Tensor], x: Tensor, origin: Tensor | None) -> Tensor:
    """Corrupt values from which ``origin`` was subtracted. The corruption gets and returns values without it."""
    return corruption(x) if origin is None else (corruption(x + origin) - origin).to(x.dtype)
