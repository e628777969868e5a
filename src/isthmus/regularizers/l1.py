"""Sparse codes by absolute value."""

from torch import Tensor

from isthmus.regularizers.base import Regularizer, Step


class L1(Regularizer):
    """Sum of the absolute codes, each times the length of the decoder weights that read it.

    Without these lengths the net escapes: codes shrink, decoder weights grow, nothing becomes sparse [1].

    Parameters
    ----------
    weight : float, default=0.1
        Nats a unit of code.

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
        """Weighted term of each row; see the base class."""
        size = step.latent.z.flatten(2).abs()
        return self.weight * (size if step.code_norms is None else size * step.code_norms).sum(-1).mean(0)
