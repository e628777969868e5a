"""The contract of a prior."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from isthmus.part import Part, Shape, Shapes

Values = np.ndarray[Any, Any]
Posterior = Callable[[Tensor], tuple[Tensor, Tensor]]


class Prior(Part):
    """A distribution over latent variables z: what the training compares codes with, and what ``sample`` draws from.

    A ``joint`` prior is part of the objective. Any other prior is fitted to the codes of training rows after training;
    the objective then uses the standard normal distribution.
    """

    role: ClassVar[str] = "prior"
    joint: ClassVar[bool] = True
    # Rows whose codes a prior is fitted to; None is all.
    max_rows: ClassVar[int | None] = None

    @abstractmethod
    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Check the parameters and make the tensors for latent variables of a shape."""

    def bind(self, posterior: Posterior) -> None:
        """Learn how encoded input (n, *shapes.input) becomes mean and log variance of q(z | x), each (n, *z_shape).

        Called when all of the model is built.
        """

    @abstractmethod
    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Log density of z (n_draws, n, *z_shape), in nats, (n_draws, n); without labels that of their mixture.

        Parameters
        ----------
        z : Tensor of shape (n_draws, n, *z_shape)
        y : Tensor of shape (n, condition) or None
            Encoded labels of the rows.
        """

    @abstractmethod
    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw z (n, *z_shape) with torch's generator; the temperature multiplies standard deviations."""

    def divergence(self, mean: Tensor, log_variance: Tensor) -> Tensor | None:
        """KL divergence of normal distributions from the prior for each component, (n, d); None if not in closed form.

        Without it, training uses log q(z | x) - log p(z) of the drawn z.
        """
        return None

    def cross_entropy(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return the mean of -log p(z) over normal distributions, (n,); by default its value at their means."""
        return -self.log_prob(mean[None])[0]

    def fit(self, z: Tensor, y: Tensor | None, seed: int) -> None:
        """Learn from latent variables z (n, *z_shape) of training rows, drawn from q(z | x), after training.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
        y : Tensor of shape (n, condition) or None
            Encoded labels.
        seed : int
        """
