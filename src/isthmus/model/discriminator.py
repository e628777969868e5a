"""A classifier of real and drawn rows, which chooses among drawn rows."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu, softplus

# Hidden units, rows of each kind per step, learning rate, decay, largest numbers of steps and epochs, number of
# evaluations, and share of the rows for these. Chosen on one half of adult, see docs/performance.md.
WIDTH, BATCH_SIZE, LEARNING_RATE, DECAY = 64, 256, 5e-3, 0.1
MAX_STEPS, MAX_EPOCHS, N_EVALUATIONS, HELD_OUT = 800, 20, 20, 0.1
# Largest numbers of rows and of their values in the fit. They bound time and memory; not tuned.
MAX_ROWS, MAX_VALUES = 20_000, 2**24

Encode = Callable[[Tensor], Tensor]


class Discriminator(nn.Module):
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

    weight: Tensor
    bias: Tensor
    output: Tensor

    def __init__(self, n_features: int, n_candidates: int) -> None:
        super().__init__()
        self.n_candidates = n_candidates
        # Buffers, because the training of the model must not change them.
        self.register_buffer("weight", torch.zeros(WIDTH, n_features))
        self.register_buffer("bias", torch.zeros(WIDTH))
        self.register_buffer("output", torch.zeros(WIDTH))

    def forward(self, u: Tensor) -> Tensor:
        """Return the log ratio for encoded rows (n, ...), (n,), up to a constant."""
        return _log_ratio(u, self.weight, self.bias, self.output)

    def fit(self, real: Tensor, drawn: Tensor, encode: Encode) -> None:
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
        held_out = encode(real[:n]), encode(drawn[:n])
        best, kept = 2 * math.log(2), [torch.zeros_like(buffer) for buffer in self.buffers()]
        for weights in _train([*self.buffers()], real[n:], drawn[n:], encode) if n else ():
            loss = float(_loss(*held_out, weights))
            if loss < best:
                best, kept = loss, [weight.detach().clone() for weight in weights]
        for buffer, weight in zip(self.buffers(), kept, strict=True):
            buffer.copy_(weight)


def _train(like: list[Tensor], real: Tensor, drawn: Tensor, encode: Encode) -> Iterator[list[Tensor]]:
    """Train new weights, and yield them after equal numbers of steps."""
    weights = [torch.randn_like(weight) / math.sqrt(weight.shape[-1]) for weight in like]
    weights = [weight.requires_grad_() for weight in weights]
    n_steps = min(MAX_STEPS, MAX_EPOCHS * math.ceil(len(real) / BATCH_SIZE))
    optimizer = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=n_steps)
    for step in range(1, n_steps + 1):
        real_batch, drawn_batch = (encode(rows[torch.randint(len(rows), (BATCH_SIZE,))]) for rows in (real, drawn))
        with torch.enable_grad():
            loss = _loss(real_batch, drawn_batch, weights)
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        schedule.step()
        if step % max(1, n_steps // N_EVALUATIONS) == 0:
            yield weights


def _loss(real: Tensor, drawn: Tensor, weights: list[Tensor]) -> Tensor:
    """Return the logistic loss of encoded rows; it is 2 log 2 if the log ratio is 0."""
    return softplus(-_log_ratio(real, *weights)).mean() + softplus(_log_ratio(drawn, *weights)).mean()


def _log_ratio(u: Tensor, weight: Tensor, bias: Tensor, output: Tensor) -> Tensor:
    return silu(linear(u.flatten(1), weight, bias)) @ output
