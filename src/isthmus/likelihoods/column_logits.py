"""Logits of categories, which differ between columns or are the same for all values."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class ColumnLogits(nn.Module):
    """Categorical distributions of several columns whose logits are concatenated.

    Columns have different numbers of categories, so logits are concatenated to shape (n, total), column after column.

    Parameters
    ----------
    sizes : sequence of int
        Number of categories of each column.
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
            # Indices of logits, (columns, largest number of categories); columns with fewer repeat their last one.
            "places": starts[:, None] + torch.minimum(torch.arange(max(self.sizes)), last[:, None]),
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)
        self.encoded_shape, self.parameter_shape = (self.total,), (1, self.total)

    @property
    def total(self) -> int:
        """Sum of the numbers of categories."""
        return len(self.owner)

    def one_hot(self, index: Tensor) -> Tensor:
        """Encode categories (n, columns) as zeros and ones (n, total); a position after the last one as zeros only."""
        hot = torch.zeros(index.shape[0], self.total + 1, device=index.device)
        place = torch.where(index > self.last, self.total, index + self.starts)
        return hot.scatter_(1, place, 1.0)[:, :-1]

    def log_prob(self, logits: Tensor, index: Tensor) -> Tensor:
        """Return log probabilities of categories (n, columns); of missing categories, that of the last category."""
        place = torch.minimum(index, self.last) + self.starts
        result: Tensor = _LogProb.apply(logits, place, self.owner, self.sizes)  # type: ignore[no-untyped-call]
        return result

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of every category within its column, (n, total)."""
        return torch.cat([part.softmax(1) for part in logits.split(self.sizes, 1)], 1)

    def expectation(self, logits: Tensor, values: Tensor) -> Tensor:
        """Return the mean of each column, (n, columns), for categories with the numbers ``values`` (total,)."""
        parts = (self.probabilities(logits) * values.to(logits)).split(self.sizes, 1)
        return torch.stack([part.sum(1) for part in parts], 1)

    def most_likely(self, logits: Tensor) -> Tensor:
        """Return the category with the highest logit of each column, (n, columns)."""
        padded = logits.index_select(1, self.places.flatten()).unflatten(1, self.places.shape)
        return torch.minimum(padded.argmax(-1), self.last)

    def draw(self, logits: Tensor) -> Tensor:
        """Sample a category of each column, (n, columns), by the Gumbel-max trick (Gumbel, 1954)."""
        return self.most_likely(logits - torch.empty_like(logits).exponential_().log())


class SharedLogits(nn.Module):
    """Categorical distributions of values that all have the same categories, such as tokens and tiles.

    Parameters
    ----------
    n_categories : int
    shape : tuple of int
        Shape of one sample.
    """

    last: Tensor

    def __init__(self, n_categories: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.n_categories = n_categories
        self.register_buffer("last", torch.full(shape, n_categories - 1), persistent=False)
        # For series and grids, the categories of each channel become channels.
        self.encoded_shape = (n_categories, *shape) if len(shape) == 1 else (n_categories * shape[0], *shape[1:])
        self.parameter_shape = (n_categories, *shape)

    def one_hot(self, index: Tensor) -> Tensor:
        """Encode categories (n, *shape) as zeros and ones (n, *encoded_shape); missing ones as zeros."""
        hot = torch.zeros(index.shape[0], self.n_categories + 1, *index.shape[1:], device=index.device)
        hot = hot.scatter_(1, index[:, None], 1.0)[:, :-1]
        return hot if hot.ndim == 3 else hot.flatten(1, 2)

    def log_prob(self, logits: Tensor, index: Tensor) -> Tensor:
        """Return log probabilities of categories (n, *shape); of missing categories, that of the last category."""
        return -nn.functional.cross_entropy(logits, torch.minimum(index, self.last), reduction="none")

    def most_likely(self, logits: Tensor) -> Tensor:
        """Return the category with the highest logit of each value, (n, *shape)."""
        return logits.argmax(1)

    def draw(self, logits: Tensor) -> Tensor:
        """Sample a category of each value, (n, *shape), by the Gumbel-max trick (Gumbel, 1954)."""
        return self.most_likely(logits - torch.empty_like(logits).exponential_().log())


class _LogProb(torch.autograd.Function):
    """Log probability of the categories at given positions, with its closed-form gradient: one-hot minus probabilities.

    With torch's own gradients of ``split`` and ``gather``, this would take most of the time of a training step.
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
    """Convert to float32 or wider: bfloat16 cannot represent 257, and its probabilities do not sum to 1."""
    return values if values.dtype.itemsize >= torch.float32.itemsize else values.float()
