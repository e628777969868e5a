"""The labels of conditional models, and their probabilities for rows without labels."""

import torch
from torch import Tensor, nn

from isthmus.schema import Condition


class Labels(nn.Module):
    """Encoded labels of the training rows, with their frequencies.

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
        # Continuous labels have no classes.
        self.n_classes = 0 if condition is None or condition.continuous else condition.width
        if condition is not None:
            self.register_buffer("codes", torch.from_numpy(condition.encode(condition.categories)), persistent=False)
            self.register_buffer("log_frequencies", torch.tensor(condition.frequencies).log(), persistent=False)

    def lacks(self, y: Tensor | None) -> bool:
        """Return whether the model needs labels and none are given."""
        return y is None and self.width > 0

    def each(self, n: int) -> list[Tensor]:
        """Return each label, repeated for ``n`` rows."""
        return [code.expand(n, -1) for code in self.codes]

    def frequencies(self, n: int) -> Tensor:
        """Return the fractions of the labels in the training rows, repeated for ``n`` rows, (n, n_labels)."""
        return self.log_frequencies.exp().expand(n, -1)

    def responsibilities(self, log_probs: list[Tensor]) -> Tensor:
        """Return posterior probabilities of the labels, (n, n_labels), from log p of the values under each label."""
        totals = torch.stack([log_prob.flatten(1).sum(-1) for log_prob in log_probs], -1)
        return torch.softmax(totals + self.log_frequencies, -1)

    def most_probable(self, weights: Tensor) -> Tensor:
        """Return the label with the largest weight for each row of weights (n, n_labels)."""
        return self.codes[weights.argmax(-1)]
