"""Functions of torch that ONNX lacks, made of functions that it has, with the arguments of those that they replace."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# Terms of Stirling's series of log gamma, and the shift after which these are exact to 1e-13 (Abramowitz and Stegun,
# Handbook of mathematical functions, 1964, 6.1.41 and 6.1.16).
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)
SHIFT = 10
# Coefficients of numerators and denominators, highest power first, in the centre, in the tails and far out in the tails
# (Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied Statistics 37, 1988).
CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457)
    + (13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867)
    + (5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)
TAIL = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258)
    + (3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459)
    + (0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)
FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093)
    + (0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4)
    + (0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)

# All of them in rows of one length, their powers, and the middle of the argument in the tails and the square of 0.425.
NORMAL_QUANTILE = (*CENTRE, *TAIL, *FAR_TAIL, (7, 6, 5, 4, 3, 2, 1, 0), (1.6, 0.180625, 0, 0, 0, 0, 0, 0))


def search_sorted(
    sorted_sequence: Tensor, values: Tensor, *, right: bool = False, side: str | None = None, **_options: Any
) -> Tensor:
    """Find how many values of sorted rows are below each value, or at most equal if ``right``.

    A row is divided into blocks, as many as each has values: first the block is found, and then the place in it. A
    binary search has five times as many operations, which take longer to export.
    """
    size, compare = sorted_sequence.shape[-1], torch.le if right or side == "right" else torch.lt
    width = math.isqrt(size - 1) + 1
    last = sorted_sequence[..., -1:].expand(*sorted_sequence.shape[:-1], width * width - size)
    padded = torch.cat([sorted_sequence, last], -1)
    blocks = padded.expand(*values.shape[:-1], width * width).unflatten(-1, (width, width))
    wanted = values.unsqueeze(-1)
    block = compare(blocks[..., -1].unsqueeze(-2), wanted).sum(-1).clamp(max=width - 1)
    inside = blocks.gather(-2, block.unsqueeze(-1).expand(*block.shape, width))
    return (block * width + compare(inside, wanted).sum(-1)).clamp(max=size)


def log_gamma(x: Tensor) -> Tensor:
    """Return the log of the gamma function of positive values."""
    wide = x.double()
    large = wide + SHIFT
    product = math.prod([wide + i for i in range(1, SHIFT)], start=wide)
    series = sum(term / large ** (2 * i + 1) for i, term in enumerate(STIRLING))
    return ((large - 0.5) * large.log() - large + 0.5 * math.log(2 * math.pi) + series - product.log()).to(x.dtype)


def normal_quantile(p: Tensor, constants: Any = NORMAL_QUANTILE) -> Tensor:
    """Return the quantiles of the standard normal distribution for probabilities in (0, 1).

    ``constants`` may be the rows of a tensor: exporters round numbers of Python to float32.
    """
    table = torch.as_tensor(constants, dtype=p.dtype, device=p.device)
    centre, tail, far, (powers, limits) = table[:2], table[2:4], table[4:6], table[6:]
    split, edge = limits[0], limits[1]
    q = p - 0.5
    r = torch.sqrt(-torch.log(torch.minimum(p, 1 - p)))
    outside = torch.where(r <= 5, _ratio(tail, powers, r - split), _ratio(far, powers, r - 5))
    return torch.where(q.abs() <= 0.425, q * _ratio(centre, powers, edge - q * q), q.sign() * outside)


def _ratio(coefficients: Tensor, powers: Tensor, x: Tensor) -> Tensor:
    """Return the ratio of two polynomials with these coefficients (2, n_powers)."""
    numerator, denominator = ((x.unsqueeze(-1) ** powers) @ coefficients.T).unbind(-1)
    return numerator / denominator


def euclidean_distances(x1: Tensor, x2: Tensor, **_options: Any) -> Tensor:
    """Return the Euclidean distances between rows of two matrices."""
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).square().sum(-1).sqrt()


def squeeze(x: Tensor, dim: int) -> Tensor:
    """Remove an axis of size 1; ONNX refuses any other axis, which torch keeps."""
    return x.squeeze(dim) if x.shape[dim] == 1 else x


def mode(x: Tensor, dim: int = -1, keepdim: bool = False) -> torch.return_types.mode:
    """Return the most frequent values along an axis, the smallest of several, and their first positions."""
    moved = x.movedim(dim, -1)
    counts = (moved.unsqueeze(-1) == moved.unsqueeze(-2)).sum(-1)
    values = torch.where(counts == counts.amax(-1, keepdim=True), moved, torch.inf).amin(-1, keepdim=True)
    results = values, (moved == values).to(torch.int64).argmax(-1, keepdim=True)
    first, second = (result.movedim(-1, dim) if keepdim else result.squeeze(-1) for result in results)
    return torch.return_types.mode((first, second))


def silu(x: Tensor, inplace: bool = False) -> Tensor:
    """Return x * sigmoid(x); ONNX Runtime up to 1.26 makes an operation of it that it lacks for float64."""
    return x / (1 + torch.exp(-x)) if x.dtype == torch.float64 else functional.silu(x)


REPLACEMENTS = {
    functional.silu: silu,
    torch.Tensor.mode: mode,
    torch.Tensor.squeeze: squeeze,
    torch.searchsorted: search_sorted,
    torch.lgamma: log_gamma,
    torch.special.ndtri: normal_quantile,
    torch.cdist: euclidean_distances,
}


class ReplaceFunctions(TorchFunctionMode):
    """Replaces the functions that ONNX lacks within its context, in which a program is traced."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function or its replacement."""
        return REPLACEMENTS.get(function, function)(*args, **(kwargs or {}))
