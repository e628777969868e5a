"""The probability integral transform of rows, by which the shape of a likelihood is tested."""

import math

import numpy as np
import torch
from torch import Tensor

from isthmus.data import Source
from isthmus.doctor.fitted_input import FittedInput
from isthmus.doctor.rows import Values

# Values drawn for each value of a row: ranks have a resolution of 1 %.
N_DRAWS = 100


def draw_ranks(data: FittedInput, rows: Source) -> tuple[Values, Values, Values]:
    """Return the randomized probability integral transform of each value, and the noise of each column.

    A code is drawn for each row, and values are drawn given the code. The transform is the rank of the value of the row
    among the drawn ones, with equal values in random order, divided by the number of ranks. If the likelihood is right,
    transforms are uniform, those of discrete values as well.

    Returns
    -------
    ranks : ndarray of shape (n, n_values)
        NaN where a value is missing.
    residuals : ndarray of shape (n_values,)
        Standard deviation of values around the mean of drawn ones, as a share of that of the column.
    noise : ndarray of shape (n_values,)
        Standard deviation of drawn values around their mean, as a share of that of the column.

    References
    ----------
    Dawid, Statistical theory: the prequential approach, JRSS A 147, 1984. Gneiting, Balabdaoui and Raftery,
    Probabilistic forecasts, calibration and sharpness, JRSS B 69, 2007.
    """
    module = data.module

    def rank(x: Tensor, y: Tensor | None) -> tuple[Tensor, ...]:
        z, x = module.draw(x), module.to_model(x)
        theta, _ = module.decode_draws(z[None], x, y)
        below, equal, mean, square = (torch.zeros_like(x, dtype=torch.float64) for _ in range(4))
        for _ in range(N_DRAWS):
            drawn = module.likelihood.sample(theta)
            mean, square = mean + drawn / N_DRAWS, square + (drawn.double() - x).square() / N_DRAWS
            below, equal = below + (drawn.to(x) < x), equal + (drawn.to(x) == x)
        ranks = (below + torch.rand_like(below) * (equal + 1)) / (N_DRAWS + 1)
        variance = square - (mean - x).square()
        results = ranks.masked_fill(x.isnan(), torch.nan), x, x - mean, variance
        return tuple(each.flatten(1) for each in results)

    ranks, values, errors, variances = data.run(rank, rows)
    spread = np.maximum(np.nanstd(values, 0), 1e-30)
    return ranks, np.nanstd(errors, 0) / spread, np.sqrt(np.maximum(np.nanmean(variances, 0), 0)) / spread


def distance_from_uniform(u: Values) -> float:
    """Return the largest difference of the distribution function of values in [0, 1] and the uniform one.

    It is the statistic of Kolmogorov and Smirnov; NaN is left out.
    """
    ordered = np.sort(u[~np.isnan(u)])
    steps = np.arange(len(ordered) + 1) / max(len(ordered), 1)
    above, below = steps[1:] - ordered, ordered - steps[:-1]
    return float(np.concatenate([above, below, [0.0]]).max())


def largest_chance_distance(n: int, n_tests: int, level: float) -> float:
    """Return the distance of ``n`` uniform values that any of ``n_tests`` exceeds with probability ``level`` at most.

    Massart, The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality, Annals of Probability 18, 1990.
    """
    return math.sqrt(math.log(2 * n_tests / level) / (2 * max(n, 1)))
