"""From codes to rows; autoregressive decoders write step by step, from what they have written so far."""

from collections.abc import Callable

import torch
from torch import Tensor

from isthmus.backbones import Backbone
from isthmus.likelihoods import Likelihood


def parameters(backbone: Backbone, likelihood: Likelihood, z: Tensor, y: Tensor | None, x: Tensor) -> Tensor:
    """Codes (n, code_out) to parameters of rows (n, *shape), of which autoregressive decoders see the steps before."""
    if not backbone.autoregressive:
        return backbone.decode(z, y)
    return backbone.decode(z, y, likelihood.encode(likelihood.fill(x)))


def rows(backbone: Backbone, likelihood: Likelihood, z: Tensor, y: Tensor | None, draw: bool) -> Tensor:
    """Codes (n, code_out) and encoded labels to values (n, *shape), drawn as the likelihood says, or their means."""
    choose = likelihood.sample if draw else likelihood.mean
    if not backbone.autoregressive:
        return choose(backbone.decode(z, y))
    state, before, steps = backbone.begin(z, y), None, []
    for i in range(likelihood.parameter_shape[-1]):
        theta, state = backbone.step(state, before)
        steps.append(at_step(likelihood, choose, theta, i))
        before = at_step(likelihood, likelihood.encode, steps[-1], i)
    return likelihood.finish(torch.cat(steps, -1))


def at_step(likelihood: Likelihood, function: Callable[[Tensor], Tensor], x: Tensor, i: int) -> Tensor:
    """Apply a likelihood's function of whole rows to step ``i``, (..., 1), of which each may have its own units."""
    if likelihood.alike:
        return function(x)
    whole = x.expand(*x.shape[:-1], likelihood.parameter_shape[-1])
    return function(whole)[..., i : i + 1]
