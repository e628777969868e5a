"""The interface of a prior."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from isthmus.part import Part, Shape, Shapes

Values = np.ndarray[Any, Any]
Posterior = Callable[[Tensor], tuple[Tensor, Tensor]]


class Prior(Part):
    """A distribution of latent variables z, used by the objective and by ``sample``.

    A ``joint`` prior is part of the objective. Any other prior is fitted to the codes of training rows after training;
    the objective then uses the standard normal distribution.
    """

    role: ClassVar[str] = "prior"
    joint: ClassVar[bool] = True
    # Largest number of rows to whose codes a prior is fitted; None is all rows.
    max_rows: ClassVar[int | None] = None

    @abstractmethod
    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Check the parameters and create the tensors for latent variables of shape ``z_shape``."""

    def bind(self, posterior: Posterior) -> None:
        """Receive the map from encoded input (n, *shapes.input) to mean and log variance of q(z | x).

        It is called when the whole model is built.
        """

    @abstractmethod
    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density of z in nats, (n_draws, n); without labels, of the mixture over labels.

        Parameters
        ----------
        z : Tensor of shape (n_draws, n, *z_shape)
        y : Tensor of shape (n, condition) or None
            Encoded labels of the rows.
        """

    @abstractmethod
    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw z (n, *z_shape) with the global generator of torch; the temperature multiplies standard deviations.

        ``torch.randn`` draws on the processor. A prior with parameters moves such numbers to their device; the result
        may be on any.
        """

    def divergence(self, mean: Tensor, log_variance: Tensor) -> Tensor | None:
        """Return the KL divergence of normal distributions from the prior for each component, (n, d), in closed form.

        Return None if there is no closed form; training then uses log q(z | x) - log p(z) of drawn z.
        """
        return None

    def cross_entropy(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return the expectation of -log p(z) under normal distributions, (n,); by default, -log p of their means."""
        return -self.log_prob(mean[None])[0]

    def fit(self, z: Tensor, y: Tensor | None, seed: int) -> None:
        """Fit the prior to latent variables z of training rows, drawn from q(z | x), after training.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
        y : Tensor of shape (n, condition) or None
            Encoded labels.
        seed : int
        """
