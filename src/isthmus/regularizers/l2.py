"""Small codes."""

from torch import Tensor

from isthmus.regularizers.base import Regularizer, Step


class L2(Regularizer):
    """Half the squared length of the code: keeps codes near 0, so that one can sample around them.

    Parameters
    ----------
    weight : float, default=0.1

    References
    ----------
    Ghosh et al., From variational to deterministic autoencoders, ICLR 2020, arXiv:1903.12436.

    Examples
    --------
    >>> from isthmus.regularizers import L2
    >>> L2()
    L2()
    """

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, step: Step) -> Tensor:
        """Weighted term a sample; see the base class."""
        return self.weight * 0.5 * step.latent.z.flatten(2).square().sum(-1).mean(0)
