"""Decode latent variables to rows; autoregressive decoders generate rows step by step."""

from collections.abc import Callable

import torch
from torch import Tensor

from isthmus.backbones import Backbone
from isthmus.likelihoods import Categorical, Likelihood


def decode_parameters(backbone: Backbone, likelihood: Likelihood, z: Tensor, y: Tensor | None, x: Tensor) -> Tensor:
    """Decode z (n, code_out) to parameters of rows; autoregressive decoders also read earlier steps of x."""
    if not backbone.autoregressive:
        return backbone.decode(z, y)
    return backbone.decode(z, y, likelihood.encode(likelihood.fill(x)))


def decode_rows(backbone: Backbone, likelihood: Likelihood, z: Tensor, y: Tensor | None, draw: bool) -> Tensor:
    """Decode z (n, code_out) and encoded labels to values (n, *shape): draws from the likelihood or its means."""
    choose = likelihood.sample if draw else likelihood.mean
    if not backbone.autoregressive:
        return choose(backbone.decode(z, y))
    if backbone.beam_width > 1 and not draw:
        return beam_search(backbone, likelihood, z, y, backbone.beam_width)
    state, before, steps = backbone.initial_state(z, y), None, []
    for i in range(likelihood.parameter_shape[-1]):
        theta, state = backbone.step(state, before)
        steps.append(apply_at_step(likelihood, choose, theta, i))
        before = apply_at_step(likelihood, likelihood.encode, steps[-1], i)
    return likelihood.mask_after_end(torch.cat(steps, -1))


def apply_at_step(likelihood: Likelihood, function: Callable[[Tensor], Tensor], x: Tensor, i: int) -> Tensor:
    """Apply a function of a likelihood to step ``i`` alone, (..., 1); its scale may differ between steps."""
    if likelihood.per_value:
        return function(x)
    expanded = x.expand(*x.shape[:-1], likelihood.parameter_shape[-1])
    return function(expanded)[..., i : i + 1]


def beam_search(backbone: Backbone, likelihood: Likelihood, z: Tensor, y: Tensor | None, width: int) -> Tensor:
    """Search for the most probable rows of tokens (n, length); each step keeps ``width`` partial sequences per row.

    Raises
    ------
    ValueError
        If rows are not sequences of single tokens.
    """
    if not (isinstance(likelihood, Categorical) and likelihood.per_value and len(likelihood.parameter_shape) == 2):
        raise ValueError(f"beam_width above 1 is for rows of tokens, got likelihood {likelihood!r}")
    n, (n_categories, n_steps) = len(z), likelihood.parameter_shape
    first = torch.arange(n, device=z.device)[:, None] * width  # the first beam of each row
    z, y = z.repeat_interleave(width, 0), None if y is None else y.repeat_interleave(width, 0)
    state, before, written = backbone.initial_state(z, y), None, z.new_empty(n * width, 0)
    total = torch.full((n, width), -torch.inf, device=z.device)
    total[:, 0] = 0.0  # all beams are equal at the start
    for _ in range(n_steps):
        theta, state = backbone.step(state, before)
        log_prob = force_end(theta[..., 0].log_softmax(1), written, likelihood.end).view(n, width, n_categories)
        total, chosen = (total[..., None] + log_prob).flatten(1).topk(width)
        parent, token = (first + chosen // n_categories).flatten(), (chosen % n_categories).view(-1, 1)
        state = tuple(part[parent] for part in state)
        written = torch.cat([written[parent], token.to(z)], 1)
        before = likelihood.encode(written[:, -1:])
    return likelihood.mask_after_end(written[first[:, 0]])


def force_end(log_prob: Tensor, written: Tensor, end: int | None) -> Tensor:
    """Allow only the end token, at log probability 0, in rows (n, steps) that have already ended."""
    if end is None:
        return log_prob
    end_only = torch.full_like(log_prob, -torch.inf)
    end_only[:, end] = 0.0
    return torch.where((written == end).any(1, keepdim=True), end_only, log_prob)
