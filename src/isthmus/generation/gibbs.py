"""Categories that are drawn again given the other values of a row."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from isthmus.data.tables.rules import list_value_rules
from isthmus.inference import rows_at_once
from isthmus.model import Model
from isthmus.model.small_net import BATCH_SIZE, HELD_OUT, Weights, draw_batch
from isthmus.schema import Schema
from isthmus.schema.implications import Values, violates

# Largest numbers of steps and epochs, and share of the categories that are hidden besides the one that is predicted.
# Chosen on one half of adult, see docs/performance.md.
MAX_STEPS, MAX_EPOCHS, EXTRA_HIDDEN = 1500, 100, 0.1
# Largest number of columns that are drawn again. Bounds the time; not tuned.
MAX_COLUMNS = 100


def fit_conditionals(model: Model, x: Tensor) -> None:
    """Fit the distributions of each category given all other values to raw rows (n, n_used) in random order.

    If they are not better than the frequencies of categories in held-out rows, categories are not drawn again.
    """
    net: Any = model.conditionals
    columns, n = torch.tensor(model.schema.categorical, device=x.device), round(HELD_OUT * len(x))
    if not n:
        return
    one_each, none = one_hot(columns[torch.arange(n) % len(columns)], x.shape[1]).bool(), x.new_zeros(x.shape[1])
    frequent = none.index_fill(0, columns, EXTRA_HIDDEN)

    def loss(weights: Weights) -> Tensor:
        own = one_hot(columns[torch.randint(len(columns), (BATCH_SIZE,))], x.shape[1]).bool()
        hidden = own | (torch.rand(own.shape, device=x.device) < frequent)
        return _negative_log_prob(model, draw_batch(x[n:]), hidden, weights, net.dropout)

    baseline = float(-_log_frequencies(x[n:], x[:n], model.schema)[one_each].mean())
    n_steps = min(MAX_STEPS, MAX_EPOCHS * math.ceil((len(x) - n) / BATCH_SIZE))
    net.fit_weights(loss, lambda weights: _negative_log_prob(model, x[:n], one_each, weights), baseline, n_steps)


def _negative_log_prob(model: Model, x: Tensor, hidden: Tensor, weights: Weights, rate: float = 0.0) -> Tensor:
    """Return the mean over rows of -log p of hidden values given the others."""
    log_prob = model.likelihood.log_prob(_predict(model, x, hidden, weights, rate), model.to_model(x))
    return -(log_prob * hidden).sum() / len(x)


def _predict(model: Model, x: Tensor, hidden: Tensor, weights: Weights | None = None, rate: float = 0.0) -> Tensor:
    """Return parameters of the likelihood of raw rows with hidden values."""
    u = torch.cat([model.encode_raw(x.masked_fill(hidden, torch.nan)), hidden.to(model.dtype)], 1)
    net: Any = model.conditionals
    parameters: Tensor = net.compute(u, weights, rate)
    return parameters.unflatten(1, model.likelihood.parameter_shape)


def _log_frequencies(train: Tensor, x: Tensor, schema: Schema) -> Tensor:
    """Return the log frequency of each category of x in training rows, (n, n_used); one is added to each count."""
    result = torch.zeros_like(x)
    for column in schema.categorical:
        counts = train[:, column].long().bincount(minlength=len(schema.used[column].categories)) + 1
        result[:, column] = (counts / counts.sum()).log()[x[:, column].long()].to(x)
    return result


@torch.inference_mode()
def redraw_categories(model: Model, values: Values, n_sweeps: int, row: Values | None) -> Values:
    """Draw each category of rows (n, n_used) again given the other values, one column after the other.

    Values that are given in ``row`` are kept, and so are values whose redraw would break a rule between columns.
    """
    rules = list_value_rules(model.schema)
    free = [column for column in model.schema.categorical if row is None or np.isnan(row[column])]
    for _ in range(n_sweeps):
        for column in torch.tensor(free)[torch.randperm(len(free))[:MAX_COLUMNS]].tolist():
            drawn = values.copy()
            drawn[:, column] = _draw_column(model, values, column)
            values = np.where(violates(drawn, rules)[:, None], values, drawn)
    return values


def _draw_column(model: Model, values: Values, column: int) -> Values:
    """Draw the values of a column given the other values, (n,)."""
    drawn = []
    for batch in torch.from_numpy(values).split(rows_at_once(model)):
        x = batch.to(model.device)
        hidden = torch.zeros(x.shape, dtype=torch.bool, device=x.device)
        hidden[:, column] = True
        drawn.append(model.to_data(model.likelihood.sample(_predict(model, x, hidden)))[:, column].cpu())
    return torch.cat(drawn).numpy()
