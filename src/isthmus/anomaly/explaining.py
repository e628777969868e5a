"""From rows to their explanation."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isthmus.anomaly.background import Background
from isthmus.anomaly.dates import known_dates
from isthmus.anomaly.explanation import Explanation
from isthmus.anomaly.neighbours import Neighbours
from isthmus.anomaly.repairs import MOST, Repairs, limits_around
from isthmus.anomaly.row_scorer import Judge, summon
from isthmus.anomaly.scores import Scorer
from isthmus.anomaly.shapley import shares
from isthmus.anomaly.surprises import with_novelty
from isthmus.data.tables.codec import decode_plain
from isthmus.data.tables.frames import label_columns, list_row_labels
from isthmus.part import is_count

Values = np.ndarray[Any, Any]

# Share of the kept rows, those that score lowest, that are not taken for normal: training rows are rarely clean.
DOUBTFUL = 0.1
# Values of a row up to which each is set right by itself: more, or an image or a series, go wrong in patches.
FEW_VALUES = 1000


@dataclass(frozen=True)
class _Account:
    """What is said of rows: addends of their scores, and of every value what it should be, and between what limits."""

    addends: Values
    expected: Values
    low: Values
    high: Values


def explain(scorer: Scorer, X: Any, background: Background, n_nearest: int, seed: int) -> Explanation:
    """Say why rows score as they do.

    Parameters
    ----------
    scorer : Scorer
    X : array, data frame or Source
        Rows to explain.
    background : Background
    n_nearest : int
    seed : int
        Of the orders in which estimators that know no contributions have values replaced.

    Raises
    ------
    ValueError
        If there are fewer normal rows than ``n_nearest``, or rows are not like those of fit.
    """
    found = scorer.novelty.find(X)
    judge, x, rows = summon(scorer.without_novelty(), scorer.novelty.settle(X, found), background.rows)
    if x.shape[1:] != rows.shape[1:]:
        raise ValueError(f"X has samples of shape {x.shape[1:]}, but fit saw {rows.shape[1:]}")
    scores = judge.score(rows)
    normal = np.flatnonzero(scores >= np.quantile(scores, DOUBTFUL))
    if not (is_count(n_nearest) and n_nearest <= len(normal)):
        raise ValueError(f"n_nearest must be a positive integer up to {len(normal)} normal rows, got {n_nearest!r}")
    neighbours = Neighbours(rows[normal].reshape(len(normal), -1), judge.is_level)
    given, x = x, known_dates(x, judge.schema)
    flat = x.reshape(len(x), -1)
    nearest = normal[neighbours.nearest(flat, n_nearest)]
    account = _without(_account(judge, x, neighbours, rows, seed), (given != x) & ~np.isnan(given))
    values = (account.expected, account.low, account.high)
    expected, low, high = (decode_plain(each.reshape(x.shape), judge.schema) for each in values)
    explanation = Explanation(
        scores=judge.score(x),
        contributions=label_columns(account.addends, judge.schema, extra=("code", "base")),
        names=judge.names,
        values=decode_plain(given, judge.schema),
        expected=expected,
        low=low,
        high=high,
        nearest=background.positions[nearest],
        nearest_rows=[decode_plain(rows[each], judge.schema) for each in nearest],
        labels=list_row_labels(X),
    )
    return with_novelty(explanation, X, found, scorer)


def _account(judge: Judge, x: Values, neighbours: Neighbours, kept: Values, seed: int) -> _Account:
    if x.ndim > 2 or x.shape[1] > FEW_VALUES:
        return _as_a_whole(judge, x, neighbours, kept, seed)
    repairs = Repairs(judge, neighbours, kept)
    right, cost = repairs.set_right(x)
    addends = _addends(judge, right, neighbours, seed)
    addends[:, : x.shape[1]] -= cost
    expected = repairs.expected(right)
    return _Account(addends, expected, *repairs.limits(expected))


def _without(account: _Account, left_out: Values) -> _Account:
    """Take from values that do not count what they add to the score, and put it to the rest."""
    addends, n_values = account.addends.copy(), left_out[0].size
    aside = np.where(left_out.reshape(len(left_out), -1), addends[:, :n_values], 0.0)
    addends[:, :n_values] -= aside
    addends[:, -1] += aside.sum(1)
    return replace(account, addends=addends)


def _as_a_whole(judge: Judge, x: Values, neighbours: Neighbours, kept: Values, seed: int) -> _Account:
    """Account for images, series and very wide rows, whose values are not set right one by one."""
    flat, some = x.reshape(len(x), -1), kept[:MOST].reshape(len(kept[:MOST]), -1)
    if judge.rebuild is None:
        expected, foretold = neighbours.typical(flat), neighbours.typical(some, themselves=True)
    else:
        shape = x.shape[1:]
        expected, foretold = (judge.rebuild(rows.reshape(-1, *shape)).reshape(len(rows), -1) for rows in (flat, some))
    return _Account(_addends(judge, x, neighbours, seed), expected, *limits_around(expected, some, foretold))


def _addends(judge: Judge, x: Values, neighbours: Neighbours, seed: int) -> Values:
    """Return addends of the score: one a value, one of the code, one of the rest."""
    if judge.contribute is not None:
        return judge.contribute(x)
    flat = x.reshape(len(x), -1)
    start = neighbours.rows[neighbours.nearest(flat, 1)[:, 0]]

    def score(rows: Values) -> Values:
        return judge.score(rows.reshape(-1, *x.shape[1:]))

    return np.column_stack([shares(score, start, flat, seed), np.zeros(len(x)), score(start)])
