"""Kinds of the columns of a data frame, inferred from their values."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.data.tables.blocks import iterate_numbers
from isthmus.data.tables.cells import (
    MAX_EXACT,
    find_distinct_microseconds,
    holds_dates,
    is_number,
    is_numeral,
    is_text,
    list_categories,
    name_date_dtype,
    name_dtype,
    suggest_remedy,
    to_days,
    to_exact_numbers,
)
from isthmus.part import did_you_mean
from isthmus.schema import CATEGORICAL, KINDS, LEFT_OUT, MICROSECONDS, NUMBERS, Field

Values = np.ndarray[Any, Any]

# Smallest number of rows for identifiers: in fewer rows, consecutive integers can be counts or ranks.
FEW_ROWS = 20
# A column with at most FEW_VALUES different numbers keeps all of them as possible point masses; one with more keeps
# those in more than this share of the rows.
FEW_VALUES, MIN_SHARE = 64, 0.005
# Text with more categories than this identifies rows and not groups, if more than half of the rows have a category
# that no other row has.
FEW_CATEGORIES, MAX_UNIQUE = 50, 0.5
# Smallest share of numbers among the different values of a column for which the other values count as errors.
MOSTLY = 0.8
# Smallest mean number of words of free text.
WORDS = 3
# Smallest skewness for a log scale (1 is a common rule of thumb for high skewness), and largest value of a count.
SKEWED, LARGEST_COUNT = 1.0, 1000
# Integers from 0 to this number are counts or ratings with any distribution: most rating scales end at 10.
LARGEST_RATING = 10
# Largest number of decimals for which a common step is detected.
DIGITS = 4
# Largest distance of a number from a multiple of the step, in roundings of its dtype.
ROUNDING_ERRORS = 4
# Probabilities of the quantiles that describe the distribution of a column: denser in the tails, which are wide.
TAIL = np.array([0.0, 0.001, 0.005, 0.01, 0.02, 0.035])
PROBABILITIES = np.concatenate([TAIL, np.linspace(0.05, 0.95, 31), 1 - TAIL[::-1]])
NAME_OF_IDENTIFIER = re.compile(r"(^|[_\W])(id|pid|uid|uuid|guid|key|index)$|[a-z]I[dD]$|^P?ID$", re.ASCII)
TEXT_NOTE = "free text; isthmus.data.Texts makes rows of it that a model can learn"
# Smallest distance in days between real dates and an open end such as 9999-12-31.
MIN_GAP = 40 * 365.0
# The first Monday, 1970-01-05, in days since 1970-01-01.
MONDAY = 4


def infer_fields(frame: Any, kinds: Mapping[str, str]) -> tuple[Field, ...]:
    """Infer the field of each column of a narwhals frame.

    Parameters
    ----------
    frame : narwhals.DataFrame
    kinds : mapping of str to str
        Kinds of columns by name that the caller states.

    Raises
    ------
    ValueError
        If ``kinds`` has an unknown column or kind, a column cannot be of its stated kind, or no kind fits a column.
    """
    for name, kind in kinds.items():
        if name not in frame.columns:
            raise ValueError(f"schema has a column {name!r} that X does not have{did_you_mean(name, frame.columns)}")
        if kind not in KINDS:
            raise ValueError(f"the kind of column {name!r} must be one of {KINDS}, got {kind!r}")
    dtypes = frame.schema
    numbers = iterate_numbers(frame, [name for name, dtype in dtypes.items() if is_number(dtype)])
    return tuple(
        _of_numbers(_start_field(name, dtype, kinds), dtype, next(numbers), frame)
        if is_number(dtype)
        else _of_other_values(_start_field(name, dtype, kinds), frame.get_column(name))
        for name, dtype in dtypes.items()
    )


def _start_field(name: Any, dtype: Any, kinds: Mapping[str, str]) -> Field:
    """Return the field of a column with the stated kind, if there is one."""
    return Field(name.item() if isinstance(name, np.generic) else name, str(dtype), kinds.get(name, ""))


def _of_other_values(field: Field, column: Any) -> Field:
    """Describe a column that does not hold numbers."""
    present = column.drop_nulls()
    if not len(present):
        return _without_values(field)
    if field.kind in LEFT_OUT and field.kind != "constant":
        return field
    if holds_dates(column):
        return _of_dates(field, column)
    if is_text(column.dtype):
        return _describe_categories(field, present)
    held = name_dtype(column)
    raise ValueError(
        f"column {field.name!r} holds {held}, expected numbers, text, dates or truth values; {suggest_remedy(held)}"
    )


def _without_values(field: Field) -> Field:
    kind = field.kind if field.kind in LEFT_OUT else "constant"
    return replace(field, kind=kind, note="no value in any row")


def _of_numbers(field: Field, dtype: Any, x: Values, frame: Any) -> Field:
    """Describe a column of numbers ``x`` of a frame."""
    x = x[~np.isnan(x)]
    if not len(x):
        return _without_values(field)
    if field.kind in LEFT_OUT and field.kind != "constant":
        return field
    if np.isinf(x).any():
        raise ValueError(f"column {field.name!r} holds an infinite value; expected finite numbers, or NaN for missing")
    values, counts = np.unique(x, return_counts=True)
    distinct = _distinct(frame, field.name, values)
    kind = field.kind or _kind_of_numbers(field.name, dtype.is_integer(), x, values, distinct)
    if kind in LEFT_OUT:
        return _left_out(field, kind, distinct)
    if kind in CATEGORICAL:
        return replace(field, kind=kind, categories=_check_categories(field, kind, distinct))
    if kind not in NUMBERS:
        raise _misfit(field, kind)
    if kind == "positive" and values[0] <= 0:
        raise ValueError(f"column {field.name!r} is to be positive, but holds {values[0]:g}")
    few = len(values) <= FEW_VALUES
    shared = np.ones(len(values), bool) if few else counts > max(MIN_SHARE * len(x), 2)
    others = x if few else x[np.isin(x, values[shared], invert=True)]
    knots = () if few or not len(others) else tuple(np.unique(np.quantile(others, PROBABILITIES)).tolist())
    field = replace(field, kind=kind, common_values=tuple(values[shared].tolist()), knots=knots)
    return replace(field, low=float(values[0]), high=float(values[-1]), step=_step(values, dtype))


def _distinct(frame: Any, name: Any, values: Values) -> list[Any]:
    """Return the different values of a column in order, as integers where float64 would round them."""
    if np.abs(values).max() < MAX_EXACT:
        return list(values.tolist())
    return sorted(set(to_exact_numbers(frame.get_column(name).drop_nulls())))


def _kind_of_numbers(name: Any, is_integer: bool, x: Values, values: Values, distinct: list[Any]) -> str:
    if len(distinct) < 3:
        return ("constant", "binary")[len(distinct) - 1]
    whole = bool((values == np.round(values)).all())
    unique = is_integer and len(distinct) == len(x) >= FEW_ROWS
    if unique and _are_identifiers(name, distinct):
        return "identifier"
    if len(distinct) > len(values):  # float64 would make some of them equal
        return "category" if len(distinct) <= FEW_CATEGORIES else "identifier"
    if whole and values[0] >= 0 and values[-1] <= LARGEST_RATING:
        return "count"
    skewness = _skewness(x)
    if whole and 0 <= values[0] <= 1 and values[-1] <= LARGEST_COUNT and skewness > 0:
        return "count"
    if values[0] > 0 and skewness > SKEWED and abs(_skewness(np.log(x))) < skewness / 2:
        return "positive"
    return "real"


def _are_identifiers(name: str, values: list[Any]) -> bool:
    """Whether different integers are consecutive, or their column is named like a key."""
    return bool(values[-1] - values[0] == len(values) - 1) or bool(NAME_OF_IDENTIFIER.search(str(name)))


def _skewness(x: Values) -> float:
    x = x / (np.abs(x).max() or 1.0)  # avoids overflow of powers
    deviations = x - x.mean()
    largest = np.abs(deviations).max()
    if largest == 0:
        return 0.0
    deviations = deviations / largest
    return float(np.mean((deviations / np.sqrt(np.mean(deviations**2))) ** 3))


def _step(values: Values, dtype: Any) -> float:
    """Return the largest power of ten, at most 1, that all numbers are multiples of; 0 if there is none."""
    if np.abs(values).max() > MAX_EXACT:
        return 0.0
    # Sums and products have rounding errors: 0.1 + 0.2 is 0.30000000000000004.
    errors = ROUNDING_ERRORS * np.finfo(np.float32 if dtype == nw.Float32 else np.float64).eps * np.abs(values)
    scales = (10**digits for digits in range(DIGITS + 1))
    return next(
        (1 / scale for scale in scales if (np.abs(np.round(values * scale) / scale - values) <= errors).all()), 0.0
    )


def _of_dates(field: Field, column: Any) -> Field:
    days = to_days(column)
    values = np.unique(days[~np.isnan(days)])
    if field.kind not in ("", "date", "constant"):
        raise _misfit(field, field.kind)
    if len(values) < 2 or field.kind == "constant":
        return replace(field, kind="constant", note="" if field.kind else "one date in all rows")
    first, last = _real_dates(values)
    real = days[(days >= values[first]) & (days <= values[last])]
    ends = _ends_beyond(column, values[first], values[last]) if last - first + 1 < len(values) else []
    origin = float(np.floor((values[first] - MONDAY) / 7) * 7 + MONDAY)
    low, high = float(values[first] - origin), float(values[last] - origin)
    step = float(bool((values[first : last + 1] == np.round(values[first : last + 1])).all()))
    knots = tuple(np.unique(np.quantile(real - origin, PROBABILITIES)).tolist()) if ends else ()
    field = replace(field, dtype=name_date_dtype(column), kind="date", open_ends=tuple(ends), knots=knots)
    return replace(field, low=low, high=high, step=step, origin=origin)


def _ends_beyond(column: Any, first: float, last: float) -> list[int]:
    """List the dates of a column before and after some days, in microseconds, since float64 would round days."""
    microseconds = find_distinct_microseconds(column)
    days = microseconds / MICROSECONDS
    return list(microseconds[(days < first) | (days > last)].tolist())


def _real_dates(days: Values) -> tuple[int, int]:
    """Return the positions of the first and the last of some sorted days that are not open ends.

    The distance of an open end from its neighbour exceeds the range of the dates between, and ``MIN_GAP``.
    """
    first, last = 0, len(days) - 1
    while first < last:
        early, late = days[first + 1] - days[first], days[last] - days[last - 1]
        span = days[last - 1] - days[first + 1]
        if max(early, late) <= max(span, MIN_GAP):
            break
        first, last = (first + 1, last) if early > late else (first, last - 1)
    return first, last


def _describe_categories(field: Field, present: Any) -> Field:
    categories = list_categories(present)
    texts = [] if field.kind else _texts_among_numbers(present, categories)
    if texts:
        remedy = "set the others to missing, or turn them into numbers, to learn from the column"
        found = f"mostly numbers, but {len(texts)} of {len(categories)} values are texts, such as {texts[0]!r}"
        return replace(field, kind="text", note=f"{found}; {remedy}")
    kind = field.kind or _infer_categorical_kind(present, categories)
    if kind in LEFT_OUT:
        return _left_out(field, kind, categories)
    if kind not in CATEGORICAL:
        raise _misfit(field, kind)
    return replace(field, kind=kind, categories=_check_categories(field, kind, categories))


def _texts_among_numbers(present: Any, categories: list[Any]) -> list[str]:
    """List the texts of a column most of whose other values are different numbers."""
    texts = [category for category in categories if isinstance(category, str) and not is_numeral(category)]
    n_numbers = len(categories) - len(texts)
    differ = n_numbers > min(FEW_CATEGORIES, MAX_UNIQUE * len(present))
    return texts if differ and n_numbers >= MOSTLY * len(categories) else []


def _infer_categorical_kind(present: Any, categories: list[Any]) -> str:
    if len(categories) < 2:
        return "constant"
    if present.dtype == nw.Boolean or all(isinstance(category, bool) for category in categories):
        return "binary"
    if present.dtype == nw.Enum:
        return "ordered"
    if present.dtype == nw.Categorical or len(categories) <= min(FEW_CATEGORIES, len(present) - 1):
        return "category"
    if len(categories) <= max(MAX_UNIQUE * len(present), 1) or len(present) < FEW_ROWS:
        return "category"
    some = [str(category).split() for category in categories[:1000]]
    return "text" if np.mean([len(words) for words in some]) >= WORDS else "identifier"


def _left_out(field: Field, kind: str, categories: Any) -> Field:
    """Describe a column that is left out, with a note unless its kind was stated."""
    only = tuple(np.asarray(categories, dtype=object).tolist()) if kind == "constant" and len(categories) == 1 else ()
    notes = {
        "constant": f"{only[0] if only else 'one value'!r} in all rows",
        "identifier": "an identifier: no two rows or hardly any share a value",
        "text": TEXT_NOTE,
    }
    return replace(field, kind=kind, categories=only, note="" if field.kind else notes[kind])


def _check_categories(field: Field, kind: str, categories: list[Any]) -> tuple[Any, ...]:
    if kind == "binary" and len(categories) != 2:
        raise ValueError(
            f"column {field.name!r} is to be binary, but has {len(categories)} different values, expected 2"
        )
    return tuple(categories)


def _misfit(field: Field, kind: str) -> ValueError:
    return ValueError(f"column {field.name!r} holds {field.dtype} and cannot be of kind {kind!r}")
