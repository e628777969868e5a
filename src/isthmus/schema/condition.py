"""Encoding of the labels of conditional models."""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from isthmus.plain import dataclass_of, is_finite_or_text

Labels = np.ndarray[Any, Any]

# Largest number of different values with which numeric labels are classes, such as digits, and not one continuous
# quantity, such as an age. Not tuned.
MAX_NUMERIC_CLASSES = 32
# Number of quantiles of a continuous label over which a model averages if labels are unknown. Each takes one decoding.
N_QUANTILES = 15
# Largest number of values of a continuous label that are stored for sampling, evenly spaced in the sorted labels.
MAX_VALUES = 1000


@dataclass(frozen=True)
class Condition:
    """Encoding of labels for the decoder: one column for each class, or one standardized number.

    Parameters
    ----------
    categories : tuple
        The classes; for a continuous label, quantiles over which the model averages if no label is given.
    frequencies : tuple of float
        Fraction of the training rows for each of ``categories``.
    continuous : bool
    mean, scale : float
        Mean and standard deviation of a continuous label.
    values : tuple of float
        Training values of a continuous label that ``draw`` samples from.
    """

    categories: tuple[Any, ...]
    frequencies: tuple[float, ...]
    continuous: bool = False
    mean: float = 0.0
    scale: float = 1.0
    values: tuple[float, ...] = ()

    @classmethod
    def of(cls, y: Any) -> "Condition":
        """Return the condition for the labels of the training rows.

        Numbers are continuous if some are not integers, or if they have more than ``MAX_NUMERIC_CLASSES`` different
        values. Other labels are classes; numbers that are classes can be passed as text.
        """
        y = check_labels(y)
        classes, counts = np.unique(y, return_counts=True)
        if y.dtype.kind in "iuf" and (len(classes) > MAX_NUMERIC_CLASSES or (classes != np.round(classes)).any()):
            return cls._of_numbers(y.astype(np.float64))
        return cls(tuple(classes.tolist()), tuple((counts / counts.sum()).tolist()))

    @classmethod
    def _of_numbers(cls, y: Labels) -> "Condition":
        quantiles, values = _quantiles(y, N_QUANTILES), _quantiles(y, min(len(y), MAX_VALUES), method="inverted_cdf")
        shares = (1 / N_QUANTILES,) * N_QUANTILES
        return cls(quantiles, shares, True, float(y.mean()), float(y.std()) or 1.0, values)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Condition":
        """Rebuild a condition from plain values; lists become tuples."""
        return cast(Condition, dataclass_of(cls, document))

    def check(self) -> None:
        """Raise ``ValueError`` if parts of the condition contradict each other."""
        shares = self.frequencies
        if not shares or len(shares) != len(self.categories) or min(shares) < 0 or not math.isclose(sum(shares), 1):
            raise ValueError(f"frequencies of Condition must be a fraction for each category, got {shares!r}")
        if not (math.isfinite(self.mean) and 0 < self.scale < math.inf):
            raise ValueError(f"scale of Condition must be positive and finite, got {self.scale!r}")
        if self.continuous and not (self.values and all(map(math.isfinite, self.values))):
            raise ValueError(f"values of a continuous Condition must be finite numbers, got {self.values!r}")

    @property
    def width(self) -> int:
        """Number of columns that the decoder gets."""
        return 1 if self.continuous else len(self.categories)

    @property
    def default(self) -> Any:
        """The most frequent class, or the median of a continuous label."""
        return self.categories[N_QUANTILES // 2 if self.continuous else int(np.argmax(self.frequencies))]

    def encode(self, y: Any) -> Labels:
        """Return labels (n,) as a float32 array of shape (n, width).

        Raises
        ------
        ValueError
            If a class did not occur in ``fit``, or a continuous label is not a number.
        """
        y = check_labels(y)
        if self.continuous:
            return ((_to_numbers(y) - self.mean) / self.scale).astype(np.float32)[:, None]
        position = {category: i for i, category in enumerate(self.categories)}
        seen, inverse = np.unique(y, return_inverse=True)
        unknown = [category for category in seen.tolist() if category not in position]
        if unknown:
            raise ValueError(f"label {unknown[0]!r} is not among the labels of fit, {list(self.categories)[:10]}")
        columns = np.array([position[category] for category in seen.tolist()], dtype=np.intp)[inverse]
        return np.eye(self.width, dtype=np.float32)[columns]

    def draw(self, n: int, rng: np.random.Generator) -> Labels:
        """Sample labels (n,) from their distribution in the training rows."""
        if self.continuous:
            return rng.choice(self.values, size=n)
        return np.asarray(self.categories)[rng.choice(len(self.categories), size=n, p=self.frequencies)]


def check_labels(y: Any) -> Labels:
    """Return labels as a one-dimensional array.

    Raises
    ------
    ValueError
        If there is more than one label for each row, or a label is missing or infinite.
    """
    y = np.asarray(y)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        raise ValueError(f"y must hold one label for each row, got an array of shape {y.shape}")
    if y.dtype.kind in "fO" and not all(map(is_finite_or_text, y.tolist())):
        raise ValueError("y has missing or infinite labels; remove these rows, or give them their own label")
    return y


def _to_numbers(y: Labels) -> Labels:
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"the labels of fit were continuous numbers, got {y.tolist()[0]!r}") from None


def _quantiles(y: Labels, n: int, method: Any = "linear") -> tuple[float, ...]:
    return tuple(np.quantile(y, (np.arange(n) + 0.5) / n, method=method).tolist())
