"""A mixture of the posteriors of learned inputs."""

import math

import torch
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.part import Shape, Shapes, is_count
from isthmus.priors.base import Posterior, Prior


class Vamp(Prior):
    """Mixture of the posteriors q(z | u) of learned pseudo-inputs u: the VampPrior, for data with clusters.

    Parameters
    ----------
    n_pseudo_inputs : int, default=50
        Number of components of the mixture, which have equal weights.

    Raises
    ------
    ValueError
        At ``build``, if ``n_pseudo_inputs`` is not a positive integer, or if the bottleneck has no normal q(z | x).

    References
    ----------
    Tomczak and Welling, VAE with a VampPrior, AISTATS 2018, arXiv:1705.07120.

    Examples
    --------
    >>> from isthmus.priors import Vamp
    >>> Vamp(100)
    Vamp(n_pseudo_inputs=100)
    """

    # Pseudo-inputs travel from noise to clusters. On six clusters the bound rises from 1 to 5, 10 and 20.
    learning_rate_factor = 10.0
    mean: Tensor
    log_variance: Tensor
    is_current: Tensor

    def __init__(self, n_pseudo_inputs: int = 50) -> None:
        super().__init__()
        self.n_pseudo_inputs = n_pseudo_inputs

    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Create normal random pseudo-inputs for each net, with the variance of standardized rows."""
        self.require("n_pseudo_inputs", is_count, "a positive integer")
        self.z_shape, self.n_nets = z_shape, shapes.n_nets
        # Row i goes through net i % n_nets, as in any batch.
        self.pseudo_inputs = nn.Parameter(torch.randn(self.n_pseudo_inputs * self.n_nets, *shapes.input))
        for name in ("mean", "log_variance"):
            self.register_buffer(name, torch.zeros(self.n_nets, self.n_pseudo_inputs, math.prod(z_shape)))
        self.register_buffer("is_current", torch.zeros((), dtype=torch.int64))

    def bind(self, posterior: Posterior) -> None:
        """Store the function. It is a method and not a module, so its weights are not registered a second time."""
        self.posterior = posterior
        self.fit(self.mean)

    def after_step(self, progress: Tensor) -> None:
        """Mark the stored mixture as outdated, because the weights have changed."""
        self.is_current.zero_()

    @torch.no_grad()
    def fit(self, z: Tensor, y: Tensor | None = None, seed: int = 0) -> None:
        """Store the moments of the mixture."""
        for buffer, value in zip((self.mean, self.log_variance), self._encode(), strict=True):
            buffer.copy_(value)
        self.is_current.fill_(1)

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density, (n_draws, n)."""
        mean, log_variance = self._mixture()
        return _log_mean_exp(F.normal_log_prob(_per_component(z.flatten(2), self.n_nets), mean, log_variance / 2))

    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw components, then z (n, *z_shape)."""
        nets, components = torch.arange(n) % self.n_nets, torch.randint(self.n_pseudo_inputs, (n,))
        mean, log_variance = (moment.cpu()[nets, components] for moment in self._mixture())
        noise = torch.randn(mean.shape, dtype=mean.dtype)
        return (mean + temperature * torch.exp(log_variance / 2) * noise).unflatten(1, self.z_shape)

    def cross_entropy(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return the upper bound -log mean_k exp(E[log p_k(z)]) of Jensen (Hershey and Olsen, ICASSP 2007), (n,)."""
        mean, log_variance = (_per_component(moment.flatten(1)[None], self.n_nets) for moment in (mean, log_variance))
        center, log_scale = self._mixture()
        expected = F.normal_log_prob(mean, center, log_scale / 2) - 0.5 * torch.exp(log_variance - log_scale)
        return -_log_mean_exp(expected)[0]

    def _mixture(self) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the components, each (n_nets, n_pseudo_inputs, d)."""
        if self.training:
            return self._encode()
        if not (torch.compiler.is_compiling() or self.is_current):
            self.fit(self.mean)
        return self.mean, self.log_variance

    def _encode(self) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.posterior(self.pseudo_inputs)
        shape = (self.n_pseudo_inputs, self.n_nets, -1)
        return mean.reshape(shape).transpose(0, 1), log_variance.reshape(shape).transpose(0, 1)


def _per_component(values: Tensor, n_nets: int) -> Tensor:
    """Reshape values (n_draws, n, d) to (n_draws, n / n_nets, n_nets, 1, d), with one axis for components."""
    return values.unflatten(1, (-1, n_nets))[..., None, :]


def _log_mean_exp(log_probs: Tensor) -> Tensor:
    """Return log densities of mixtures, (n_draws, n), from those of each component and value.

    Parameters
    ----------
    log_probs : Tensor of shape (n_draws, n / n_nets, n_nets, n_pseudo_inputs, d)
    """
    return (log_probs.sum(-1).logsumexp(-1) - math.log(log_probs.shape[-2])).flatten(1)
