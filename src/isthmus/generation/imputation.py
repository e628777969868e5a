"""Imputation: missing values from their joint distribution given the known values of a row."""

import torch
from torch import Tensor

from isthmus.data.tables.rules import list_value_rules
from isthmus.data.tables.values import round_to_valid
from isthmus.model import Model
from isthmus.randomness import seeded
from isthmus.schema.implications import apply_rules, violates

# Default number of passes of the model over a row; with more missing values, each pass draws several. Bounds the time.
MAX_PASSES = 64
# Largest number of redraws of a row that breaks a rule. Bounds the time; not tuned.
N_REDRAWS = 100


def expect_missing(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Fill the missing values of raw rows (n, *shape) with their expected values.

    Values that rules between columns imply take precedence. If the expected values of a row break a rule, the row is
    filled with drawn values, with a fixed seed.
    """
    free = x.isnan()
    known = _imply(model, x, free)
    filled = _imply(
        model, torch.where(known.isnan(), _round_for_rules(model, model.reconstruct(known, y)), known), free
    )
    rows = (_breaks(model, filled) & ~_breaks(model, x)).nonzero().squeeze(1)
    if len(rows):
        with seeded(0, model.device):
            filled[rows] = draw_missing(model, x[rows], None if y is None else y[rows]).to(filled)
    return filled


def draw_missing(model: Model, x: Tensor, y: Tensor | None = None, max_passes: int = MAX_PASSES) -> Tensor:
    """Draw the missing values of raw rows (n, *shape), one after the other in random order.

    Each value is drawn given the known values and those drawn before it, so that the values of a row are a draw from
    one joint distribution (Uria, Murray and Larochelle, A deep and tractable density estimator, ICML 2014,
    arXiv:1310.1757). Rows with more than ``max_passes`` missing values get several in each pass. Values that rules
    between columns imply are not drawn.
    """
    free = x.isnan()
    passes, x = draw_passes(free, max_passes), _imply(model, x, free)
    for i in range(int(passes.max()) + 1):
        chosen = (passes == i) & x.isnan()
        rows = chosen.flatten(1).any(1).nonzero().squeeze(1)
        if len(rows):
            drawn = _draw(model, x[rows], None if y is None else y[rows], chosen[rows])
            x = _imply(model, x.index_put((rows,), drawn), free & x.isnan())
    return _imply(model, x, free)


def draw_passes(missing: Tensor, max_passes: int = MAX_PASSES) -> Tensor:
    """Draw the pass in which each missing value (n, *shape) is imputed; known values have -1."""
    order = torch.rand(missing.shape, device=missing.device).masked_fill(~missing, 2.0).flatten(1).argsort(1)
    rank = order.argsort(1).view(missing.shape)
    n_missing = missing.flatten(1).sum(1).view(-1, *[1] * (missing.ndim - 1))
    index = rank * n_missing.clamp(max=max_passes) // n_missing.clamp(min=1)
    return torch.where(missing, index, -1)


def _draw(model: Model, x: Tensor, y: Tensor | None, chosen: Tensor) -> Tensor:
    """Draw the chosen values of raw rows. If a row breaks a rule that it did not break before, it is drawn again."""
    drawn, rows = x.clone(), torch.arange(len(x), device=x.device)
    broken_before = _breaks(model, x)
    for _ in range(1 + N_REDRAWS):
        values = _round_for_rules(model, model.sample_posterior_predictive(x[rows], None if y is None else y[rows]))
        drawn[rows] = torch.where(chosen[rows], values.to(x), x[rows])
        rows = (_breaks(model, drawn) & ~broken_before).nonzero().squeeze(1)
        if not len(rows):
            break
    return drawn


def _breaks(model: Model, x: Tensor) -> Tensor:
    """Return whether each row breaks a rule between columns, (n,)."""
    rules = list_value_rules(model.schema)
    if not rules:
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)
    return torch.from_numpy(violates(x.numpy(force=True), rules)).to(x.device)


def _imply(model: Model, x: Tensor, free: Tensor) -> Tensor:
    """Replace free values of rows by the values that rules between columns imply."""
    rules = list_value_rules(model.schema)
    if not rules:
        return x
    return torch.from_numpy(apply_rules(x.numpy(force=True), rules, free.numpy(force=True))).to(x)


def _round_for_rules(model: Model, x: Tensor) -> Tensor:
    """Round values to the nearest valid values of their columns, if there are rules between columns."""
    if not list_value_rules(model.schema):
        return x
    return torch.from_numpy(round_to_valid(x.numpy(force=True), model.schema)).to(x.device)
