"""Log probabilities of rows: scores, what contributes to them, and bounds on log p(x)."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.model.model import Model


def log_prob_at_mean(model: Model, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return log p(x | decoder(mean of the code)) of every value (n, *shape), and the divergence of the code (n,).

    Without labels in a conditional model, the sum of both is the log of the mean over labels: log probabilities
    are averaged by posterior probabilities of the labels, and the divergence contains the remainder.
    """
    x = model.to_model(x)
    z, divergence = _mean_and_divergence(model, x, y)
    if not model.labels.lacks(y):
        return model.log_prob(z, x, y), divergence
    each = model.log_prob_by_label(z, x)
    shares = model.labels.responsibilities(each)
    averaged = F.weighted_sum(shares, each)
    excess = (shares * (shares.clamp(min=1e-30).log() - model.labels.log_frequencies)).sum(-1)
    return averaged, divergence + excess


def log_weights(model: Model, x: Tensor, y: Tensor | None, n_draws: int) -> Tensor:
    """Log importance weights log p(x, z) - log q(z | x) of ``n_draws`` draws of z, (n_draws, n).

    p(z) is the prior that ``sample`` draws from. If z is deterministic, q is the proposal.
    """
    h, x = model.encode_rows(x), model.to_model(x)
    if model.proposal is None:
        z, log_q = model.bottleneck.draw(h, n_draws)
    else:
        z, log_q = model.proposal.draw(model.bottleneck.code_mean(h), n_draws)
    if not model.labels.lacks(y):
        return _log_joint(model, z, x, y) - log_q
    each = torch.stack([_log_joint(model, z, x, y) for y in model.labels.each(len(x))], -1)
    return torch.logsumexp(each + model.labels.log_frequencies, -1) - log_q


def _log_joint(model: Model, z: Tensor, x: Tensor, y: Tensor | None) -> Tensor:
    """Return log p(x, z) of all samples of z, (n_draws, n); the values of discrete z count as equally likely."""
    n_values = model.bottleneck.log_n_values
    return model.decode_draws(z, x, y)[1] + (model.prior.log_prob(z, y) if n_values is None else -n_values)


def score(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Return the deterministic score of raw values, (n,)."""
    if model.labels.lacks(y):
        log_prob, divergence = log_prob_at_mean(model, x, y)
        return log_prob.flatten(1).sum(-1) - divergence
    x = model.to_model(x)
    z, divergence = _mean_and_divergence(model, x, y)
    return model.decode_draws(z[None], x, y)[1][0] - divergence


def divergence(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Return the divergence of the codes of raw values, (n,), which needs no decoder; z must be random."""
    model.bottleneck.require_stochastic("divergence")
    return model.bottleneck.divergence(model.encode_rows(x), y)


def contributions(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Return the terms of the score, (n, n_values + 2): one for each value, one for the code, one for constants."""
    log_prob, divergence = log_prob_at_mean(model, x, y)
    expected = torch.where(x.isnan(), 0.0, model.mean_log_prob).flatten(1)
    code, base = model.mean_divergence - divergence, expected.sum(-1) - model.mean_divergence
    return torch.cat([log_prob.flatten(1) - expected, code[:, None], base[:, None]], 1)


def bound(model: Model, x: Tensor, y: Tensor | None, n_draws: int, at_once: int) -> Tensor:
    """Return the importance-weighted bound on log p(x), (n,), with at most ``at_once`` codes per row in memory."""
    counts = [min(at_once, n_draws - done) for done in range(0, n_draws, at_once)]
    return F.importance_bound(torch.cat([log_weights(model, x, y, count) for count in counts]))


def evidence_bound(model: Model, x: Tensor, y: Tensor | None = None) -> Tensor:
    """Return the evidence lower bound with one draw of z and weight 1 of the divergence, (n,), also during training."""
    h, x = model.encode_rows(x), model.to_model(x)
    z, _ = model.bottleneck.draw(h, 1)
    return model.decode_draws(z, x, y)[1][0] - model.bottleneck.divergence(h, y)


def store_mean_scores(model: Model, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
    """Store the mean score of each value over training rows, the reference of contributions."""
    model.mean_log_prob.zero_()
    model.mean_divergence.zero_()
    n, n_known = 0, torch.zeros_like(model.mean_log_prob)
    for x, y in batches:
        log_prob, divergence = log_prob_at_mean(model, x, y)
        known = ~x.isnan()
        n, n_known = n + len(x), n_known + known.sum(0)
        model.mean_log_prob += (log_prob - model.mean_log_prob * known).sum(0) / n_known.clamp(min=1)
        model.mean_divergence += (divergence - model.mean_divergence).sum() / n
    model.n_finalized.fill_(n)


def fit_proposal(model: Model, batches: Sequence[tuple[Tensor, Tensor | None]]) -> None:
    """Fit the proposal around deterministic codes: axes to all rows, curvatures to the rows of the first batch.

    The codes of several nets have no common axes. The proposal of such a model stays a standard normal distribution.
    """
    if model.proposal is None or model.n_nets > 1:
        return
    x, y = batches[0]
    x, z = model.to_model(x), torch.cat([model.draw(x, y) for x, y in batches])

    def log_prob(shifts: Tensor) -> Tensor:
        return model.decode_draws(z[: len(x)] + shifts[:, None], x, y)[1].double().mean(1)

    model.proposal.fit(z, log_prob)


def _mean_and_divergence(model: Model, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
    h = model.backbone.encode(model.encode_input(x))
    return model.bottleneck.code_mean(h), model.bottleneck.divergence(h, y)
