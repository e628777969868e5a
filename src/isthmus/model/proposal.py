"""A proposal distribution around deterministic codes, for bounds on log p(x)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.part import Shape

# Steps of the finite differences, in standard deviations of the codes: small, but above the rounding of float32.
STEP = 0.1
# Smallest variance of a direction relative to the largest: the precision of float32, as in ``priors.Empirical``.
MIN_RELATIVE_VARIANCE = 1e-7
# Number of directions that are decoded at once. Bounds memory; for small nets, more at once are not faster.
N_DIRECTIONS = 8


class Proposal(nn.Module):
    """Normal distribution q(z | x) around the code of a row, with the same covariance for all rows.

    Its axes are the principal axes of the codes. The variance along an axis is 1 / (1 / v + c), where v is the variance
    of the codes and c the mean curvature of -log p(x | z): Laplace's approximation of p(z | x), averaged over rows.

    Parameters
    ----------
    z_shape : tuple of int
    """

    axes: Tensor
    log_scale: Tensor

    def __init__(self, z_shape: Shape) -> None:
        super().__init__()
        self.z_shape, size = z_shape, math.prod(z_shape)
        self.register_buffer("axes", torch.eye(size))
        self.register_buffer("log_scale", torch.zeros(size))

    def fit(self, z: Tensor, log_prob: Callable[[Tensor], Tensor]) -> None:
        """Compute axes and scales.

        Parameters
        ----------
        z : Tensor of shape (n, *z_shape)
            Codes of training rows.
        log_prob : callable
            Maps shifts (n_shifts, *z_shape) to the mean of log p(x | z + shift) over rows, (n_shifts,).
        """
        variances, axes = torch.linalg.eigh(z.flatten(1).double().T.cov(correction=0).reshape(2 * (len(self.axes),)))
        variances = variances.clamp(min=MIN_RELATIVE_VARIANCE * float(variances.max()) or 1.0)
        steps = (STEP * variances.sqrt() * axes).T.to(z).unflatten(1, self.z_shape)
        center = log_prob(torch.zeros_like(steps[:1]))
        # Few rows have few directions: along the others the variance is negligible, and the curvature is not computed.
        curvature = torch.zeros_like(variances)
        for i in (variances > MIN_RELATIVE_VARIANCE * variances.max()).nonzero().flatten().split(N_DIRECTIONS):
            change = 2 * center - log_prob(steps[i]) - log_prob(-steps[i])
            curvature[i] = (change / STEP**2).clamp(min=0)  # in units of the variance; negative curvature is ignored
        self.axes.copy_(axes)
        self.log_scale.copy_((variances / (1 + curvature)).log() / 2)

    def draw(self, z: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw z (n_draws, n, *z_shape) around codes (n, *z_shape), with its log density (n_draws, n)."""
        noise = torch.randn(n_draws, len(z), len(self.axes), device=z.device).to(z)
        shift = (noise * self.log_scale.exp()) @ self.axes.T
        log_prob = F.normal_log_prob(noise, torch.zeros_like(noise), torch.zeros_like(self.log_scale))
        return z + shift.unflatten(-1, self.z_shape), log_prob.sum(-1) - self.log_scale.sum()
