"""Checks of the data: rows, columns, and pairs of columns."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import poisson, rankdata

from isthmus.data.validation import LARGEST
from isthmus.doctor.check_input import CheckInput, Column
from isthmus.doctor.rows import Values
from isthmus.finding import Finding
from isthmus.formatting import N_NAMED, format_percent, list_names
from isthmus.schema import NUMBERS, Field

# Thresholds are rules of thumb: tests/test_doctor.py asserts that clean data sets of scikit-learn pass all checks.
# Factor on the number of equal rows expected from independent columns, since dependent columns agree more often; and
# the Poisson probability below which more equal rows are no coincidence.
DEPENDENCE_FACTOR, SIGNIFICANCE = 10, 1e-3
# Share of rows with the same value above which a column is near-constant.
NEAR_CONSTANT = 0.995
# Integers are identifiers if at least this share of them is distinct, in at least MIN_ROWS rows, and if they increase
# or their range is below MAX_RANGE times the number of rows.
MIN_DISTINCT, MIN_ROWS, MAX_RANGE = 0.99, 100, 10
# A categorical column has too many categories if there are at least this many, with fewer rows per category than this.
MIN_CATEGORIES, MIN_ROWS_PER_CATEGORY = 51, 5
# Smallest range of a column. Smaller ones lose precision in float32, whose subnormal numbers start at 1.2e-38.
SMALLEST_RANGE = 1e-36
# Share of missing values above which a column is mostly missing.
MOSTLY_MISSING = 0.5
# Names that suggest categories coded as numbers, and the fewest rows per distinct value.
CODE_NAME, MIN_ROWS_PER_CODE = re.compile(r"(code|class|type|zip|category|group)$", re.I), 20
# Columns above which pairs are not compared, to limit the memory for correlations to 128 MiB; and rows whose ranks are
# compared.
MAX_COLUMNS, N_ROWS = 4096, 2000
# Absolute rank correlation of columns that are functions of each other except for rounding. Columns with a larger share
# of one value are not compared: almost all of their ranks are tied.
SAME_CORRELATION, MAX_TIED = 0.99999, 0.95


def find_leaks(data: CheckInput) -> Iterator[Finding]:
    """Find rows of one split that are also in another."""
    for (name, rows), (other, others) in combinations({"X": data.rows, **data.splits}.items(), 2):
        n_common = int(np.isin(others.keys, rows.keys).sum())
        if _is_significant(n_common, len(rows) * len(others) * data.match_probability):
            share = format_percent(n_common / len(others))
            detail = f"{n_common:,} of {len(others):,} rows of {other} ({share}) are in {name}"
            advice = f"take them out of {other}, or remove duplicates and split again: isthmus prepare"
            yield Finding("leak between splits", (), detail, advice, "error")


def find_duplicates(data: CheckInput) -> Iterator[Finding]:
    """Find rows that repeat an earlier one."""
    n = len(data.rows)
    n_repeats = n - len(np.unique(data.rows.keys))
    if _is_significant(n_repeats, n * (n - 1) / 2 * data.match_probability):
        detail = f"{n_repeats:,} of {n:,} rows ({format_percent(n_repeats / n)}) equal an earlier one"
        ignored = [field.name for field in data.schema.fields if field.kind == "identifier"]
        detail += f"; {list_names(ignored)} may differ" if ignored else ""
        advice = "remove them, unless each row is a separate observation: isthmus prepare"
        yield Finding("duplicate rows", (), detail, advice)


def find_empty_rows(data: CheckInput) -> Iterator[Finding]:
    """Find rows without any value."""
    n_rows, n_empty = len(data.rows.values), int(np.isnan(data.rows.values).all(1).sum())
    if n_empty:
        detail = f"{n_empty:,} of {n_rows:,} rows have no value at all"
        yield Finding("empty rows", (), detail, "leave them out: a model learns nothing from them")


def find_infinite_values(data: CheckInput) -> Iterator[Finding]:
    """Find infinite values, for which fit raises an error."""
    if data.rows.infinite:
        detail = f"{sum(data.rows.infinite.values()):,} values are infinite, which fit does not accept"
        advice = "make them missing: isthmus prepare"
        yield Finding("infinite values", tuple(data.rows.infinite), detail, advice, "error")


def find_extreme_scales(data: CheckInput) -> Iterator[Finding]:
    """Find numbers that are too large or too close together for float32."""
    numbers = [c for c in data.columns if c.is_number and len(c.distinct) > 1]
    labels = [c.label for c in numbers if np.abs(c.distinct).max() > LARGEST or np.ptp(c.distinct) < SMALLEST_RANGE]
    if labels:
        detail = f"values beyond {LARGEST:g} or ranges below {SMALLEST_RANGE:g}, which float32 cannot represent"
        yield Finding("extreme scales", tuple(labels), detail, "use another unit", "error")


def find_empty_columns(data: CheckInput) -> Iterator[Finding]:
    """Find columns without any value, for which fit raises an error."""
    empty = [column.label for column in data.columns if not len(column.present)]
    if empty:
        detail, advice = "no value in any row, which fit does not accept", _without(empty, data)
        yield Finding("empty columns", tuple(empty), detail, advice, "error")


def find_numbers_as_text(data: CheckInput) -> Iterator[Finding]:
    """Find numbers and dates that are stored as text."""
    if data.parseable:
        detail = f"nearly all values read as numbers or dates, such as {next(iter(data.parseable.values()))!r}"
        advice = "turn them into numbers: isthmus prepare"
        yield Finding("numbers or dates stored as text", tuple(data.parseable), detail, advice)


def find_excluded_columns(data: CheckInput) -> Iterator[Finding]:
    """Find columns that fit leaves out."""
    advice = {
        "identifier": "nothing to do, unless rows share the values: {}",
        "constant": "remove them: isthmus prepare",
        "text": "extract columns from the text, or do nothing",
    }
    for kind, what_to_do in advice.items():
        fields = [f for f in data.schema.fields if f.note and f.kind == kind and f.name not in data.parseable]
        if fields:
            names = tuple(field.name for field in fields)
            how = what_to_do.format(as_kind(names, "category"))
            yield Finding("columns left out", names, fields[0].note, how, "hint")


def find_near_constants(data: CheckInput) -> Iterator[Finding]:
    """Find columns with the same value in nearly all rows."""
    varying = [] if data.are_pixels else [c for c in data.columns if len(c.present) > 1]
    columns = [column for column in varying if column.mode_share > NEAR_CONSTANT]
    if columns:
        labels = [column.label for column in columns]
        share = format_percent(min(column.mode_share for column in columns))
        detail = f"one value in {share} of the rows or more, so that the few others dominate the scores"
        yield Finding("near-constant columns", tuple(labels), detail, _without(labels, data))


def find_identifiers(data: CheckInput) -> Iterator[Finding]:
    """Find numeric columns that number the rows."""
    labels = [c.label for c in data.columns if c.label not in data.user_kinds and is_identifier(c)]
    if labels:
        advice = as_kind(labels, "identifier") if data.schema.fields else _without(labels, data)
        detail = "they number the rows and carry no information about them"
        yield Finding("identifiers used as numbers", tuple(labels), detail, advice)


def find_rare_categories(data: CheckInput) -> Iterator[Finding]:
    """Find categorical columns with almost as many categories as rows."""
    skipped = {*data.user_kinds, *data.parseable}
    columns = [c for c in data.columns if c.label not in skipped and _has_rare_categories(c)]
    if columns:
        labels = tuple(column.label for column in columns)
        most = max(columns, key=lambda column: len(column.distinct))
        detail = f"up to {len(most.distinct):,} categories in {len(most.present):,} rows"
        advice = f"leave them out, {as_kind(labels, 'identifier')}, or merge rare categories"
        yield Finding("categories with few rows each", labels, detail, advice)


def find_category_codes(data: CheckInput) -> Iterator[Finding]:
    """Find categories that are coded as numbers."""
    fields = {field.name: field for field in data.schema.fields if field.name not in data.user_kinds}
    labels = [c.label for c in data.columns if c.label in fields and _is_code(c, fields[c.label])]
    if labels:
        detail = "few distinct integers, and names that suggest codes"
        yield Finding("codes used as numbers", tuple(labels), detail, f"if so: {as_kind(labels, 'category')}", "hint")


def find_mostly_missing(data: CheckInput) -> Iterator[Finding]:
    """Find columns with more missing values than known ones."""
    shares = {column.label: 1 - len(column.present) / len(column.values) for column in data.columns}
    most = [name for name, share in shares.items() if MOSTLY_MISSING < share < 1]
    if most:
        detail = f"up to {format_percent(max(shares[name] for name in most))} of the values are missing"
        advice = f"{_without(most, data)}, unless you want to impute it"
        yield Finding("mostly missing columns", tuple(most), detail, advice)


def find_redundant_columns(data: CheckInput) -> Iterator[Finding]:
    """Find columns that are functions of each other."""
    columns = [c for c in data.columns if len(c.present) >= MIN_ROWS and c.mode_share < NEAR_CONSTANT]
    if not 1 < len(columns) <= MAX_COLUMNS:
        return
    pairs = [*_find_one_to_one(columns), *_find_correlated(columns)]
    for group in _connected_groups(pairs, len(columns)):
        labels = tuple(columns[i].label for i in group)
        others = "other" if len(labels) == 2 else "others"
        detail = f"each is a function of the {others}, except for rounding"
        yield Finding("redundant columns", labels, detail, f"keep {labels[0]!r} and leave out the {others}")


def _is_significant(n: int, expected: float) -> bool:
    return n > 0 and bool(poisson.sf(n - 1, DEPENDENCE_FACTOR * expected) < SIGNIFICANCE)


def is_identifier(column: Column) -> bool:
    """Whether integers are almost all distinct, and dense or increasing."""
    n, distinct = len(column.present), column.distinct
    is_date = column.field is not None and column.field.kind == "date"
    if n < MIN_ROWS or not column.is_integer or len(distinct) < MIN_DISTINCT * n or is_date:
        return False
    return bool(distinct[-1] - distinct[0] < MAX_RANGE * n) or bool((np.diff(column.present) > 0).all())


def _has_rare_categories(column: Column) -> bool:
    n_categories = len(column.distinct)
    is_sparse = len(column.present) < MIN_ROWS_PER_CATEGORY * n_categories
    return not column.is_number and n_categories >= MIN_CATEGORIES and is_sparse


def _is_code(column: Column, field: Field) -> bool:
    few = 2 < len(column.distinct) <= len(column.present) / MIN_ROWS_PER_CODE
    return few and field.kind in NUMBERS and column.is_integer and bool(CODE_NAME.search(str(column.label)))


def _find_one_to_one(columns: Sequence[Column]) -> Iterator[tuple[int, int]]:
    """Find pairs of columns of any kind whose values map one to one."""
    first: dict[bytes, int] = {}
    for i, column in enumerate(columns):
        # Values that occur once map to anything.
        if 2 * (len(column.distinct) - 1) <= len(column.present) - column.counts.max():
            yield first.setdefault(_pattern(column), i), i


def _pattern(column: Column) -> bytes:
    """Number the values in order of first appearance, so that columns that map one to one have equal patterns."""
    _, first, codes = np.unique(column.values, return_index=True, return_inverse=True)
    return first.argsort().argsort().astype(np.int32)[codes].tobytes()


def _find_correlated(columns: Sequence[Column]) -> Iterator[tuple[int, int]]:
    """Find pairs of numeric columns with the same or the opposite order of rows."""
    numbers = [i for i, column in enumerate(columns) if column.is_number and column.mode_share < MAX_TIED]
    ranks = np.column_stack([_rank(columns[i]) for i in numbers]) if numbers else np.empty((0, 0))
    for a, b in np.argwhere(np.triu(np.abs(ranks.T @ ranks) > SAME_CORRELATION, 1)).tolist():
        yield numbers[a], numbers[b]


def _rank(column: Column) -> Values:
    """Rank some rows, centred and of norm 1; missing values get the mean rank."""
    values = column.values[:: -(-len(column.values) // N_ROWS)]
    ranks = rankdata(values, nan_policy="omit")
    ranks = np.nan_to_num(ranks - np.nanmean(ranks))
    return ranks / (np.linalg.norm(ranks) or 1.0)


def _connected_groups(pairs: Sequence[tuple[int, int]], n: int) -> list[list[int]]:
    """Join pairs into groups of two or more."""
    a, b = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    _, group_of = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)), directed=False)
    groups = [np.flatnonzero(group_of == group).tolist() for group in dict.fromkeys(group_of.tolist())]
    return [group for group in groups if len(group) > 1]


def as_kind(columns: Sequence[Any], kind: str) -> str:
    """Return the argument that sets the kind of columns."""
    return f"schema={{{', '.join(f'{column!r}: {kind!r}' for column in columns[:N_NAMED])}}}"


def _without(labels: Sequence[Any], data: CheckInput) -> str:
    """Return how to leave columns out."""
    if data.schema.fields:
        return f"drop {list_names(labels)} (at the command line --without NAME)"
    if len(data.schema.shape) == 1:
        return f"leave out by np.delete(X, {list(labels)}, axis=1)"
    return "crop or mask these values"
