"""An auxiliary loss for dead components."""

import math

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.bottlenecks import Bottleneck, TopK, Wrapper
from isthmus.part import Shapes, is_count
from isthmus.regularizers.base import Regularizer, Step


class AuxK(Regularizer):
    """Auxiliary loss for ``TopK``, by which dead components learn the residual of the active components [1].

    The decoder is applied to the largest dead components alone and to a code of zeros. The difference of both results
    is added to the decoder output of the row, which gets no gradient. The term is the negative log probability of the
    row given this sum. With normal noise and a linear decoder, it is the squared error of the residual, as in [1].
    The term is 0 while no component is dead.

    Parameters
    ----------
    weight : float, default=0.03125
        Weight of the term; the negative log probability of the reconstruction has weight 1.
    k : int or None, default=None
        Number of dead components per row; None means half the size of the encoded input.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or if the bottleneck is not ``TopK``.

    References
    ----------
    [1] Gao et al., Scaling and evaluating sparse autoencoders, 2024, arXiv:2406.04093.

    Examples
    --------
    >>> from isthmus.regularizers import AuxK
    >>> AuxK(k=64)
    AuxK(k=64)
    """

    def __init__(self, weight: float = 1 / 32, k: int | None = None) -> None:
        super().__init__()
        self.weight = weight
        self.k = k

    def build(self, shapes: Shapes, bottleneck: Bottleneck) -> None:
        """Check the parameters and the bottleneck."""
        super().build(shapes, bottleneck)
        self.require("k", lambda v: v is None or is_count(v), "None or a positive integer")
        n_components = math.prod(_top_k(bottleneck).z_shape)
        self.n_used = min(n_components, self.k or max(1, math.prod(shapes.input) // 2))

    def forward(self, step: Step) -> Tensor:
        """Return the weighted term of each row, (n,)."""
        dead = _top_k(step.bottleneck).dead.repeat(len(step.h) // step.n_nets, 1)
        z = F.keep_largest(step.h.relu() * dead, self.n_used)
        theta = step.theta.detach() + step.decode(z, step.y) - step.decode(torch.zeros_like(z), step.y)
        log_prob = step.likelihood.log_prob(theta, step.likelihood.fill(step.x))
        log_prob = torch.where(step.x.isnan(), 0.0, log_prob).flatten(1).sum(-1)
        return -self.weight * torch.where(dead.any(-1), log_prob, 0.0)


def _top_k(bottleneck: Bottleneck) -> TopK:
    """Return the ``TopK`` bottleneck, which may be wrapped, or raise ``ValueError``."""
    inner = bottleneck.inner if isinstance(bottleneck, Wrapper) else bottleneck
    if not isinstance(inner, TopK):
        raise ValueError(f"regularizer AuxK needs codes of bottleneck='top_k', got {bottleneck!r}")
    return inner
