"""The schema of a sample."""

import math
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from isthmus.formatting import list_texts
from isthmus.plain import dataclass_of
from isthmus.schema.condition import Condition
from isthmus.schema.field import KINDS, Field
from isthmus.schema.implications import Implication

# Position of the token that ends a text.
END = 0
LIBRARIES = ("pandas", "polars", "pyarrow", "modin", "cudf")


@dataclass(frozen=True)
class Schema:
    """Shape, dtype and meaning of the values of a sample.

    Parameters
    ----------
    shape : tuple of int
        Shape of one sample.
    dtype : str
        Dtype of the values as they were given.
    fields : tuple of Field
        All columns of a data frame, also those left out; empty for arrays.
    container : str
        ``"array"``, or the data frame library: ``"pandas"``, ``"polars"``, ``"pyarrow"``.
    template : str
        The data frame without rows, serialized as text: dtypes and index in the form of the library.
    missing : bool
        Whether training rows have missing values.
    origin : tuple of float or None
        Values of the flattened sample that are subtracted in float64, because float32 has too few digits for values
        such as timestamps.
    condition : Condition or None
        Encoding of labels.
    shared_axes : tuple of int
        Axes of a sample along which values share a unit, such as the time of a series.
    layout : str
        For images, the axes as they were given: "chw", "hwc", or "hw" without a channel axis; otherwise empty. The
        shape is always (channels, height, width).
    vocabulary : str
        For texts, the tokens in the order of their positions, as JSON; otherwise empty.
    n_categories : int
        Number of categories if all values are positions in one list of categories; otherwise 0.
    ragged : bool
        Whether rows are series of different lengths, padded with missing values.
    ranges : tuple of (str, float, float)
        For images in files, the values of black and white for each dtype of pixels; otherwise empty.
    missing_columns : tuple of int
        Positions of the columns of a data frame with missing values in fit.
    implications : tuple of Implication
        Rules between columns that hold in all training rows. Positions after the columns of a sample are indicators of
        ``missing_columns``: 1 if the value is missing, else 0.
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
        """The columns that a model learns from, in the order of a sample."""
        return [field for field in self.fields if field.used]

    @property
    def left_out(self) -> str:
        """The columns that a model does not learn from, with the reasons, for messages; "" if there are none."""
        return list_texts([f"{field.name!r} ({field.note})" for field in self.fields if field.note], "; ")

    @property
    def categorical(self) -> list[int]:
        """Positions of the categorical columns in a sample."""
        return [i for i, field in enumerate(self.used) if field.is_categorical]

    def column(self, position: int) -> str:
        """Name a position of the flattened sample: ``column 'age'``, ``column 3``, ``token 3``, ``value (2, 5)``."""
        if self.vocabulary:
            return f"token {position}"
        if self.fields:
            return f"column {self.used[position].name!r}"
        if len(self.shape) == 1:
            return f"column {position}"
        return f"value {tuple(int(i) for i in np.unravel_index(position, self.shape))}"

    def to_json(self) -> dict[str, Any]:
        """Return the schema as plain values for JSON."""
        # ``asdict`` copies each value of each column, which takes longer than to write the file of a wide table.
        columns = [{each.name: getattr(column, each.name) for each in fields(Field)} for column in self.fields]
        return {**asdict(replace(self, fields=())), "fields": columns}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Schema":
        """Rebuild a schema from the output of ``to_json``, which may have been converted to JSON text and back.

        Raises
        ------
        ValueError
            If a part of the document is missing, unknown or of a wrong type.
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
        """Raise ``ValueError`` if parts of the schema contradict each other."""
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
                raise ValueError(f"the parts of a schema contradict each other: {expected}")
