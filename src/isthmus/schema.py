"""What one sample looks like: plain data that travels in the model file."""

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np

from isthmus.implications import Implication
from isthmus.plain import dataclass_of, is_finite_or_text

N_QUANTILES = 15
# Microseconds of a day.
MICROSECONDS = 86_400e6
# The category that ends a text.
END = 0
# What a column can be: kinds that are learned from, and kinds that are left out.
NUMBERS = ("real", "positive", "count")
CATEGORICAL = ("binary", "category", "ordered")
USED = (*NUMBERS, *CATEGORICAL, "date")
LEFT_OUT = ("identifier", "constant", "text")
KINDS = (*USED, *LEFT_OUT)
LIBRARIES = ("pandas", "polars", "pyarrow", "modin", "cudf")


@dataclass(frozen=True)
class Field:
    """A column of a data frame: what it is, and what its values look like.

    Parameters
    ----------
    name : str or int
    dtype : str
        Name of the dtype as the data frame prints it.
    kind : str
        Numbers are "real", "positive" (a log scale suits them) or "count"; categories: "binary", "category", "ordered";
        then "date"; and what no code is learned of: "identifier", "constant", "text".
    categories : tuple
        The values of a binary column or a category, in order, and the only one of a constant. Of dates the open ends,
        such as 9999-12-31, in microseconds since 1970-01-01.
    low, high : float
        Smallest and largest number; of dates, days since ``origin``, open ends aside.
    step : float
        What all numbers are multiples of, such as 1 for whole numbers; 0 if there is no such thing.
    knots : tuple of float
        Quantiles of numbers, evenly spaced; a value that many rows share comes up several times.
    origin : float
        Of dates: days from 1970-01-01 to the Monday that they are counted from.
    note : str
        Why the column is left out.
    """

    name: Any
    dtype: str
    kind: str = "real"
    categories: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float = 0.0
    knots: tuple[float, ...] = ()
    origin: float = 0.0
    note: str = ""

    @property
    def used(self) -> bool:
        """Whether a code is learned of it."""
        return self.kind in USED

    @property
    def is_categorical(self) -> bool:
        """Whether its values are positions in ``categories``."""
        return self.kind in CATEGORICAL

    @property
    def ends(self) -> tuple[float, ...]:
        """Open ends of dates, in days since ``origin``."""
        return tuple(end / MICROSECONDS - self.origin for end in self.categories) if self.kind == "date" else ()

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Field":
        """Rebuild a field, whose tuples JSON made lists; see ``Schema.from_json``."""
        return cast(Field, dataclass_of(cls, document))


