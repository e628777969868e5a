"""Whether the errors of two methods on the same rows or cells differ by more than chance."""

from typing import Any

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
