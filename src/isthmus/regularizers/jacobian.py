"""Codes that small changes of the input hardly move."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.bottlenecks import Bottleneck
from isthmus.part import Shapes, is_count
from isthmus.regularizers.base import Regularizer, Step


class Jacobian(Regularizer):
    """Squared Frobenius norm of the code's Jacobian: the contractive autoencoder.

    Taken by differentiation of the encoder as it is, so it is right for any net; the textbook formula holds for one
    sigmoid layer only. The Jacobian is by the encoded input, in the likelihood's standard units.

    Parameters
    ----------
    weight : float, default=0.1
    n_probes : int or None, default=1
        Random directions of Hutchinson's estimate; None is exact, at one backward pass a component.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range.

    References
    ----------
    Rifai et al., Contractive auto-encoders: explicit invariance during feature extraction, ICML 2011.
    Hutchinson, A stochastic estimator of the trace of the influence matrix, 1990.

    Examples
    --------
    >>> from isthmus.regularizers import Jacobian
    >>> Jacobian(weight=0.01, n_probes=None)
    Jacobian(n_probes=None, weight=0.01)
    """

    def __init__(self, weight: float = 0.1, n_probes: int | None = 1) -> None:
        super().__init__()
        self.weight = weight
        self.n_probes = n_probes

    def build(self, shapes: Shapes, bottleneck: Bottleneck) -> None:
        """Check the parameters; see the base class."""
        super().build(shapes, bottleneck)
        self.require("n_probes", lambda v: v is None or is_count(v), "None or a positive integer")

    def forward(self, step: Step) -> Tensor:
        """Weighted term a sample; see the base class."""
        with torch.enable_grad():
            u = step.u.detach().requires_grad_()
            return self.weight * F.squared_jacobian(step.encode(u), u, self.n_probes)
