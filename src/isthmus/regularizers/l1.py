"""Sparse codes by an L1 penalty."""

from torch import Tensor

from isthmus.regularizers.base import Regularizer, Step


class L1(Regularizer):
    """L1 norm of the code, with each component multiplied by the norm of its decoder weights.

    Without these norms, small codes with large decoder weights would reduce the penalty without sparsity [1].

    Parameters
    ----------
    weight : float, default=0.1
        Weight of the term, in nats per unit of code.

    References
    ----------
    [1] Conerly et al., Update on how we train SAEs, Transformer Circuits, April 2024.

    Examples
    --------
    >>> from isthmus.regularizers import L1
    >>> L1(weight=0.5)
    L1(weight=0.5)
    """

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, step: Step) -> Tensor:
        """Return the weighted term of each row."""
        size = step.latent.z.flatten(2).abs()
        return self.weight * (size if step.code_norms is None else size * step.code_norms).sum(-1).mean(0)
