"""What to do about what preparation finds: checked once, written with the results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isthmus.errors import InputTypeError
from isthmus.part import did_you_mean

CHOICES = {
    "duplicates": ("remove", "report", "keep"),
    "constants": ("remove", "report", "keep"),
    "sentinels": ("report", "missing", "keep"),
    "outliers": ("report", "remove", "keep"),
    "outlier_method": ("robust_z", "isolation"),
    "scaling": (None, "standard", "robust", "range", "auto"),
    "split_by": ("random", "stratified", "grouped", "time"),
    "day_first": (None, True, False),
    "repair": (True, False),
}


@dataclass(frozen=True)
class Options:
    """The options of ``prepare``, which describes them."""

    missing: Sequence[str]
    repair: bool
    day_first: bool | None
    limits: Mapping[Any, tuple[float | None, float | None]]
    sentinels: str
    duplicates: str
    constants: str
    outliers: str
    outlier_method: str
    outlier_threshold: float | None
    scaling: str | None
    split: tuple[float, float, float]
    split_by: str
    split_column: Any

    def check(self, names: Sequence[Any]) -> None:
        """Raise unless all options are possible, for a table with columns of these names.

        Raises
        ------
        TypeError
            If ``missing`` is not a list of strings.
        ValueError
            If anything else is not as expected.
        """
        for option, choices in CHOICES.items():
            _check_choice(option, getattr(self, option), choices)
        if isinstance(self.missing, str) or not all(isinstance(marker, str) for marker in self.missing):
            raise InputTypeError(f"missing must be a list of strings, got {self.missing!r}")
        if self.outlier_threshold is not None and not self.outlier_threshold > 0:
            raise ValueError(f"outlier_threshold must be greater than 0, got {self.outlier_threshold!r}")
        for name, bounds in self.limits.items():
            _check_column("limits", name, names)
            _check_bounds(name, bounds)
        self._check_split(names)

    def _check_split(self, names: Sequence[Any]) -> None:
        split = np.asarray(self.split, dtype=float)
        if split.shape != (3,) or not np.all(split >= 0) or not split[0] or not np.isclose(split.sum(), 1):
            raise ValueError(
                "split must be the shares of the training, validation and test part, at least 0 and together 1, "
                f"the first above 0, got {self.split!r}"
            )
        if self.split_by == "random":
            if self.split_column is not None:
                raise ValueError(f"split_by='random' takes no split_column, got {self.split_column!r}")
        elif self.split_column is None:
            raise ValueError(f"split_by={self.split_by!r} needs a split_column, the column to split by")
        else:
            _check_column("split_column", self.split_column, names)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def _check_choice(option: str, value: Any, choices: Sequence[Any]) -> None:
    if value not in choices:
        near = did_you_mean(str(value), [choice for choice in choices if isinstance(choice, str)])
        raise ValueError(f"{option} must be one of {', '.join(map(repr, choices))}, got {value!r}{near}")


def _check_column(option: str, name: Any, names: Sequence[Any]) -> None:
    if name not in names:
        raise ValueError(
            f"{option} names the column {name!r}, which there is not{did_you_mean(str(name), map(str, names))}"
        )


def _check_bounds(name: Any, bounds: Any) -> None:
    lowest, highest = bounds if isinstance(bounds, Sequence) and len(bounds) == 2 else (1, 0)
    if not _at_least(lowest, -np.inf) or not _at_least(highest, -np.inf if lowest is None else lowest):
        raise ValueError(f"limits of column {name!r} must be (lowest, highest), either may be None, got {bounds!r}")


def _at_least(value: Any, least: float) -> bool:
    return value is None or (isinstance(value, int | float | np.number) and bool(value >= least))
