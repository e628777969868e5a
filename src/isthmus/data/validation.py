"""Statistics of all rows in one streaming pass, and checks of their values."""

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

# Number of values that are read at once.
CHUNK = 2**19
# Largest absolute value: the square of a larger one overflows float32 (maximum 3.4e38) with a margin for sums.
LARGEST = 1e36
# Ratio of a value to the standard deviation of the others beyond which float32, with a relative precision of 6e-8 in
# values and gradients, cannot represent the others.
FARTHEST = 1e14
ADVICE = "correct it, make it missing, or scale the data"
WIDE = {torch.int32: torch.float64, torch.int64: torch.float64}


@own_settings()
def compute_statistics(source: Source, shard: Shard = WHOLE) -> Statistics:
    """Compute statistics of every value of a sample, over all rows or the shard of one process.

    Values along shared axes are pooled.

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
    """Raise ``ValueError`` for a value that is too large for float32, absolutely or relative to its column."""
    check_largest(source, statistics)
    check_contrast(source, statistics)


def check_largest(source: Source, statistics: Statistics) -> None:
    """Raise ``ValueError`` for a value whose square overflows float32."""
    if bool((statistics.low < -LARGEST).any() | (statistics.high > LARGEST).any()):
        found = _find_first(source, lambda x: x.abs() > LARGEST)
        raise ValueError(f"{found}, more than float32 can calculate with ({LARGEST:g}); {ADVICE}")


def check_contrast(source: Source, statistics: Statistics) -> None:
    """Raise ``ValueError`` for a value so large that float32 cannot represent the other values of its column."""
    for column in (
        [] if statistics.shared_axes else statistics.has_dominant_value.flatten().nonzero().flatten().tolist()
    ):
        values = np.concatenate([b.x.flatten(1)[:, column].double().numpy() for b in source.batches(CHUNK)])
        distance = np.abs(values - np.nanmedian(values))
        row = int(np.nanargmax(distance))
        if 0 < np.nanstd(np.delete(values, row)) < distance[row] / FARTHEST:
            cell = _describe_cell(source, row, column, values[row])
            raise ValueError(f"{cell}, which is so large that float32 cannot represent the other values; {ADVICE}")


def check_distance(source: Source, centre: Tensor, deviation: Tensor) -> None:
    """Raise ``ValueError`` for a value so far from the training rows that a training step would destroy the weights."""
    limit = FARTHEST * torch.where(deviation > 0, deviation, torch.inf)
    found = _find_first(source, lambda x: (x.double() - centre).abs() > limit)
    if found:
        raise ValueError(f"{found}, more than {FARTHEST:g} deviations from the mean of the training rows; {ADVICE}")


def _find_first(source: Source, test: Callable[[Tensor], Tensor]) -> str:
    """Describe the first value that passes a test; return an empty text if there is none."""
    start = 0
    for batch in source.batches(CHUNK):
        found = test(batch.x).flatten(1).nonzero()
        if len(found):
            row, column = found[0].tolist()
            return _describe_cell(source, start + row, column, float(batch.x.flatten(1)[row, column]))
        start += len(batch.x)
    return ""


def _describe_cell(source: Source, row: int, column: int, value: float) -> str:
    """Describe a value by its row and column in the given data."""
    rows = getattr(source, "rows", None)
    return f"row {row if rows is None else int(rows[row])}, {source.schema.column(column)} holds {value:g}"


def require_finite(x: Tensor, schema: Schema) -> Tensor:
    """Return raw values as floats, or raise ``ValueError`` for an infinite one."""
    x = x if x.dtype in (torch.float32, torch.float64) else x.to(WIDE.get(x.dtype, torch.float32))
    # The sum is finite if all values are: one pass without a mask.
    if not torch.isfinite(x.sum()) and bool(x.isinf().any()):
        position = int(x.isinf().flatten(1).any(0).nonzero()[0])
        raise ValueError(
            f"{schema.column(position)} holds an infinite value; expected finite numbers, or NaN for missing"
        )
    return x


def check_values(x: Tensor, schema: Schema, missing_allowed: bool) -> None:
    """Raise ``ValueError`` for infinite values, and for missing ones unless they are allowed."""
    if not x.is_floating_point() or bool(torch.isfinite(x.sum())):
        return
    missing = require_finite(x, schema).isnan().flatten(1).any(0)
    missing[schema.categorical] = False  # unseen categories are missing too
    if not missing_allowed and bool(missing.any()):
        position = int(missing.nonzero()[0])
        raise ValueError(
            f"{schema.column(position)} has missing values, but there were none in fit; "
            "fit on rows with missing values, or with corruption='masking'"
        )


def check_source(source: Source, schema: Schema, missing_allowed: bool) -> None:
    """Raise ``ValueError`` as ``check_values`` does, for all rows of a source."""
    for batch in source.batches(max(1, CHUNK // max(1, torch.Size(schema.shape).numel()))):
        check_values(batch.x, schema, missing_allowed)


def complete_schema(schema: Schema, statistics: Statistics, missing: bool, condition: Condition | None) -> Schema:
    """Complete a schema by what the statistics of the training rows show.

    ``missing`` tells whether other rows, such as those for validation, have missing values.

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
    with_missing = (statistics.count < statistics.n_rows).nonzero().flatten().tolist() if schema.template else ()
    known = replace(schema, origin=origin, condition=condition, missing_columns=tuple(with_missing))
    return replace(known, missing=schema.missing or missing or statistics.missing)
