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
        Mean and log variance of each component.
    n_draws : int
        Number of codes per row.

    Returns
    -------
    Tensor of shape (n_draws, n, n_components)
        The codes.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import sample_normal
    >>> sample_normal(torch.zeros(5, 2), torch.zeros(5, 2), 3).shape
    torch.Size([3, 5, 2])
    """
    epsilon = torch.randn(n_draws, *mean.shape, dtype=mean.dtype, device=mean.device)
    return mean + torch.exp(log_variance / 2) * epsilon


def normal_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log density of the normal distribution.

    Parameters
    ----------
    x, mean, log_scale : Tensor
        Values, means and logs of the standard deviations, of shapes that broadcast.

    Returns
    -------
    Tensor
        The log densities in nats, of the common shape.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import normal_log_prob
    >>> normal_log_prob(torch.tensor([0.0, 1.0]), torch.tensor(0.0), torch.tensor(0.0))
    tensor([-0.9189, -1.4189])
    """
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
    """Return ``x``, and multiply its gradient by ``weight``.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Values of rows.
    weight : Tensor of the shape of one row
        Factors of the gradient.

    Returns
    -------
    Tensor of the shape of ``x``
        The same values.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import scale_gradient
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> scale_gradient(x, torch.tensor([1.0, 10.0])).sum().backward()
    >>> x.grad
    tensor([[ 1., 10.]])
    """
    scaled: Tensor = _ScaledGradient.apply(x, weight)  # type: ignore[no-untyped-call]
    return scaled


def normal_mixture_log_prob(x: Tensor, logits: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Return the log density of mixtures of normal distributions (Bishop, Mixture density networks, 1994).

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Values.
    logits, mean, log_scale : Tensor of shape (n, n_normals, ...)
        Parameters of each component; the weights are the softmax of ``logits`` over axis 1.

    Returns
    -------
    Tensor of shape (n, ...)
        The log densities in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import normal_mixture_log_prob
    >>> x, zeros = torch.zeros(1), torch.zeros(1, 2)
    >>> normal_mixture_log_prob(x, zeros, zeros, zeros)
    tensor([-0.9189])
    """
    log_prob = normal_log_prob(x[:, None], mean, log_scale)
    return torch.logsumexp(logits.log_softmax(1) + log_prob, 1)


def limited_lognormal_mean(mean: Tensor, scale: Tensor, log_limit: Tensor) -> Tensor:
    """Return E[min(x, limit)], where log x is normal with ``mean`` and ``scale``.

    It is at most the limit, while E[x] = exp(mean + scale^2 / 2) can be huge (Klugman, Panjer and Willmot, Loss models,
    2012: limited expected value).

    Parameters
    ----------
    mean, scale : Tensor
        Mean and standard deviation of log x, of shapes that broadcast.
    log_limit : Tensor
        Log of the limit.

    Returns
    -------
    Tensor
        The expected values, of the common shape.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import limited_lognormal_mean
    >>> zero, one, limit = torch.tensor(0.0), torch.tensor(1.0), torch.tensor(100.0)
    >>> limited_lognormal_mean(zero, one, limit.log())    # without a limit, exp(1 / 2) = 1.6487
    tensor(1.6487)
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
    """Return the sum of ``normal_log_prob`` over each row.

    It needs fewer passes over the batch than the sum. It can be differentiated once, and not with respect to ``x``.

    Parameters
    ----------
    x, mean : Tensor of shape (n, ...)
        Values and means.
    log_scale : Tensor of the shape of one row or ()
        Log of the standard deviation.

    Returns
    -------
    Tensor of shape (n,)
        The log densities in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import normal_row_log_prob
    >>> normal_row_log_prob(torch.zeros(2, 3), torch.zeros(2, 3), torch.tensor(0.0))
    tensor([-2.7568, -2.7568])
    """
    rows: Tensor = _NormalRows.apply(x, mean, log_scale)  # type: ignore[no-untyped-call]
    return rows


def kl_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the KL divergence of N(mean, variance) from N(0, 1) (arXiv:1312.6114, appendix B).

    Parameters
    ----------
    mean, log_variance : Tensor of shape (n, n_components)
        Mean and log variance of each component.

    Returns
    -------
    Tensor of shape (n, n_components)
        The divergences in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import kl_normal
    >>> kl_normal(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.0]))
    tensor([0.0000, 0.5000])
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)


