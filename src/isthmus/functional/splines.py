"""Monotone splines: curves that bend as they like, and whose inverse has a closed form."""

import math

import torch
from torch import Tensor

# Least width and height of a piece, as shares of the whole, and least slope: less, and floats cannot go back.
LEAST = 1e-3


def rational_quadratic(
    x: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, bound: float, inverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Map numbers by a rising spline from [-bound, bound] onto itself, the identity beyond; and the log of its slope.

    The pieces are quotients of quadratic polynomials (Durkan, Bekasov, Murray and Papamakarios, Neural spline flows,
    NeurIPS 2019, arXiv:1906.04032; Gregory and Delbourgo, IMA Journal of Numerical Analysis 2, 1982).

    Parameters
    ----------
    x : Tensor of shape (...)
    widths, heights : Tensor of shape (..., n_pieces)
        Logits of the shares that the pieces have of either axis.
    slopes : Tensor of shape (..., n_pieces - 1)
        Where pieces meet: 1 at 0, and always positive.
    bound : float
    inverse : bool, default=False
        Whether to go back from the spline's value to ``x``. The slope is that of the spline all the same.
    """
    across, up = _knots(widths, bound), _knots(heights, bound)
    steep = torch.nn.functional.pad(_positive(slopes), (1, 1), value=1.0)
    inside = x.abs() < bound
    given = torch.where(inside, x, 0.0)
    place = torch.searchsorted((up if inverse else across)[..., 1:-1].contiguous(), given[..., None])
    (left, width), (low, height) = _piece(across, place), _piece(up, place)
    first, last = (steep[..., some].gather(-1, place)[..., 0] for some in (slice(-1), slice(1, None)))
    mean = height / width
    bend = first + last - 2 * mean
    t = _share_of_height(given - low, height, mean, first, bend) if inverse else (given - left) / width
    below = mean + bend * t * (1 - t)
    reached = left + t * width if inverse else low + height * t * (mean * t + first * (1 - t)) / below
    slope = 2 * mean.log() + (last * t**2 + 2 * mean * t * (1 - t) + first * (1 - t) ** 2).log() - 2 * below.log()
    return torch.where(inside, reached, x), torch.where(inside, slope, 0.0)


def _knots(logits: Tensor, bound: float) -> Tensor:
    n_pieces = logits.shape[-1]
    shares = LEAST + (1 - LEAST * n_pieces) * logits.softmax(-1)
    return 2 * bound * torch.nn.functional.pad(shares.cumsum(-1), (1, 0)) - bound


def _positive(slopes: Tensor) -> Tensor:
    at_0 = math.log(math.expm1(1 - LEAST))
    return LEAST + torch.nn.functional.softplus(slopes + at_0)


def _piece(knots: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Where the piece begins that a number is in, and how long it is."""
    start, stop = knots[..., :-1].gather(-1, place)[..., 0], knots[..., 1:].gather(-1, place)[..., 0]
    return start, stop - start


def _share_of_height(rise: Tensor, height: Tensor, mean: Tensor, first: Tensor, bend: Tensor) -> Tensor:
    """Share of a piece's width at which it has risen so far: the root of a quadratic, in the form that keeps digits."""
    a, b, c = height * (mean - first) + rise * bend, height * first - rise * bend, -mean * rise
    return 2 * c / (-b - (b**2 - 4 * a * c).clamp(min=0).sqrt())
