"""Monotone rational-quadratic splines, whose inverse has a closed form."""

import math

import torch
from torch import Tensor

# Smallest width and height of a bin, as fractions of the interval, and smallest slope, as in the code of Durkan et al.
# With smaller values, the inverse is numerically unstable.
MIN_BIN = 1e-3


def rational_quadratic(
    x: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, bound: float, inverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Map numbers by a monotone spline on [-bound, bound] and by the identity outside; also return the log derivative.

    The bins are quotients of quadratic polynomials (Durkan, Bekasov, Murray and Papamakarios, Neural spline flows,
    NeurIPS 2019, arXiv:1906.04032; Gregory and Delbourgo, IMA Journal of Numerical Analysis 2, 1982).

    Parameters
    ----------
    x : Tensor of shape (...)
        Numbers to map.
    widths, heights : Tensor of shape (..., n_bins)
        Logits of the widths and heights of bins, as fractions of the interval.
    slopes : Tensor of shape (..., n_bins - 1)
        Raw slopes at the inner knots; 0 gives a slope of 1, and all slopes are positive.
    bound : float
        Half of the length of the interval.
    inverse : bool, default=False
        Whether to compute the inverse. The log derivative is that of the spline in both directions.

    Returns
    -------
    mapped : Tensor of shape (...)
        Values of the spline or of its inverse.
    log_derivative : Tensor of shape (...)
        Log of the slope of the spline.

    Examples
    --------
    >>> import torch
    >>> from isthmus.functional import rational_quadratic
    >>> flat, knots = torch.zeros(1, 4), torch.zeros(1, 3)
    >>> mapped, log_derivative = rational_quadratic(torch.tensor([0.5]), flat, flat, knots, bound=3.0)
    >>> mapped                                               # bins of equal size: the identity
    tensor([0.5000])
    """
    across, up = _knots(widths, bound), _knots(heights, bound)
    steep = torch.nn.functional.pad(_positive(slopes), (1, 1), value=1.0)
    inside = x.abs() < bound
    given = torch.where(inside, x, 0.0)
    place = torch.searchsorted((up if inverse else across)[..., 1:-1].contiguous(), given[..., None])
    (left, width), (low, height) = _locate_bin(across, place), _locate_bin(up, place)
    first, last = (steep[..., some].gather(-1, place)[..., 0] for some in (slice(-1), slice(1, None)))
    mean = height / width
    bend = first + last - 2 * mean
    t = _invert_bin(given - low, height, mean, first, bend) if inverse else (given - left) / width
    below = mean + bend * t * (1 - t)
    reached = left + t * width if inverse else low + height * t * (mean * t + first * (1 - t)) / below
    slope = 2 * mean.log() + (last * t**2 + 2 * mean * t * (1 - t) + first * (1 - t) ** 2).log() - 2 * below.log()
    return torch.where(inside, reached, x), torch.where(inside, slope, 0.0)


def _knots(logits: Tensor, bound: float) -> Tensor:
    n_bins = logits.shape[-1]
    shares = MIN_BIN + (1 - MIN_BIN * n_bins) * logits.softmax(-1)
    return 2 * bound * torch.nn.functional.pad(shares.cumsum(-1), (1, 0)) - bound


def _positive(slopes: Tensor) -> Tensor:
    at_0 = math.log(math.expm1(1 - MIN_BIN))
    return MIN_BIN + torch.nn.functional.softplus(slopes + at_0)


def _locate_bin(knots: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Return the start and the length of the bin of each number."""
    start, stop = knots[..., :-1].gather(-1, place)[..., 0], knots[..., 1:].gather(-1, place)[..., 0]
    return start, stop - start


def _invert_bin(rise: Tensor, height: Tensor, mean: Tensor, first: Tensor, bend: Tensor) -> Tensor:
    """Return the fraction of the width of a bin at which it rises by ``rise``: the stable root of a quadratic."""
    a, b, c = height * (mean - first) + rise * bend, height * first - rise * bend, -mean * rise
    return 2 * c / (-b - (b**2 - 4 * a * c).clamp(min=0).sqrt())
