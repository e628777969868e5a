"""Functions for counts and ordered levels."""

import torch
from torch import Tensor
from torch.nn import functional as torch_functional

# Smallest argument for which Stirling's series replaces lgamma. With two correction terms, its error is below 1e-8.
STIRLING = 10.0
# Logit of a missing value, instead of -inf, which gives NaN for rows in which all values are missing.
MISSING_LOGIT = -1e30


def poisson_log_prob(x: Tensor, log_rate: Tensor) -> Tensor:
    """Return the log probability of the Poisson distribution.

    Parameters
    ----------
    x : Tensor
        Counts.
    log_rate : Tensor of the shape of ``x``
        Log of the mean.

    Returns
    -------
    Tensor of the shape of ``x``
        The log probabilities in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import poisson_log_prob
    >>> poisson_log_prob(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.0]))
    tensor([-1., -1.])
    """
    return x * log_rate - log_rate.exp() - torch.lgamma(x + 1)


def negative_binomial_log_prob(x: Tensor, log_mean: Tensor, log_size: Tensor) -> Tensor:
    """Return the log probability of the negative binomial distribution with mean m and variance m + m^2 / size.

    See Lopez et al., Deep generative modeling for single-cell transcriptomics, Nature Methods 15, 2018.

    Parameters
    ----------
    x : Tensor
        Counts.
    log_mean, log_size : Tensor
        Logs of mean and size, of shapes that broadcast with ``x``.

    Returns
    -------
    Tensor
        The log probabilities in nats, of the common shape.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import negative_binomial_log_prob
    >>> negative_binomial_log_prob(torch.tensor(0.0), torch.tensor(0.0), torch.tensor(0.0))    # geometric: log(1 / 2)
    tensor(-0.6931)
    """
    size = log_size.exp()
    # logaddexp is exact also for very large sizes, for which this is the Poisson distribution.
    log_total = torch.logaddexp(log_mean, log_size)
    failures = size * torch_functional.softplus(log_mean - log_size)
    return log_rising_factorial(x, size) - torch.lgamma(x + 1) - failures + x * (log_mean - log_total)


def log_rising_factorial(x: Tensor, start: Tensor) -> Tensor:
    """Return the log of gamma(start + x) / gamma(start), without cancellation for large arguments.

    For start > 10 it is the difference of two Stirling series, term by term.

    Parameters
    ----------
    x : Tensor
        Numbers from 0.
    start : Tensor of the shape of ``x``
        Positive numbers.

    Returns
    -------
    Tensor of the shape of ``x``
        The logs.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import log_rising_factorial
    >>> log_rising_factorial(torch.tensor(3.0), torch.tensor(2.0)).exp()     # 2 * 3 * 4
    tensor(24.)
    """
    far = start > STIRLING
    near, large = torch.where(far, 1.0, start), torch.where(far, start, STIRLING)
    end = large + x
    tail = (1 / end - 1 / large) / 12 - (end**-3 - large**-3) / 360
    series = (large - 0.5) * torch.log1p(x / large) + x * (torch.log(end) - 1) + tail
    return torch.where(far, series, torch.lgamma(near + x) - torch.lgamma(near))


def zero_inflated_log_prob(x: Tensor, log_prob: Tensor, logits: Tensor) -> Tensor:
    """Return the log probability of a zero-inflated count.

    ``log_prob`` is the log probability of the count without zero inflation.

    Lambert, Zero-inflated Poisson regression, Technometrics 34, 1992.

    Parameters
    ----------
    x : Tensor
        Counts.
    log_prob : Tensor of the shape of ``x``
        Log probability of the count without zero inflation.
    logits : Tensor of the shape of ``x``
        Logits of an extra zero.

    Returns
    -------
    Tensor of the shape of ``x``
        The log probabilities in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import zero_inflated_log_prob
    >>> x, log_prob = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5]).log()
    >>> zero_inflated_log_prob(x, log_prob, torch.zeros(2)).exp()
    tensor([0.7500, 0.2500])
    """
    otherwise = torch_functional.logsigmoid(-logits) + log_prob
    return torch.where(x == 0, torch.logaddexp(torch_functional.logsigmoid(logits), otherwise), otherwise)


def multinomial_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return terms of the multinomial log probability of rows of counts, given their totals.

    The log of the multinomial coefficient n! / prod x! is divided among the values, so that the term of a count of 0 is
    0. A negative count is a missing value, which is left out of the row.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Counts; a negative count is a missing value.
    logits : Tensor of shape (n, d)
        Logits of the shares of the values.

    Returns
    -------
    Tensor of shape (n, d)
        The terms in nats; their sum over a row is its log probability.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import multinomial_log_prob
    >>> multinomial_log_prob(torch.tensor([[1.0, 1.0]]), torch.zeros(1, 2)).sum().exp()    # two orders of two values
    tensor(0.5000)
    """
    counted = x.clamp(min=0)
    log_share = torch.log_softmax(logits.masked_fill(x < 0, MISSING_LOGIT), -1)
    total = counted.sum(-1, keepdim=True)
    orders = torch.lgamma(total + 1) / total.clamp(min=1)
    return counted * (log_share + orders) - torch.lgamma(counted + 1)


def discretized_logistic_log_prob(x: Tensor, loc: Tensor, log_scale: Tensor, last: int) -> Tensor:
    """Return the log of the mass of a logistic distribution within half a unit of x, for x in 0, 1, ..., last.

    The first and the last bin take the tails. (Salimans et al., PixelCNN++, ICLR 2017, arXiv:1701.05517, equation 2.)
    With a and b the ends of the bin in units of the scale, the mass is s(b) s(-a) (1 - exp(a - b)) for the sigmoid s.

    Parameters
    ----------
    x : Tensor
        Whole numbers from 0 to ``last``.
    loc, log_scale : Tensor of the shape of ``x``
        Location and log of the scale of the logistic distribution.
    last : int
        Largest possible number.

    Returns
    -------
    Tensor of the shape of ``x``
        The log probabilities in nats.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import discretized_logistic_log_prob
    >>> x = torch.arange(4.0)
    >>> discretized_logistic_log_prob(x, torch.full_like(x, 1.5), torch.zeros(4), last=3).exp().sum()
    tensor(1.0000)
    """
    rate = torch.exp(-log_scale)
    not_above = torch_functional.logsigmoid((x + 0.5 - loc) * rate)
    not_below = torch_functional.logsigmoid((loc - x + 0.5) * rate)
    width = torch.log(-torch.expm1(-rate))
    is_first, is_last = x <= 0, x >= last
    inside = not_above.masked_fill(is_last, 0.0) + not_below.masked_fill(is_first, 0.0)
    return inside + torch.where(is_first | is_last, 0.0, width)