def free_bits(divergence: Tensor, bits: float) -> Tensor:
    """Replace divergences by a constant for components whose batch mean is at most ``bits`` nats.

    Kingma et al., Inverse autoregressive flow, arXiv:1606.04934, equation 15.

    Parameters
    ----------
    divergence : Tensor of shape (n, n_components)
        Divergence of each component, in nats.
    bits : float
        Divergence that costs nothing; 0 changes nothing.

    Returns
    -------
    Tensor of shape (n, n_components)
        The divergences to minimize.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import free_bits
    >>> free_bits(torch.tensor([[0.1, 2.0], [0.1, 4.0]]), 0.5)
    tensor([[0.5000, 2.0000],
            [0.5000, 4.0000]])
    """
    return torch.where(divergence.mean(0) > bits, divergence, bits) if bits else divergence


def entropy_normal(log_variance: Tensor) -> Tensor:
    """Return the entropy of normal distributions with independent components, summed over components, in nats.

    Parameters
    ----------
    log_variance : Tensor of shape (n, n_components)
        Log variance of each component.

    Returns
    -------
    Tensor of shape (n,)
        The entropies.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import entropy_normal
    >>> entropy_normal(torch.zeros(1, 2))     # log(2 pi e)
    tensor([2.8379])
    """
    return 0.5 * (log_variance + math.log(2 * math.pi) + 1).sum(-1)


def importance_bound(log_weights: Tensor) -> Tensor:
    """Return the log of the mean importance weight over the first axis: the bound of arXiv:1509.00519, equation 8.

    With one sample it is the evidence lower bound.

    Parameters
    ----------
    log_weights : Tensor of shape (n_draws, n)
        Log of the importance weights, log p(x, z) - log q(z given x).

    Returns
    -------
    Tensor of shape (n,)
        Lower bounds on log p(x), in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import importance_bound
    >>> importance_bound(torch.tensor([[0.0], [2.0]]))
    tensor([1.4338])
    """
    if len(log_weights) == 1:
        return log_weights.squeeze(0)
    return torch.logsumexp(log_weights, 0) - math.log(len(log_weights))


def student_t_log_prob(x: Tensor, loc: Tensor, log_scale: Tensor, df: float) -> Tensor:
    """Return the log density of Student's t distribution with ``df`` degrees of freedom.

    Parameters
    ----------
    x, loc, log_scale : Tensor
        Values, locations and logs of the scales, of shapes that broadcast.
    df : float
        Degrees of freedom, above 0.

    Returns
    -------
    Tensor
        The log densities in nats, of the common shape.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import student_t_log_prob
    >>> student_t_log_prob(torch.tensor(0.0), torch.tensor(0.0), torch.tensor(0.0), df=1.0)    # Cauchy: -log(pi)
    tensor(-1.1447)
    """
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    residual = (x - loc) * torch.exp(-log_scale)
    return constant - log_scale - (df + 1) / 2 * torch.log1p(residual.square() / df)


def bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return the log probability of x in {0, 1}; between 0 and 1, the negative cross entropy.

    Parameters
    ----------
    x : Tensor
        Values in [0, 1].
    logits : Tensor of the shape of ``x``
        Logits of the probability of 1.

    Returns
    -------
    Tensor of the shape of ``x``
        The log probabilities in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import bernoulli_log_prob
    >>> bernoulli_log_prob(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0]))
    tensor([-0.6931, -0.1269])
    """
    return x * logits - torch_functional.softplus(logits)


def continuous_bernoulli_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return the log of the density exp(x logits) logits / (exp(logits) - 1) on [0, 1].

    Loaiza-Ganem and Cunningham, The continuous Bernoulli, NeurIPS 2019, arXiv:1907.06845, written as an exponential
    family in the logits. Near 0 the log normalizer is replaced by its Taylor series.

    Parameters
    ----------
    x : Tensor
        Values in [0, 1].
    logits : Tensor of the shape of ``x``
        Parameter of the distribution; 0 is the uniform distribution.

    Returns
    -------
    Tensor of the shape of ``x``
        The log densities in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import continuous_bernoulli_log_prob
    >>> continuous_bernoulli_log_prob(torch.tensor([0.5, 1.0]), torch.tensor([0.0, 2.0]))
    tensor([0.0000, 0.8386])
    """
    near = logits.abs() < NEAR_ZERO
    safe = torch.where(near, torch.ones_like(logits), logits)
    size = safe.abs()
    log_normalizer = safe.clamp(min=0) + torch.log(-torch.expm1(-size) / size)
    series = logits / 2 + logits.square() / 24 - logits.pow(4) / 2880
    return x * logits - torch.where(near, series, log_normalizer)


