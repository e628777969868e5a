"""Functions for codes, losses and continuous values."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as torch_functional

LOG_2PI = math.log(2 * math.pi)
# Absolute value of the logits below which Taylor series replace formulas that divide 0 by 0. At this value, the error
# of the formula of the mean in float32, by cancellation, is 2e-6; that of the series is smaller.
NEAR_ZERO = 0.05


def sample_normal(mean: Tensor, log_variance: Tensor, n_draws: int) -> Tensor:
    """Sample ``n_draws`` codes per row, differentiably in mean and variance.

    z = mean + exp(log_variance / 2) * epsilon (Kingma and Welling, Auto-encoding variational Bayes, arXiv:1312.6114,
    section 2.4).

    Parameters
    ----------
    mean, log_variance : Tensor of shape (n, n_components)
    n_draws : int

    Returns
    -------
    Tensor of shape (n_draws, n, n_components)
    """
    epsilon = torch.randn(n_draws, *mean.shape, dtype=mean.dtype, device=mean.device)
    return mean + torch.exp(log_variance / 2) * epsilon


def normal_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log density of the normal distribution; ``log_scale`` is the log of the standard deviation."""
    # The forward and the backward pass each read the batch twice; with the plain formula, five and eight times.
    mean, x = torch.broadcast_tensors(mean, x)
    squares = torch_functional.mse_loss(mean, x, reduction="none")
    return torch.addcmul(-log_scale - 0.5 * LOG_2PI, squares, torch.exp(-2 * log_scale), value=-0.5)


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        return gradient * weight.to(gradient.dtype), None


def scale_gradient(x: Tensor, weight: Tensor) -> Tensor:
    """Return ``x``; multiply its gradient by ``weight``, of the shape of one row."""
    scaled: Tensor = _ScaledGradient.apply(x, weight)  # type: ignore[no-untyped-call]
    return scaled


