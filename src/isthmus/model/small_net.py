"""Nets that are fitted to rows after the training of the model."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear, silu

# Rows per step, learning rate, weight decay, number of evaluations, and share of the rows for these. Chosen on one half
# of adult, see docs/performance.md.
BATCH_SIZE, LEARNING_RATE, DECAY, N_EVALUATIONS, HELD_OUT = 256, 5e-3, 0.1, 20, 0.1
# Weights of the hidden layer, its biases, and weights of the output.
Weights = list[Tensor]


class SmallNet(nn.Module):
    """Net with one hidden layer. Its weights are buffers, because the training of the model must not change them.

    Parameters
    ----------
    n_in, n_hidden, n_out : int
        Numbers of inputs, hidden units and outputs.
    dropout : float, default=0.0
        Dropout rate of the hidden units while the net is fitted.
    """

    weight: Tensor
    bias: Tensor
    output: Tensor

    def __init__(self, n_in: int, n_hidden: int, n_out: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.register_buffer("weight", torch.zeros(n_hidden, n_in))
        self.register_buffer("bias", torch.zeros(n_hidden))
        self.register_buffer("output", torch.zeros(n_out, n_hidden))

    @property
    def is_fitted(self) -> bool:
        """Whether weights better than the baseline were found."""
        return bool(self.output.any())

    def compute(self, u: Tensor, weights: Weights | None = None, rate: float = 0.0) -> Tensor:
        """Compute outputs (n, n_out) of rows (n, ...), with other weights and dropout while the net is fitted."""
        weight, bias, output = weights or [*self.buffers()]
        return linear(dropout(silu(linear(u.flatten(1), weight, bias)), rate), output)

    def fit_weights(
        self, loss: Callable[[Weights], Tensor], evaluate: Callable[[Weights], Tensor], baseline: float, n_steps: int
    ) -> None:
        """Train new weights, and keep those with the smallest loss of held-out rows.

        If none has a smaller loss than the baseline, all weights are 0.

        Parameters
        ----------
        loss : callable
            Loss of a random batch.
        evaluate : callable
            Loss of the held-out rows.
        baseline : float
        n_steps : int
        """
        best, kept = baseline, [torch.zeros_like(buffer) for buffer in self.buffers()]
        weights = [torch.randn_like(weight) / math.sqrt(weight.shape[-1]) for weight in kept]
        weights = [weight.requires_grad_() for weight in weights]
        optimizer = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=n_steps)
        for step in range(1, n_steps + 1):
            with torch.enable_grad():
                optimizer.zero_grad()
                loss(weights).backward(inputs=weights)
            optimizer.step()
            schedule.step()
            if step % max(1, n_steps // N_EVALUATIONS) == 0 and (found := float(evaluate(weights))) < best:
                best, kept = found, [weight.detach().clone() for weight in weights]
        for buffer, weight in zip(self.buffers(), kept, strict=True):
            buffer.copy_(weight)


def draw_batch(rows: Tensor) -> Tensor:
    """Draw rows with replacement."""
    return rows[torch.randint(len(rows), (BATCH_SIZE,))]
