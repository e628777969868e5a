"""Loss terms and metrics of a batch: the interface of models and training."""

from typing import NamedTuple

from torch import Tensor


class Losses(NamedTuple):
    """Loss terms and metrics of a batch.

    Parameters
    ----------
    terms : dict of Tensor
        Loss terms by name, of shape (n_rows,) or (), in nats. The loss is the sum of their means over rows.
    metrics : dict of Tensor
        Metrics by name, of shape (n_rows,) or (), without gradients. Training reports their means only.
    """

    terms: dict[str, Tensor]
    metrics: dict[str, Tensor]
