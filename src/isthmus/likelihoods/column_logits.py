"""Helpers of likelihoods: values that each take one of several levels, of their own or the same everywhere."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class ColumnLogits(nn.Module):
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
        self.encoded_shape, self.parameter_shape = (self.total,), (1, self.total)

    @property
    def total(self) -> int:
        """Number of levels of all columns together."""
        return len(self.owner)

    def one_hot(self, index: Tensor) -> Tensor:
        """Levels (n, columns) as zeros and ones (n, total); one past the last is no level, and gives zeros."""
        hot = torch.zeros(len(index), self.total + 1, device=index.device)
        place = torch.where(index > self.last, self.total, index + self.starts)
        return hot.scatter_(1, place, 1.0)[:, :-1]

    def log_prob(self, logits: Tensor, index: Tensor) -> Tensor:
        """Log probability of levels (n, columns); of what is no level, that of the last."""
        place = torch.minimum(index, self.last) + self.starts
        result: Tensor = _LogProb.apply(logits, place, self.owner, self.sizes)  # type: ignore[no-untyped-call]
        return result

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of every level within its column, (n, total)."""
        return torch.cat([part.softmax(1) for part in logits.split(self.sizes, 1)], 1)

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


class SharedLogits(nn.Module):
    """Logits of values that all take the same levels, such as tokens and tiles, and what is computed of them.

    Parameters
    ----------
    n_categories : int
    shape : tuple of int
        Of one sample.
    """

    last: Tensor

    def __init__(self, n_categories: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.n_categories = n_categories
        self.register_buffer("last", torch.full(shape, n_categories - 1), persistent=False)
        # Beside time or a grid, the levels of each channel are channels.
        self.encoded_shape = (n_categories, *shape) if len(shape) == 1 else (n_categories * shape[0], *shape[1:])
        self.parameter_shape = (n_categories, *shape)

    def one_hot(self, index: Tensor) -> Tensor:
        """Levels (n, *shape) as zeros and ones (n, *encoded_shape); one past the last is no level, and gives zeros."""
        hot = torch.zeros(len(index), self.n_categories + 1, *index.shape[1:], device=index.device)
        hot = hot.scatter_(1, index[:, None], 1.0)[:, :-1]
        return hot if hot.ndim == 3 else hot.flatten(1, 2)

    def log_prob(self, logits: Tensor, index: Tensor) -> Tensor:
        """Log probability of levels (n, *shape); of what is no level, that of the last."""
        return -nn.functional.cross_entropy(logits, torch.minimum(index, self.last), reduction="none")

    def most_likely(self, logits: Tensor) -> Tensor:
        """Level of the highest logit of each value, (n, *shape)."""
        return logits.argmax(1)

    def draw(self, logits: Tensor) -> Tensor:
        """Draw a level of each value, (n, *shape), by adding Gumbel noise (Gumbel, 1954)."""
        return self.most_likely(logits - torch.empty_like(logits).exponential_().log())


class _LogProb(torch.autograd.Function):
    """Log probability of the levels at some places, by its closed-form gradient: less the probabilities, and one there.

    Left to torch, the gradients of cutting rows into columns and of picking levels take longer than all else.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, place: Tensor, owner: Tensor, sizes: list[int]) -> Tensor:
        log_prob = torch.cat([part.log_softmax(1) for part in logits.split(sizes, 1)], 1)
        ctx.save_for_backward(log_prob, place, owner)
        return log_prob.gather(1, place)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        log_prob, place, owner = ctx.saved_tensors
        slope = log_prob.exp().mul_(gradient.neg().index_select(1, owner))
        return slope.scatter_add_(1, place, gradient), None, None, None


def at_least_float32(values: Tensor) -> Tensor:
    """Return values in float32 at least: in bfloat16 there is no 257, and probabilities do not add up to 1."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
