"""P-values against calibration scores.

The score of a normal row is exchangeable with those of calibration rows that its net has not seen either, so that its
rank among them is uniform, whatever the net and the data [1, 2]. That takes calibration rows which are normal and took
no part in the fit. Scores by cross-fitted nets, each of which has seen other rows, keep the level up to a factor of two
at worst, and nearly exactly in practice [3, 4].

References
----------
[1] Vovk, Gammerman and Shafer, Algorithmic learning in a random world, 2005. [2] Laxhammar and Falkman, Conformal
    prediction for distribution-independent anomaly detection in streaming vessel data, 2010. [3] Vovk, Cross-conformal
    predictors, Annals of mathematics and artificial intelligence 74, 2015. [4] Barber, Candes, Ramdas and Tibshirani,
    Predictive inference with the jackknife+, Annals of statistics 49, 2021.
"""

import numpy as np
from scipy.stats import false_discovery_control

from isthmus.anomaly.rows import Values


def p_values(scores: Values, calibration: Values, uniforms: Values | None = None) -> Values:
    """Return how often a normal row scores as low.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    calibration : ndarray of shape (m,)
        Sorted.
    uniforms : ndarray of shape (n,) or None
        Random numbers in [0, 1), which choose the rank among equal scores, the row itself included: smoothed conformal
        p-values [1], exactly uniform on [0, 1]. None takes the highest rank: conservative, and at least 1 / (m + 1).

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.conformal import p_values
    >>> p_values(np.array([-5.0, 2.5]), np.array([1.0, 2.0, 3.0]))
    array([0.25, 0.75])
    """
    below = np.searchsorted(calibration, scores, side="left")
    equal = np.searchsorted(calibration, scores, side="right") - below
    share = 1.0 if uniforms is None else uniforms
    return (below + share * (equal + 1)) / (len(calibration) + 1)


def discoveries(p: Values, level: float) -> Values:
    """Choose rows such that at most a share of ``level`` among them are normal on average.

    The procedure of Benjamini and Hochberg (1995), which keeps its level on conformal p-values though these share their
    calibration rows (Bates, Candes, Lei, Romano and Sesia, Testing for outliers with conformal p-values, 2023). That is
    proven of values that are not randomised.

    Returns
    -------
    ndarray of bool of shape (n,)
    """
    return false_discovery_control(p, method="bh") <= level
