"""Sparse codes by a small mean activity."""

from torch import Tensor

from isthmus import functional as F
from isthmus.bottlenecks import Bottleneck
from isthmus.part import Shapes
from isthmus.regularizers.base import Regularizer, Step


class KLSparsity(Regularizer):
    """KL divergence from a target activity to the mean activity of each component over the batch.

    Codes must lie in (0, 1), so the bottleneck must be ``Deterministic(activation="sigmoid")``.

    Parameters
    ----------
    weight : float, default=1.0
        Weight of the term.
    target : float, default=0.05
        Target activity, in (0, 1).

    Raises
    ------
    ValueError
        At ``build``, if the target is not in (0, 1) or codes are not.

    References
    ----------
    Lee, Ekanadham and Ng, Sparse deep belief net model for visual area V2, NIPS 2007;
    Ng, Sparse autoencoder, CS294A lecture notes, Stanford 2011.

    Examples
    --------
    >>> from isthmus.regularizers import KLSparsity
    >>> KLSparsity(target=0.1)
    KLSparsity(target=0.1)
    """

    def __init__(self, weight: float = 1.0, target: float = 0.05) -> None:
        super().__init__()
        self.weight = weight
        self.target = target

    def build(self, shapes: Shapes, bottleneck: Bottleneck) -> None:
        """Check the parameters and the range of the codes."""
        super().build(shapes, bottleneck)
        self.require("target", lambda v: 0 < v < 1, "in (0, 1)")
        if vars(bottleneck).get("activation") != "sigmoid":
            raise ValueError(
                "regularizer KLSparsity needs codes in (0, 1): use bottleneck=Deterministic(activation='sigmoid'), "
                f"got {bottleneck!r}"
            )

    def forward(self, step: Step) -> Tensor:
        """Return the weighted term of the batch, averaged over parallel nets."""
        by_net = step.latent.z.unflatten(1, (-1, step.n_nets))  # (n_draws, rows of a net, n_nets, n_components)
        return self.weight * F.kl_bernoulli(self.target, by_net.mean((0, 1))).sum(-1).mean()
