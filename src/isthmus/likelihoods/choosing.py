"""What ``likelihood="auto"`` means for the data."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.bernoulli import Bernoulli
from isthmus.likelihoods.categorical import Categorical
from isthmus.likelihoods.date import DAY, WEEK, YEAR, Date
from isthmus.likelihoods.embedded import Embedded
from isthmus.likelihoods.gaussian import Gaussian
from isthmus.likelihoods.histogram import Cells, Histogram
from isthmus.likelihoods.log_normal import LogNormal
from isthmus.likelihoods.mixed import Mixed
from isthmus.likelihoods.mixture import Mixture
from isthmus.likelihoods.student_t import StudentT
from isthmus.schema import END, Field, Schema
from isthmus.statistics import Statistics

# From so many levels on, a level is a point of a learned space and not a column of its own.
MANY_CATEGORIES = 65
# Rows below which numbers are better told by a centre and a scale than by the frequencies of their values.
FEW_ROWS = 2000
# Rows for each value of a number that has only few, from which on a model that imputes draws one of these values.
ROWS_OF_VALUE = 20
# Deviations from the mean that no value of a normal column reaches, however many rows there are.
HEAVY = 6.0


def choose(statistics: Statistics, schema: Schema, imputes: bool = False) -> Likelihood:
    """Choose what ``likelihood="auto"`` means for the data.

    For texts and other positions in one list of levels, Categorical. For arrays, Bernoulli for exactly {0, 1}. Gaussian
    with one shared scale for images of integers or in files, and for other values that share a range as pixels do: an
    error counts the same wherever it falls, and none falls outside. Gaussian with a scale a feature for columns that
    have units of their own, as the channels of a series always have. For data frames, a likelihood for each column by
    what it holds.

    A model that ``imputes`` is trained on hidden values alone, and a hidden value is more certain in one row than in
    another. Where others get one scale for all rows, it gets Mixture.
    """
    if schema.n_categories:
        return Categorical(schema.n_categories, end=END if schema.vocabulary else None)
    fields = schema.used if schema.template else []
    if statistics.binary and all(field.kind == "binary" for field in fields):
        return Bernoulli()
    # Grey images without an axis of channels are floats only in files.
    of_pixels = bool(schema.layout) and (schema.dtype in ("uint8", "uint16", "int32") or schema.layout == "hw")
    of_columns = imputes and len(schema.shape) == 1
    if of_pixels or not (schema.categorical or schema.shared_axes or of_columns or not statistics.are_pixels):
        return Gaussian(scale="shared", scaling="center", bounded=True)
    if fields:
        return compose(fields, statistics, imputes)
    return Mixture() if imputes else Gaussian()


def compose(fields: list[Field], statistics: Statistics, imputes: bool = False) -> Likelihood:
    """Compose a likelihood of one a column; columns of one kind share a part."""
    heavy = (statistics.max_abs_z > HEAVY).tolist()
    far = [False] * len(fields) if statistics.origin is None else statistics.origin.bool().tolist()
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for i, field in enumerate(fields):
        of_numbers = _kind_of_numbers(field, statistics.n_rows, heavy[i], far[i])
        if (
            imputes
            and field.common_values
            and not field.knots
            and len(field.common_values) * ROWS_OF_VALUE <= statistics.n_rows
        ):
            of_numbers = "histogram"
        kind = _kind_of_categories(field) if field.is_categorical else of_numbers
        # Categories of very many levels, and dates, have a part each.
        groups[f"{kind} {i}" if kind in ("embedded", "date") else kind].append(i)
    parts = tuple(_part(name, [fields[i] for i in columns], imputes) for name, columns in groups.items())
    return parts[0] if len(parts) == 1 else Mixed(parts, tuple(map(tuple, groups.values())))


def _kind_of_categories(field: Field) -> str:
    if field.kind == "binary":
        return "bernoulli"
    return "categorical" if len(field.categories) < MANY_CATEGORIES else "embedded"


def _kind_of_numbers(field: Field, n_rows: float, heavy: bool, far: bool) -> str:
    if field.kind == "date":
        return "date"
    if field.kind == "count" or ((field.common_values or heavy) and n_rows >= FEW_ROWS):
        return "histogram"
    if field.kind == "positive" and not far:
        return "log_normal"
    return "student_t" if heavy else "gaussian"


def _part(name: str, fields: list[Field], imputes: bool) -> Likelihood:
    kind = name.partition(" ")[0]
    makers: dict[str, Any] = {
        "bernoulli": Bernoulli,
        "categorical": lambda: Categorical(tuple(len(field.categories) for field in fields)),
        "embedded": lambda: Embedded(len(fields[0].categories)),
        "date": lambda: Histogram((make_cells(fields[0]),), ends=True) if fields[0].ends else Date(_periods(fields[0])),
        "histogram": lambda: Histogram(tuple(map(make_cells, fields))),
        "gaussian": Gaussian,
        "log_normal": LogNormal,
        "student_t": StudentT,
    }
    mixtures: dict[str, Any] = {
        "date": lambda: Mixture(periods=_periods(fields[0])),
        "gaussian": Mixture,
        "log_normal": lambda: Mixture(log=True),
        "student_t": Mixture,
    }
    return (mixtures.get(kind, makers[kind]) if imputes else makers[kind])()


def _periods(field: Field) -> tuple[float, ...]:
    """Which periods a date repeats itself in: those that its range covers and its step divides."""
    days = (field.high or 0.0) - (field.low or 0.0)
    return tuple(period for period in (YEAR, WEEK, DAY) if field.step < period <= 2 * days)


def make_cells(field: Field) -> Cells:
    """Cut the range of a number into shared values or open ends, each a cell, and intervals between quantiles."""
    intervals = list(pairwise(field.knots)) if len(field.knots) > 1 else [(knot, knot) for knot in field.knots]
    return (*((value, value) for value in field.ends or field.common_values), *intervals)
