"""What a model must not be used for, as far as it follows from facts."""

from collections.abc import Iterator

import numpy as np

from isthmus.formatting import format_percent, list_names, pluralize
from isthmus.generation.intervals import CONTAINED
from isthmus.reporting.blocks import Section, Table
from isthmus.reporting.fitted import are_training_rows
from isthmus.reporting.sections.alarms import ANOMALIES, share_by_label
from isthmus.reporting.sections.certainty import find_narrow
from isthmus.reporting.sections.comparison import judge_methods
from isthmus.reporting.sections.detection import find_anomalies
from isthmus.reporting.sections.language import judge_bits, measure_bits
from isthmus.reporting.sections.shift import MAX_OUTSIDE, measure_shifts
from isthmus.reporting.subject import Subject

# Rows below which intervals are too wide to compare methods: a share of 50 % of 100 rows is known to 10 %.
MIN_ROWS = 100


def list_limits(subject: Subject) -> Section | None:
    """Return uses to avoid, and the fact that each follows from; the most important one first."""
    records = [{"do not": use, "because": reason} for use, reason in _find(subject)]
    if not records:
        return None
    first = records[0]
    lead = f"Do not {first['do not']}: {first['because']}."
    blocks = [Table.of(records, "Uses to avoid, and why")] if len(records) > 1 else []
    return Section("limits", "What it must not be used for", lead, blocks, {"limits": records}, "limit")


def _find(subject: Subject) -> Iterator[tuple[str, str]]:
    if are_training_rows(subject):
        yield (
            f"expect these figures on new {subject.nouns}",
            f"the judged {subject.nouns} are probably training {subject.nouns}; "
            f"give new {subject.nouns}, or split the {subject.nouns} with `isthmus prepare` before fit",
        )
    if subject.task == "detector":
        yield from _from_labels(subject)
    if subject.task == "imputer" and subject.data == "table":
        yield from _from_columns(subject)
    if subject.data in ("table", "flat images"):
        yield from _from_rows(subject)
    if subject.n_rows < MIN_ROWS:
        yield "compare figures of this report closely", f"they come from {pluralize(subject.n_rows, subject.noun)} only"
    if subject.net is not None and subject.net.schema_.fields:
        yield from _from_schema(subject)
    yield from _from_comparison(subject)


def _from_labels(subject: Subject) -> Iterator[tuple[str, str]]:
    use, shares = "rely on it to find every anomaly", share_by_label(subject)
    if find_anomalies(subject) is None:
        yield use, "no labelled anomalies were given, so the share of anomalies that it misses is not known"
    elif shares and shares[ANOMALIES].value < 1:
        yield use, f"{format_percent(1 - shares[ANOMALIES].value)} of the labelled anomalies are no alarms"


def _from_columns(subject: Subject) -> Iterator[tuple[str, str]]:
    """Name columns that are filled no better than by the simplest method, worse than by regression, or mostly wrong."""
    errors = judge_methods(subject).columns
    if errors is None:
        return
    found = {
        "those of {} are not clearly better than the mean or the most frequent category": errors.find_no_better(),
        "those of {} are clearly worse than those of iterative regression": [
            name for name, method in errors.find_better().items() if method == "iterative regression"
        ],
        "more than half of those of {} are wrong": errors.find_mostly_wrong(),
    }
    if reasons := [reason.format(list_names(columns)) for reason, columns in found.items() if columns]:
        yield "rely on the filled values of every column", "; ".join(reasons)
    if narrow := find_narrow(subject):
        nominal = format_percent(CONTAINED)
        yield (
            "trust the intervals of every column",
            f"the {nominal} intervals of {list_names(narrow)} contain clearly fewer of the hidden values",
        )


def _from_comparison(subject: Subject) -> Iterator[tuple[str, str]]:
    if subject.task == "detector" or subject.net is None or subject.data in ("counts", "time points"):
        return
    if subject.data == "texts":
        yield from _from_bits(subject)
        return
    for name, difference in judge_methods(subject).differences.items():
        if difference.low > 0:
            use = "fill missing cells" if subject.task == "imputer" else f"compress or rebuild {subject.nouns}"
            reason = f"the error is {format_percent(difference.value)} larger than that of {name}, a simple method"
            yield f"use it to {use}", reason
            return


def _from_bits(subject: Subject) -> Iterator[tuple[str, str]]:
    measured = measure_bits(subject)
    differences = {} if measured is None else judge_bits(measured, subject.seed).differences
    for name, difference in differences.items():
        if difference.low > 0:
            reason = f"it takes {format_percent(difference.value)} more bits per token than {name}, a simple method"
            yield "use it to rate or write texts", reason
            return


def _from_rows(subject: Subject) -> Iterator[tuple[str, str]]:
    shifts = measure_shifts(subject)
    outside = [shift.column for shift in shifts if shift.is_shifted and (shift.outside or 0.0) > MAX_OUTSIDE]
    # Such values are what a detector is for.
    if outside and subject.task != "detector":
        yield (
            "trust results outside the range of the training rows",
            f"{list_names(outside)} {'have' if len(outside) > 1 else 'has'} such values, and the model extrapolates",
        )
    unseen = [shift.column for shift in shifts if shift.unseen]
    if unseen:
        yield (
            "expect unseen categories to count",
            f"categories of {list_names(unseen)} that were not in fit are read as missing",
        )


def _from_schema(subject: Subject) -> Iterator[tuple[str, str]]:
    net = subject.net
    if net is not None and not net.module_.has_missing and not np.isnan(subject.numbers).any():
        yield "give it rows with missing cells", "the training rows had none, so the model refuses such rows"
    left_out = [field.name for field in subject.schema.fields if field.note]
    if left_out:
        yield (
            f"ask it about {list_names(left_out)}",
            f"the model did not learn from {'these columns' if len(left_out) > 1 else 'this column'}",
        )
