"""Codes of two layers: the prior of the lower layer depends on the upper layer."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.bottlenecks.base import Bottleneck, Latent
from isthmus.bottlenecks.gaussian import LOG_VARIANCE_RANGE
from isthmus.part import Shape, Shapes, is_count
from isthmus.priors import Normal, Prior


class Normals(NamedTuple):
    """Normal distributions with independent components on the last axis."""

    mean: Tensor
    log_variance: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log density, summed over components."""
        return F.normal_log_prob(z, self.mean, self.log_variance / 2).sum(-1)

    def product(self, other: "Normals") -> "Normals":
        """Return the normalized product of the densities: precisions are added, and means are weighted by them."""
        weight = torch.sigmoid(other.log_variance - self.log_variance)
        log_variance = -torch.logaddexp(-self.log_variance, -other.log_variance)
        return Normals(weight * self.mean + (1 - weight) * other.mean, log_variance)

    def divergence(self, other: "Normals") -> Tensor:
        """Return the KL divergence from the other distribution, summed over components."""
        mean = (self.mean - other.mean) * torch.exp(-other.log_variance / 2)
        return F.kl_normal(mean, self.log_variance - other.log_variance).sum(-1)


class TwoLayers(Prior):
    """Prior of a ladder: z2 is standard normal, and a net computes the moments of the normal p(z1 | z2).

    Parameters
    ----------
    n_top, width
        See ``Ladder``.
    """

    def __init__(self, n_top: int | None = None, width: int | None = None) -> None:
        super().__init__()
        self.n_top = n_top
        self.width = width

    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Create the net that computes p(z1 | z2)."""
        n_top = z_shape[0] // 2 if self.n_top is None else self.n_top
        n_bottom = z_shape[0] - n_top
        self.sizes = n_bottom, n_top
        if self.width is None:
            # The variance does not depend on z2, so the joint distribution of z1 and z2 is normal.
            self.net: nn.Module = nn.Linear(n_top, n_bottom)
            self.log_variance = nn.Parameter(torch.zeros(n_bottom))
        else:
            layers = nn.Linear(n_top, self.width), nn.SiLU(), nn.Linear(self.width, 2 * n_bottom)
            self.net = nn.Sequential(*layers)

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Split the last axis into the components of z1 and those of z2."""
        bottom, top = values.split(self.sizes, -1)
        return bottom, top

    def bottom(self, top: Tensor) -> Normals:
        """Return p(z1 | z2) for z2 (..., n_top)."""
        out = self.net(top)
        mean, log_variance = (out, self.log_variance.expand_as(out)) if self.width is None else out.chunk(2, -1)
        return Normals(mean, log_variance.clamp(*LOG_VARIANCE_RANGE))

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density log p(z1 | z2) + log p(z2), (n_draws, n)."""
        bottom, top = self.split(z)
        return self.bottom(top).log_prob(bottom) + F.normal_log_prob(top, top.new_zeros(()), top.new_zeros(())).sum(-1)

    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw z2, then z1 given z2; return them as z (n, n_components)."""
        noise = torch.randn(n, sum(self.sizes)).to(next(self.net.parameters()))
        bottom, top = self.split(temperature * noise)
        below = self.bottom(top)
        return torch.cat([below.mean + torch.exp(below.log_variance / 2) * bottom, top], -1)


