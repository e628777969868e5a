"""The choice of a likelihood for ``likelihood="auto"``."""

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

# Smallest number of categories for learned embeddings instead of one column for each category. Below, one-hot columns
# are exact and faster.
MANY_CATEGORIES = 65
# Smallest number of rows for histograms of numbers. With fewer rows, a location and a scale are estimated better than
# the frequencies of values; not tuned.
FEW_ROWS = 2000
# Smallest number of rows per different number with which a model that imputes uses a histogram for a column. With fewer
# rows, frequencies are estimated badly; not tuned.
ROWS_PER_VALUE = 20
# Distance from the mean, in standard deviations, beyond which a column has heavy tails. A normal distribution exceeds
# it once in 5e8 values.
HEAVY = 6.0
# What a likelihood is for: densities of values, imputation of hidden values, or plain reconstruction of the input.
PURPOSES = ("density", "imputation", "reconstruction")
# Exponents of ``Gaussian.beta`` for reconstruction. With 1, the errors of numbers have equal weights, as in PCA. Beside
# categories, whose log probabilities are worth more, 0.5 shares the code better. Chosen on five tables and seven arrays
# of numbers, see docs/performance.md.
BETA, BETA_BESIDE_CATEGORIES = 1.0, 0.5


def choose(statistics: Statistics, schema: Schema, purpose: str = "density") -> Likelihood:
    """Choose the likelihood for ``likelihood="auto"``.

    - Categorical for texts and other arrays of positions in one list of categories.
    - Bernoulli for arrays that contain only 0 and 1.
    - Gaussian with one shared scale and bounded means for images, flat ones included (``Statistics.are_pixels``).
    - Gaussian with a scale for each feature, or for each channel of series, for all other arrays.
    - A likelihood for each column of a data frame, by its kind.

    The purpose is one of PURPOSES. A model for "imputation" is trained on hidden values only, and the uncertainty of
    these differs between rows. For numbers it gets Mixture, whose scale depends on the row; other models get one scale
    for all rows. For "reconstruction", numbers get Gaussian or LogNormal with ``beta``, and no histograms: so a code
    represents all columns, and not a few of them exactly.
    """
    imputes = purpose == "imputation"
    if schema.n_categories:
        return Categorical(schema.n_categories, end=END if schema.vocabulary else None)
    fields = schema.used if schema.template else []
    if statistics.binary and all(field.kind == "binary" for field in fields):
        return Bernoulli()
    # Float images without a channel axis can only come from files.
    of_pixels = bool(schema.layout) and (schema.dtype in ("uint8", "uint16", "int32") or schema.layout == "hw")
    of_columns = imputes and len(schema.shape) == 1
    if of_pixels or not (schema.categorical or schema.shared_axes or of_columns or not statistics.are_pixels):
        return Gaussian(scale="shared", scaling="center", bounded=True)
    if fields:
        return compose(fields, statistics, purpose)
    return Mixture() if imputes else Gaussian(beta=_choose_beta(purpose, fields))


def _choose_beta(purpose: str, fields: list[Field]) -> float:
    if purpose != "reconstruction":
        return 0.0
    return BETA_BESIDE_CATEGORIES if any(field.is_categorical for field in fields) else BETA


def compose(fields: list[Field], statistics: Statistics, purpose: str = "density") -> Likelihood:
    """Compose one likelihood for all columns; columns of one kind share a part."""
    heavy = (statistics.max_abs_z > HEAVY).tolist()
    far = [False] * len(fields) if statistics.origin is None else statistics.origin.bool().tolist()
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for i, field in enumerate(fields):
        kind = _kind_of_numbers(field, statistics.n_rows, heavy[i], far[i])
        if field.is_categorical:
            kind = _kind_of_categories(field)
        elif purpose == "imputation" and _has_few_values(field, statistics.n_rows):
            kind = "histogram"
        elif purpose == "reconstruction" and kind in ("histogram", "student_t"):
            kind = _smooth_kind(field, far[i])
        # Embeddings and dates need a part for each column.
        groups[f"{kind} {i}" if kind in ("embedded", "date") else kind].append(i)
    beta = _choose_beta(purpose, fields)
    parts = tuple(_part(name, [fields[i] for i in columns], purpose, beta) for name, columns in groups.items())
    return parts[0] if len(parts) == 1 else Mixed(parts, tuple(map(tuple, groups.values())))


def _has_few_values(field: Field, n_rows: float) -> bool:
    return bool(field.common_values) and not field.knots and len(field.common_values) * ROWS_PER_VALUE <= n_rows


def _kind_of_categories(field: Field) -> str:
    if field.kind == "binary":
        return "bernoulli"
    return "categorical" if len(field.categories) < MANY_CATEGORIES else "embedded"


def _kind_of_numbers(field: Field, n_rows: float, heavy: bool, far: bool) -> str:
    if field.kind == "date":
        return "date"
    if field.kind == "count" or ((field.common_values or heavy) and n_rows >= FEW_ROWS):
        return "histogram"
    smooth = _smooth_kind(field, far)
    return "student_t" if heavy and smooth == "gaussian" else smooth


def _smooth_kind(field: Field, far: bool) -> str:
    return "log_normal" if field.kind == "positive" and not far else "gaussian"


def _part(name: str, fields: list[Field], purpose: str, beta: float) -> Likelihood:
    kind = name.partition(" ")[0]
    makers: dict[str, Any] = {
        "bernoulli": Bernoulli,
        "categorical": lambda: Categorical(tuple(len(field.categories) for field in fields)),
        "embedded": lambda: Embedded(len(fields[0].categories)),
        "date": lambda: (
            Histogram((make_cells(fields[0]),), ends=True) if fields[0].ends else Date(_periods(fields[0]), beta)
        ),
        "histogram": lambda: Histogram(tuple(map(make_cells, fields))),
        "gaussian": lambda: Gaussian(beta=beta),
        "log_normal": lambda: LogNormal(beta),
        "student_t": StudentT,
    }
    mixtures: dict[str, Any] = {
        "date": lambda: Mixture(periods=_periods(fields[0])),
        "gaussian": Mixture,
        "log_normal": lambda: Mixture(log=True),
        "student_t": Mixture,
    }
    return (mixtures.get(kind, makers[kind]) if purpose == "imputation" else makers[kind])()


def _periods(field: Field) -> tuple[float, ...]:
    """Return the periods of a date column: at most twice its range, and longer than its step."""
    days = (field.high or 0.0) - (field.low or 0.0)
    return tuple(period for period in (YEAR, WEEK, DAY) if field.step < period <= 2 * days)


def make_cells(field: Field) -> Cells:
    """Make the cells of a column: one for each common value or open end, then intervals between quantiles."""
    intervals = list(pairwise(field.knots)) if len(field.knots) > 1 else [(knot, knot) for knot in field.knots]
    return (*((value, value) for value in field.ends or field.common_values), *intervals)
