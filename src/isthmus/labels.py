"""The labels of conditional models, and averages over them where no label is given."""

import torch
from torch import Tensor, nn

from isthmus.schema import Condition


class Labels(nn.Module):
    """Encoded labels that stand for all that were seen in fit, with their frequencies.

    Parameters
    ----------
    condition : Condition or None
        None for models without labels.
    """

    codes: Tensor
    log_frequencies: Tensor

    def __init__(self, condition: Condition | None) -> None:
        super().__init__()
        self.width = 0 if condition is None else condition.width
        # Different labels; continuous ones are none.
        self.n_classes = 0 if condition is None or condition.continuous else condition.width
        if condition is not None:
            self.register_buffer("codes", torch.from_numpy(condition.encode(condition.categories)), persistent=False)
            self.register_buffer("log_frequencies", torch.tensor(condition.frequencies).log(), persistent=False)

    def lacks(self, y: Tensor | None) -> bool:
        """Whether the model needs labels and none are given."""
        return y is None and self.width > 0

    def each(self, n: int) -> list[Tensor]:
        """Return every label, for ``n`` rows each."""
        return [code.expand(n, -1) for code in self.codes]

    def frequencies(self, n: int) -> Tensor:
        """Shares of the labels in the training rows, for ``n`` rows, (n, n_labels)."""
        return self.log_frequencies.exp().expand(n, -1)

    def responsibilities(self, log_probs: list[Tensor]) -> Tensor:
        """Posterior probability of each label given log p of the values of rows under it, (n, n_labels)."""
        totals = torch.stack([log_prob.flatten(1).sum(-1) for log_prob in log_probs], -1)
        return torch.softmax(totals + self.log_frequencies, -1)

    def most_probable(self, weights: Tensor) -> Tensor:
        """Return the label with the largest weight for each row of weights (n, n_labels)."""
        return self.codes[weights.argmax(-1)]
