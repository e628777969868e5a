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
    # Number of rows drawn for each new row, of which a discriminator chooses one; 1 is no choice.
    n_candidates: int = 1
    # Number of times that each category of a new row is drawn again given its other values.
    n_sweeps: int = 0

    @abstractmethod
    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Check the parameters and create the tensors.

        Parameters
        ----------
        z_shape : tuple of int
            Shape of the latent variables of one row.
        shapes : Shapes
            Shapes of the encoded input and of labels, and the number of nets.
        """

    def bind(self, posterior: Posterior) -> None:
        """Receive the map from encoded input to the posterior.

        It is called when the whole model is built.

        Parameters
        ----------
        posterior : callable
            Maps encoded input (n, *shapes.input) to mean and log variance of q(z | x).
        """

    @abstractmethod
    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density of z; without labels, of the mixture over labels.

        Parameters
        ----------
        z : Tensor of shape (n_draws, n, *z_shape)
            Latent variables.
        y : Tensor of shape (n, condition) or None, default=None
            Encoded labels of the rows.

        Returns
        -------
        Tensor of shape (n_draws, n)
            Log densities in nats.
        """

    @abstractmethod
    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw z with the global generator of torch.

        ``torch.randn`` draws on the processor. A prior with parameters moves such numbers to their device; the result
        may be on any.

        Parameters
        ----------
        n : int
            Number of rows.
        y : Tensor of shape (n, condition) or None, default=None
            Encoded labels.
        temperature : float, default=1.0
            Factor of standard deviations.

        Returns
        -------
        Tensor of shape (n, *z_shape)
            The draws.
        """

    def divergence(self, mean: Tensor, log_variance: Tensor) -> Tensor | None:
        """Return the KL divergence of normal distributions from the prior in closed form.

        Return None if there is no closed form; training then uses log q(z | x) - log p(z) of drawn z.

        Parameters
        ----------
        mean, log_variance : Tensor of shape (n, d)
            Moments of the normal distributions.

        Returns
        -------
        Tensor of shape (n, d) or None
            Divergence of each component in nats; None if there is no closed form.
        """
        return None

    def cross_entropy(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return the expectation of -log p(z) under normal distributions; by default, -log p of their means.

        Parameters
        ----------
        mean, log_variance : Tensor of shape (n, d)
            Moments of the normal distributions.

        Returns
        -------
        Tensor of shape (n,)
            Cross entropies in nats.
        """
        return -self.log_prob(mean[None])[0]

    def fit(self, z: Tensor, y: Tensor | None, seed: int) -> None:
        """Fit the prior to latent variables z of training rows, drawn from q(z | x), after training.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
            Latent variables.
        y : Tensor of shape (n, condition) or None
            Encoded labels.
        seed : int
            Seed of random numbers of the fit.
        """
