"""Split of rows into training, validation and test parts: random, stratified, by group or by time."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.data.tables.cells import is_number, missing_mask, to_floats
from isthmus.formatting import pluralize
from isthmus.preparing.coding import Values, encode

PARTS = ("train", "valid", "test")


def split_rows(frame: Any, shares: Sequence[float], by: str, column: Any, seed: int) -> list[Values]:
    """Return the positions of the rows of each part, in order.

    Parameters
    ----------
    frame : narwhals.DataFrame
    shares : sequence of three floats
    by : {"random", "stratified", "grouped", "time"}
    column : str or None
        The column of classes, groups or times.
    seed : int

    Raises
    ------
    ValueError
        If a part with a share would be empty, or the column has an unsupported type.
    """
    n, random = len(frame), np.random.default_rng(seed)
    if by == "grouped":
        parts = _assign_groups(encode(frame.get_column(column)).codes, shares, random)
    else:
        sizes = _sizes(n, shares)
        parts = np.empty(n, dtype=np.int64)
        if by == "random":
            parts[random.permutation(n)] = np.repeat(range(3), sizes)
        elif by == "stratified":
            parts[_order_by_class(encode(frame.get_column(column)).codes, random)] = _evenly_mixed(sizes)
        else:
            parts = _cut(_times(frame.get_column(column), column), sizes)
    for part, share in enumerate(shares):
        if share and not np.any(parts == part):
            raise ValueError(_too_few(n, shares, part, by, column))
    return [np.flatnonzero(parts == part) for part in range(3)]


def _sizes(n: int, shares: Sequence[float]) -> list[int]:
    """Return the number of rows of each part, at least one if it has a share."""
    valid, test = (max(int(share > 0), round(share * n)) for share in shares[1:])
    if n - valid - test < 1:
        raise ValueError(_too_few(n, shares, 0, "random", None))
    return [n - valid - test, valid, test]


def _too_few(n: int, shares: Sequence[float], part: int, by: str, column: Any) -> str:
    whole = pluralize(n, "row") + ("" if column is None else f", split by {by} {column!r},")
    split = " / ".join(f"{share:g}" for share in shares)
    return f"{whole} are too few to split {split}: the {PARTS[part]} part is empty"


def _order_by_class(codes: Values, random: np.random.Generator) -> Values:
    """Return the rows by class; classes, and rows within them, are in random order."""
    shuffled = random.permutation(len(codes))
    names = random.permutation(codes.max() + 2)
    # A missing class, -1, is the last of the names.
    return shuffled[np.argsort(names[codes[shuffled]], kind="stable")]


def _evenly_mixed(sizes: Sequence[int]) -> Values:
    """Assign positions to parts so that any interval of positions has all parts in proportion."""
    times = np.concatenate([(np.arange(size) + 0.5) / max(size, 1) for size in sizes])
    return np.repeat(range(3), sizes)[np.argsort(times, kind="stable")]


def _assign_groups(codes: Values, shares: Sequence[float], random: np.random.Generator) -> Values:
    """Assign whole groups to parts: the largest groups first, each to the part that lacks most rows.

    Groups of equal size are in random order. This is the LPT rule of scheduling (Graham, Bounds on multiprocessing
    timing anomalies, SIAM journal on applied mathematics 17, 1969). The last groups are assigned to empty parts.
    """
    counts = np.bincount(codes + 1)
    groups = random.permutation(np.flatnonzero(counts))
    groups = groups[np.argsort(-counts[groups], kind="stable")]
    lacking, empty = np.array(shares) * len(codes), np.array(shares) > 0
    part_of = np.zeros(len(counts), dtype=np.int64)
    for n_left, group in zip(range(len(groups), 0, -1), groups, strict=True):
        allowed = empty if n_left <= empty.sum() else np.array(shares) > 0
        part = np.where(allowed, lacking, -np.inf).argmax()
        part_of[group], empty[part] = part, False
        lacking[part] -= counts[group]
    return part_of[codes + 1]


def _times(series: Any, name: Any) -> Values:
    """Convert times to numbers with the same order."""
    if not (is_number(series.dtype) or series.dtype in (nw.Date, nw.Datetime)):
        raise ValueError(f"split_column {name!r} holds {series.dtype}, expected dates or numbers to split by time")
    n_missing = int(missing_mask(series).sum())
    if n_missing:
        raise ValueError(f"split_column {name!r} lacks the time of {n_missing} rows; give them one, or leave them out")
    return to_floats(series) if is_number(series.dtype) else np.asarray(series.dt.timestamp("us").to_numpy())


def _cut(times: Values, sizes: Sequence[int]) -> Values:
    """Return the part of each row; rows of the same time are together in the later part."""
    cuts = np.sort(times)[np.minimum(np.cumsum(sizes)[:2], len(times) - 1)]
    valid, test = times >= cuts[0], times >= cuts[1]
    return valid.astype(np.int64) * bool(sizes[1] or sizes[2]) + (test & valid) * bool(sizes[2])
