"""Draws of codes from the prior, also given some values of a row, and decoding."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.ambient import own_settings
from isthmus.data import as_source, with_labels
from isthmus.inference import run
from isthmus.model import Model
from isthmus.model.decoding import decode_parameters

Values = np.ndarray[Any, Any]

# Importance resampling: candidate codes per row, smallest number of candidates, and effective sample size below which a
# warning is shown. More candidates take longer and give more different codes; not tuned.
N_CANDIDATES, MIN_CANDIDATES, MIN_EFFECTIVE = 16, 8192, 50


@own_settings()
def decode_codes(model: Model, codes: Values, y: Any, function: Callable[..., Tensor]) -> Values:
    """Apply a function of codes and encoded labels to codes (n, n_components) and raw labels."""
    source, condition = as_source(codes), model.schema.condition
    if y is not None and condition is not None:
        source = with_labels(source, condition, y)
    return run(model, lambda z, y: function(z.to(model.dtype), y), source, schema=source.schema)[0]


@own_settings()
def draw_codes(model: Model, n: int, temperature: float, y: Any = None) -> Values:
    """Draw codes (n, code_size) from the prior with the global generator of torch; see ``draw_rows``."""
    condition = model.schema.condition
    labels = None if y is None or condition is None else torch.from_numpy(condition.encode(y))
    return model.sample_codes(n, labels, temperature).cpu().numpy()


def draw_codes_given(model: Model, n: int, y: Any, row: Values, temperature: float, seed: int) -> tuple[Values, Any]:
    """Draw codes from their distribution given some values of a row, and their labels.

    Codes for a label are chosen among candidates with this label. Without labels, code and label are chosen together.
    """
    group = np.zeros(n, dtype=np.intp)
    if y is not None and model.schema.condition is not None:
        y, group = np.unique(complete_labels(model, y, n, seed), return_inverse=True)
    counts = np.bincount(group)
    sizes = np.maximum(MIN_CANDIDATES // len(counts), N_CANDIDATES * counts)
    y = complete_labels(model, None if y is None else np.repeat(y, sizes), int(sizes.sum()), seed)
    codes = draw_codes(model, int(sizes.sum()), temperature, y)
    chosen = np.empty(n, dtype=np.intp)
    chosen[np.argsort(group, kind="stable")] = _resample(model, codes, y, row, counts, sizes)
    return codes[chosen], None if y is None else y[chosen]


def complete_labels(model: Model, y: Any, n: int, seed: int) -> Any:
    """Return labels of ``n`` rows, drawn if none are given."""
    condition = model.schema.condition
    if condition is None:
        return None
    if y is None:
        return condition.draw(n, np.random.default_rng(seed))
    y = np.repeat(y, n) if np.ndim(y) == 0 else np.asarray(y)
    if len(y) != n:
        raise ValueError(f"y must be one label or {n} labels, one for each row, got {len(y)}")
    return y


def _resample(model: Model, codes: Values, y: Any, row: Values, counts: Values, sizes: Values) -> Values:
    """Choose ``counts`` codes from consecutive groups of ``sizes`` candidates, weighted by p(given values | code).

    Rubin, Using the SIR algorithm to simulate posterior distributions, 1988.
    """
    log_likelihood = partial(_log_prob_of_known, model, row=torch.from_numpy(row).to(model.device))
    log_weights = torch.from_numpy(decode_codes(model, codes, y, log_likelihood)).double()
    weights = [group.softmax(0) for group in log_weights.split(sizes.tolist())]
    if any(1 / w.square().sum() < min(n, MIN_EFFECTIVE) for w, n in zip(weights, counts.tolist(), strict=True)):
        warnings.warn("few of the drawn codes explain the given values, so many rows have the same code", stacklevel=10)
    starts = (np.cumsum(sizes) - sizes).tolist()
    chosen = [
        start + torch.multinomial(w, n, replacement=True)
        for start, w, n in zip(starts, weights, counts.tolist(), strict=True)
    ]
    return torch.cat(chosen).numpy()


def _log_prob_of_known(model: Model, z: Tensor, y: Tensor | None, row: Tensor) -> Tensor:
    """Return log p(row | z) of the known values of one raw row for each code, (n,)."""
    z = model.bottleneck.from_code(z)
    x = model.to_model(row[None]).expand(len(z), *row.shape)
    theta = decode_parameters(model.backbone, model.likelihood, z, y, x)
    log_prob = model.likelihood.log_prob(theta, model.likelihood.fill(x))
    return torch.where(x.isnan(), 0.0, log_prob).flatten(1).sum(-1)
