"""What the rows are, and how the model reads them."""

from typing import Any

import numpy as np

from isthmus.anomaly import AnomalyDetector
from isthmus.containers import open_frame
from isthmus.data.tables.cells import missing_mask
from isthmus.data.tables.frames import is_frame
from isthmus.formatting import format_percent, pluralize
from isthmus.likelihoods import Mixed
from isthmus.reporting.blocks import Bars, Facts, Section, Share, Table
from isthmus.reporting.cells import get_fields, show_number
from isthmus.reporting.subject import Subject, Values
from isthmus.schema import Field

# Intervals of a histogram, and categories that a row of the table names.
N_BARS, N_NAMED = 10, 3


def describe_columns(subject: Subject) -> Section:
    """Return kind, range, missing cells and likelihood of each column, and what is done to the columns."""
    records, left_out = list_columns(subject), list_left_out(subject)
    missing = float(np.isnan(subject.numbers).mean())
    facts = {
        "columns the model learns from": len(records),
        "cells missing": Share(missing),
        "rows with a missing cell": Share(np.isnan(subject.numbers).any(1).mean()),
        "missing cells": "flags tell the encoder which are missing"
        if _has_flags(subject)
        else "not in the training rows",
        "numbers": "standardized by mean and standard deviation of the training rows",
    }
    if subject.net is None:
        facts.pop("numbers"), facts.pop("missing cells")
    kinds = [record["kind"] for record in records]
    counted = ", ".join(f"{kinds.count(kind):,} {kind}" for kind in dict.fromkeys(kinds))
    lead = f"{pluralize(len(records), 'column')} ({counted}); {format_percent(missing)} of the cells are missing."
    table = Table.of(records + left_out, "Columns of the judged rows")
    values = {
        "n_rows": len(subject.source),
        "n_columns": len(records),
        "missing": missing,
        "left_out": subject.schema.left_out,
        "columns": records + left_out,
    }
    return Section("data", "The data, and what was done to it", lead, [Facts(facts), table], values)


def list_columns(subject: Subject) -> list[dict[str, Any]]:
    """Return a record for each column."""
    schema, likelihoods = subject.schema, name_likelihoods(subject)
    columns = zip(subject.names, get_fields(schema), subject.numbers.T, strict=True)
    return [
        {
            "column": name,
            "kind": "number" if field is None else field.kind,
            "missing": Share(np.isnan(values).mean()),
            "values": describe_values(values[~np.isnan(values)], field),
            "histogram": count_values(values[~np.isnan(values)], field),
        }
        | ({"likelihood": likelihoods[i]} if likelihoods else {})
        for i, (name, field, values) in enumerate(columns)
    ]


def list_left_out(subject: Subject) -> list[dict[str, Any]]:
    """Return a record for each column that the model does not learn from."""
    frame = open_frame(subject.X) if is_frame(subject.X) else None
    likelihood = {} if subject.net is None else {"likelihood": "none"}
    return [
        {
            "column": str(field.name),
            "kind": field.kind,
            "missing": None if frame is None else Share(missing_mask(frame.get_column(field.name)).mean()),
            "values": _describe_left_out(field, isinstance(subject.model, AnomalyDetector)),
            "histogram": None,
        }
        | likelihood
        for field in subject.schema.fields
        if not field.used
    ]


def _describe_left_out(field: Field, has_alarms: bool) -> str:
    can_alarm = has_alarms and field.kind == "constant"
    reason = field.note or f"stated as {field.kind}"
    return f"left out: {reason}{'; another value can cause an alarm' if can_alarm else ''}"


def describe_values(values: Values, field: Any) -> str:
    """Return the range and the median of numbers, or the most frequent categories."""
    if not len(values):
        return "no value"
    if field is not None and field.is_categorical:
        counts = np.bincount(values.astype(int), minlength=len(field.categories))
        first = np.argsort(-counts, kind="stable")[:N_NAMED]
        shares = [f"{show_number(i, field)} ({format_percent(counts[i] / len(values))})" for i in first if counts[i]]
        n_others = np.count_nonzero(counts) - len(shares)
        return ", ".join(shares) + (f" and {n_others} more" if n_others else "")
    low, median, high = np.quantile(values, [0, 0.5, 1]).tolist()
    shown = [show_number(each, field, low, high) for each in (low, high, median)]
    return f"{shown[0]} to {shown[1]}, median {shown[2]}"


def count_values(values: Values, field: Any) -> Bars:
    """Return the counts of a histogram of numbers, or of the most frequent categories."""
    if field is not None and field.is_categorical:
        counts = np.bincount(values.astype(int), minlength=1)
        return Bars(int(count) for count in -np.sort(-counts)[:N_BARS] if count)
    return Bars(np.histogram(values, N_BARS)[0].tolist()) if len(values) else Bars()


def name_likelihoods(subject: Subject) -> list[str]:
    """Return the likelihood of each column; an empty list if the model has none."""
    if subject.net is None:
        return []
    likelihood, n = subject.net.likelihood_, int(np.prod(subject.schema.shape))
    if not isinstance(likelihood, Mixed):
        return [type(likelihood).__name__] * n
    owner = {
        i: type(part).__name__ for part, own in zip(likelihood.parts, likelihood.columns, strict=True) for i in own
    }
    return [owner[i] for i in range(n)]


def _has_flags(subject: Subject) -> bool:
    return subject.net is not None and bool(subject.net.module_.flags)
