"""Apply functions of a model to many rows in batches of bounded memory."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.ambient import own_settings
from isthmus.data.base import Batch, Batches
from isthmus.data.transfer import N_BATCHES_AT_ONCE, copy_ahead
from isthmus.data.validation import check_values
from isthmus.model import Model
from isthmus.schema import Schema

# Largest number of values in the output of a layer, without gradients: 4 MiB in float32. Bounds memory.
MAX_VALUES = 2**20
# Largest size of results that stay on an accelerator, in bytes. Bounds memory.
MAX_BYTES = 2**28


def rows_at_once(model: Model) -> int:
    """Return the number of rows per batch, so that memory does not depend on the number of all rows."""
    condition = model.schema.condition
    # Without labels, rows are decoded once per label.
    n_decodings = 1 if condition is None else len(condition.categories)
    n_rows = max(1, min(2**16, MAX_VALUES // (model.width * n_decodings)))
    return n_rows if model.device.type == "cpu" else n_rows * N_BATCHES_AT_ONCE


@own_settings()
def run(
    model: Model, function: Callable[..., Any], source: Batches, size: int | None = None, schema: Schema | None = None
) -> tuple[np.ndarray[Any, Any], ...]:
    """Apply ``function(x, y)`` to all rows in batches and return a tuple of arrays, with one entry per row.

    Parameters
    ----------
    model : Model
        Model whose device is used.
    function : callable
        Function of raw values and encoded labels, which returns a tensor or a tuple of tensors.
    source : Batches
    size : int or None
        Rows per batch; None chooses ``rows_at_once``.
    schema : Schema or None
        Schema against which values are checked; None is the schema of the model.
    """
    results: tuple[np.ndarray[Any, Any], ...] = ()
    start = 0
    outputs = _run_batches(model, function, source, schema or model.schema, size or rows_at_once(model))
    for parts in outputs if model.device.type == "cpu" else _copy_back(outputs):
        if not results:
            results = tuple(np.empty((len(source), *part.shape[1:]), part.numpy().dtype) for part in parts)
        for result, part in zip(results, parts, strict=True):
            result[start : start + len(part)] = part.numpy()
        start += len(parts[0])
    return results


def _run_batches(
    model: Model, function: Callable[..., Any], source: Batches, schema: Schema, size: int
) -> Iterator[tuple[Tensor, ...]]:
    checked = (_check(batch, model, schema) for batch in source.batches(size))
    for x, y, _ in copy_ahead(checked, model.device):
        with torch.inference_mode():
            result = function(x, y)
        yield result if isinstance(result, tuple) else (result,)


def _check(batch: Batch, model: Model, schema: Schema) -> Batch:
    check_values(batch.x, schema, missing_allowed=model.flags)
    if schema is model.schema:
        model.likelihood.check_support(batch.x)
    return batch


def _copy_back(outputs: Iterator[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    """Copy outputs from an accelerator, many batches at once: each copy waits for all computation before it."""
    kept, n_bytes = list[tuple[Tensor, ...]](), 0
    for parts in outputs:
        kept.append(parts)
        n_bytes += sum(part.nbytes for part in parts)
        if n_bytes >= MAX_BYTES:
            yield tuple(torch.cat(each).cpu() for each in zip(*kept, strict=True))
            kept, n_bytes = [], 0
    if kept:
        yield tuple(torch.cat(each).cpu() for each in zip(*kept, strict=True))