def continuous_bernoulli_mean(logits: Tensor) -> Tensor:
    """Return the mean of the continuous Bernoulli distribution, 1 / (1 - exp(-logits)) - 1 / logits.

    Parameters
    ----------
    logits : Tensor
        Parameter of the distribution; 0 is the uniform distribution.

    Returns
    -------
    Tensor of the shape of ``logits``
        The means, in (0, 1).

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import continuous_bernoulli_mean
    >>> continuous_bernoulli_mean(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.6565])
    """
    near = logits.abs() < NEAR_ZERO
    safe = torch.where(near, torch.ones_like(logits), logits)
    series = 0.5 + logits / 12 - logits.pow(3) / 720
    return torch.where(near, series, -1 / torch.expm1(-safe) - 1 / safe)


def sample_continuous_bernoulli(logits: Tensor) -> Tensor:
    """Sample the continuous Bernoulli distribution.

    The inverse distribution function is log(1 - u + u exp(logits)) / logits.

    Parameters
    ----------
    logits : Tensor
        Parameter of the distribution; 0 is the uniform distribution.

    Returns
    -------
    Tensor of the shape of ``logits``
        Values in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import sample_continuous_bernoulli
    >>> samples = sample_continuous_bernoulli(torch.zeros(1_000))
    >>> bool(samples.min() >= 0), bool(samples.max() <= 1)
    (True, True)
    """
    u = torch.rand_like(logits)
    near = logits.abs() < 1e-3
    safe = torch.where(near, torch.ones_like(logits), logits)
    return torch.where(near, u, torch.logaddexp(torch.log1p(-u), torch.log(u) + safe) / safe).clamp(0, 1)


def asymmetric_laplace_log_prob(x: Tensor, loc: Tensor, log_scale: Tensor, level: Tensor) -> Tensor:
    """Return the log density of the asymmetric Laplace distribution.

    The ``loc`` with the largest likelihood is the quantile of the level (Koenker and Bassett, Regression quantiles,
    Econometrica 46, 1978; Yu and Moyeed, Bayesian quantile regression, Statistics and Probability Letters 54, 2001).

    Parameters
    ----------
    x, loc, log_scale : Tensor
        Values, locations and logs of the scales, of shapes that broadcast.
    level : Tensor
        Level of the quantile, in (0, 1).

    Returns
    -------
    Tensor
        The log densities in nats, of the common shape.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import asymmetric_laplace_log_prob
    >>> zero = torch.tensor(0.0)
    >>> asymmetric_laplace_log_prob(torch.tensor([-1.0, 1.0]), zero, zero, torch.tensor(0.9))
    tensor([-2.5079, -3.3079])
    """
    residual = (x - loc) * torch.exp(-log_scale)
    pinball = torch.maximum(level * residual, (level - 1) * residual)
    return torch.log(level * (1 - level)) - log_scale - pinball


def sample_by_quantiles(quantiles: Tensor, level: Tensor, scale: Tensor) -> Tensor:
    """Sample uniformly between adjacent quantiles.

    Beyond the first and the last quantile, samples have the tails of asymmetric Laplace distributions of this scale.

    Parameters
    ----------
    quantiles : Tensor of shape (n, n_levels, ...)
        Quantiles in increasing order.
    level : Tensor of shape (n_levels, ...)
        Their levels, in (0, 1).
    scale : Tensor
        Scale of the tails, in the unit of the quantiles.

    Returns
    -------
    Tensor of shape (n, ...)
        One sample for each row.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import sample_by_quantiles
    >>> quantiles, level = torch.tensor([[-1.0, 0.0, 1.0]]), torch.tensor([0.25, 0.5, 0.75])
    >>> sample_by_quantiles(quantiles, level, torch.tensor(1.0)).shape
    torch.Size([1])
    """
    u = torch.rand_like(quantiles[:, 0]).clamp(min=torch.finfo(quantiles.dtype).eps)
    passed = ((u[:, None] - level[:-1]) / level.diff(dim=0)).clamp(0, 1)
    below = torch.log(u / level[0]).clamp(max=0) / (1 - level[0])
    above = torch.log((1 - u) / (1 - level[-1])).clamp(max=0) / level[-1]
    return quantiles[:, 0] + (passed * quantiles.diff(dim=1)).sum(1) + scale * (below - above)


