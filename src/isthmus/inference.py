"""Apply functions of a model to many rows in batches of bounded memory."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.ambient import own_settings
from isthmus.data.base import Batches
from isthmus.data.validation import check_values
from isthmus.model import Model
from isthmus.schema import Schema

# Largest number of values in the output of a layer, without gradients: 4 MiB in float32. Bounds memory.
MAX_VALUES = 2**20


def rows_at_once(model: Model) -> int:
    """Return the number of rows per batch, so that memory does not depend on the number of all rows."""
    condition = model.schema.condition
    n_decodings = (
        1 if condition is None else len(condition.categories)
    )  # without labels, rows are decoded once per label
    return max(1, min(2**16, MAX_VALUES // (model.width * n_decodings)))


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
    for parts in _run_batches(model, function, source, schema or model.schema, size or rows_at_once(model)):
        if not results:
            results = tuple(np.empty((len(source), *part.shape[1:]), part.numpy().dtype) for part in parts)
        for result, part in zip(results, parts, strict=True):
            result[start : start + len(part)] = part.numpy()
        start += len(parts[0])
    return results


def _run_batches(
    model: Model, function: Callable[..., Any], source: Batches, schema: Schema, size: int
) -> Iterator[tuple[Tensor, ...]]:
    device = model.device
    for x, y, _ in source.batches(size):
        check_values(x, schema, missing_allowed=model.flags)
        if schema is model.schema:
            model.likelihood.check_support(x)
        with torch.inference_mode():
            result = function(x.to(device), None if y is None else y.to(device))
        yield tuple(part.cpu() for part in (result if isinstance(result, tuple) else (result,)))
