"""A fitted estimator, asked about rows of numbers: whatever it takes, its rows become numbers here and go back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import torch

from isthmus.anomaly.scores import Scorer, judges_rows_together
from isthmus.containers import open_frame
from isthmus.data import Source, as_source
from isthmus.data.tables.codec import decode, learn_table
from isthmus.data.tables.frames import is_frame
from isthmus.data.tables.values import drop_ranges
from isthmus.errors import InputTypeError
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]
Function = Callable[[Values], Values]

# What stands for a score of -inf, which has no differences: of rows whose values overflow an estimator's arithmetic.
LOWEST = -1e300
# Rows that are read together.
SIZE = 4096


@dataclass(frozen=True)
class Judge:
    """What an estimator says of rows of numbers (n, *shape), levels as their positions, missing ones NaN.

    Parameters
    ----------
    schema : Schema
        What one row looks like.
    score : callable
        Rows to scores (n,).
    contribute : callable or None
        Rows to addends of the scores, (n, n_values + some).
    rebuild : callable or None
        Rows to expected rows.
    hides : bool
        Whether any value may be missing.
    """

    schema: Schema
    score: Function
    contribute: Function | None = None
    rebuild: Function | None = None
    hides: bool = False

    @property
    def is_level(self) -> Values:
        """Which values are positions in levels, (n_values,)."""
        flags = np.zeros(int(np.prod(self.schema.shape)), dtype=bool)
        flags[self.schema.categorical] = True
        return flags

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each value."""
        if self.schema.fields:
            return tuple(field.name for field in self.schema.used)
        return tuple(self.schema.column(i) for i in range(int(np.prod(self.schema.shape))))


def summon(scorer: Scorer, X: Any, kept: Any) -> tuple[Judge, Values, Values]:
    """Return the judge that a scorer makes, and as numbers rows to explain and rows that were kept of fit.

    Raises
    ------
    TypeError
        If the estimator judges rows together, such as time points of a series.
    """
    estimator = scorer.estimator
    if isinstance(getattr(estimator, "schema_", None), Schema):
        source = estimator._read(X)
        return _of_ours(scorer, source.schema), numbers_of(source), numbers_of(estimator._read(kept))
    if judges_rows_together(estimator):
        name = type(estimator).__name__
        raise InputTypeError(
            f"{name} judges rows by those around them, not one by one; its contributions(X) take scores apart"
        )
    if is_frame(X):
        return _of_frames(scorer, X, kept)
    x, normal = (numbers_of(as_source(rows)) for rows in (X, kept))
    return Judge(Schema(x.shape[1:]), lambda rows: np.maximum(scorer(rows), LOWEST)), x, normal


def numbers_of(source: Source) -> Values:
    """Return all rows of a source as numbers."""
    return np.concatenate([batch.x.numpy() for batch in source.batches(SIZE)]).astype(np.float64)


def source_of(numbers: Values, schema: Schema) -> Source:
    """Return numbers as a source of rows of a schema."""
    return replace(as_source(torch.from_numpy(numbers)), schema=schema)  # type: ignore[type-var]


def _of_ours(scorer: Scorer, schema: Schema) -> Judge:
    """Judge by an estimator that may know contributions to its own score, and what it expects."""
    estimator = scorer.estimator

    def over(function: Callable[[Any], Any]) -> Function:
        return lambda numbers: _numbers(function(source_of(numbers, schema)))

    contributions, rebuild = (getattr(estimator, name, None) for name in ("contributions", "reconstruct"))
    contribute = over(contributions) if contributions and scorer.kinds == ("full",) else None
    hides = bool(rebuild) and estimator.module_.flags
    return Judge(schema, over(scorer), contribute, rebuild and over(rebuild), hides)


def _numbers(result: Any) -> Values:
    frame = nw.from_native(result).to_numpy() if is_frame(result) else result
    return np.asarray(frame, dtype=np.float64)


def _of_frames(scorer: Scorer, X: Any, kept: Any) -> tuple[Judge, Values, Values]:
    """Judge frames by an estimator that wants frames: each column is a number, a date or a level of both frames."""
    frames = [open_frame(kept), open_frame(X)]
    both = nw.concat(_alike(frames[0], frames[1].select(frames[0].columns)))
    table = learn_table(both.to_native(), {name: _kind_of(both.get_column(name)) for name in both.columns})
    numbers, schema = numbers_of(table), drop_ranges(table.schema)
    judge = Judge(schema, lambda rows: np.maximum(scorer(decode(rows, schema)), LOWEST))
    return judge, numbers[len(frames[0]) :], numbers[: len(frames[0])]


def _alike(kept: Any, rows: Any) -> list[Any]:
    """Give columns of two frames the same types, which pandas does by itself."""
    if kept.implementation.is_pandas_like():
        return [kept, rows]
    known, found = kept.schema, rows.schema  # narwhals builds a schema anew at every access
    others = [name for name, dtype in known.items() if dtype != found[name]]
    types = {name: known[name] if known[name].is_numeric() else nw.String for name in others}
    return [frame.with_columns(*(nw.col(name).cast(kind) for name, kind in types.items())) for frame in (kept, rows)]


def _kind_of(column: Any) -> str:
    if column.dtype.is_numeric():
        return "real"
    return "date" if column.dtype in (nw.Date, nw.Datetime) else "category"