class Posterior(NamedTuple):
    """q(z2 | x), and q(z1 | x, z2) as the product of an approximate likelihood of z1 and the prior p(z1 | z2)."""

    likelihood: Normals
    top: Normals
    prior: TwoLayers

    def bottom(self, top: Tensor) -> Normals:
        """Return q(z1 | x, z2) for z2 (..., n, n_top)."""
        return self.likelihood.product(self.prior.bottom(top))

    def at_mean(self) -> Normals:
        """Return the moments of z1 given the mean of z2, and those of z2, on one axis."""
        return Normals(*(torch.cat(pair, -1) for pair in zip(self.bottom(self.top.mean), self.top, strict=True)))

    def draw(self, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw z2, then z1 given z2; return them as z (n_draws, n, d), with log q(z | x) (n_draws, n)."""
        top = F.sample_normal(*self.top, n_draws)
        given = self.bottom(top)
        bottom = F.sample_normal(*given, 1)[0]
        return torch.cat([bottom, top], -1), given.log_prob(bottom) + self.top.log_prob(top)

    def divergences(self, top: Tensor) -> tuple[Tensor, Tensor]:
        """Return KL divergences from the prior: of z1 for given z2 (..., n, n_top), (..., n), and of z2, (n,)."""
        prior = self.prior.bottom(top)
        return self.likelihood.product(prior).divergence(prior), F.kl_normal(*self.top).sum(-1)


def read_posterior(h: Tensor, prior: TwoLayers) -> Posterior:
    """Make the posterior from h (n, 2 * n_components), which holds means of z1 and z2, then their log variances."""
    mean, log_variance = h.chunk(2, -1)
    likelihood, top = map(Normals, prior.split(mean), prior.split(log_variance.clamp(*LOG_VARIANCE_RANGE)))
    return Posterior(likelihood, top, prior)


class Ladder(Bottleneck):
    """Normal codes of two layers (z1, z2), with a prior of z1 that depends on z2: the ladder VAE [1].

    The first components are z1, the last ``n_top`` are z2. The prior is N(z2; 0, I) and a learned normal p(z1 | z2).
    The encoder returns q(z2 | x) and a normal approximation of the likelihood of z1; q(z1 | x, z2) is the normalized
    product of this likelihood and p(z1 | z2) [1, eq. 17-19]. The decoder reads both layers. Methods that do not sample,
    such as ``transform``, use the moments of z1 given the mean of z2.

    Parameters
    ----------
    n_top : int or None, default=None
        Number of components of z2; None is half of all components.
    width : int or None, default=None
        Number of hidden units of the net that computes p(z1 | z2). None: a mean that is linear in z2, and a variance
        that does not depend on z2.
    beta : float, default=1.0
        Weight of the divergence; 1 is the evidence lower bound.
    warmup : float, default=0.0
        Fraction of the training during which beta rises linearly from 0. Without warm-up, z2 may stay unused [1].

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or if there are fewer than two components.

    References
    ----------
    [1] Sonderby, Raiko, Maaloe, Sonderby and Winther, Ladder variational autoencoders, NeurIPS 2016, arXiv:1602.02282.

    Examples
    --------
    >>> from isthmus.bottlenecks import Ladder
    >>> Ladder(n_top=2, warmup=0.1)
    Ladder(n_top=2, warmup=0.1)
    """

    stochastic = True
    default_prior = Normal
    prior: TwoLayers

    def __init__(
        self, n_top: int | None = None, width: int | None = None, beta: float = 1.0, warmup: float = 0.0
    ) -> None:
        super().__init__()
        self.n_top = n_top
        self.width = width
        self.beta = beta
        self.warmup = warmup

    def set_prior(self, prior: Prior) -> None:
        """Create the prior of two layers, which replaces the given standard normal one."""
        if not isinstance(prior, Normal):
            raise ValueError(f"prior of Ladder must be 'normal' or fitted after training, got {prior!r}")
        self.prior = TwoLayers(self.n_top, self.width)

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Check the parameters; return the shapes of h and z."""
        if n_components < 2:
            raise ValueError(f"n_components must be at least 2 for the two layers of Ladder, got {n_components}")
        expected = f"None or a positive integer below n_components={n_components}"
        self.require("n_top", lambda v: v is None or (is_count(v) and v < n_components), expected)
        self.require("width", lambda v: v is None or is_count(v), "None or a positive integer")
        self.require("beta", lambda v: 0 <= v < math.inf, ">= 0")
        self.require("warmup", lambda v: 0 <= v <= 1, "in [0, 1]")
        self.z_shape = (n_components,)
        return (2 * n_components,), self.z_shape

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Draw z and compute the weighted divergence of both layers."""
        z, log_q = self.draw(h, 1)
        bottom, top = read_posterior(h, self.prior).divergences(self.prior.split(z)[1])
        beta = self.beta * (progress / self.warmup).clamp(max=1.0) if self.warmup else self.beta
        metrics = {"divergence_bottom": bottom.detach().mean(), "divergence_top": top.detach().mean()}
        return Latent(z, {"divergence": beta * (bottom + top)}, log_q - self.prior.log_prob(z), metrics)

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the mean of z1 given the mean of z2, and the mean of z2, (n, n_components)."""
        return read_posterior(h, self.prior).at_mean().mean

    def code_std(self, h: Tensor) -> Tensor:
        """Return standard deviations of z1 given the mean of z2, and those of z2, (n, n_components)."""
        return torch.exp(read_posterior(h, self.prior).at_mean().log_variance / 2)

    def draw(self, h: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw z2, then z1 given z2; return z (n_draws, n, n_components) and log q(z | x), (n_draws, n)."""
        return read_posterior(h, self.prior).draw(n_draws)

    def divergence(self, h: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the sum of the divergences of q(z2 | x), and of q(z1 | x, z2) at the mean of z2, (n,)."""
        posterior = read_posterior(h, self.prior)
        return torch.stack(posterior.divergences(posterior.top.mean)).sum(0)
