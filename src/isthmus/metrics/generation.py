"""Quality of generated samples compared with real ones, in a feature space in which distances are meaningful.

Features are rows of numbers, such as the last hidden layer of an image classifier, codes, or the columns of a table.
Results depend on the features and on the number of rows, and can be compared only if both are the same. Held-out real
rows have the best possible results; report them for comparison.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array

from isthmus.metrics.encoding import Values
from isthmus.metrics.series.reading import PrecisionRecall
from isthmus.part import is_count

__all__ = ["DensityCoverage", "density_coverage", "frechet_distance", "precision_recall"]

# Largest number of distances in memory (32 MiB of float64); rounding error of squared distances relative to the total
# variance.
CHUNK, TOLERANCE = 2**22, 1e-12


class DensityCoverage(NamedTuple):
    """Density of real rows around generated ones, and the share of real rows with a generated one nearby.

    Attributes
    ----------
    density : float
        About 1 for rows of the same distribution, 0 for rows far from all real ones; it has no upper limit.
    coverage : float
        In [0, 1].
    """

    density: float
    coverage: float


def precision_recall(real: Any, generated: Any, n_neighbors: int = 3) -> PrecisionRecall:
    """Return the share of generated rows that could be real, and of real rows that could be generated.

    A row could belong to a set if its distance to a row of the set is at most the distance of that row to its
    ``n_neighbors``-th neighbour in the set.

    Parameters
    ----------
    real, generated : array of shape (n_real, n_features) and (n_generated, n_features)
        Preferably with the same number of rows. Memory does not grow with the square of the number of rows.
    n_neighbors : int, default=3

    Returns
    -------
    PrecisionRecall
        Unrealistic samples lower the precision; real rows that are never generated lower the recall.

    Raises
    ------
    ValueError
        If features are not finite, differ in width, or either set has at most ``n_neighbors`` rows.

    References
    ----------
    T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila. Improved Precision and Recall Metric for Assessing
    Generative Models. NeurIPS 2019, arXiv:1904.06991.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.generation import precision_recall
    >>> real = np.random.default_rng(0).normal(size=(500, 2))
    >>> precision_recall(real, real[:100] / 2)
    PrecisionRecall(precision=0.98, recall=0.708)
    """
    real, generated = _read(real, generated, n_neighbors)
    radii_of_real, radii_of_generated = _radii(real, n_neighbors), _radii(generated, n_neighbors)
    precise, recalled = np.zeros(len(generated), bool), np.zeros(len(real), bool)
    for some, squares in _squares(real, generated):
        precise |= (squares <= radii_of_real[some, None]).any(0)
        recalled[some] = (squares <= radii_of_generated).any(1)
    return PrecisionRecall(float(precise.mean()), float(recalled.mean()))


def density_coverage(real: Any, generated: Any, n_neighbors: int = 5) -> DensityCoverage:
    """Return the density of real rows around generated ones, and the share of real rows that are covered.

    A real row is covered by generated rows within the distance to its ``n_neighbors``-th real neighbour. Unlike
    precision, density is robust to real outliers; unlike recall, coverage uses the neighbourhoods of real rows only.

    Parameters
    ----------
    real, generated : array of shape (n_real, n_features) and (n_generated, n_features)
    n_neighbors : int, default=5

    Returns
    -------
    DensityCoverage

    Raises
    ------
    ValueError
        As ``precision_recall``.

    References
    ----------
    M. F. Naeem, S. J. Oh, Y. Uh, Y. Choi, J. Yoo. Reliable Fidelity and Diversity Metrics for Generative Models. ICML
    2020, arXiv:2002.09797.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.generation import density_coverage
    >>> real = np.random.default_rng(0).normal(size=(500, 2))
    >>> density_coverage(real, real + 10)
    DensityCoverage(density=0.0, coverage=0.0)
    """
    real, generated = _read(real, generated, n_neighbors)
    radii = _radii(real, n_neighbors)
    n_near = np.concatenate([(squares <= radii[some, None]).sum(1) for some, squares in _squares(real, generated)])
    return DensityCoverage(float(n_near.sum() / (n_neighbors * len(generated))), float((n_near > 0).mean()))


def frechet_distance(real: Any, generated: Any) -> float:
    """Return the squared Fréchet distance of normal distributions with the means and covariances of two sets.

    It is called FID if the features are those of the Inception net. It decreases with the number of rows.

    Parameters
    ----------
    real, generated : array of shape (n_real, n_features) and (n_generated, n_features)

    Raises
    ------
    ValueError
        If features are not finite, differ in width, or either set has fewer than two rows.

    References
    ----------
    D. Dowson, B. Landau. The Fréchet distance between multivariate normal distributions. Journal of Multivariate
    Analysis 12, 1982; M. Heusel et al. GANs Trained by a Two Time-Scale Update Rule. NIPS 2017, arXiv:1706.08500.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.generation import frechet_distance
    >>> real = np.random.default_rng(0).normal(size=(500, 2))
    >>> round(frechet_distance(real, real + [3.0, 4.0]), 6)
    25.0
    """
    rows = _read(real, generated, 1)
    means = [some.mean(0) for some in rows]
    # With covariances R'R, the trace of the square root of their product is the nuclear norm of R1 R2'.
    roots = [
        np.linalg.qr(some - mean, mode="r") / np.sqrt(len(some) - 1) for some, mean in zip(rows, means, strict=True)
    ]
    spread = sum(np.square(root).sum() for root in roots) - 2 * np.linalg.norm(roots[0] @ roots[1].T, "nuc")
    return float(np.square(means[0] - means[1]).sum() + max(0.0, spread))


def _read(real: Any, generated: Any, n_neighbors: int) -> tuple[Values, Values]:
    """Check features, and subtract the mean of the real ones, which reduces rounding errors."""
    if not is_count(n_neighbors):
        raise ValueError(f"n_neighbors must be a positive integer, got {n_neighbors!r}")
    real, generated = (
        check_array(rows, dtype=np.float64, ensure_min_samples=n_neighbors + 1, input_name=name, estimator="features")
        for name, rows in (("real", real), ("generated", generated))
    )
    if real.shape[1] != generated.shape[1]:
        raise ValueError(f"real rows have {real.shape[1]} features and generated ones {generated.shape[1]}")
    center = real.mean(0)
    return real - center, generated - center


def _radii(rows: Values, n_neighbors: int) -> Values:
    """Return the squared distance of each row to its n-th neighbour, plus a tolerance for rounding."""
    radii = [np.partition(squares, n_neighbors, 1)[:, n_neighbors] for _, squares in _squares(rows, rows)]
    return np.concatenate(radii) + TOLERANCE * np.square(rows).sum(1).mean()


def _squares(rows: Values, others: Values) -> Iterator[tuple[slice, Values]]:
    """Yield squared distances for slices of the rows. Products of matrices are ten times as fast as differences."""
    lengths, step = np.square(others).sum(1), max(1, CHUNK // len(others))
    for some in (slice(start, start + step) for start in range(0, len(rows), step)):
        yield some, np.square(rows[some]).sum(1)[:, None] + lengths - 2 * rows[some] @ others.T
