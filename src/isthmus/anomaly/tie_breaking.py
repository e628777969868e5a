"""Uniform numbers that break ties between scores: a function of the seed and of the row, not of the call."""

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from scipy import sparse

from isthmus.anomaly.rows import Values
from isthmus.containers import open_frame
from isthmus.data import Source
from isthmus.data.sources import to_computable_rows
from isthmus.data.tables.frames import is_frame

# Rows of a source that are read at once.
SIZE = 4096


def uniforms_of(X: Any, seed: int) -> Values:
    """Return one number in [0, 1) for each row, (n,).

    A row has the same number alone and among others, and in every call. Equal rows of one call have different numbers,
    by their order, so that their ties are broken as well.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.tie_breaking import uniforms_of
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> bool((uniforms_of(X, 0)[2:] == uniforms_of(X[2:], 0)).all())
    True
    """
    key, seen = seed.to_bytes(16, "little", signed=True), Counter[bytes]()
    return np.array([_uniform(row, key, seen) for row in _rows_as_bytes(X)])


def _uniform(row: bytes, key: bytes, seen: Counter[bytes]) -> float:
    digest = blake2b(row + seen[row].to_bytes(8, "little"), digest_size=8, key=key).digest()
    seen[row] += 1
    return (int.from_bytes(digest, "little") >> 11) / 2**53


def _rows_as_bytes(X: Any) -> Iterator[bytes]:
    X = to_computable_rows(X)
    if isinstance(X, Source):
        return (row for batch in X.batches(SIZE) for row in _dense_rows(batch.x.numpy()))
    if is_frame(X):
        return (repr(row).encode() for row in open_frame(X).iter_rows())
    if sparse.issparse(X):
        return _dense_rows(row.toarray() for row in sparse.csr_array(X))
    return _dense_rows(X)


def _dense_rows(rows: Iterable[Any]) -> Iterator[bytes]:
    for row in rows:
        values = np.asarray(row)
        # Adding 0 makes -0 and 0 one value; the container and its dtype do not matter.
        yield (values.astype(np.float64) + 0.0).tobytes() if values.dtype.kind in "biuf" else repr(row).encode()
