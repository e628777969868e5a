"""Differences between the training rows and the judged rows."""

from typing import Any, NamedTuple

import numpy as np

from isthmus.anomaly.rows import take_rows
from isthmus.containers import open_frame
from isthmus.data.tables.cells import missing_mask
from isthmus.data.tables.frames import is_frame
from isthmus.formatting import list_names, pluralize
from isthmus.reporting.blocks import Block, Section, Share, Table, Text
from isthmus.reporting.cells import get_fields
from isthmus.reporting.fitted import are_training_rows, get_fitted, get_training_rows
from isthmus.reporting.sections.detection import find_anomalies
from isthmus.reporting.subject import Subject, Values, once

# Difference of means in standard deviations above which groups are considered different (Stuart, Matching methods for
# causal inference, Statistical Science 25, 2010), and its number of standard errors, so that few rows cause no alarm.
MAX_DIFFERENCE, N_ERRORS = 0.25, 3.0
# Population stability index of a large change (Siddiqi, Credit risk scorecards, 2006), its number of intervals, and
# the smallest share of an interval in its logarithms.
MAX_PSI, N_INTERVALS, MIN_SHARE = 0.25, 10, 1e-4
# Share of values outside the range of fit, or of categories that were not in fit, that is a change. Of 200 new rows
# like those of fit, about two in N_fit are outside a range.
MAX_OUTSIDE = 0.01


class Shift(NamedTuple):
    """How much a column differs from the training rows; None where it is not known or does not apply.

    Attributes
    ----------
    column : str
    difference : float
        Difference of the means, in standard deviations of the training rows.
    psi : float
        Population stability index, which needs training rows.
    outside : float
        Share of the values outside the range of the training rows.
    unseen : float
        Share of the values that are categories that are not in the training rows.
    newly_missing : float
        Share of missing cells of a column that has none in the training rows.
    is_shifted : bool
    """

    column: str
    difference: float | None
    psi: float | None
    outside: float | None
    unseen: float | None
    newly_missing: float | None
    is_shifted: bool


@once
def measure_shifts(subject: Subject) -> list[Shift]:
    """Compare each column of the judged rows with what is known of the training rows."""
    schema, fitted, rows = subject.schema, get_fitted(subject), get_training_rows(subject)
    judged = subject.numbers.reshape(len(subject.numbers), -1)[choose_rows(subject)]
    unseen, missing = find_unseen(subject), _list_missing_in_fit(subject, rows)
    shifts = []
    for i, (name, field) in enumerate(zip(subject.names, get_fields(schema), strict=True)):
        values = judged[~np.isnan(judged[:, i]), i]
        difference = (values.mean() - fitted.mean[i]) / fitted.deviation[i] if len(values) else np.nan
        outside = np.mean((values < fitted.low[i]) | (values > fitted.high[i])) if len(values) else np.nan
        psi = (
            None if rows is None else compute_psi(rows[:, i], judged[:, i], field is not None and field.is_categorical)
        )
        new = None if missing is None or missing[i] else float(np.isnan(judged[:, i]).mean())
        measured = (
            _or_none(difference),
            psi,
            None if np.isnan(fitted.low[i]) else _or_none(outside),
            unseen.get(i),
            None if new is None else new - unseen.get(i, 0.0),
        )
        shifts.append(Shift(name, *measured, _is_shifted(*measured, n=len(values))))
    return shifts


def show_shift(subject: Subject) -> Section:
    """Return the columns of the judged rows that differ from the training rows, the most different first."""
    shifts = measure_shifts(subject)
    changed = [shift for shift in shifts if shift.is_shifted]
    if are_training_rows(subject):
        lead = "The judged rows are probably training rows, so shift does not show, and errors on new rows are larger."
    elif changed:
        names = list_names([shift.column for shift in changed])
        number = pluralize(len(changed), "pixel" if subject.data == "flat images" else "column")
        lead = f"{number} {'differs' if len(changed) == 1 else 'differ'} from the training {subject.nouns}: {names}."
    else:
        lead = "No column differs clearly from the training rows."
    ordered = sorted(shifts, key=lambda shift: (-shift.is_shifted, -abs(shift.difference or shift.unseen or 0.0)))
    records = [_make_record(shift) for shift in ordered]
    used = [name for name in records[0] if any(record[name] for record in records)]
    is_part = len(choose_rows(subject)) < len(subject.numbers)
    blocks: list[Block] = [
        *([Text("Rows that are labelled as anomalies are not compared.")] if is_part else []),
        Table.of([{name: record[name] for name in used} for record in records], "Columns, the most different first"),
        Text(
            f"A column differs if the means differ by more than {MAX_DIFFERENCE:g} standard deviations of the "
            f"training rows (Stuart, 2010), the population stability index exceeds {MAX_PSI:g} (Siddiqi, 2006), or "
            "more than 1 % of its values are outside the range of the training rows, unseen, or newly missing. If n "
            "rows are few, the limits are 3 / sqrt(n) standard deviations and 3 / n of the values."
        ),
    ]
    values = {
        "n_shifted": len(changed),
        "are_training_rows": are_training_rows(subject),
        "columns": [shift._asdict() for shift in ordered],
    }
    # That the rows are training rows is a limit of the figures, which the verdict says once.
    is_problem = changed and not are_training_rows(subject)
    title = "Differences from the training rows"
    return Section("shift", title, lead, blocks, values, "problem" if is_problem else "")