def normal_mixture_log_prob(x: Tensor, logits: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log density of mixtures of normal distributions (Bishop, Mixture density networks, 1994).

    Parameters
    ----------
    x : Tensor of shape (n, ...)
    logits, mean, log_scale : Tensor of shape (n, n_normals, ...)
        Parameters of each component; the weights are the softmax of ``logits`` over axis 1.

    Returns
    -------
    Tensor of shape (n, ...)
    """
    log_prob = normal_log_prob(x[:, None], mean, log_scale)
    return torch.logsumexp(logits.log_softmax(1) + log_prob, 1)


def limited_lognormal_mean(mean: Tensor, scale: Tensor, log_limit: Tensor) -> Tensor:
    """Return E[min(x, limit)], where log x is normal with ``mean`` and ``scale``.

    It is at most the limit, while E[x] = exp(mean + scale^2 / 2) can be huge (Klugman, Panjer and Willmot, Loss models,
    2012: limited expected value).
    """
    below = mean + scale.square() / 2 + torch.special.log_ndtr((log_limit - mean) / scale - scale)
    above = log_limit + torch.special.log_ndtr((mean - log_limit) / scale)
    return below.exp() + above.exp()


class _NormalRows(torch.autograd.Function):
    """Sum of normal log densities over each row, with its closed-form gradient, in fewer passes over the batch.

    With r = (mean - x) / scale, the sum is -|r|^2 / 2 - sum log scale - d log(2 pi) / 2; its derivatives are -r / scale
    for the mean and r^2 - 1 for the log scale.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        residual, inverse = mean - x, torch.exp(-log_scale)
        if shared := inverse.ndim == 0:
            squares = (torch.linalg.vector_norm(residual.flatten(1), dim=1) * inverse).square_()
        else:
            squares = torch.linalg.vector_norm(residual.mul_(inverse).flatten(1), dim=1).square_()
        ctx.save_for_backward(residual, squares, inverse)
        ctx.dtype, n_values = mean.dtype, mean.shape[1:].numel()
        total = log_scale * n_values if shared else log_scale.sum()
        return squares.mul(-0.5).sub_(total + 0.5 * LOG_2PI * n_values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor | None]:
        residual, squares, inverse = ctx.saved_tensors
        each = (-1, *[1] * (residual.ndim - 1))
        if inverse.ndim == 0:
            in_log_scale = torch.dot(gradient, squares - residual.shape[1:].numel())
            return None, (residual * (-gradient * inverse**2).view(each)).to(ctx.dtype), in_log_scale
        pull = residual * -gradient.view(each)
        in_log_scale = -torch.linalg.vecdot(pull, residual, dim=0) - gradient.sum()
        return None, pull.mul_(inverse).to(ctx.dtype), in_log_scale


def normal_row_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return the sum of ``normal_log_prob`` over each row, (n,); ``log_scale`` has the shape of one row or ().

    It needs fewer passes over the batch than the sum. It can be differentiated once, and not with respect to ``x``.
    """
    rows: Tensor = _NormalRows.apply(x, mean, log_scale)  # type: ignore[no-untyped-call]
    return rows


def kl_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the KL divergence of N(mean, variance) from N(0, 1) (arXiv:1312.6114, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)


def free_bits(divergence: Tensor, bits: float) -> Tensor:
    """Replace divergences (n, n_components) by a constant for components whose batch mean is at most ``bits`` nats.

    Kingma et al., Inverse autoregressive flow, arXiv:1606.04934, equation 15.
    """
    return torch.where(divergence.mean(0) > bits, divergence, bits) if bits else divergence


def entropy_normal(log_variance: Tensor) -> Tensor:
    """Return the entropy of normal distributions with independent components, summed over components, in nats."""
    return 0.5 * (log_variance + math.log(2 * math.pi) + 1).sum(-1)


def importance_bound(log_weights: Tensor) -> Tensor:
    """Return the log of the mean importance weight over the first axis: the bound of arXiv:1509.00519, equation 8.

    With one sample it is the evidence lower bound.
    """
    if len(log_weights) == 1:
        return log_weights.squeeze(0)
    return torch.logsumexp(log_weights, 0) - math.log(len(log_weights))


def student_t_log_prob(x: Tensor, loc: Tensor, log_scale: Tensor, df: float) -> Tensor:
    """Return the log density of Student's t distribution with ``df`` degrees of freedom."""
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    residual = (x - loc) * torch.exp(-log_scale)
    return constant - log_scale - (df + 1) / 2 * torch.log1p(residual.square() / df)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return the log probability of x in {0, 1}; between 0 and 1, the negative cross entropy."""
    return x * logits - torch_functional.softplus(logits)


def continuous_bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return the log of the density exp(x logits) logits / (exp(logits) - 1) on [0, 1].

    Loaiza-Ganem and Cunningham, The continuous Bernoulli, NeurIPS 2019, arXiv:1907.06845, written as an exponential
    family in the logits. Near 0 the log normalizer is replaced by its Taylor series.
    """
    near = logits.abs() < NEAR_ZERO
    safe = torch.where(near, torch.ones_like(logits), logits)
    size = safe.abs()
    log_normalizer = safe.clamp(min=0) + torch.log(-torch.expm1(-size) / size)
    series = logits / 2 + logits.square() / 24 - logits.pow(4) / 2880
    return x * logits - torch.where(near, series, log_normalizer)


def continuous_bernoulli_mean(logits: Tensor) -> Tensor:
    """Return the mean of the continuous Bernoulli distribution, 1 / (1 - exp(-logits)) - 1 / logits."""
    near = logits.abs() < NEAR_ZERO
    safe = torch.where(near, torch.ones_like(logits), logits)
    series = 0.5 + logits / 12 - logits.pow(3) / 720
    return torch.where(near, series, -1 / torch.expm1(-safe) - 1 / safe)


def sample_continuous_bernoulli(logits: Tensor) -> Tensor:
    """Sample by the inverse distribution function, log(1 - u + u exp(logits)) / logits."""
    u = torch.rand_like(logits)
    near = logits.abs() < 1e-3
    safe = torch.where(near, torch.ones_like(logits), logits)
    return torch.where(near, u, torch.logaddexp(torch.log1p(-u), torch.log(u) + safe) / safe).clamp(0, 1)


def asymmetric_laplace_log_prob(x: Tensor, loc: Tensor, log_scale: Tensor, level: Tensor) -> Tensor:
    """Return the log density of the asymmetric Laplace distribution.

    The ``loc`` with the largest likelihood is the quantile of the level (Koenker and Bassett, Regression quantiles,
    Econometrica 46, 1978; Yu and Moyeed, Bayesian quantile regression, Statistics and Probability Letters 54, 2001).
    """
    residual = (x - loc) * torch.exp(-log_scale)
    pinball = torch.maximum(level * residual, (level - 1) * residual)
    return torch.log(level * (1 - level)) - log_scale - pinball


def sample_by_quantiles(quantiles: Tensor, level: Tensor, scale: Tensor) -> Tensor:
    """Sample (n, ...) uniformly between adjacent quantiles (n, n_levels, ...) of levels (n_levels, ...).

    Beyond the first and the last quantile, samples have the tails of asymmetric Laplace distributions of this scale.
    """
    u = torch.rand_like(quantiles[:, 0]).clamp(min=torch.finfo(quantiles.dtype).eps)
    passed = ((u[:, None] - level[:-1]) / level.diff(dim=0)).clamp(0, 1)
    below = torch.log(u / level[0]).clamp(max=0) / (1 - level[0])
    above = torch.log((1 - u) / (1 - level[-1])).clamp(max=0) / level[-1]
    return quantiles[:, 0] + (passed * quantiles.diff(dim=1)).sum(1) + scale * (below - above)


def kl_bernoulli(target: float, activity: Tensor) -> Tensor:
    """Return the KL divergence of a Bernoulli distribution with mean ``target`` from one with mean ``activity``."""
    eps = torch.finfo(activity.dtype).eps
    activity = activity.clamp(eps, 1 - eps)
    cross = target * torch.log(activity) + (1 - target) * torch.log1p(-activity)
    return target * math.log(target) + (1 - target) * math.log1p(-target) - cross


def squared_jacobian(code: Tensor, u: Tensor, n_probes: int | None = None) -> Tensor:
    """Return the squared Frobenius norm of the Jacobian d code / d u of each sample, (n,), differentiably.

    The exact norm needs a backward pass for each component. Hutchinson's unbiased estimate needs one for each probe:
    for random signs v, the expectation of |v' J|^2 is |J|^2. (Rifai et al., Contractive auto-encoders, ICML 2011,
    equation 4, have the norm of one sigmoid layer.)

    Parameters
    ----------
    code : Tensor of shape (n, n_components)
        Computed from ``u`` row by row.
    u : Tensor of shape (n, ...)
        Requires gradients.
    n_probes : int or None
        Number of random probes; None computes the exact norm.
    """
    if n_probes is None:
        directions = list(
            torch.eye(code.shape[1], dtype=code.dtype, device=code.device).unsqueeze(1).expand(-1, *code.shape)
        )
        scale = 1.0
    else:
        directions = [torch.randint_like(code, 2) * 2 - 1 for _ in range(n_probes)]
        scale = 1 / n_probes
    rows = [torch.autograd.grad(code, u, v, create_graph=True)[0].flatten(1) for v in directions]
    return scale * torch.stack([row.square().sum(-1) for row in rows]).sum(0)


def keep_largest(x: Tensor, k: int) -> Tensor:
    """Keep the ``k`` largest numbers of the last axis, exactly ``k`` if some are equal, and set the others to 0."""
    values, index = x.topk(k, -1)
    return torch.zeros_like(x).scatter(-1, index, values)


def drop_largest(losses: Tensor, fraction: float) -> Tensor:
    """Drop a fraction of the losses (n,), the largest ones (Rousseeuw, JASA 79, 1984)."""
    n_kept = len(losses) - int(fraction * len(losses))
    return losses if n_kept == len(losses) else losses.topk(n_kept, largest=False, sorted=False).values


def compress_tails(x: Tensor, center: Tensor, limit: Tensor) -> Tensor:
    """Compress values (n, ...) logarithmically where their distance from ``center`` is larger than ``limit``.

    Finite numbers keep their order, and their squares stay finite.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import compress_tails
    >>> x = torch.tensor([-3.0, 10.0, 1e3, 1e39], dtype=torch.float64)
    >>> compress_tails(x, torch.tensor(0.0), torch.tensor(10.0)).round().tolist()
    [-3.0, 10.0, 56.0, 885.0]
    """
    # A fast test that is true for nearly all batches: a distance is at most |x| + |center|.
    traced = torch.compiler.is_compiling()
    if not traced and x.numel() and bool(torch.stack(x.aminmax()).abs().amax() <= (limit - center.abs()).amin()):
        return x
    distance = x - center
    far = distance.abs() > limit
    if not (traced or bool(far.any())):
        return x
    return torch.where(far, center + distance.sign() * limit * (1 + distance.abs().log() - limit.log()), x)


def weighted_sum(weights: Tensor, values: list[Tensor]) -> Tensor:
    """Sum tensors (n, ...), one for each label, weighted by (n, n_labels)."""
    return torch.einsum("nl,ln...->n...", weights, torch.stack(values))
