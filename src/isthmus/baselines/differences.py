"""Whether the errors of two methods on the same rows or cells differ by more than chance."""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

Values = np.ndarray[Any, Any]

# Confidence of the interval of a difference.
CONFIDENCE = 0.95


def find_signs(sums: Values, squares: Values, counts: Values) -> Values:
    """Return the sign of each mean difference, and 0 where its interval includes 0, as in the paired t test.

    Parameters
    ----------
    sums, squares : ndarray
        Sums of paired differences, and of their squares.
    counts : ndarray
        Numbers of pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.baselines.differences import find_signs
    >>> differences = np.array([[1.0, 2.0, 1.5], [1.0, -2.0, 1.5]])
    >>> find_signs(differences.sum(1), np.square(differences).sum(1), np.array([3, 3])).tolist()
    [1.0, 0.0]
    """
    n = np.maximum(counts, 1)
    mean = sums / n
    variance = np.maximum(squares / n - mean**2, 0) * n / np.maximum(n - 1, 1)
    half = t.ppf((1 + CONFIDENCE) / 2, np.maximum(n - 1, 1)) * np.sqrt(variance / n)
    return np.where((np.abs(mean) > half) & (counts > 1), np.sign(mean), 0.0)


class Difference(NamedTuple):
    """A mean relative to another one, minus 1, and the limits of its interval."""

    value: float
    low: float
    high: float


def compare_means(values: Values, others: Values) -> Difference:
    """Return the mean of non-negative values relative to that of paired others, minus 1, with its interval.

    The interval is that of Fieller: it includes 0 if and only if the paired t test of ``find_signs`` finds no
    difference, and has no upper limit if the mean of the others is not clearly above 0.

    References
    ----------
    Fieller, Some problems in interval estimation, Journal of the Royal Statistical Society B 16, 1954.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.baselines.differences import compare_means
    >>> difference = compare_means(np.array([1.0, 2.0, 3.0, 2.0]), np.array([4.0, 5.0, 6.0, 4.5]))
    >>> [round(each, 2) for each in difference]
    [-0.59, -0.8, -0.46]
    """
    n, mean, other = len(values), float(np.mean(values)), float(np.mean(others))
    if n < 2 or other <= 0:
        return Difference(mean / other - 1 if other > 0 else 0.0, -1.0, math.inf)
    square = t.ppf((1 + CONFIDENCE) / 2, n - 1) ** 2 / n
    (variance, shared), (_, other_variance) = (square * np.cov(values, others)).tolist()
    # The limits are the ratios whose distance from the data the t test does not reject: roots of a parabola.
    curvature, middle = other**2 - other_variance, mean * other - shared
    discriminant = middle**2 - curvature * (mean**2 - variance)
    root = math.sqrt(max(discriminant, 0.0))
    if curvature > 0:
        return Difference(mean / other - 1, (middle - root) / curvature - 1, (middle + root) / curvature - 1)
    is_bounded = curvature < 0 < discriminant and middle + root > 0
    return Difference(mean / other - 1, (middle - root) / curvature - 1 if is_bounded else -1.0, math.inf)
