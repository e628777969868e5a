"""One streaming pass over the rows: what is learned of them, and what is wrong with them."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from isthmus.ambient import own_settings
from isthmus.data.base import WHOLE, Shard, Source, skip_empty
from isthmus.schema import Condition, Schema
from isthmus.statistics import Statistics

CHUNK = 2**19
# Numbers beyond have squares that even scaled values cannot make up for in float32.
LARGEST = 1e36
# Deviations of all other values from which on a single one leaves nothing of them in float32.
FARTHEST = 1e14
ADVICE = "correct it, make it missing, or scale the data"
WIDE = {torch.int32: torch.float64, torch.int64: torch.float64}


@own_settings()
def compute_statistics(source: Source, shard: Shard = WHOLE) -> Statistics:
    """Measure every value of a sample, over all rows or the share of one process.

    Values along shared axes are measured together.

    Raises
    ------
    ValueError
        If a value is infinite.
    """
    size = max(1, CHUNK // max(1, torch.Size(source.schema.shape).numel()))
    batches = skip_empty(source.batches(size, shard=shard))
    chunks = (Statistics.of(require_finite(batch.x, source.schema), batch.weight) for batch in batches)
    return reduce(Statistics.merge, chunks, Statistics.empty(source.schema.shape)).shared(source.schema.shared_axes)


def check_cells(source: Source, statistics: Statistics) -> None:
    """Raise ``ValueError`` for a value so large that nothing can be learned, or nothing of the others of its column."""
    check_largest(source, statistics)
    check_contrast(source, statistics)


def check_largest(source: Source, statistics: Statistics) -> None:
    """Raise ``ValueError`` for a value whose distances float32 cannot square, whatever the scale."""
    if bool((statistics.low < -LARGEST).any() | (statistics.high > LARGEST).any()):
        found = _first(source, lambda x: x.abs() > LARGEST)
        raise ValueError(f"{found}, more than float32 can calculate with ({LARGEST:g}); {ADVICE}")


def check_contrast(source: Source, statistics: Statistics) -> None:
    """Raise ``ValueError`` for a value so large that float32 cannot tell the others of its column apart beside it."""
    for column in (
        [] if statistics.shared_axes else statistics.has_dominant_value.flatten().nonzero().flatten().tolist()
    ):
        values = np.concatenate([b.x.flatten(1)[:, column].double().numpy() for b in source.batches(CHUNK)])
        distance = np.abs(values - np.nanmedian(values))
        row = int(np.nanargmax(distance))
        if 0 < np.nanstd(np.delete(values, row)) < distance[row] / FARTHEST:
            cell = _cell(source, row, column, values[row])
            raise ValueError(f"{cell}, which leaves nothing of the other values in float32; {ADVICE}")


def check_distance(source: Source, centre: Tensor, deviation: Tensor) -> None:
    """Raise ``ValueError`` for a value so far from the training rows that a step towards it would ruin the net."""
    limit = FARTHEST * torch.where(deviation > 0, deviation, torch.inf)
    found = _first(source, lambda x: (x.double() - centre).abs() > limit)
    if found:
        raise ValueError(f"{found}, more than {FARTHEST:g} deviations from the mean of the training rows; {ADVICE}")


def _first(source: Source, test: Callable[[Tensor], Tensor]) -> str:
    """Name the first value that passes a test; empty if there is none."""
    start = 0
    for batch in source.batches(CHUNK):
        found = test(batch.x).flatten(1).nonzero()
        if len(found):
            row, column = found[0].tolist()
            return _cell(source, start + row, column, float(batch.x.flatten(1)[row, column]))
        start += len(batch.x)
    return ""


def _cell(source: Source, row: int, column: int, value: float) -> str:
    """Name a value by row and column of what was given."""
    rows = getattr(source, "rows", None)
    return f"row {row if rows is None else int(rows[row])}, {source.schema.column(column)} holds {value:g}"


def require_finite(x: Tensor, schema: Schema) -> Tensor:
    """Return raw values as floats, or say which is infinite."""
    x = x if x.dtype in (torch.float32, torch.float64) else x.to(WIDE.get(x.dtype, torch.float32))
    # As in check_values: one pass where all is well.
    if not torch.isfinite(x.sum()) and bool(x.isinf().any()):
        position = int(x.isinf().flatten(1).any(0).nonzero()[0])
        raise ValueError(
            f"{schema.column(position)} holds an infinite value; expected finite numbers, or NaN for missing"
        )
    return x


def check_values(x: Tensor, schema: Schema, missing_allowed: bool) -> None:
    """Raise ``ValueError`` for infinite values, and for missing ones unless the model knows what to do with them."""
    if not x.is_floating_point() or bool(torch.isfinite(x.sum())):
        return  # the sum is finite if every value is, and one pass without a mask
    holes = require_finite(x, schema).isnan().flatten(1).any(0)
    holes[schema.categorical] = False  # a level that fit has not seen is missing too
    if not missing_allowed and bool(holes.any()):
        position = int(holes.nonzero()[0])
        raise ValueError(
            f"{schema.column(position)} has missing values, but there were none in fit; "
            "fit on rows with missing values, or with corruption='masking'"
        )


def check_source(source: Source, schema: Schema, missing_allowed: bool) -> None:
    """Raise ``ValueError`` as ``check_values`` does, for all rows of a source."""
    for batch in source.batches(max(1, CHUNK // max(1, torch.Size(schema.shape).numel()))):
        check_values(batch.x, schema, missing_allowed)


def complete_schema(schema: Schema, statistics: Statistics, missing: bool, condition: Condition | None) -> Schema:
    """Say what a sample looks like, by the statistics of the training rows.

    Only whether values are missing may be known of other rows too.

    Raises
    ------
    ValueError
        For too few rows, or a column without a single value.
    """
    if round(statistics.n_rows) < 2:
        raise ValueError(f"n_samples={round(statistics.n_rows)}: fit needs at least 2 rows to train on")
    empty = (statistics.count == 0).flatten().nonzero()
    if len(empty):
        raise ValueError(f"{schema.column(int(empty[0]))} has no value in any training row; leave it out")
    origin = None if statistics.origin is None else tuple(statistics.origin.flatten().tolist())
    with_holes = (statistics.count < statistics.n_rows).nonzero().flatten().tolist() if schema.template else ()
    known = replace(schema, origin=origin, condition=condition, missing_columns=tuple(with_holes))
    return replace(known, missing=schema.missing or missing or statistics.missing)
