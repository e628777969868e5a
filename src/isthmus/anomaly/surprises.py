"""Explanations of what fit never saw: the values as they came, and what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.anomaly.explanation import Explanation
from isthmus.anomaly.scores import Scorer
from isthmus.containers import is_frame, open_frame, select_columns

Values = np.ndarray[Any, Any]
Columns = Mapping[Any, Values]


def with_novelty(explanation: Explanation, X: Any, found: Columns, scorer: Scorer) -> Explanation:
    """Add what fit never saw to an explanation of rows in which typical values stand for it.

    Columns that the estimator does not learn from, such as constants, come after those that it does.

    Parameters
    ----------
    explanation : Explanation
    X : array or data frame
        The rows as they came.
    found : mapping
        Columns in which something is new, and in which rows (n,).
    scorer : Scorer
    """
    if not found:
        return explanation
    columns = [column for column in scorer.novelty.columns if column.name in found]
    costs = {column.name: scorer.nat * column.nats * found[column.name] for column in columns}
    explanation = replace(
        explanation, scores=explanation.scores - sum(costs.values()), n_fit=scorer.novelty.n_rows, novel=found
    )
    if not is_frame(X):
        return _of_matrix(explanation, X, costs)
    typical = {column.name: column.typical for column in columns if column.name not in explanation.names}
    return _of_frame(explanation, open_frame(X), costs, typical)


def _of_matrix(explanation: Explanation, X: Any, costs: Columns) -> Explanation:
    values, contributions = np.array(explanation.values), np.array(explanation.contributions)
    for position, cost in costs.items():
        values[:, position] = np.asarray(X)[:, position]
        contributions[:, position] -= cost
    novel = {explanation.names[position]: mask for position, mask in explanation.novel.items()}
    return replace(explanation, values=values, contributions=contributions, novel=novel)


def _of_frame(explanation: Explanation, X: Any, costs: Columns, typical: Mapping[Any, Any]) -> Explanation:
    names = (*explanation.names, *typical)
    usual = {name: [value] * len(X) for name, value in typical.items()}
    addends = open_frame(explanation.contributions)
    known = {name: addends.get_column(name).to_numpy() for name in costs if name in explanation.names}
    contributions = _put(
        explanation.contributions, {name: (known.get(name, 0.0) - cost).tolist() for name, cost in costs.items()}
    )
    return replace(
        explanation,
        names=names,
        values=_put(explanation.values, {name: X.get_column(name).to_list() for name in costs}),
        contributions=select_columns(open_frame(contributions), [*names, *addends.columns[-2:]]).to_native(),
        **{name: _put(getattr(explanation, name), usual) for name in ("expected", "low", "high")},
    )


def _put(frame: Any, columns: Mapping[Any, Sequence[Any]]) -> Any:
    """Put columns in the place of those of the same names, and after the others."""
    frame = open_frame(frame)
    series = [nw.new_series(name, values, backend=frame.implementation) for name, values in columns.items()]
    return frame.with_columns(*series).to_native()
