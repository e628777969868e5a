"""Explanations of scores: contributions of values, expected values, limits and similar normal rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.anomaly.dates import replace_unknown_days
from isthmus.anomaly.explanation import Explanation
from isthmus.anomaly.repairs import MAX_ROWS, Repairs, SimilarRows, limits_around
from isthmus.anomaly.row_scorer import RowScorer, make_row_scorer
from isthmus.anomaly.rows import ReferenceRows
from isthmus.anomaly.scores import Scorer
from isthmus.containers import is_frame, open_frame, select_columns
from isthmus.data.tables.frames import label_columns, list_row_labels
from isthmus.formatting import format_shape, is_missing
from isthmus.part import is_count

Values = np.ndarray[Any, Any]
Columns = Mapping[Any, Values]

# Share of the reference rows, those with the lowest scores, that are not used as normal rows: training rows often
# contain anomalies. Not tuned.
DOUBTFUL = 0.1
# Largest number of values of a row that are repaired one by one. Anomalies of larger rows, such as images, are regions.
MAX_VALUES = 1000
# Random orders of replacement; each is also used in reverse, which reduces the variance (antithetic sampling). Not
# tuned.
N_ORDERS = 4
# In rows of more than MAX_SINGLE values, N_BLOCKS blocks of values are replaced, and then the single values of the
# N_OPENED blocks with the largest effects. They bound the time; not tuned.
MAX_SINGLE, N_BLOCKS, N_OPENED = 256, 64, 4
# Largest number of values of rows that are scored together.
SIZE = 2**22


@dataclass(frozen=True)
class _Account:
    """Addends of the scores (n, n_values + 2), and the expected value and limits of every value (n, n_values)."""

    addends: Values
    expected: Values
    low: Values
    high: Values


def explain(scorer: Scorer, X: Any, reference: ReferenceRows, n_nearest: int, seed: int) -> Explanation:
    """Explain the scores of rows, with ``n_nearest`` similar normal rows each; ``seed`` is of ``sampled_shapley``.

    Raises
    ------
    ValueError
        If there are fewer normal rows than ``n_nearest``, or if ``X`` does not have the shape of the training rows.
    """
    found = scorer.novelty.find(X)
    rows = scorer.novelty.replace_novel(X, found)
    row_scorer, x, reference_rows = make_row_scorer(scorer.without_novelty(), rows, reference.rows)
    if x.shape[1:] != reference_rows.shape[1:]:
        own, expected = format_shape(x.shape[1:]), format_shape(reference_rows.shape[1:])
        raise ValueError(f"X has rows of {own}, but fit saw rows of {expected}")
    scores = row_scorer.score(reference_rows)
    normal = np.flatnonzero(scores >= np.quantile(scores, DOUBTFUL))
    if not (is_count(n_nearest) and n_nearest <= len(normal)):
        raise ValueError(f"n_nearest must be a positive integer up to {len(normal)} normal rows, got {n_nearest!r}")
    similar = SimilarRows(reference_rows[normal].reshape(len(normal), -1), row_scorer.is_category)
    given, x = x, replace_unknown_days(x, row_scorer.schema)
    nearest = normal[similar.nearest(x.reshape(len(x), -1), n_nearest)]
    is_ignored = (given != x) & ~np.isnan(given)
    account = _move_to_base(_make_account(row_scorer, x, similar, reference_rows, seed), is_ignored)
    limits = (np.where(row_scorer.is_category, account.expected, each) for each in (account.low, account.high))
    expected, low, high = (row_scorer.decode(each.reshape(x.shape)) for each in (account.expected, *limits))
    explanation = Explanation(
        scores=row_scorer.score(x),
        contributions=label_columns(account.addends, row_scorer.schema, extra=("code", "base")),
        names=row_scorer.names,
        values=row_scorer.decode(given),
        expected=expected,
        low=low,
        high=high,
        nearest=reference.positions[nearest],
        nearest_rows=[row_scorer.decode(reference_rows[each]) for each in nearest],
        labels=list_row_labels(X),
    )
    return _add_novelty(explanation, X, found, scorer) if found else explanation


def _make_account(scorer: RowScorer, x: Values, similar: SimilarRows, reference: Values, seed: int) -> _Account:
    if x.ndim > 2 or x.shape[1] > MAX_VALUES:
        return _account_without_repairs(scorer, x, similar, reference, seed)
    repairs = Repairs(scorer, similar, reference)
    repaired, gains = repairs.repair(x)
    addends = _addends(scorer, repaired, similar, seed)
    addends[:, : x.shape[1]] -= gains
    expected = repairs.expected(repaired)
    return _Account(addends, expected, *repairs.limits(expected))


def _account_without_repairs(
    scorer: RowScorer, x: Values, similar: SimilarRows, reference: Values, seed: int
) -> _Account:
    """Account for images, series and very wide rows, whose values are not repaired one by one."""
    flat, sample = x.reshape(len(x), -1), reference[:MAX_ROWS].reshape(len(reference[:MAX_ROWS]), -1)
    if scorer.reconstruct is None:
        expected, sample_expected = similar.typical(flat), similar.typical(sample, exclude_self=True)
    else:
        rebuilt = (scorer.reconstruct(rows.reshape(-1, *x.shape[1:])) for rows in (flat, sample))
        expected, sample_expected = (rows.reshape(len(rows), -1) for rows in rebuilt)
    return _Account(_addends(scorer, x, similar, seed), expected, *limits_around(expected, sample, sample_expected))


def _move_to_base(account: _Account, is_ignored: Values) -> _Account:
    """Move the addends of ignored values to the last addend."""
    addends, n_values = account.addends.copy(), is_ignored[0].size
    moved = np.where(is_ignored.reshape(len(is_ignored), -1), addends[:, :n_values], 0.0)
    addends[:, :n_values] -= moved
    addends[:, -1] += moved.sum(1)
    return replace(account, addends=addends)


def _addends(scorer: RowScorer, x: Values, similar: SimilarRows, seed: int) -> Values:
    """Return addends of the score: one per value, one for the code, one for the rest."""
    if scorer.contribute is not None:
        return scorer.contribute(x)
    flat = x.reshape(len(x), -1)
    start = similar.rows[similar.nearest(flat, 1)[:, 0]]

    def score(rows: Values) -> Values:
        return scorer.score(rows.reshape(-1, *x.shape[1:]))

    return np.column_stack([sampled_shapley(score, start, flat, seed), np.zeros(len(x)), score(start)])


def sampled_shapley(score: Callable[[Values], Values], start: Values, end: Values, seed: int) -> Values:
    """Return addends (n, n_values) of ``score(end) - score(start)``.

    The values of ``start`` are replaced by those of ``end``, one after another; each value is assigned the change of
    the score at its replacement. The mean over random orders estimates the Shapley values. The changes in one order add
    up to the difference of the scores.

    In rows of more than ``MAX_SINGLE`` values, blocks of consecutive values in the order are replaced one after
    another. Values are replaced one by one only in the blocks with the largest changes of a row; in other blocks, all
    values are assigned equal parts of the change. The number of scored rows is then much smaller than that of values.

    Parameters
    ----------
    score : callable
        Rows to scores (n,).
    start, end : ndarray of shape (n, n_values)
    seed : int
        Of the orders, which are the same for all rows.

    References
    ----------
    Strumbelj and Kononenko, Explaining prediction models and individual predictions with feature contributions,
    Knowledge and Information Systems 41, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.explain import sampled_shapley
    >>> sampled_shapley(lambda rows: rows[:, 0] * rows[:, 1], np.zeros((1, 2)), np.array([[2.0, 3.0]]), seed=0)
    array([[3., 3.]])
    """
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(start.shape[1]) for _ in range(N_ORDERS)]
    changes = [_changes(score, start, end, each) for order in orders for each in (order, order[::-1])]
    return np.mean(changes, axis=0)


def _changes(score: Callable[[Values], Values], start: Values, end: Values, order: Values) -> Values:
    """Return the change of the score at the replacement of each value in this order, (n, n_values)."""
    rank = np.argsort(order)
    if len(order) <= MAX_SINGLE:
        return _path_changes(score, start, end, rank, np.arange(len(order) + 1))[:, rank]
    edges = np.linspace(0, len(order), N_BLOCKS + 1).astype(int)
    of_blocks, sizes = _path_changes(score, start, end, rank, edges), np.diff(edges)
    changes = np.repeat(of_blocks / sizes, sizes, axis=1)
    for row, blocks in enumerate(np.argsort(-np.abs(of_blocks), axis=1)[:, :N_OPENED]):
        for block in blocks:
            cuts = np.arange(edges[block], edges[block + 1] + 1)
            changes[row, cuts[:-1]] = _path_changes(score, start[[row]], end[[row]], rank, cuts)[0]
    return changes[:, rank]


def _path_changes(score: Callable[[Values], Values], start: Values, end: Values, rank: Values, cuts: Values) -> Values:
    """Return the changes of the score between consecutive cuts, (n, n_cuts - 1).

    At a cut, the values whose rank is below it are those of ``end``, and the others those of ``start``.
    """
    n_values = start.shape[1]
    chunk, found = max(1, SIZE // (len(cuts) * n_values)), []
    for first in range(0, len(start), chunk):
        rows = slice(first, first + chunk)
        path = np.where(rank < cuts[:, None, None], end[rows], start[rows])
        found.append(score(path.reshape(-1, n_values)).reshape(len(cuts), -1).T)
    return np.diff(np.concatenate(found), axis=1)


# Novel values


def _add_novelty(explanation: Explanation, X: Any, found: Columns, scorer: Scorer) -> Explanation:
    """Put novel values, which typical ones replaced, into an explanation, and subtract their surprise.

    Columns that the estimator does not use, such as constants, come after the columns that it uses.
    """
    columns = [column for column in scorer.novelty.columns if column.name in found]
    costs = {column.name: scorer.nat * column.nats * found[column.name] for column in columns}
    scores = explanation.scores - sum(costs.values())
    explanation = replace(explanation, scores=scores, n_fit=scorer.novelty.n_rows, novel=found)
    if not is_frame(X):
        return _add_to_matrix(explanation, X, costs)
    typical = {column.name: column.typical for column in columns if column.name not in explanation.names}
    return _add_to_frame(explanation, open_frame(X), costs, typical)


def _add_to_matrix(explanation: Explanation, X: Any, costs: Columns) -> Explanation:
    values, contributions = np.array(explanation.values), np.array(explanation.contributions)
    for position, cost in costs.items():
        values[:, position] = np.asarray(X)[:, position]
        contributions[:, position] -= cost
    novel = {explanation.names[position]: mask for position, mask in explanation.novel.items()}
    return replace(explanation, values=values, contributions=contributions, novel=novel)


def _add_to_frame(explanation: Explanation, X: Any, costs: Columns, typical: Mapping[Any, Any]) -> Explanation:
    names = (*explanation.names, *typical)
    usual = {name: [value] * len(X) for name, value in typical.items()}
    addends = open_frame(explanation.contributions)
    known = {name: addends.get_column(name).to_numpy() for name in costs if name in explanation.names}
    reduced = {name: (known.get(name, 0.0) - cost).tolist() for name, cost in costs.items()}
    contributions = open_frame(_with_columns(explanation.contributions, reduced))
    return replace(
        explanation,
        names=names,
        values=_with_columns(explanation.values, {name: _list_values(X.get_column(name)) for name in costs}),
        contributions=select_columns(contributions, [*names, *addends.columns[-2:]]).to_native(),
        **{name: _with_columns(getattr(explanation, name), usual) for name in ("expected", "low", "high")},
    )


def _list_values(column: Any) -> list[Any]:
    """Return values; missing texts and dates are None, because other libraries do not know NaN and NaT of pandas."""
    values: list[Any] = column.to_list()
    return values if column.dtype.is_numeric() else [None if is_missing(value) else value for value in values]


def _with_columns(frame: Any, columns: Mapping[Any, Sequence[Any]]) -> Any:
    """Replace columns of the same names, and append the others."""
    frame = open_frame(frame)
    series = [nw.new_series(name, values, backend=frame.implementation) for name, values in columns.items()]
    return frame.with_columns(*series).to_native()
