"""The contract of a bottleneck."""

from abc import abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor

from isthmus.part import Part


class Code(NamedTuple):
    """What a bottleneck made of a batch.

    Parameters
    ----------
    z : Tensor of shape (n_draws, n, n_components)
        The codes; one draw where nothing is drawn.
    cost : Tensor of shape (n_draws, n)
        What training pays for them, weighted, in nats.
    divergence : Tensor of shape (n,)
        Unweighted divergence from the prior, in nats: what the score pays.
    """

    z: Tensor
    cost: Tensor
    divergence: Tensor


class Bottleneck(Part):
    """Turns what the encoder delivers into a code, and says what that code costs."""

    role: ClassVar[str] = "bottleneck"
    stochastic: bool = False

    @abstractmethod
    def build(self, n_components: int) -> tuple[int, int]:
        """Make the tensors; return how many numbers the encoder must deliver and the decoder will get."""

    @abstractmethod
    def forward(self, h: Tensor, draw: bool, progress: Tensor) -> Code:
        """Turn (n, code_in) into a code.

        Parameters
        ----------
        h : Tensor of shape (n, code_in)
        draw : bool
            Whether to draw from the posterior or to take its centre.
        progress : Tensor of shape ()
            Share of the training that is done, in [0, 1], for schedules.
        """

    @abstractmethod
    def posterior(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the code, each (n, n_components)."""

    def weigh(self, h: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw codes (n_draws, n, n_components) with their log p(z) - log q(z | x) (n_draws, n)."""
        raise ValueError(
            f"n_draws needs a bottleneck that draws its codes, such as 'gaussian'; {type(self).__name__} does not"
        )

    def settle(self, codes: Tensor) -> None:
        """Look at codes of training rows (n, n_components) once training is over."""

    @abstractmethod
    def sample(self, n: int, temperature: float) -> Tensor:
        """Draw codes (n, n_components) from the prior, or from what stands in for it."""
