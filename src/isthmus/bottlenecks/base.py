"""The base class of bottlenecks, of bottlenecks with a normal q(z | x), and of wrappers of a bottleneck."""

import math
from abc import abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.part import Part, Shape, Shapes
from isthmus.priors import Empirical, Normal, Prior


class Latent(NamedTuple):
    """Output of a bottleneck for a batch in training.

    Parameters
    ----------
    z : Tensor of shape (n_draws, n, *z_shape)
        Latent variables, which the decoder reads; n_draws is 1 if z is not random.
    costs : dict of str to Tensor of shape (n_draws, n)
        Weighted terms that are subtracted from log p(x | z), in nats, by name.
    log_ratio : Tensor of shape (n_draws, n)
        log q(z | x) - log p(z), unweighted, or its expectation if it has a closed form; 0 if z is deterministic.
    metrics : dict of str to Tensor of shape ()
        Values for ``history_`` that are not part of the loss, by name.
    """

    z: Tensor
    costs: dict[str, Tensor]
    log_ratio: Tensor
    metrics: dict[str, Tensor] = {}


class Bottleneck(Part):
    """Turns the output of the encoder into latent variables z, and computes their costs.

    A code is the row of numbers that users get. ``to_code`` computes it from z, and ``from_code`` is the inverse.

    Attributes
    ----------
    prior : Prior
        p(z) of the objective; set before ``build``, built after it.
    z_shape : tuple of int
        Shape of z for one row; set by ``build``.
    stochastic : bool
        Whether z is drawn from a distribution q(z | x).
    log_n_values : float or None
        Logarithm of the number of values of a discrete z, which are equally probable a priori; None if z is continuous.
    """

    role: ClassVar[str] = "bottleneck"
    # Prior if the user does not choose one.
    default_prior: ClassVar[type[Prior]] = Empirical
    stochastic: bool = False
    log_n_values: float | None = None
    prior: Prior
    z_shape: Shape

    def set_prior(self, prior: Prior) -> None:
        """Set the prior of the objective.

        Parameters
        ----------
        prior : Prior
            The prior, which is built later.
        """
        self.prior = prior

    @abstractmethod
    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Check the parameters and create the tensors.

        Parameters
        ----------
        n_components : int
            Number of components of the code.
        shapes : Shapes
            Shapes of the encoded input and of labels, and the number of nets.

        Returns
        -------
        h_shape : tuple of int
            Shape of the output of the encoder for one row.
        z_shape : tuple of int
            Shape of the latent variables of one row.
        """

    @abstractmethod
    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Map the output of the encoder to latent variables, in training.

        Parameters
        ----------
        h : Tensor of shape (n, *h_shape)
            Output of the encoder.
        y : Tensor of shape (n, condition) or None
            Encoded labels, for the prior.
        progress : Tensor of shape ()
            Completed fraction of the training, in [0, 1], for schedules.

        Returns
        -------
        Latent
            Latent variables and their costs.
        """

    @abstractmethod
    def code_mean(self, h: Tensor) -> Tensor:
        """Return the mean of q(z | x).

        Parameters
        ----------
        h : Tensor of shape (n, *h_shape)
            Output of the encoder.

        Returns
        -------
        Tensor of shape (n, *z_shape)
            The means.
        """

    def require_stochastic(self, what: str) -> None:
        """Check that z is drawn from a distribution.

        Parameters
        ----------
        what : str
            What needs random z, for the message.

        Raises
        ------
        ValueError
            If z is deterministic.
        """
        if not self.stochastic:
            kind = type(self).__name__
            raise ValueError(f"{what} needs a stochastic bottleneck, such as 'gaussian'; {kind} is deterministic")

    def code_std(self, h: Tensor) -> Tensor:
        """Return standard deviations of the codes.

        Parameters
        ----------
        h : Tensor of shape (n, *h_shape)
            Output of the encoder.

        Returns
        -------
        Tensor of shape (n, code_size)
            The deviations; 0 for a deterministic z.
        """
        return self.to_code(self.code_mean(h)).new_zeros(h.shape[0], self.code_size)

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of a normal q(z | x).

        Parameters
        ----------
        h : Tensor of shape (n, *h_shape)
            Output of the encoder.

        Returns
        -------
        tuple of two Tensor of shape (n, *z_shape)
            Means and log variances.

        Raises
        ------
        ValueError
            If q(z | x) is not a normal distribution with independent components.
        """
        raise ValueError(
            f"prior {self.prior!r} needs codes with a normal distribution, such as bottleneck='gaussian', got {self!r}"
        )

    def draw(self, h: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw z from q(z | x).

        Parameters
        ----------
        h : Tensor of shape (n, *h_shape)
            Output of the encoder.
        n_draws : int
            Number of draws for each row.

        Returns
        -------
        z : Tensor of shape (n_draws, n, *z_shape)
            The draws.
        log_q : Tensor of shape (n_draws, n)
            Log densities q(z | x) in nats; 0 for a deterministic z.
        """
        z = self.code_mean(h)
        return z.expand(n_draws, *z.shape), h.new_zeros(n_draws, h.shape[0])

    def divergence(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the divergence of q(z | x) from the prior, without sampling.

        Parameters
        ----------
        h : Tensor of shape (n, *h_shape)
            Output of the encoder.
        y : Tensor of shape (n, condition) or None, default=None
            Encoded labels, for the prior.

        Returns
        -------
        Tensor of shape (n,)
            Divergences in nats; 0 for a deterministic z.
        """
        return h.new_zeros(h.shape[0])

    @property
    def code_size(self) -> int:
        """Length of a code."""
        return math.prod(self.z_shape)

    def to_code(self, z: Tensor) -> Tensor:
        """Map latent variables to codes.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
            Latent variables.

        Returns
        -------
        Tensor of shape (n, code_size)
            Codes, the rows of numbers that users get.
        """
        return z.flatten(1)

    def from_code(self, code: Tensor) -> Tensor:
        """Map codes to latent variables.

        Parameters
        ----------
        code : Tensor of shape (n, code_size)
            Codes.

        Returns
        -------
        Tensor of shape (n, *z_shape)
            Latent variables.
        """
        return code.unflatten(1, self.z_shape)

    def clamp(self, z: Tensor) -> Tensor:
        """Project draws from a prior to the nearest values that the bottleneck can return.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
            Draws.

        Returns
        -------
        Tensor of shape (n, *z_shape)
            The projected draws.
        """
        return z


class NormalPosterior(Bottleneck):
    """Base of bottlenecks whose q(z | x) is a normal distribution with the ``moments`` of h."""

    stochastic = True
    default_prior = Normal

    @abstractmethod
    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x), each (n, *z_shape)."""

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the mean of q(z | x), (n, *z_shape)."""
        return self.moments(h)[0]

    def code_std(self, h: Tensor) -> Tensor:
        """Return the standard deviations of q(z | x), (n, code_size)."""
        return torch.exp(self.moments(h)[1] / 2)

    def draw(self, h: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw z (n_draws, n, *z_shape) from q(z | x), with log q(z | x) (n_draws, n)."""
        mean, log_variance = self.moments(h)
        z = F.sample_normal(mean, log_variance, n_draws)
        return z, F.normal_log_prob(z, mean, log_variance / 2).sum(-1)

    def divergence(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the divergence of q(z | x) from the prior, (n,), in closed form if the prior has one."""
        mean, log_variance = self.moments(h)
        divergence = self.prior.divergence(mean, log_variance)
        if divergence is not None:
            return divergence.sum(-1)
        return self.prior.cross_entropy(mean, log_variance) - F.entropy_normal(log_variance)

    def log_ratio(self, z: Tensor, mean: Tensor, log_variance: Tensor, y: Tensor | None) -> Tensor:
        """Return log q(z | x) - log p(z) of drawn z.

        Parameters
        ----------
        z : Tensor of shape (n_draws, n, d)
            Draws.
        mean, log_variance : Tensor of shape (n, d)
            Moments of q(z | x).
        y : Tensor of shape (n, condition) or None
            Encoded labels, for the prior.

        Returns
        -------
        Tensor of shape (n_draws, n)
            Log ratios in nats.
        """
        return F.normal_log_prob(z, mean, log_variance / 2).sum(-1) - self.prior.log_prob(z, y)


class Wrapper(Bottleneck):
    """Wraps another bottleneck, and changes its computation in training only."""

    inner: Bottleneck

    def set_prior(self, prior: Prior) -> None:
        """Set the prior of the wrapped bottleneck."""
        self.inner.set_prior(prior)

    @property
    def prior(self) -> Prior:  # type: ignore[override]
        """Prior of the wrapped bottleneck."""
        return self.inner.prior

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Build the wrapped bottleneck and copy its attributes; return its shapes of h and z."""
        built = self.inner.build(n_components, shapes)
        self.stochastic, self.z_shape = self.inner.stochastic, self.inner.z_shape
        self.log_n_values = self.inner.log_n_values
        return built

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the mean of q(z | x), (n, *z_shape)."""
        return self.inner.code_mean(h)

    def code_std(self, h: Tensor) -> Tensor:
        """Return standard deviations of the codes, (n, code_size)."""
        return self.inner.code_std(h)

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x), each (n, *z_shape)."""
        return self.inner.moments(h)

    def draw(self, h: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw z from q(z | x) with the wrapped bottleneck."""
        return self.inner.draw(h, n_draws)

    def divergence(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the divergence of q(z | x) from the prior, (n,)."""
        return self.inner.divergence(h, y)

    @property
    def code_size(self) -> int:
        """Length of a code."""
        return self.inner.code_size

    def to_code(self, z: Tensor) -> Tensor:
        """Map z (n, *z_shape) to codes (n, code_size)."""
        return self.inner.to_code(z)

    def from_code(self, code: Tensor) -> Tensor:
        """Map codes (n, code_size) to z (n, *z_shape)."""
        return self.inner.from_code(code)

    def clamp(self, z: Tensor) -> Tensor:
        """Project z to the nearest values that the wrapped bottleneck can return."""
        return self.inner.clamp(z)
