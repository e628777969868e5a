"""What a model returns for a batch, between models and the training."""

from typing import NamedTuple

from torch import Tensor


class Losses(NamedTuple):
    """Terms of the loss of a batch, and metrics beside them.

    Parameters
    ----------
    terms : dict of Tensor
        By name, of shape (n_rows,) or (), in nats. The loss is the sum of their means over rows.
    metrics : dict of Tensor
        By name, of shape (n_rows,) or (), without gradients. Training reports their means and never minimises them.
    """

    terms: dict[str, Tensor]
    metrics: dict[str, Tensor]
