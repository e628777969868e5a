"""Codes that are insensitive to small changes of the input."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.bottlenecks import Bottleneck
from isthmus.part import Shapes, is_count
from isthmus.regularizers.base import Regularizer, Step


class Jacobian(Regularizer):
    """Squared Frobenius norm of the Jacobian of the encoder: the penalty of the contractive autoencoder.

    The norm is computed by automatic differentiation, for any encoder; the closed form of the paper is for one sigmoid
    layer. The Jacobian is the derivative of the code with respect to the encoded input.

    Parameters
    ----------
    weight : float, default=0.1
        Weight of the term.
    n_probes : int or None, default=1
        Number of random probes of the Hutchinson estimator; None is exact, with one backward pass per component.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range.

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
        """Check the parameters."""
        super().build(shapes, bottleneck)
        self.require("n_probes", lambda v: v is None or is_count(v), "None or a positive integer")

    def forward(self, step: Step) -> Tensor:
        """Return the weighted term of each row."""
        with torch.enable_grad():
            u = step.u.detach().requires_grad_()
            return self.weight * F.squared_jacobian(step.encode(u).flatten(1), u, self.n_probes)
