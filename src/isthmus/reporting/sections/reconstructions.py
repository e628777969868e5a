"""The worst and the best reconstructions of rows of a table, and the errors of its columns."""

from typing import Any

import numpy as np

from isthmus.formatting import list_texts
from isthmus.reporting.blocks import Block, Section, Table, Text
from isthmus.reporting.cells import get_fields, show_number
from isthmus.reporting.subject import Subject, Values, once

# Rows that are shown, and cells of each row, those with the largest errors first.
N_WORST, N_BEST, N_CELLS = 5, 2, 3
# Share of its standard deviation below which a column is rebuilt well.
MAX_GOOD = 0.25


@once
def measure_cells(subject: Subject) -> Values:
    """Return the error of each reconstructed cell (n, n_values); NaN where the value is missing.

    The error of a number is the squared difference in units of the variance of its column among the judged rows; that
    of a category is 1 if it is wrong, and 0 otherwise.
    """
    given, rebuilt = (values.reshape(len(values), -1) for values in (subject.numbers, subject.reconstructions))
    variance = np.nanvar(given, 0)
    errors = np.square(given - rebuilt) / np.where(variance > 0, variance, 1.0)
    categorical = subject.schema.categorical
    wrong = (given != np.rint(rebuilt))[:, categorical]
    errors[:, categorical] = np.where(np.isnan(given[:, categorical]), np.nan, wrong)
    return errors


def show_reconstructions(subject: Subject) -> Section | None:
    """Return the errors of columns, and the cells of the worst and the best rows."""
    if subject.net is None:
        return None
    errors = measure_cells(subject)
    columns = sorted(_list_columns(subject, errors), key=lambda record: -record["error"])
    known = np.flatnonzero(~np.isnan(errors).all(1))  # an empty row has no errors
    order = known[np.argsort(-np.nanmean(errors[known], 1), kind="stable")]
    worst = [record for row in order[:N_WORST] for record in _list_cells(subject, errors, int(row))]
    best = [record for row in order[::-1][:N_BEST] for record in _list_cells(subject, errors, int(row))]
    blocks: list[Block] = [
        Table.of(worst, f"Cells with the largest errors of the {len(order[:N_WORST])} worst rows"),
        Table.of(best, f"Cells with the largest errors of the {len(order[:N_BEST])} best rows"),
        Table.of(columns, "Errors of columns, the largest first"),
        Text(
            "The error of numbers is the mean squared error in units of the variance of the column: 0 is exact, and 1 "
            "is no better than the mean. The error of categories is the share of wrong ones."
        ),
    ]
    values = {"columns": columns, "worst": worst, "best": best}
    return Section("reconstructions", "What it rebuilds, and what it loses", _summarize(columns), blocks, values)


def _summarize(columns: list[dict[str, Any]]) -> str:
    lost = [record["column"] for record in columns if record["error"] > 1 - MAX_GOOD]
    kept = [record["column"] for record in columns[::-1] if record["error"] < MAX_GOOD]
    texts = [f"{len(kept)} of {len(columns)} columns are rebuilt with an error below {MAX_GOOD:g}"]
    texts += [f"nearly all of the variation is lost in {list_texts(lost)}"] if lost else []
    return "; ".join(texts) + "."


def _list_columns(subject: Subject, errors: Values) -> list[dict[str, Any]]:
    fields = get_fields(subject.schema)
    known: Values = np.any(~np.isnan(errors), axis=0)
    means = np.nanmean(np.where(known, errors, 0.0), 0)
    return [
        {"column": name, "kind": "number" if field is None else field.kind, "error": float(means[i])}
        for i, (name, field) in enumerate(zip(subject.names, fields, strict=True))
        if known[i]
    ]


def _list_cells(subject: Subject, errors: Values, row: int) -> list[dict[str, Any]]:
    names, fields = subject.names, get_fields(subject.schema)
    given, rebuilt = (
        subject.numbers.reshape(len(errors), -1)[row],
        subject.reconstructions.reshape(len(errors), -1)[row],
    )
    largest = np.argsort(-np.nan_to_num(errors[row], nan=-1.0), kind="stable")[:N_CELLS]
    return [
        {
            "row": subject.name_row(row),
            "column": names[i],
            "value": show_number(given[i], fields[i]),
            "rebuilt": show_number(rebuilt[i], fields[i]),
            "error": float(errors[row, i]),
        }
        for i in largest.tolist()
    ]
