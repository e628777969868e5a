"""A fitted estimator as functions of plain numbers: rows of any container become numbers, and numbers become rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.anomaly.rows import from_numbers, to_numbers
from isthmus.anomaly.scores import Scorer, scores_rows_jointly
from isthmus.containers import open_frame
from isthmus.data import as_source
from isthmus.data.tables.codec import decode, decode_plain, learn_table
from isthmus.data.tables.frames import is_frame
from isthmus.data.tables.values import drop_ranges
from isthmus.data.texts.vocabulary import name_tokens
from isthmus.errors import InputTypeError
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]
Function = Callable[[Values], Values]

# Replaces scores of -inf, because differences of infinite scores are undefined. Such scores come from rows whose values
# overflow the arithmetic of an estimator.
MIN_SCORE = -1e300


@dataclass(frozen=True)
class RowScorer:
    """A fitted estimator as functions of rows of numbers (n, *shape); categories are codes, missing values NaN.

    Parameters
    ----------
    schema : Schema
        Schema of one row.
    score : callable
        Rows to scores (n,).
    contribute : callable or None
        Rows to addends of the scores, (n, n_values + 2); None if the estimator has no contributions.
    reconstruct : callable or None
        Rows to reconstructed rows; None if the estimator does not reconstruct.
    takes_missing : bool
        Whether any value may be missing.
    """

    schema: Schema
    score: Function
    contribute: Function | None = None
    reconstruct: Function | None = None
    takes_missing: bool = False

    @property
    def is_category(self) -> Values:
        """Which values are codes of categories, (n_values,)."""
        flags = np.full(int(np.prod(self.schema.shape)), bool(self.schema.n_categories))
        flags[self.schema.categorical] = True
        return flags

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each value."""
        if self.schema.fields:
            return tuple(field.name for field in self.schema.used)
        return tuple(self.schema.column(i) for i in range(int(np.prod(self.schema.shape))))

    def decode(self, numbers: Values) -> Any:
        """Return rows of numbers as arrays or data frames that show them: tokens of texts as words."""
        if self.schema.vocabulary:
            return name_tokens(numbers, self.schema.vocabulary)
        return decode_plain(numbers, self.schema)


def make_row_scorer(scorer: Scorer, X: Any, reference: Any) -> tuple[RowScorer, Values, Values]:
    """Return a row scorer, and as numbers the rows ``X`` to explain and the reference rows.

    Raises
    ------
    InputTypeError
        If the estimator scores rows jointly, such as time points of a series.
    """
    estimator = scorer.estimator
    if isinstance(getattr(estimator, "schema_", None), Schema):
        source = estimator.read_rows(X)
        return _wrap_ours(scorer, source.schema), to_numbers(source), to_numbers(estimator.read_rows(reference))
    if scores_rows_jointly(estimator):
        name = type(estimator).__name__
        raise InputTypeError(f"{name} scores a row by the rows around it, not alone; use its contributions(X) instead")
    if is_frame(X):
        return _wrap_frames(scorer, X, reference)
    x, normal = (to_numbers(as_source(rows)) for rows in (X, reference))
    return RowScorer(Schema(x.shape[1:]), lambda rows: np.maximum(scorer(rows), MIN_SCORE)), x, normal


def _wrap_ours(scorer: Scorer, schema: Schema) -> RowScorer:
    """Wrap an estimator of isthmus, which may have contributions and reconstructions."""
    estimator = scorer.estimator

    def on_numbers(function: Callable[[Any], Any]) -> Function:
        return lambda numbers: _to_array(function(from_numbers(numbers, schema)))

    contributions, reconstruct = (getattr(estimator, name, None) for name in ("contributions", "reconstruct"))
    contribute = on_numbers(contributions) if contributions and scorer.kinds == ("full",) else None
    takes_missing = bool(reconstruct) and estimator.module_.flags
    return RowScorer(schema, on_numbers(scorer), contribute, reconstruct and on_numbers(reconstruct), takes_missing)


def _to_array(result: Any) -> Values:
    frame = nw.from_native(result).to_numpy() if is_frame(result) else result
    return np.asarray(frame, dtype=np.float64)


def _wrap_frames(scorer: Scorer, X: Any, reference: Any) -> tuple[RowScorer, Values, Values]:
    """Wrap an estimator that takes data frames: both frames together decide the kind and the categories of columns."""
    frames = [open_frame(reference), open_frame(X)]
    both = nw.concat(_match_types(frames[0], frames[1].select(frames[0].columns)))
    table = learn_table(both.to_native(), {name: _kind_of(both.get_column(name)) for name in both.columns})
    numbers, schema = to_numbers(table), drop_ranges(table.schema)

    def score(rows: Values) -> Values:
        return np.maximum(scorer(decode(rows, schema)), MIN_SCORE)

    return RowScorer(schema, score), numbers[len(frames[0]) :], numbers[: len(frames[0])]


def _match_types(reference: Any, rows: Any) -> list[Any]:
    """Convert the columns of two frames to the same types; frames of pandas need no conversion."""
    if reference.implementation.is_pandas_like():
        return [reference, rows]
    known, found = reference.schema, rows.schema  # narwhals builds a schema at every access
    others = [name for name, dtype in known.items() if dtype != found[name]]
    types = {name: known[name] if known[name].is_numeric() else nw.String for name in others}
    casts = [nw.col(name).cast(kind) for name, kind in types.items()]
    return [frame.with_columns(*casts) for frame in (reference, rows)]


def _kind_of(column: Any) -> str:
    if column.dtype.is_numeric():
        return "real"
    return "date" if column.dtype in (nw.Date, nw.Datetime) else "category"