@dataclass(frozen=True)
class Condition:
    """How labels enter the decoder: one column a class, or one standardised number.

    Parameters
    ----------
    categories : tuple
        The classes; of a continuous label, quantiles that stand for its distribution where no label is given.
    frequencies : tuple of float
        Share of the training rows at each category.
    continuous : bool
    mean, scale : float
        Of a continuous label.
    """

    categories: tuple[Any, ...]
    frequencies: tuple[float, ...]
    continuous: bool = False
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, y: Any) -> "Condition":
        """Read the labels of the training rows; floats that are not whole numbers are continuous."""
        y = labels(y)
        if y.dtype.kind == "f" and not np.array_equal(y, np.round(y)):
            middles = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
            categories = tuple(np.quantile(y, middles).tolist())
            return cls(categories, (1 / N_QUANTILES,) * N_QUANTILES, True, float(y.mean()), float(y.std()) or 1.0)
        classes, counts = np.unique(y, return_counts=True)
        return cls(tuple(classes.tolist()), tuple((counts / counts.sum()).tolist()))

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Condition":
        """Rebuild a condition, whose tuples JSON made lists; see ``Schema.from_json``."""
        return cast(Condition, dataclass_of(cls, document))

    def check(self) -> None:
        """Raise ``ValueError`` if parts do not fit each other."""
        shares = self.frequencies
        if not shares or len(shares) != len(self.categories) or min(shares) < 0 or not math.isclose(sum(shares), 1):
            raise ValueError(f"frequencies of Condition must be a share for each category, got {shares!r}")
        if not (math.isfinite(self.mean) and 0 < self.scale < math.inf):
            raise ValueError(f"scale of Condition must be positive and finite, got {self.scale!r}")

    @property
    def width(self) -> int:
        """Number of columns that the decoder sees."""
        return 1 if self.continuous else len(self.categories)

    def encode(self, y: Any) -> np.ndarray[Any, Any]:
        """Return labels (n,) as a float32 array of shape (n, width).

        Raises
        ------
        ValueError
            If a label was not among those seen in ``fit``.
        """
        y = labels(y)
        if self.continuous:
            return ((y.astype(np.float64) - self.mean) / self.scale).astype(np.float32)[:, None]
        position = {category: i for i, category in enumerate(self.categories)}
        seen, inverse = np.unique(y, return_inverse=True)
        unknown = [category for category in seen.tolist() if category not in position]
        if unknown:
            raise ValueError(f"label {unknown[0]!r} was not seen in fit, which knew {list(self.categories)[:10]}")
        columns = np.array([position[category] for category in seen.tolist()], dtype=np.intp)[inverse]
        return np.eye(self.width, dtype=np.float32)[columns]

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Draw labels (n,) as often as fit saw them."""
        return np.asarray(self.categories)[rng.choice(len(self.categories), size=n, p=self.frequencies)]


def labels(y: Any) -> np.ndarray[Any, Any]:
    """Return labels as a one-dimensional array, or say what is wrong with them."""
    y = np.asarray(y)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1:
        raise ValueError(f"y must hold one label a row, got an array of shape {y.shape}")
    if y.dtype.kind in "fO" and not all(map(is_finite_or_text, y.tolist())):
        raise ValueError("y holds missing or infinite labels; leave these rows out or give them a label of their own")
    return y


@dataclass(frozen=True)
class Schema:
    """What one sample looks like.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    dtype : str
        Of the values as they came.
    fields : tuple of Field
        The columns of a data frame, also those left out; empty for arrays.
    container : str
        ``"array"``, or the data frame library: ``"pandas"``, ``"polars"``, ``"pyarrow"``.
    template : str
        The data frame without its rows, as text: dtypes and kind of index as the library has them.
    missing : bool
        Whether fit saw missing values.
    origin : tuple of float or None
        Offsets of the flattened sample, subtracted in float64 where float32 would lose the digits (timestamps).
    condition : Condition or None
        How labels are encoded.
    shared_axes : tuple of int
        Axes of a sample along which values have one unit, such as the time of a series.
    layout : str
        Of images, the axes as they came: "chw", "hwc", or "hw" without an axis of channels. The shape is always
        (channels, height, width). Empty for all else.
    vocabulary : str
        Of texts, the tokens that their positions stand for, as JSON. Empty for all else.
    n_categories : int
        Of values that are positions in one list of categories, how many there are; 0 for all else.
    ragged : bool
        Whether rows are series of different lengths, of which the shorter end in missing values.
    ranges : tuple of (str, float, float)
        Of images in files, by dtype of their pixels, the values that are black and white. Empty for all else.
    missing_columns : tuple of int
        Positions of the columns of a data frame with missing values in fit.
    implications : tuple of Implication
        Rules between columns that all training rows keep. Positions from the width of a sample upwards stand for
        ``missing_columns``: 1 where the value is missing, else 0.
    """

    shape: tuple[int, ...]
    dtype: str = "float64"
    fields: tuple[Field, ...] = ()
    container: str = "array"
    template: str = ""
    missing: bool = False
    origin: tuple[float, ...] | None = None
    condition: Condition | None = None
    shared_axes: tuple[int, ...] = ()
    layout: str = ""
    vocabulary: str = ""
    n_categories: int = 0
    ragged: bool = False
    ranges: tuple[tuple[str, float, float], ...] = ()
    missing_columns: tuple[int, ...] = ()
    implications: tuple[Implication, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the columns; empty for arrays."""
        return [field.name for field in self.fields]

    @cached_property
    def used(self) -> list[Field]:
        """The columns that a sample consists of."""
        return [field for field in self.fields if field.used]

    @property
    def categorical(self) -> list[int]:
        """Positions in a sample whose values are positions in categories."""
        return [i for i, field in enumerate(self.used) if field.is_categorical]

    def column(self, position: int) -> str:
        """Name a position of the flattened sample for a message: ``column 'age'``, ``column 3``, ``value (2, 5)``."""
        if self.fields:
            return f"column {self.used[position].name!r}"
        if len(self.shape) == 1:
            return f"column {position}"
        return f"value {tuple(int(i) for i in np.unravel_index(position, self.shape))}"

    def to_json(self) -> dict[str, Any]:
        """Return a document of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Schema":
        """Rebuild a schema from what ``to_json`` gave, also after a round trip through JSON text.

        Raises
        ------
        ValueError
            If a part of the document is missing, not known or of another type.
        """
        if not isinstance(document, dict):
            raise ValueError(f"a schema must be an object, got {document!r}")
        parts = dict(document)
        fields, condition = parts.pop("fields", ()), parts.pop("condition", None)
        rules = tuple(dataclass_of(Implication, rule) for rule in parts.pop("implications", ()))
        if not isinstance(fields, list | tuple):
            raise ValueError(f"fields of Schema must be a list, got {fields!r}")
        schema: Schema = dataclass_of(cls, parts)
        columns = tuple(map(Field.from_json, fields))
        condition = None if condition is None else Condition.from_json(condition)
        return replace(schema, fields=columns, condition=condition, implications=rules)

    def check(self) -> None:
        """Raise ``ValueError`` if parts do not fit each other."""
        if self.condition is not None:
            self.condition.check()
        size, n_columns = math.prod(self.shape), len(self.used) + len(self.missing_columns)
        tests = {
            "shape must be positive integers": bool(self.shape) and min(self.shape) > 0,
            "shape must count the columns": not self.fields or self.shape == (len(self.used),),
            "origin must have a finite number for each value": self.origin is None
            or (len(self.origin) == size and all(map(math.isfinite, self.origin))),
            "shared_axes must be axes of a sample": all(0 <= axis < len(self.shape) for axis in self.shared_axes),
            f"kinds must be of {', '.join(KINDS)}": all(field.kind in KINDS for field in self.fields),
            "a table must have a dtype of numbers, a library and no vocabulary": not self.fields
            or (self.dtype in np.sctypeDict and self.container in LIBRARIES and not self.vocabulary),
            "n_categories must not be negative": self.n_categories >= 0,
            "missing_columns must be positions of columns": all(
                0 <= column < len(self.used) for column in self.missing_columns
            ),
            "implications must be between columns": all(rule.fits(n_columns) for rule in self.implications),
        }
        for expected, passed in tests.items():
            if not passed:
                raise ValueError(f"a schema does not fit itself: {expected}")
