"""Small codes by an L2 penalty."""

from torch import Tensor

from isthmus.regularizers.base import Regularizer, Step


class L2(Regularizer):
    """Half the squared L2 norm of the code, which keeps codes near 0 and thus suitable for sampling.

    Parameters
    ----------
    weight : float, default=0.1
        Weight of the term.

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
        """Return the weighted term of each row."""
        return self.weight * 0.5 * step.latent.z.flatten(2).square().sum(-1).mean(0)
