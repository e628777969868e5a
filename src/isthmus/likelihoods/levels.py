"""Helper of likelihoods: columns that each take one of several levels, side by side, however many those are."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Levels(nn.Module):
    """Logits of several columns in one row, and what is computed of each column's own.

    Columns have different numbers of levels, so logits of shape (n, total) hold those of the first column, then those
    of the second, and so on.

    Parameters
    ----------
    sizes : sequence of int
        Number of levels of each column.
    """

    starts: Tensor
    last: Tensor
    owner: Tensor
    places: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(map(int, sizes))
        counts = torch.tensor(self.sizes)
        starts, last = counts.cumsum(0) - counts, counts - 1
        buffers = {
            "starts": starts,
            "last": last,
            "owner": torch.arange(len(counts)).repeat_interleave(counts),
            # (columns, most levels): of a column that has fewer, the last comes up again and again.
            "places": starts[:, None] + torch.minimum(torch.arange(max(self.sizes)), last[:, None]),
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)

    @property
    def total(self) -> int:
        """Number of levels of all columns together."""
        return len(self.owner)

    def one_hot(self, index: Tensor) -> Tensor:
        """Levels (n, columns) as zeros and ones (n, total); one past the last is no level, and gives zeros."""
        hot = torch.zeros(len(index), self.total + 1, device=index.device)
        place = torch.where(index > self.last, self.total, index + self.starts)
        return hot.scatter_(1, place, 1.0)[:, :-1]

    def log_normaliser(self, logits: Tensor) -> Tensor:
        """Log of the sum of exp(logits) of each column, (n, columns)."""
        result: Tensor = _LogNormaliser.apply(logits, self.sizes, self.owner)  # type: ignore[no-untyped-call]
        return result

    def log_prob(self, logits: Tensor, index: Tensor) -> Tensor:
        """Log probability of levels (n, columns); of what is no level, that of the last."""
        chosen = logits.gather(1, torch.minimum(index, self.last) + self.starts)
        return chosen - self.log_normaliser(logits)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of every level within its column, (n, total)."""
        return torch.exp(logits - self.log_normaliser(logits).index_select(1, self.owner))

    def expectation(self, logits: Tensor, values: Tensor) -> Tensor:
        """Mean of each column, (n, columns), where levels stand for values (total,)."""
        parts = (self.probabilities(logits) * values.to(logits)).split(self.sizes, 1)
        return torch.stack([part.sum(1) for part in parts], 1)

    def most_likely(self, logits: Tensor) -> Tensor:
        """Level of the highest logit of each column, (n, columns)."""
        laid_out = logits.index_select(1, self.places.flatten()).unflatten(1, self.places.shape)
        return torch.minimum(laid_out.argmax(-1), self.last)

    def draw(self, logits: Tensor) -> Tensor:
        """Draw a level of each column, (n, columns), by adding Gumbel noise (Gumbel, 1954)."""
        return self.most_likely(logits - torch.empty_like(logits).exponential_().log())


class _LogNormaliser(torch.autograd.Function):
    """Log of the sum of exp(logits) of columns side by side, by its closed-form gradient, the probabilities.

    Left to torch, the gradient of cutting a row into columns takes longer than all else.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, sizes: list[int], owner: Tensor) -> Tensor:
        result = torch.stack([part.logsumexp(1) for part in logits.split(sizes, 1)], 1)
        ctx.save_for_backward(logits, result, owner)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits, result, owner = ctx.saved_tensors
        probabilities = (logits - result.index_select(1, owner)).exp_()
        return probabilities.mul_(gradient.index_select(1, owner)), None, None


def digits(values: Tensor) -> Tensor:
    """Return values in float32 at least: in bfloat16 there is no 257, and probabilities do not add up to 1."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
