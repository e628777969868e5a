"""Rules between the columns of a data frame that no row breaks."""

from typing import Any

import numpy as np
from torch import Tensor

from isthmus.data.base import WHOLE, Shard, Source
from isthmus.data.validation import CHUNK
from isthmus.implications import Implication, drop_violated, find_implications
from isthmus.schema import Field, Schema


def find_rules(source: Source, holes: tuple[int, ...], shard: Shard = WHOLE) -> tuple[Implication, ...]:
    """Find the rules between columns of a data frame that no row breaks, of all rows or the share of one process.

    ``holes`` are the columns with missing values. Whether a value is missing is a column of its own.
    """
    schema = source.schema
    if not schema.template:
        return ()
    values = [*map(_values_of, schema.used), *(np.array([0.0, 1.0]) for _ in holes)]
    size = max(1, CHUNK // len(values))
    found = find_implications((_with_holes(batch.x, holes) for batch in source.batches(size)), values, holes)
    return drop_violated(found, (_with_holes(batch.x, holes) for batch in source.batches(size, shard=shard)))


def _with_holes(x: Tensor, holes: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Rows, and beside them which values of some columns are missing."""
    rows = x.numpy()
    return np.hstack([rows, np.isnan(rows[:, list(holes)])])


def _values_of(field: Field) -> np.ndarray[Any, Any]:
    """Return the values of a column that can be part of a rule, ascending, as a model reads them."""
    return (
        np.arange(len(field.categories), dtype=float)
        if field.is_categorical
        else np.unique(field.categories).astype(float)
    )


def list_value_rules(schema: Schema) -> list[Implication]:
    """Return the rules between values, without those on what is missing."""
    return [rule for rule in schema.implications if max(rule.column, rule.target) < schema.shape[0]]


def list_missing_rules(schema: Schema) -> list[Implication]:
    """Return the rules that say whether a value is missing."""
    return [rule for rule in schema.implications if rule.target >= schema.shape[0]]
