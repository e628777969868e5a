"""How certain an imputer says that it is: intervals and shares of random imputations, beside hidden cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import mode

from isthmus.baselines.judging import draw_rows
from isthmus.baselines.reconstruction import HIDDEN, hide_cells
from isthmus.data.tables.values import round_to_valid
from isthmus.formatting import format_percent, list_names, pluralize
from isthmus.generation.intervals import CONTAINED, N_DRAWS, find_limits
from isthmus.reporting.blocks import Block, Interval, Quantity, Section, Share, Table, Text
from isthmus.reporting.intervals import estimate, estimate_share
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show

# Largest number of rows, which bounds the time; shares of 200 hidden cells of a column have a standard error of 2 %.
MAX_ROWS = 1000
# Fewest hidden cells of a column of which a share is estimated.
MIN_CELLS = 20
# Distance from the nominal share that matters; an interval must also exclude the nominal share.
MARGIN = 0.05
# Columns of the table of categories.
RIGHT, STATED = "most frequent category of the draws is right", "its mean share of the draws"


@dataclass(frozen=True)
class Draws:
    """Hidden cells (n, n_columns), NaN where none is hidden, and random imputations (N_DRAWS, n, n_columns)."""

    hidden: Values
    drawn: Values


@once
def draw_hidden(subject: Subject) -> Draws:
    """Hide known cells, and draw them by the model."""
    numbers = subject.numbers
    chosen = np.random.default_rng(subject.seed).permutation(len(numbers))[:MAX_ROWS]
    task = hide_cells(numbers[np.sort(chosen)], subject.seed)
    drawn = draw_rows(subject.net, task.given, N_DRAWS, subject.seed)
    if subject.schema.fields:
        drawn = np.stack([round_to_valid(each, subject.schema) for each in drawn])
    return Draws(task.expected, drawn)


@once
def judge_intervals(subject: Subject) -> dict[str, Interval]:
    """Return for each column of numbers the share of the hidden cells that their intervals contain."""
    inside = _find_inside(draw_hidden(subject))
    counted = {
        name: values[~np.isnan(values)]
        for i, (name, values) in enumerate(zip(subject.names, inside.T, strict=True))
        if i not in subject.schema.categorical
    }
    return {
        name: estimate_share(int(values.sum()), len(values))
        for name, values in counted.items()
        if len(values) >= MIN_CELLS
    }


def find_narrow(subject: Subject) -> list[str]:
    """Return the columns whose intervals contain clearly fewer hidden cells than they should."""
    shares = judge_intervals(subject)
    return [name for name, share in shares.items() if share.high < CONTAINED and share.value < CONTAINED - MARGIN]


def show_certainty(subject: Subject) -> Section | None:
    """Return how many hidden cells lie within their intervals, and how often stated shares of categories are right."""
    if subject.net is None or subject.schema.n_categories:
        return None
    draws = draw_hidden(subject)
    numbers, categories = list(_list_intervals(subject, draws)), _list_shares(subject, draws)
    if not numbers and not categories:
        return None
    nominal = format_percent(CONTAINED)
    blocks: list[Block] = []
    if numbers:
        blocks.append(Table.of(numbers, f"Hidden numbers and dates; an interval is to contain {nominal} of them"))
    if categories:
        blocks.append(Table.of(categories, "Hidden categories; both shares should be the same"))
    blocks.append(Text(_explain(bool(numbers), bool(categories))))
    values = {"n_draws": N_DRAWS, "nominal": CONTAINED, "numbers": numbers, "categories": categories}
    return Section("certainty", "How certain filled cells are", _summarize(subject, draws), blocks, values)


def _find_inside(draws: Draws) -> Values:
    """Return 1 where the interval of a hidden cell contains it, 0 where not, and NaN where no cell is hidden."""
    low, high = find_limits(draws.drawn)
    inside = ((draws.hidden >= low) & (draws.hidden <= high)).astype(float)
    return np.where(np.isnan(draws.hidden), np.nan, inside)


def _list_intervals(subject: Subject, draws: Draws) -> Iterator[dict[str, Any]]:
    """Yield a record for each column of numbers, the one with the fewest cells in their intervals first."""
    low, high = find_limits(draws.drawn)
    hidden, places = ~np.isnan(draws.hidden), {name: i for i, name in enumerate(subject.names)}
    shares = judge_intervals(subject)
    for name in sorted(shares, key=lambda name: shares[name].value):
        i = places[name]
        width = np.median((high - low)[hidden[:, i], i])
        yield {
            "column": name,
            "cells": int(hidden[:, i].sum()),
            "within the interval": shares[name],
            "median width of the intervals": Quantity(width),
        }


def _list_shares(subject: Subject, draws: Draws) -> list[dict[str, Any]]:
    """Return a record for each column of categories, that with the largest excess of the stated share first."""
    records = [_compare_shares(subject, draws, i) for i in subject.schema.categorical]
    known = [record for record in records if record["cells"] >= MIN_CELLS]
    return sorted(known, key=lambda record: record[RIGHT].value - record[STATED])


def _compare_shares(subject: Subject, draws: Draws, column: int) -> dict[str, Any]:
    """Compare how often the most frequent category of the draws is right with its share of them."""
    known = ~np.isnan(draws.hidden[:, column])
    drawn, expected = draws.drawn[:, known, column], draws.hidden[known, column]
    frequent, counts = mode(drawn, axis=0)
    stated, n_right = counts / len(drawn), int((frequent == expected).sum())
    n = max(1, len(expected))
    return {
        "column": subject.names[column],
        "cells": len(expected),
        RIGHT: estimate_share(n_right, n),
        STATED: Share(stated.sum() / n),
    }


def _summarize(subject: Subject, draws: Draws) -> str:
    inside = np.delete(_find_inside(draws), subject.schema.categorical, axis=1)
    if np.isnan(inside).all():
        return "No number was hidden, so intervals were not judged."
    counts = np.column_stack([np.nansum(inside, 1), (~np.isnan(inside)).sum(1)])
    share = estimate(counts, subject.seed, lambda mean: mean[..., :1] / mean[..., 1:])[0].as_share()
    n_cells, narrow = int(counts[:, 1].sum()), find_narrow(subject)
    lead = (
        f"The {format_percent(CONTAINED)} intervals of filled cells contain {show(share)} of "
        f"{pluralize(n_cells, 'hidden number')}"
    )
    return f"{lead}; those of {list_names(narrow)} contain clearly fewer." if narrow else f"{lead}."


def _explain(has_numbers: bool, has_categories: bool) -> str:
    intervals = (
        "The interval of a cell is that of `impute --intervals`. It is too narrow if it contains fewer of the hidden "
        "values, and says too little if it contains more or is wide. Numbers that many rows share, such as zeros, "
        "make the share larger. "
    )
    shares = (
        "If the share of the draws is larger than the share that is right, the model claims too much certainty. "
        if has_categories
        else ""
    )
    hidden = f"One in {round(1 / HIDDEN)} known cells was hidden, and each of them drawn {N_DRAWS} times."
    return f"{hidden} {intervals if has_numbers else ''}{shares}".strip()
