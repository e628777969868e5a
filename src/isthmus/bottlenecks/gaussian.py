"""The bottleneck of the variational autoencoder."""

import math

from torch import Tensor

from isthmus import functional as F
from isthmus.bottlenecks.base import Latent, NormalPosterior
from isthmus.part import Shape, Shapes, is_count

# Range of log variances: standard deviations from about 1e-6 to 1e3, so that exp does not overflow.
LOG_VARIANCE_RANGE = (-28.0, 14.0)
EXPECTED_DRAWS = "a positive integer, and 1 if free_bits or capacity is used"


class Gaussian(NormalPosterior):
    """Normal q(z | x) with diagonal covariance, regularized towards the prior: the bottleneck of the VAE [1].

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the divergence. 1 is the evidence lower bound; larger values favor independent components [2].
    free_bits : float, default=0.0
        Divergence of a component, in nats and averaged over the batch, below which its cost is constant [3, eq. 15].
    capacity : float or None, default=None
        Target of the divergence in nats. It rises linearly from 0 to this value during the training; the cost is
        beta * |divergence - capacity| [4, eq. 8].
    n_draws : int, default=1
        Samples of z per row in training. With more than one, the loss is the importance-weighted bound [5].
    warmup : float, default=0.0
        Fraction of the training during which beta rises linearly from 0.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or if ``n_draws`` > 1 with ``free_bits`` or ``capacity``.

    References
    ----------
    [1] Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014, arXiv:1312.6114.
    [2] Higgins et al., beta-VAE, ICLR 2017.
    [3] Kingma et al., Inverse autoregressive flow, NIPS 2016, arXiv:1606.04934.
    [4] Burgess et al., beta-VAE, 2018, arXiv:1804.03599.
    [5] Burda et al., Importance weighted autoencoders, arXiv:1509.00519.

    Examples
    --------
    >>> from isthmus.bottlenecks import Gaussian
    >>> Gaussian(beta=4.0, warmup=0.1)
    Gaussian(beta=4.0, warmup=0.1)
    """

    def __init__(
        self,
        beta: float = 1.0,
        free_bits: float = 0.0,
        capacity: float | None = None,
        n_draws: int = 1,
        warmup: float = 0.0,
    ) -> None:
        super().__init__()
        self.beta = beta
        self.free_bits = free_bits
        self.capacity = capacity
        self.n_draws = n_draws
        self.warmup = warmup

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Check the parameters; return the shapes of h and z."""
        self.require("beta", lambda v: 0 <= v < math.inf, ">= 0")
        self.require("free_bits", lambda v: v >= 0, ">= 0")
        self.require("capacity", lambda v: v is None or v >= 0, "None or >= 0")
        self.require("warmup", lambda v: 0 <= v <= 1, "in [0, 1]")
        adjusts_cost = self.free_bits or self.capacity is not None
        self.require("n_draws", lambda v: is_count(v) and (v == 1 or not adjusts_cost), EXPECTED_DRAWS)
        self.z_shape = (n_components,)
        return (2 * n_components,), self.z_shape

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Draw z and compute its weighted divergence."""
        mean, log_variance = self.moments(h)
        z = F.sample_normal(mean, log_variance, self.n_draws)
        divergence = self.prior.divergence(mean, log_variance) if self.n_draws == 1 else None
        log_ratio = self.log_ratio(z, mean, log_variance, y) if divergence is None else divergence.sum(-1)[None]
        cost = log_ratio if self.n_draws > 1 else self._cost(divergence, log_ratio, progress)
        beta = self.beta * (progress / self.warmup).clamp(max=1.0) if self.warmup else self.beta
        return Latent(z, {"divergence": beta * cost}, log_ratio, {"divergence": log_ratio.detach().mean()})

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, the two halves of h, each (n, n_components)."""
        mean, log_variance = h.chunk(2, -1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def _cost(self, divergence: Tensor | None, log_ratio: Tensor, progress: Tensor) -> Tensor:
        """Return the unweighted cost (1, n) of one sample of z, with free bits and capacity."""
        terms = log_ratio[0, :, None] if divergence is None else divergence
        total = F.free_bits(terms, self.free_bits).sum(-1)[None]
        return total if self.capacity is None else (total - self.capacity * progress).abs()
