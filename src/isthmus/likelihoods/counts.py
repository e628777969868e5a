"""Encoding of counts, and means relative to those of the training rows."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from isthmus.likelihoods.scaling import Scaling, log_statistics
from isthmus.statistics import Statistics

# Largest absolute log ratio of a mean to the mean of the training rows. Larger values could overflow in exp.
LIMIT = 30.0


class Counts(nn.Module):
    """Encodes counts as standardised logarithms, and decodes means relative to those of the training rows.

    Parameters
    ----------
    statistics : Statistics
    """

    log_base: Tensor

    def __init__(self, statistics: Statistics) -> None:
        super().__init__()
        # Statistics of count + 1, whose logarithm is 0 for a count of 0.
        plus_one = {name: getattr(statistics, name) + 1 for name in ("mean", "low", "high")}
        self.unit = Scaling("standard", log_statistics(replace(statistics, **plus_one)))
        self.register_buffer("log_base", smoothed_mean(statistics).log().float())

    def encode(self, x: Tensor) -> Tensor:
        """Return standardised logarithms of counts."""
        return self.unit.encode(torch.log1p(x.clamp(min=0)))

    def log_mean(self, theta: Tensor) -> Tensor:
        """Return the log of the mean; theta = 0 gives the mean of the training rows."""
        return self.log_base + theta.clamp(-LIMIT, LIMIT)


def smoothed_mean(statistics: Statistics) -> Tensor:
    """Return mean counts with half a count added, so that none is 0 (Jeffreys prior of the Poisson rate)."""
    return (statistics.mean * statistics.count + 0.5) / (statistics.count + 1)
