"""Checks of columns, each by itself."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from isthmus.data.validation import LARGEST
from isthmus.doctor.check_input import CheckInput, Column
from isthmus.finding import Finding
from isthmus.formatting import N_NAMED, format_percent, list_names
from isthmus.schema import NUMBERS, Field

# Share of rows with one value from which on a column hardly varies.
NEARLY_ALL = 0.995
# Rows below which whole numbers may well all differ; and up to how many times their number they then range.
FEW_ROWS, SPARSE = 100, 10
# Share of different values from which on they tell rows apart; and rows a level of a category below which it hardly
# tells kinds of rows, with so many levels or more.
DIFFERENT, ROWS_A_LEVEL, MANY_LEVELS = 0.99, 5, 51
# Range of a column below which float32 cannot scale it.
SMALLEST = 1e-36
# Share of missing values that is much.
MUCH = 0.5
# Names of numbers that are mostly codes, and the rows a value has then at least.
NAME_OF_CODE = re.compile(r"(code|class|type|zip|category|group)$", re.I)
ROWS_A_CODE = 20


def infinite(case: CheckInput) -> Iterator[Finding]:
    """Infinite values, which fit refuses."""
    if case.rows.infinite:
        detail = f"{sum(case.rows.infinite.values()):,} values are infinite, which fit refuses"
        yield Finding(
            "infinite values", tuple(case.rows.infinite), detail, "make them missing: isthmus prepare", "error"
        )


def beyond_float32(case: CheckInput) -> Iterator[Finding]:
    """Numbers too large or too close together for the arithmetic of fit."""
    numbers = [c for c in case.columns if c.is_number and len(c.levels) > 1]
    labels = [c.label for c in numbers if np.abs(c.levels).max() > LARGEST or np.ptp(c.levels) < SMALLEST]
    if labels:
        detail = f"values beyond {LARGEST:g} or ranges below {SMALLEST:g}, which float32 cannot hold"
        yield Finding("extreme scales", tuple(labels), detail, "give them another unit", "error")


def without_values(case: CheckInput) -> Iterator[Finding]:
    """Columns without a value, which fit refuses."""
    empty = [column.label for column in case.columns if not len(column.present)]
    if empty:
        yield Finding(
            "empty columns", tuple(empty), "no value in any row, which fit refuses", _without(empty, case), "error"
        )


def left_out(case: CheckInput) -> Iterator[Finding]:
    """Columns that fit leaves out of itself."""
    advice = {
        "identifier": "nothing to do, unless rows share what they stand for: {}",
        "constant": "remove them: isthmus prepare",
        "text": "make columns of what the text says, or nothing",
    }
    for kind, what_to_do in advice.items():
        fields = [
            field
            for field in case.schema.fields
            if field.note and field.kind == kind and field.name not in case.readable
        ]
        if fields:
            names = tuple(field.name for field in fields)
            yield Finding(
                "columns left out", names, fields[0].note, what_to_do.format(as_kind(names, "category")), "hint"
            )


def hardly_varying(case: CheckInput) -> Iterator[Finding]:
    """Columns of one value in nearly all rows."""
    columns = (
        [] if case.has_common_range else [c for c in case.columns if len(c.present) > 1 and c.mode_share > NEARLY_ALL]
    )
    if columns:
        labels = [column.label for column in columns]
        share = format_percent(min(column.mode_share for column in columns))
        detail = f"one value in {share} of the rows or more, so that the few others decide scores"
        yield Finding("near-constant columns", tuple(labels), detail, _without(labels, case))


def row_numbers(case: CheckInput) -> Iterator[Finding]:
    """Numbers that are learned from though they tell rows apart."""
    labels = [c.label for c in case.columns if c.label not in case.user_kinds and _counts_rows(c)]
    if labels:
        advice = as_kind(labels, "identifier") if case.schema.fields else _without(labels, case)
        yield Finding("identifiers used as numbers", tuple(labels), "they count rows and say nothing of them", advice)


def scattered_levels(case: CheckInput) -> Iterator[Finding]:
    """Categories with nearly as many levels as rows."""
    skipped = {*case.user_kinds, *case.readable}
    columns = [c for c in case.columns if c.label not in skipped and _is_scattered(c)]
    if columns:
        labels = tuple(column.label for column in columns)
        most = max(columns, key=lambda column: len(column.levels))
        detail = f"up to {len(most.levels):,} levels for {len(most.present):,} rows"
        advice = f"leave them out, {as_kind(labels, 'identifier')}, or join rare levels"
        yield Finding("categories of few rows a level", labels, detail, advice)


def mostly_missing(case: CheckInput) -> Iterator[Finding]:
    """Columns with more holes than values."""
    shares = {column.label: 1 - len(column.present) / len(column.values) for column in case.columns}
    most = [name for name, share in shares.items() if MUCH < share < 1]
    if most:
        detail = f"up to {format_percent(max(shares[name] for name in most))} of the values are missing"
        advice = f"{_without(most, case)}, unless you want to have it filled"
        yield Finding("mostly missing columns", tuple(most), detail, advice)


def numbers_as_text(case: CheckInput) -> Iterator[Finding]:
    """Numbers and dates that are stored as text."""
    if case.readable:
        example = next(iter(case.readable.values()))
        detail = f"nearly all values read as numbers or dates, such as {example!r}"
        yield Finding(
            "numbers or dates stored as text", tuple(case.readable), detail, "turn them into numbers: isthmus prepare"
        )


def codes_as_numbers(case: CheckInput) -> Iterator[Finding]:
    """Numbers that seem to be names of kinds."""
    fields = {field.name: field for field in case.schema.fields if field.name not in case.user_kinds}
    labels = [c.label for c in case.columns if c.label in fields and _is_code(c, fields[c.label])]
    if labels:
        detail = "few different whole numbers, which their name calls codes"
        yield Finding("codes used as numbers", tuple(labels), detail, f"if so: {as_kind(labels, 'category')}", "hint")


def _counts_rows(column: Column) -> bool:
    """Whether whole numbers, hardly two of them equal, are too close together or too well sorted for that by chance."""
    n, levels = len(column.present), column.levels
    if n < FEW_ROWS or not column.whole or len(levels) < DIFFERENT * n or _is_date(column):
        return False
    return bool(levels[-1] - levels[0] < SPARSE * n) or bool((np.diff(column.present) > 0).all())


def _is_date(column: Column) -> bool:
    return column.field is not None and column.field.kind == "date"


def _is_scattered(column: Column) -> bool:
    n_levels = len(column.levels)
    return not column.is_number and n_levels >= MANY_LEVELS and len(column.present) < ROWS_A_LEVEL * n_levels


def _is_code(column: Column, field: Field) -> bool:
    few = 2 < len(column.levels) <= len(column.present) / ROWS_A_CODE
    return few and field.kind in NUMBERS and column.whole and bool(NAME_OF_CODE.search(str(column.label)))


def as_kind(columns: Sequence[Any], kind: str) -> str:
    """Write the argument that gives columns of a data frame a kind."""
    return f"schema={{{', '.join(f'{column!r}: {kind!r}' for column in columns[:N_NAMED])}}}"


def _without(labels: Sequence[Any], case: CheckInput) -> str:
    """Say how to leave columns out."""
    if case.schema.fields:
        return f"drop {list_names(labels)} (at the command line --without NAME)"
    if len(case.schema.shape) == 1:
        return f"leave out by np.delete(X, {list(labels)}, axis=1)"
    return "crop or mask these values"
