"""Helper of likelihoods: columns that each take one of several levels, side by side, however many those are."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


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
    owner: Tensor
    places: Tensor
    padding: Tensor
    last: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        sizes_ = torch.tensor(sizes)
        starts = sizes_.cumsum(0) - sizes_
        rank = torch.arange(int(sizes_.max()))
        buffers = {
            "starts": starts,
            "owner": torch.arange(len(sizes)).repeat_interleave(sizes_),
            "places": (starts[:, None] + rank).clamp(max=int(sizes_.sum()) - 1),  # (columns, most levels)
            "padding": rank >= sizes_[:, None],
            "last": sizes_ - 1,
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)

    @property
    def total(self) -> int:
        """Number of levels of all columns together."""
        return len(self.owner)

    def one_hot(self, index: Tensor) -> Tensor:
        """Levels (n, columns) as zeros and ones (n, total); one past the last is no level, and gives zeros."""
        hot = torch.zeros(len(index), self.total + 1, dtype=torch.get_default_dtype(), device=index.device)
        place = torch.where(index > self.last, self.total, index + self.starts)
        return hot.scatter_(1, place, 1.0)[:, :-1]

    def log_normaliser(self, logits: Tensor) -> Tensor:
        """Log of the sum of exp(logits) of each column, (n, columns)."""
        # Sums by a product with the owners' indicator: gathering columns of different sizes has a slow gradient.
        most = self._padded(logits.detach()).amax(-1)
        shares = torch.exp(logits - most.index_select(1, self.owner)) @ self._indicator(logits)
        return shares.log() + most

    def log_prob(self, logits: Tensor, index: Tensor) -> Tensor:
        """Log probability of levels (n, columns); of what is no level, that of the last."""
        chosen = logits.gather(1, torch.minimum(index, self.last) + self.starts)
        return chosen - self.log_normaliser(logits)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probability of every level within its column, (n, total)."""
        return torch.exp(logits - self.log_normaliser(logits).index_select(1, self.owner))

    def expectation(self, logits: Tensor, values: Tensor) -> Tensor:
        """Mean of each column, (n, columns), where levels stand for values (total,)."""
        return (self.probabilities(logits) * values) @ self._indicator(logits)

    def most_likely(self, logits: Tensor) -> Tensor:
        """Level of the highest probability of each column, (n, columns)."""
        return self._padded(logits).argmax(-1)

    def draw(self, logits: Tensor) -> Tensor:
        """Draw a level of each column, (n, columns), by adding Gumbel noise (Gumbel, 1954)."""
        return self.most_likely(logits - torch.empty_like(logits).exponential_().log())

    def _padded(self, logits: Tensor) -> Tensor:
        return logits[:, self.places].masked_fill(self.padding, -torch.inf)  # (n, columns, most levels)

    def _indicator(self, logits: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(self.owner, len(self.last)).to(logits)
