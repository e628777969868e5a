"""The contract of a regularizer."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from torch import Tensor

from isthmus.part import Part


class Step(NamedTuple):
    """What happened in a training step.

    Parameters
    ----------
    u : Tensor of shape (n, *input_shape)
        Encoded input.
    z : Tensor of shape (n_draws, n, n_components)
        Codes.
    centre : callable
        From encoded input to the centre of its code, (n, n_components).
    code_norms : Tensor of shape (n_components,) or None
        Length of the decoder's first weights for each component.
    """

    u: Tensor
    z: Tensor
    centre: Callable[[Tensor], Tensor]
    code_norms: Tensor | None


class Regularizer(Part):
    """Adds one named term to the loss. It stands outside the score."""

    role: ClassVar[str] = "regularizer"
    weight: float

    def build(self, bottleneck: Part) -> None:
        """Check the parameters, and that the bottleneck's codes suit the term."""
        self.require("weight", lambda v: v >= 0, ">= 0")

    @abstractmethod
    def forward(self, step: Step) -> Tensor:
        """Return the weighted term, of shape (n,) or (), in nats."""