def kl_bernoulli(target: float, activity: Tensor) -> Tensor:
    """Return the KL divergence of a Bernoulli distribution with mean ``target`` from one with mean ``activity``.

    Parameters
    ----------
    target : float
        Mean of the first distribution, in (0, 1).
    activity : Tensor
        Means of the second one, which are limited to (0, 1).

    Returns
    -------
    Tensor of the shape of ``activity``
        The divergences in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import kl_bernoulli
    >>> kl_bernoulli(0.5, torch.tensor([0.5, 0.25]))
    tensor([0.0000, 0.1438])
    """
    eps = torch.finfo(activity.dtype).eps
    activity = activity.clamp(eps, 1 - eps)
    cross = target * torch.log(activity) + (1 - target) * torch.log1p(-activity)
    return target * math.log(target) + (1 - target) * math.log1p(-target) - cross


def squared_jacobian(code: Tensor, u: Tensor, n_probes: int | None = None) -> Tensor:
    """Return the squared Frobenius norm of the Jacobian d code / d u of each sample, differentiably.

    The exact norm needs a backward pass for each component. Hutchinson's unbiased estimate needs one for each probe:
    for random signs v, the expectation of |v' J|^2 is |J|^2. (Rifai et al., Contractive auto-encoders, ICML 2011,
    equation 4, have the norm of one sigmoid layer.)

    Parameters
    ----------
    code : Tensor of shape (n, n_components)
        Computed from ``u`` row by row.
    u : Tensor of shape (n, ...)
        Requires gradients.
    n_probes : int or None, default=None
        Number of random probes; None computes the exact norm.

    Returns
    -------
    Tensor of shape (n,)
        The squared norms.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import squared_jacobian
    >>> u = torch.ones(2, 3, requires_grad=True)
    >>> squared_jacobian(u @ torch.tensor([[1.0], [2.0], [2.0]]), u).tolist()
    [9.0, 9.0]
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
    """Keep the ``k`` largest numbers of the last axis, exactly ``k`` if some are equal, and set the others to 0.

    Parameters
    ----------
    x : Tensor of shape (..., d)
        Numbers.
    k : int
        Number of them to keep, at most d.

    Returns
    -------
    Tensor of shape (..., d)
        The kept numbers in their places.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import keep_largest
    >>> keep_largest(torch.tensor([3.0, 1.0, 2.0]), 2)
    tensor([3., 0., 2.])
    """
    values, index = x.topk(k, -1)
    return torch.zeros_like(x).scatter(-1, index, values)


def drop_largest(losses: Tensor, fraction: float) -> Tensor:
    """Drop a fraction of the losses, the largest ones (Rousseeuw, JASA 79, 1984).

    Parameters
    ----------
    losses : Tensor of shape (n,)
        Losses of rows.
    fraction : float
        Fraction to drop, in [0, 1).

    Returns
    -------
    Tensor of shape (n_kept,)
        The other losses, in any order.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import drop_largest
    >>> drop_largest(torch.tensor([1.0, 9.0, 2.0, 1.5]), 0.25).sort().values
    tensor([1.0000, 1.5000, 2.0000])
    """
    n_kept = len(losses) - int(fraction * len(losses))
    return losses if n_kept == len(losses) else losses.topk(n_kept, largest=False, sorted=False).values


def compress_tails(x: Tensor, center: Tensor, limit: Tensor) -> Tensor:
    """Compress values logarithmically where their distance from ``center`` is larger than ``limit``.

    Finite numbers keep their order, and their squares stay finite.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Finite values.
    center, limit : Tensor of the shape of one row or ()
        Center, and the distance up to which values stay unchanged.

    Returns
    -------
    Tensor of shape (n, ...)
        The compressed values.

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
    """Return the weighted sum of tensors, one for each label.

    Parameters
    ----------
    weights : Tensor of shape (n, n_labels)
        Weight of each label for each row.
    values : list of Tensor of shape (n, ...)
        One tensor for each label.

    Returns
    -------
    Tensor of shape (n, ...)
        The sums.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import weighted_sum
    >>> weighted_sum(torch.tensor([[0.25, 0.75]]), [torch.tensor([[4.0]]), torch.tensor([[8.0]])])
    tensor([[7.]])
    """
    return torch.einsum("nl,ln...->n...", weights, torch.stack(values))
