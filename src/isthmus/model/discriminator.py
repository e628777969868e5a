"""A classifier of real and drawn rows, which chooses among drawn rows."""

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import softplus

from isthmus.model.small_net import BATCH_SIZE, HELD_OUT, SmallNet, Weights, draw_batch

# Hidden units, and largest numbers of steps and epochs. Chosen on one half of adult, see docs/performance.md.
WIDTH, MAX_STEPS, MAX_EPOCHS = 64, 800, 20
# Largest numbers of rows and of their values in the fit. They bound time and memory; not tuned.
MAX_ROWS, MAX_VALUES = 20_000, 2**24


class Discriminator(SmallNet):
    """Estimates the log ratio of the densities of real and of drawn rows by a net with one hidden layer.

    Of ``n_candidates`` drawn rows, one is chosen with a probability in proportion to this ratio. The chosen rows have
    nearly the distribution of real rows, if that of candidates is not far from it [1, 2].

    Parameters
    ----------
    n_features : int
        Number of values of an encoded row.
    n_candidates : int
        Number of drawn rows for each new row.

    References
    ----------
    [1] Azadi, Olsson, Darrell, Goodfellow and Odena, Discriminator rejection sampling, ICLR 2019, arXiv:1810.06758.
    [2] Rubin, Using the SIR algorithm to simulate posterior distributions, Bayesian Statistics 3, 1988.
    """

    def __init__(self, n_features: int, n_candidates: int) -> None:
        super().__init__(n_features, WIDTH, 1)
        self.n_candidates = n_candidates

    def forward(self, u: Tensor) -> Tensor:
        """Return the log ratio for encoded rows (n, ...), (n,), up to a constant."""
        return self.compute(u)[:, 0]

    def fit(self, real: Tensor, drawn: Tensor, encode: Callable[[Tensor], Tensor]) -> None:
        """Train with the logistic loss, and keep the weights with the smallest loss of held-out rows.

        If no weights separate the held-out rows better than chance, the log ratio is 0.

        Parameters
        ----------
        real, drawn : Tensor of shape (n, *shape)
            Rows in random order.
        encode : callable
            Maps rows to the input of the net.
        """
        n = round(HELD_OUT * len(real))
        if not n:
            return
        held_out = encode(real[:n]), encode(drawn[:n])

        def loss(weights: Weights) -> Tensor:
            return self._loss(encode(draw_batch(real[n:])), encode(draw_batch(drawn[n:])), weights)

        n_steps = min(MAX_STEPS, MAX_EPOCHS * math.ceil((len(real) - n) / BATCH_SIZE))
        self.fit_weights(loss, lambda weights: self._loss(*held_out, weights), 2 * math.log(2), n_steps)

    def _loss(self, real: Tensor, drawn: Tensor, weights: Weights) -> Tensor:
        """Return the logistic loss of encoded rows; it is 2 log 2 if the log ratio is 0."""
        return softplus(-self.compute(real, weights)).mean() + softplus(self.compute(drawn, weights)).mean()
