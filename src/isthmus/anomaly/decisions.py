"""From scores to p-values and decisions.

The score of a normal row is exchangeable with the scores of calibration rows that the net has not seen either, so that
its rank among them is uniform for any net and any distribution [1, 2]. This requires that calibration rows are normal
and took no part in the fit. Scores by cross-fitted nets, each of which has seen other rows, keep the level up to a
factor of two in the worst case, and almost exactly in practice [3, 4].

References
----------
[1] Vovk, Gammerman and Shafer, Algorithmic learning in a random world, 2005.
[2] Laxhammar and Falkman, Conformal prediction for distribution-independent anomaly detection in streaming vessel data,
2010.
[3] Vovk, Cross-conformal predictors, Annals of mathematics and artificial intelligence 74, 2015.
[4] Barber, Candes, Ramdas and Tibshirani, Predictive inference with the jackknife+, Annals of statistics 49, 2021.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import false_discovery_control

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.rows import ANOMALY, CHUNK, NORMAL, UNKNOWN, Values
from isthmus.anomaly.thresholds import Rule
from isthmus.containers import open_frame
from isthmus.data import Source
from isthmus.data.sources import to_computable_rows
from isthmus.data.tables.frames import is_frame

# Bootstrap samples; Efron and Tibshirani (An introduction to the bootstrap, 1993) use 50 to 200 for standard errors.
N_RESAMPLES = 200


def check_decision(fdr: Any, min_confidence: Any) -> None:
    """Raise a ValueError unless at most one of the parameters is given, as a number in (0, 1)."""
    for name, value in (("fdr", fdr), ("min_confidence", min_confidence)):
        if value is not None and not (isinstance(value, Real) and 0 < float(value) < 1):
            raise ValueError(f"{name} must be None or in (0, 1), got {value!r}")
    if fdr is not None and min_confidence is not None:
        raise ValueError("fdr and min_confidence are different ways to decide: give one of them")


def decide_by_threshold(scores: Values, low: float, high: float) -> Values:
    """Return -1 (alarm) for scores below ``low``, 1 (normal) for scores of at least ``high``, 0 (undecided) between."""
    return np.select([scores < low, scores < high], [ANOMALY, UNKNOWN], NORMAL)


def decide_by_fdr(scores: Values, calibration: Calibration, level: float) -> Values:
    """Return -1 (alarm) or 1, such that at most a share ``level`` of the alarms is false on average."""
    return np.where(select_discoveries(p_values(scores, calibration.normal), level), ANOMALY, NORMAL)


def threshold_interval(
    rule: Rule, calibration: Calibration, offset: float, confidence: float, seed: int
) -> tuple[float, float]:
    """Return a bootstrap confidence interval of the threshold (Efron, 1979).

    The interval is centred at ``offset``, which is the threshold of the calibration rows or a quantile of training
    scores: such a quantile is as uncertain as one of calibration scores.
    """
    rng = np.random.default_rng(seed)
    resampled = [rule(calibration.resample(rng)) for _ in range(N_RESAMPLES)]
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2]) + offset - rule(calibration)
    return min(float(low), offset), max(float(high), offset)


# P-values


def p_values(scores: Values, calibration: Values, uniforms: Values | None = None) -> Values:
    """Return the probability that a normal row has at most this score.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    calibration : ndarray of shape (m,)
        Sorted.
    uniforms : ndarray of shape (n,) or None
        Random numbers in [0, 1) that choose the rank among equal scores, the row itself included: smoothed conformal
        p-values [1], exactly uniform on [0, 1]. None takes the highest rank: conservative, and at least 1 / (m + 1).

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.decisions import p_values
    >>> p_values(np.array([-5.0, 2.5]), np.array([1.0, 2.0, 3.0]))
    array([0.25, 0.75])
    """
    below = np.searchsorted(calibration, scores, side="left")
    equal = np.searchsorted(calibration, scores, side="right") - below
    share = 1.0 if uniforms is None else uniforms
    return (below + share * (equal + 1)) / (len(calibration) + 1)


def select_discoveries(p: Values, level: float) -> Values:
    """Select rows such that at most a share ``level`` of them is normal on average.

    The procedure of Benjamini and Hochberg (1995), which keeps its level on conformal p-values although these share
    their calibration rows (Bates, Candes, Lei, Romano and Sesia, Testing for outliers with conformal p-values, 2023).
    The proof is for p-values without random ranks.

    Returns
    -------
    ndarray of bool of shape (n,)
    """
    return false_discovery_control(p, method="bh") <= level


def uniforms_of(X: Any, seed: int) -> Values:
    """Return a pseudo-random number in [0, 1) for each row, (n,), which depends on the seed and on the row alone.

    A row has the same number in every call. Equal rows in one call have different numbers, by their order.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.decisions import uniforms_of
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> bool((uniforms_of(X, 0)[2:] == uniforms_of(X[2:], 0)).all())
    True
    """
    key, seen = seed.to_bytes(16, "little", signed=True), Counter[bytes]()
    return np.array([_hash_to_uniform(row, key, seen) for row in _rows_as_bytes(X)])


def _hash_to_uniform(row: bytes, key: bytes, seen: Counter[bytes]) -> float:
    digest = blake2b(row + seen[row].to_bytes(8, "little"), digest_size=8, key=key).digest()
    seen[row] += 1
    return (int.from_bytes(digest, "little") >> 11) / 2**53


def _rows_as_bytes(X: Any) -> Iterator[bytes]:
    X = to_computable_rows(X)
    if isinstance(X, Source):
        return (row for batch in X.batches(CHUNK) for row in _dense_rows_as_bytes(batch.x.numpy()))
    if is_frame(X):
        return (repr(row).encode() for row in open_frame(X).iter_rows())
    if sparse.issparse(X):
        return _dense_rows_as_bytes(row.toarray() for row in sparse.csr_array(X))
    return _dense_rows_as_bytes(X)


def _dense_rows_as_bytes(rows: Iterable[Any]) -> Iterator[bytes]:
    for row in rows:
        values = np.asarray(row)
        # Adding 0 turns -0 into 0. Containers and dtypes with the same values give the same bytes.
        yield (values.astype(np.float64) + 0.0).tobytes() if values.dtype.kind in "biuf" else repr(row).encode()
