"""Missing values, drawn from their joint distribution given the known values of a row."""

import torch
from torch import Tensor

from isthmus.model import Model

# Most passes of the model over a row. With more missing values, several are drawn at once in each pass.
MAX_PASSES = 64


def draw_missing(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Draw the missing values of raw rows (n, *shape), one after the other in random order.

    Each value is drawn given the known values and those drawn before it, so that the values of a row are a draw from
    one joint distribution (Uria, Murray and Larochelle, A deep and tractable density estimator, ICML 2014,
    arXiv:1310.1757).
    """
    turns = draw_turns(x.isnan())
    for turn in range(int(turns.max()) + 1):
        rows = (turns == turn).flatten(1).any(1).nonzero().squeeze(1)
        drawn = model.redraw(x[rows], None if y is None else y[rows])
        x = x.index_put((rows,), torch.where(turns[rows] == turn, drawn, x[rows]))
    return x


def draw_turns(missing: Tensor) -> Tensor:
    """Draw in which pass each missing value (n, *shape) of a row has its turn; known values have -1."""
    order = torch.rand(missing.shape, device=missing.device).masked_fill(~missing, 2.0).flatten(1).argsort(1)
    rank = order.argsort(1).view(missing.shape)
    n_missing = missing.flatten(1).sum(1).view(-1, *[1] * (missing.ndim - 1))
    turn = rank * n_missing.clamp(max=MAX_PASSES) // n_missing.clamp(min=1)
    return torch.where(missing, turn, -1)
