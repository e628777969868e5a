"""Standardisation that outliers hardly change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Relative width below which values differ by rounding only.
ROUNDING = 1e-9
# Interquartile range of a normal distribution, in standard deviations.
NORMAL_IQR = 1.349


@dataclass(frozen=True)
class RobustScale:
    """Subtracts the median and divides by the distance between two quantiles.

    Parameters
    ----------
    center, scale : ndarray of shape (...)

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.robust_scale import RobustScale
    >>> RobustScale.fit(np.array([0.0, 1.0, 2.0, 3.0, 1e6]))(4.0)
    array(1.)
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, values: NDArray[np.float64], low: float = 0.25, high: float = 0.75) -> "RobustScale":
        """Learn from values (n, ...), along the first axis.

        Where the quantiles ``low`` and ``high`` are equal up to rounding, the standard deviation takes the place of
        their distance, and 1 where that is 0 too.
        """
        with np.errstate(invalid="ignore", over="ignore"):  # values can be infinite or huge
            bottom, center, top = np.quantile(values, [low, 0.5, high], axis=0)
            rounding = ROUNDING * np.abs(center)
            scale = np.where(top - bottom > rounding, top - bottom, values.std(0))
        return cls(center, np.where(scale > rounding, scale, 1.0))

    def __call__(self, values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Standardise values."""
        return np.asarray((values - self.center) / self.scale)
