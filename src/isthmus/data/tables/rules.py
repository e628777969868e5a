"""Rules between the columns of a data frame that no row violates."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from isthmus.data.base import WHOLE, Shard, Source
from isthmus.data.validation import CHUNK
from isthmus.schema import Field, Schema
from isthmus.schema.implications import Implication, drop_violated, find_implications

Values = np.ndarray[Any, Any]


def find_rules(source: Source, missing_columns: tuple[int, ...], shard: Shard = WHOLE) -> tuple[Implication, ...]:
    """Find the rules between columns of a data frame that no row violates, in all rows or the shard of one process.

    For each of ``missing_columns``, an indicator of missing values takes part as a further column.
    """
    schema = source.schema
    if not schema.template:
        return ()
    values = [*map(_list_values, schema.used), *(np.array([0.0, 1.0]) for _ in missing_columns)]
    size = max(1, CHUNK // len(values))

    def read(shard: Shard) -> Iterator[Values]:
        return (_append_indicators(batch.x, missing_columns) for batch in source.batches(size, shard=shard))

    return drop_violated(find_implications(read(WHOLE), values, missing_columns), read(shard))


def _append_indicators(x: Tensor, missing_columns: tuple[int, ...]) -> Values:
    """Append to rows the indicators of missing values of some columns."""
    rows = x.numpy()
    return np.hstack([rows, np.isnan(rows[:, list(missing_columns)])])


def _list_values(field: Field) -> Values:
    """List the values of a column that can be part of a rule, ascending, as a model reads them."""
    return np.arange(len(field.categories), dtype=float) if field.is_categorical else np.array(field.common_values)


def list_value_rules(schema: Schema) -> list[Implication]:
    """Return the rules between values, without those on missing values."""
    return [rule for rule in schema.implications if max(rule.column, rule.target) < schema.shape[0]]


def list_missing_rules(schema: Schema) -> list[Implication]:
    """Return the rules that imply whether a value is missing."""
    return [rule for rule in schema.implications if rule.target >= schema.shape[0]]
