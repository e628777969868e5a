"""Numbers as text: the convention of a column, and whether it is unambiguous."""

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from isthmus.data.parsing.parsed import Parsed
from isthmus.data.tables.cells import MAX_EXACT

Number = int | float

UNIT = r"[$€£¥]|USD|EUR|GBP|CHF"
# Digits with separators, and an exponent; NUMBER is a text that can be a number without a unit.
BODY, EXPONENT = r"[0-9][0-9.,'’ \u00a0\u202f]*|[.,][0-9]+", r"[eE][+-]?[0-9]+"
NUMBER = re.compile(rf"\s*[+-]?({BODY})({EXPONENT})?\s*")
NUMERAL = re.compile(
    rf"(?P<before>[+\-−]?)\s*(?P<prefix>{UNIT})?\s*(?P<sign>[+\-−]?)"
    rf"(?P<body>{BODY})(?P<exponent>{EXPONENT})?(?<! )\s*(?P<suffix>%|{UNIT})?"
)
INFINITY = re.compile(r"[+\-−]?inf(inity)?", re.IGNORECASE)
# International telephone numbers (ITU-T E.164), which are codes and not numbers.
TELEPHONE = re.compile(r"^[+][0-9]{8,15}$")
LEADING_ZERO = re.compile(r"0[0-9]+")
GROUPED_BY_POINTS = re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+|[0-9]+")


class Convention(NamedTuple):
    """A thousands separator and a decimal mark."""

    thousands: str
    decimal: str

    def read(self, numeral: "Numeral") -> Number | None:
        """Return the number of a numeral in this convention, or None if it does not follow the convention."""
        if not _pattern(self).fullmatch(numeral.body):
            return None
        plain = re.sub(rf"[{self.thousands}]", "", numeral.body) if self.thousands else numeral.body
        if self.decimal not in numeral.body and not numeral.exponent:
            return numeral.sign * int(plain)
        return numeral.sign * float(plain.replace(self.decimal, ".") + numeral.exponent)

    def __str__(self) -> str:
        """Describe the convention."""
        names = {"": "none", ",": "comma", ".": "point", " \u00a0\u202f": "space", "'’": "apostrophe"}
        return f"decimal {names[self.decimal]}, thousands separator: {names[self.thousands]}"


@cache
def _pattern(convention: Convention) -> re.Pattern[str]:
    point = re.escape(convention.decimal)
    grouped = f"[1-9][0-9]{{0,2}}(?:[{convention.thousands}][0-9]{{3}})+(?:{point}[0-9]*)?|"
    return re.compile(f"{grouped if convention.thousands else ''}[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+")


# The plain convention is first: where it fits, no other is considered.
CONVENTIONS = [
    Convention("", "."),
    Convention("", ","),
    *(Convention(thousands, decimal) for thousands in (",", ".", " \u00a0\u202f", "'’") for decimal in ".,"),
]
CONVENTIONS = [convention for convention in CONVENTIONS if convention.thousands != convention.decimal]


class Numeral(NamedTuple):
    """A text that looks like a number: its digits with separators, sign, exponent and unit."""

    body: str
    sign: int = 1
    exponent: str = ""
    unit: str = ""


def read_numbers(distinct: Sequence[Any]) -> Parsed:
    """Read the distinct values of a column as numbers.

    All values must follow one convention: plain (``1234.5``), with a decimal comma, or with groups of three digits. The
    plain convention is used if it fits. The result is doubtful where two conventions give different numbers
    (``1,234``, and ``1.234`` where each point can group digits), where zeros lead (``00123`` is a code), and where
    digits would be lost. A percent or currency sign is removed if all values have the same.

    Parameters
    ----------
    distinct : sequence
        Texts and numbers.
    """
    numerals = [_numeral(value) if isinstance(value, str) else None for value in distinct]
    units = Counter(numeral.unit for numeral in numerals if numeral is not None)
    unit = units.most_common(1)[0][0] if units else ""
    numerals = [numeral if numeral is not None and numeral.unit == unit else None for numeral in numerals]
    readings = [_read_all(distinct, numerals, CONVENTIONS[0], unit)]
    by_point = _may_be_thousands(numerals)
    if by_point or None in readings[0]:
        readings += [_read_all(distinct, numerals, convention, unit) for convention in CONVENTIONS[1:]]
    n_read = [sum(value is not None for value in values) for values in readings]
    best = max(n_read)
    fitting = [i for i, n in enumerate(n_read) if n == best]
    values = readings[fitting[0]]
    dtype = nw.Int64 if all(isinstance(value, int) for value in values) else nw.Float64
    how = _how(CONVENTIONS[fitting[0]], unit)
    rivals = [readings[i] for i in fitting[1:] if readings[i] != values] if by_point or fitting[0] else []
    mark = ("point" if by_point else "comma") if rivals else ""
    return Parsed("number", values, dtype, how, *_doubt(values, numerals, mark))


def _may_be_thousands(numerals: Sequence[Numeral | None]) -> bool:
    """Whether numerals have points, and only at positions of thousands separators."""
    bodies = [numeral.body + numeral.exponent for numeral in numerals if numeral is not None]
    return any("." in body for body in bodies) and all(map(GROUPED_BY_POINTS.fullmatch, bodies))


def _numeral(text: str) -> Numeral | None:
    found = NUMERAL.fullmatch(text)
    if (
        not found
        or TELEPHONE.match(text)
        or (found["before"] and found["sign"])
        or (found["prefix"] and found["suffix"])
    ):
        return None
    sign = 1 if found["before"] + found["sign"] in ("", "+") else -1
    return Numeral(found["body"].rstrip(), sign, found["exponent"] or "", found["prefix"] or found["suffix"] or "")


def _read_all(
    distinct: Sequence[Any], numerals: Sequence[Numeral | None], convention: Convention, unit: str
) -> list[Number | None]:
    return [
        _number(value, unit) if numeral is None else convention.read(numeral)
        for value, numeral in zip(distinct, numerals, strict=True)
    ]


def _number(value: Any, unit: str) -> Number | None:
    """Return a value that is a number or infinite, unless the numbers of the column have a unit; None for others."""
    if unit or isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, str):
        return float(value.replace("−", "-")) if INFINITY.fullmatch(value) else None
    if isinstance(value, int | np.integer):
        return int(value)
    return float(value) if isinstance(value, float | np.floating | Decimal) else None


def _how(convention: Convention, unit: str) -> str:
    signs = [str(convention)] if convention != CONVENTIONS[0] else []
    signs += [f"the sign {unit!r} was taken off and the number kept as written"] if unit else []
    return "; ".join(signs)


def _doubt(values: list[Any], numerals: Sequence[Numeral | None], mark: str) -> tuple[str, str]:
    """Return why numbers are doubtful, and what to do about it; empty texts if they are not."""
    if any(numeral is not None and LEADING_ZERO.fullmatch(numeral.body) for numeral in numerals):
        return "codes with leading zeros, left as text", "they are numbers only if the zeros mean nothing"
    if mark:
        return f"numbers whose {mark} may be a decimal or a thousands sign, left as text", (
            "write them without separators, with a decimal point"
        )
    integers = [abs(value) for value in values if isinstance(value, int)]
    limit = 2**63 if len(integers) == sum(value is not None for value in values) else MAX_EXACT
    if max(integers, default=0) >= limit:
        return "numbers with more digits than a number type holds, left as text", "they are probably codes"
    return "", ""
