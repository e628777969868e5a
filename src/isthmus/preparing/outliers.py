"""Outliers: values by their distance from the median, or rows by an isolation forest."""

from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from isthmus.data.tables.cells import is_number, to_floats
from isthmus.finding import show_rows
from isthmus.preparing.coding import Values
from isthmus.preparing.draft import Draft

# Limit of the robust z-score (Iglewicz and Hoaglin, 1993); of the isolation score, above the 0.6 from which Liu, Ting
# and Zhou (2008) see anomalies.
THRESHOLDS = {"robust_z": 3.5, "isolation": 0.65}
# Median absolute deviation of the standard normal distribution.
MAD_OF_NORMAL = 0.674489750196082
# Probabilities of the quantiles on one side of the median from which its tail is estimated, these quantiles of a
# half-normal distribution, and the grid of the skewness g.
SHARES, QUANTILES = (0.5, 0.75), (MAD_OF_NORMAL, 1.1503493803760079)
GS = np.linspace(1e-6, 3.0, 301)
# Smallest number of values to estimate a tail; smallest share and number of rows of a cluster, and its radius in median
# absolute deviations. Chosen on simulated columns, see benchmarks/calibration.py.
FEW, CLUSTER, MIN_CLUSTER, RADIUS = 20, 0.01, 5, 1.0


def treat_outliers(
    draft: Draft, action: str, method: str, threshold: float | None, without: Collection[Any], seed: int
) -> None:
    """Report outliers, and remove their rows if asked to."""
    names = [name for name in draft.frame.columns if name not in without and is_number(draft.column(name).dtype)]
    limit = THRESHOLDS[method] if threshold is None else threshold
    where = _beyond(draft, names, limit) if method == "robust_z" else _isolated(draft, names, limit, seed)
    if action == "remove" and len(where):
        if len(where) == len(draft.rows):
            raise ValueError(f"all rows would be removed as outliers by outlier_threshold={limit}; use a larger one")
        draft.note("removed", "holds an outlier", None, where, unit="row")
        draft.remove_rows(where)


def robust_z(values: Values) -> Values:
    """Return distances from the median in robust standard deviations; all 0 if half the values are equal.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN means missing, and stays NaN.

    References
    ----------
    B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.preparing.outliers import robust_z
    >>> robust_z(np.array([1.0, 2.0, 3.0, 4.0, 100.0])).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 65.43]
    """
    if np.isnan(values).all():
        return values
    distance = values - np.nanmedian(values)
    mad = np.nanmedian(np.abs(distance))
    return MAD_OF_NORMAL * distance / mad if mad > 0 else 0.0 * distance


def are_outliers(values: Values, limit: float) -> Values:
    """Return which values are beyond ``limit`` robust standard deviations, but not in a long tail or in a cluster.

    The robust z-score of Iglewicz and Hoaglin assumes a normal distribution. Outliers must also be beyond a fence on
    their side of the median, which allows for skewness, and not in a cluster, which is a mode of the column. The fence
    needs at least 20 values on its side. If half the values are equal, the fence alone decides.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN means missing, and is not an outlier.
    limit : float

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.preparing.outliers import are_outliers
    >>> values = np.random.default_rng(0).lognormal(size=1000)
    >>> values[0] = 1e4
    >>> np.flatnonzero(are_outliers(values, 3.5)).tolist()
    [0]
    """
    z = robust_z(values)
    if np.isnan(values).all():
        return np.zeros(len(values), dtype=bool)
    distance, has_scale = values - np.nanmedian(values), bool(np.nan_to_num(z).any())
    far = np.abs(np.nan_to_num(z)) > limit if has_scale else np.nan_to_num(distance) != 0
    for side in (1, -1):
        own = side * distance
        if (far & (own > 0)).any():  # a fence takes longer than all else, and most columns have no far values
            far &= ~((own > 0) & (own <= _fence(own[own > 0], limit, 0.0 if has_scale else np.inf)))
    if far.any():
        far[far] = ~_in_clusters(values[far], values)
    return far


def _fence(distances: Values, limit: float, of_few: float) -> float:
    """Return the distance from the median at a z-score of ``limit`` on one side; ``of_few`` for few values.

    Two quantiles determine scale and skewness of a g-distribution, which is normal for g = 0 and log-normal for g > 0.

    References
    ----------
    Bruffaerts, Verardi and Vermandele, A generalized boxplot for skewed and heavy-tailed distributions, Statistics and
    probability letters 95, 2014. Hoaglin, Summarizing shape numerically: the g-and-h distributions, 1985.
    """
    if len(distances) < FEW:
        return of_few
    ratio = np.divide(*np.quantile(distances, SHARES[::-1]))
    ratios = _stretched(GS, QUANTILES[1]) / _stretched(GS, QUANTILES[0])
    g = float(np.interp(ratio, ratios, GS))
    scales = np.quantile(distances, SHARES) / [_stretched(g, quantile) for quantile in QUANTILES]
    return float(scales.max() * _stretched(g, limit))


def _stretched(g: Any, z: float) -> Any:
    return np.expm1(g * z) / g


def _in_clusters(some: Values, values: Values) -> Values:
    """Return which of some values are in a cluster: many values within a radius."""
    known = np.sort(values[~np.isnan(values)])
    radius = RADIUS * np.median(np.abs(known - np.median(known)))
    n_near = np.searchsorted(known, some + radius, "right") - np.searchsorted(known, some - radius, "left")
    return n_near > max(MIN_CLUSTER, CLUSTER * len(known))


def _beyond(draft: Draft, names: list[Any], limit: float) -> Values:
    """Record outliers by the robust z-score, and return their rows."""
    beyond = np.zeros(len(draft.rows), dtype=bool)
    for name in names:
        values = to_floats(draft.column(name))
        where = np.flatnonzero(are_outliers(values, limit))
        if not len(where):
            continue
        # The farthest values first: they are the examples.
        z = robust_z(values)
        where = where[np.argsort(-np.abs(z[where]), kind="stable")]
        has_scale = z[where].any()  # z is 0 everywhere if half the values are equal
        shown = [f"{values[i]:g}, z {z[i]:.1f}" if has_scale else f"{values[i]:g}" for i in where[:10]]
        kind = f"outlier, robust z over {limit:g}" if has_scale else "outlier, far from the value of most rows"
        beyond[where] = True
        draft.note("reported", kind, name, np.sort(where), show_rows(shown, draft.rows[where]))
    return np.flatnonzero(beyond)


def _isolated(draft: Draft, names: list[Any], limit: float, seed: int) -> Values:
    """Record outliers by the score of an isolation forest, and return their rows."""
    columns = [_impute_median(to_floats(draft.column(name))) for name in names]
    if not columns:
        return np.empty(0, dtype=np.int64)
    X = np.column_stack(columns)
    scores = -IsolationForest(random_state=seed).fit(X).score_samples(X)
    where = np.flatnonzero(scores > limit)
    order = where[np.argsort(-scores[where], kind="stable")]
    examples = show_rows([f"score {scores[i]:.2f}" for i in order[:10]], draft.rows[order])
    draft.note("reported", f"outlier, isolation score over {limit:g}", None, where, examples, unit="row")
    return where


def _impute_median(values: Values) -> Values:
    """Replace missing values by the median, which does not contribute to the score."""
    known = values[~np.isnan(values)]
    return np.where(np.isnan(values), np.median(known) if len(known) else 0.0, values)
