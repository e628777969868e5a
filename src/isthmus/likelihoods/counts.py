"""Helper of likelihoods: counts as they enter the net, and their expectation around that of the training rows."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from isthmus.likelihoods.scaling import Scaling, log_statistics
from isthmus.statistics import Statistics

# Powers of e that an expectation may be away from that of the training rows: exp must not overflow beyond.
LIMIT = 30.0


class Counts(nn.Module):
    """Logarithms of counts in standard units, and expectations that start at the training rows' own.

    Parameters
    ----------
    statistics : Statistics
    """

    log_base: Tensor

    def __init__(self, statistics: Statistics) -> None:
        super().__init__()
        # The logarithm of a count and one: that of none is 0.
        raised = {name: getattr(statistics, name) + 1 for name in ("mean", "low", "high")}
        self.unit = Scaling("standard", log_statistics(replace(statistics, **raised)))
        self.register_buffer("log_base", smoothed_mean(statistics).log().float())

    def encode(self, x: Tensor) -> Tensor:
        """Scale the logarithms."""
        return self.unit.encode(torch.log1p(x.clamp(min=0)))

    def log_mean(self, theta: Tensor) -> Tensor:
        """Log of the expectation: theta = 0 is the mean of the training rows."""
        return self.log_base + theta.clamp(-LIMIT, LIMIT)


def smoothed_mean(statistics: Statistics) -> Tensor:
    """Mean counts, as if each value had been counted half a time more: what never was counted might be (Jeffreys)."""
    return (statistics.mean * statistics.count + 0.5) / (statistics.count + 1)