@once
def choose_rows(subject: Subject) -> Values:
    """Return the positions of the judged rows that are compared: all but those that are labelled as anomalies."""
    is_anomaly = find_anomalies(subject) if subject.task == "detector" else None
    return np.arange(len(subject.numbers)) if is_anomaly is None else np.flatnonzero(~is_anomaly)


def find_unseen(subject: Subject) -> dict[int, float]:
    """Return the share of unseen categories of each categorical column, by position."""
    if not (is_frame(subject.X) and subject.schema.fields):
        return {}
    frame, used = open_frame(take_rows(subject.X, choose_rows(subject))), subject.schema.used
    return {i: _share_unseen(frame.get_column(used[i].name), used[i].categories) for i in subject.schema.categorical}


def compute_psi(expected: Values, found: Values, is_category: bool) -> float | None:
    """Return the population stability index of two samples; missing values are a category of their own.

    The index of equal distributions has an expectation above 0, which is subtracted: the number of intervals minus 1
    times the sum of the reciprocal numbers of rows (Yurdakul and Naranjo, Journal of risk model validation 14, 2020).
    """
    if np.isnan(expected).all():
        return None
    known = expected[~np.isnan(expected)]
    edges = np.unique(known if is_category else np.quantile(known, np.linspace(0, 1, N_INTERVALS + 1)[1:-1]))
    shares = [_share_of_intervals(values, edges, is_category) for values in (expected, found)]
    p, q = (np.maximum(share, MIN_SHARE) for share in shares)
    chance = (np.count_nonzero(shares[0] + shares[1]) - 1) * (1 / len(expected) + 1 / len(found))
    return float(max(0.0, np.sum((q - p) * np.log(q / p)) - chance))


def _share_of_intervals(values: Values, edges: Values, is_category: bool) -> Values:
    known = values[~np.isnan(values)]
    places = np.searchsorted(edges, known, side="left" if is_category else "right")
    counts = np.bincount(np.minimum(places, len(edges)), minlength=len(edges) + 1)
    return np.append(counts, len(values) - len(known)) / len(values)


def _share_unseen(column: Any, categories: tuple[Any, ...]) -> float:
    known, missing = set(categories), missing_mask(column)
    values = [value for value, is_missing in zip(column.to_list(), missing, strict=True) if not is_missing]
    return float(sum(value not in known for value in values) / max(1, len(column)))


def _list_missing_in_fit(subject: Subject, rows: Values | None) -> Values | None:
    """Return which columns have missing cells in the training rows; None if it is not known."""
    if rows is not None:
        return np.asarray(np.isnan(rows).any(0))
    if subject.net is None or not subject.schema.fields:
        return None
    return np.isin(np.arange(len(subject.schema.used)), subject.schema.missing_columns)


def _is_shifted(
    difference: float | None,
    psi: float | None,
    outside: float | None,
    unseen: float | None,
    newly_missing: float | None,
    n: int,
) -> bool:
    limit = max(MAX_DIFFERENCE, N_ERRORS / np.sqrt(max(n, 1)))
    shares = [share or 0.0 for share in (outside, unseen, newly_missing)]
    few = max(MAX_OUTSIDE, N_ERRORS / max(n, 1))
    return bool(abs(difference or 0.0) > limit or (psi or 0.0) > MAX_PSI or max(shares) > few)


def _or_none(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _make_record(shift: Shift) -> dict[str, Any]:
    share = {name: None if (value := getattr(shift, name)) is None else Share(value) for name in ("outside", "unseen")}
    return {
        "column": shift.column,
        "differs": "yes" if shift.is_shifted else "",
        "difference of means (SD)": shift.difference,
        "stability index": shift.psi,
        "outside the range": share["outside"],
        "unseen categories": share["unseen"],
        "newly missing": None if shift.newly_missing is None else Share(shift.newly_missing),
    }
