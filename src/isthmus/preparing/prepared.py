"""What preparation gives: the table, its parts, and the list of all that was done and found."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.finding import Finding
from isthmus.formatting import pluralize
from isthmus.preparing.coding import Values
from isthmus.preparing.options import Options
from isthmus.preparing.scaling import Scale, unscale_columns


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared table, in three parts and as a whole, and what was done to it.

    Parameters
    ----------
    frame : data frame
        All rows that remain, in their order, in the library that was given.
    train, valid, test : data frame
        The same rows, dealt out; without any where a part has no share.
    findings : tuple of Finding
        All that was changed, removed or only seen, in this order of time.
    seed : int
        Repeats the split, as ``random_state``.
    scales : dict
        For each column that was scaled its ``Scale``: the method, what was subtracted and what it was divided by.
    rows : ndarray of int
        Which row of the given table each row of ``frame`` was, from 0.
    options : Options
    shape : tuple of int
        Of the given table.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.preparing import prepare
    >>> prepared = prepare(pa.table({"age": ["31", "?", "45", "52", "31"], "pay": [1.0, 2.0, 3.0, 4.0, 5.0]}),
    ...                    random_state=0)
    >>> prepared.frame["age"].to_pylist(), len(prepared.train), len(prepared.valid), len(prepared.test)
    ([31, None, 45, 52, 31], 3, 1, 1)
    >>> print(prepared)
    5 rows x 2 columns in; 5 rows x 2 columns out: 3 to train, 1 to validate, 1 to test (random, seed 0)
    changed: marker of a missing value made missing ('age'): 1 value: '?' (row 1)
    changed: number kept as text or object made a number ('age'): 4 values: '31' -> 31 (row 0, 2 times); \
'45' -> 45 (row 2); '52' -> 52 (row 3)
    """

    frame: Any
    train: Any
    valid: Any
    test: Any
    findings: tuple[Finding, ...]
    seed: int
    scales: Mapping[Any, Scale]
    rows: Values
    options: Options
    shape: tuple[int, int]

    def unscale(self, frame: Any) -> Any:
        """Return scaled columns in their own units again, to rounding; others as they are.

        Parameters
        ----------
        frame : data frame
            Any with columns of these names: a part, or what a model rebuilt of it.
        """
        return unscale_columns(nw.from_native(frame, eager_only=True), self.scales).to_native()

    def __str__(self) -> str:
        """Return the report: a line on sizes, then all findings, sorted by what was done."""
        return "\n".join([self.summary, *map(str, sorted(self.findings, key=lambda finding: finding.status))])

    @property
    def summary(self) -> str:
        """One line: sizes before and after, the split and its seed."""
        (n, width), (train, valid, test) = self._size(self.frame), self._sizes()
        return (
            f"{pluralize(self.shape[0], 'row')} x {pluralize(self.shape[1], 'column')} in; "
            f"{pluralize(n, 'row')} x {pluralize(width, 'column')} out: "
            f"{train:,} to train, {valid:,} to validate, {test:,} to test ({self.options.split_by}, seed {self.seed})"
        )

    def to_json(self) -> str:
        """Return sizes, seed, options, scales and findings as JSON."""
        document = {
            "rows_in": self.shape[0],
            "columns_in": self.shape[1],
            "rows_out": self._size(self.frame)[0],
            "columns_out": self._size(self.frame)[1],
            "parts": dict(zip(("train", "valid", "test"), self._sizes(), strict=True)),
            "seed": self.seed,
            "options": self.options.as_dict(),
            "scales": {str(name): scale._asdict() for name, scale in self.scales.items()},
            "findings": [finding.as_dict() for finding in self.findings],
        }
        return json.dumps(document, indent=2, ensure_ascii=False, default=_plain)

    def _sizes(self) -> list[int]:
        return [self._size(part)[0] for part in (self.train, self.valid, self.test)]

    @staticmethod
    def _size(frame: Any) -> tuple[int, int]:
        return nw.from_native(frame, eager_only=True).shape


def _plain(value: Any) -> Any:
    """Return a NumPy number as Python's, and a name that JSON does not know as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
