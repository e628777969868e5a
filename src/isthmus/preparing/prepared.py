"""The result of preparation: the table, its parts, and the findings."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
    """A prepared table as a whole and in three parts, and the findings.

    Parameters
    ----------
    frame : data frame
        All remaining rows in their order, in the library of the given table.
    train, valid, test : data frame
        The rows of each part; empty for a part without a share.
    findings : tuple of Finding
        All that was changed, removed or found, in this order.
    seed : int
        The ``random_state`` that repeats the split.
    scales : dict
        The ``Scale`` of each scaled column: the method, the subtracted value and the divisor.
    rows : ndarray of int
        The position in the given table of each row of ``frame``, from 0.
    options : Options
        The options of the preparation.
    shape : tuple of int
        Shape of the given table.

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
    changed: text or object converted to a number ('age'): 4 values: '31' -> 31 (row 0, 2 times); \
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
        """Return scaled columns in their original units, up to rounding; other columns unchanged.

        Parameters
        ----------
        frame : data frame
            Any data frame with columns of these names: a part, or its reconstruction by a model.

        Returns
        -------
        data frame
            The columns in their order, in the library of the given frame.
        """
        return unscale_columns(nw.from_native(frame, eager_only=True), self.scales).to_native()

    def __str__(self) -> str:
        """Return the report: a line on sizes, then all findings, sorted by what was done."""
        return "\n".join([self.summary, *map(str, sorted(self.findings, key=lambda finding: finding.status))])

    @property
    def summary(self) -> str:
        """One line: sizes before and after, the split and its seed."""
        (n, width), (train, _), (valid, _), (test, _) = self._sizes()
        return (
            f"{pluralize(self.shape[0], 'row')} x {pluralize(self.shape[1], 'column')} in; "
            f"{pluralize(n, 'row')} x {pluralize(width, 'column')} out: "
            f"{train:,} to train, {valid:,} to validate, {test:,} to test ({self.options.split_by}, seed {self.seed})"
        )

    def to_json(self) -> str:
        """Return sizes, seed, options, scales and findings as JSON.

        Returns
        -------
        str
            The document.
        """
        (n, width), *parts = self._sizes()
        document = {
            "rows_in": self.shape[0],
            "columns_in": self.shape[1],
            "rows_out": n,
            "columns_out": width,
            "parts": {name: part[0] for name, part in zip(("train", "valid", "test"), parts, strict=True)},
            "seed": self.seed,
            "options": asdict(self.options),
            "scales": {str(name): scale._asdict() for name, scale in self.scales.items()},
            "findings": [finding.as_dict() for finding in self.findings],
        }
        return json.dumps(document, indent=2, ensure_ascii=False, default=_plain)

    def _sizes(self) -> list[tuple[int, int]]:
        """Return the shapes of the table and of its parts."""
        frames = (self.frame, self.train, self.valid, self.test)
        return [nw.from_native(frame, eager_only=True).shape for frame in frames]


def _plain(value: Any) -> Any:
    """Convert a NumPy scalar to a number of Python, and a name of another type to text."""
    return value.item() if isinstance(value, np.generic) else str(value)
