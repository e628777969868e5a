"""The options of ``prepare``: what they mean, their defaults, and what values they accept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args, get_type_hints

import numpy as np

from isthmus.data.parsing.missing_words import MISSING
from isthmus.part import did_you_mean


@dataclass(frozen=True)
class Options:
    """What ``prepare`` does with a table.

    Parameters
    ----------
    missing : collection of str
        Texts that mean a missing value, whatever their case and the spaces around them; in columns of text only.
    repair : bool, default=True
        Remove spaces around texts, and turn text into numbers or dates where every value can be read. Units such as
        "%" and "$" are removed where all values have the same. Codes with leading zeros stay text, and so do
        numbers like "1,234" or "1.234" and dates like "1/2/2020" if nothing in the column shows how to read them.
        Where at least 95 % can be read, the others are reported.
    day_first : bool or None, default=None
        Whether "1/2/2020" is in February; None infers it from the column.
    limits : dict, default={}
        For names of columns of numbers ``(lowest, highest)``, either of which may be None: values outside become
        missing. Infinite values always do.
    sentinels : {"report", "missing", "keep"}, default="report"
        What to do about values such as 0, -1, 99 and -999 that are far from all others of their column and occur
        often. Only you can know whether a 0 was measured. "keep" does not search for them.
    duplicates : {"remove", "report", "keep"}, default="remove"
        What to do about rows equal to an earlier one; "keep" does not search for them.
    constants : {"remove", "report", "keep"}, default="remove"
        What to do about columns with the same value, or none, in all rows.
    outliers : {"report", "remove", "keep"}, default="report"
        What to do about rows with outliers in columns of numbers.
    outlier_method : {"robust_z", "isolation"}, default="robust_z"
        "robust_z" is the distance from the median in units of the median absolute deviation [1], per column and without
        values of a long tail or of a mode of the column. "isolation" is the score of an isolation forest [2], for rows.
    outlier_threshold : float or None, default=None
        Smallest distance or score of an outlier; None is 3.5 for ``robust_z`` and 0.65 for ``isolation``, whose scores
        are at most 1.
    scaling : {None, "standard", "robust", "range", "auto"}, default=None
        "standard" scales to mean 0 and standard deviation 1, "robust" to median 0 and interquartile range 1, "range" to
        0 to 1, and "auto" chooses for each column. Scales are learned on the training part. ``unscale`` of the result
        reverses them.
    split : tuple of three floats, default=(0.7, 0.15, 0.15)
        Shares of the training, validation and test part; ``(1, 0, 0)`` does not split.
    split_by : {"random", "stratified", "grouped", "time"}, default="random"
        "stratified" gives each part the same shares of all classes. "grouped" keeps groups together, and assigns the
        largest first. "time" uses the earliest rows for training and the latest for testing, and keeps rows of the same
        time together.
    split_column : str or None, default=None
        The column of classes, groups or times, which is neither scaled nor searched for outliers.

    References
    ----------
    [1] B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, 1993.
    [2] F. T. Liu, K. M. Ting and Z.-H. Zhou, Isolation Forest, ICDM 2008.

    Examples
    --------
    >>> from isthmus.preparing import Options
    >>> Options.from_keywords({"scaling": "robust"}).scaling
    'robust'
    """

    missing: Collection[str] = MISSING
    repair: Literal[True, False] = True
    day_first: Literal[None, True, False] = None
    limits: Mapping[Any, tuple[float | None, float | None]] = field(default_factory=dict)
    sentinels: Literal["report", "missing", "keep"] = "report"
    duplicates: Literal["remove", "report", "keep"] = "remove"
    constants: Literal["remove", "report", "keep"] = "remove"
    outliers: Literal["report", "remove", "keep"] = "report"
    outlier_method: Literal["robust_z", "isolation"] = "robust_z"
    outlier_threshold: float | None = None
    scaling: Literal[None, "standard", "robust", "range", "auto"] = None
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    split_by: Literal["random", "stratified", "grouped", "time"] = "random"
    split_column: Any = None

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, Any]) -> Self:
        """Make options from keyword arguments.

        Parameters
        ----------
        keywords : mapping of str to object
            Options by name.

        Returns
        -------
        Options
            The options, with defaults for the others.

        Raises
        ------
        TypeError
            If there is no option of a name.
        """
        names = [option.name for option in fields(cls)]
        for name in keywords:
            if name not in names:
                raise TypeError(f"prepare has no option {name!r}{did_you_mean(name, names)}")
        return cls(**keywords)

    def check_values(self) -> None:
        """Raise an error unless all options are valid for some table.

        Raises
        ------
        TypeError
            If ``missing`` is not a list of strings.
        ValueError
            If any other option is invalid.
        """
        for option, hint in get_type_hints(type(self)).items():
            _check_choice(option, getattr(self, option), get_args(hint) if "Literal" in str(hint) else ())
        if isinstance(self.missing, str) or not all(isinstance(marker, str) for marker in self.missing):
            raise TypeError(f"missing must be a list of strings, got {self.missing!r}")
        if self.outlier_threshold is not None and not self.outlier_threshold > 0:
            raise ValueError(f"outlier_threshold must be greater than 0, got {self.outlier_threshold!r}")
        for name, bounds in self.limits.items():
            _check_bounds(name, bounds)
        self._check_split()

    def check_columns(self, names: Sequence[Any]) -> None:
        """Check that the columns of all options exist.

        Parameters
        ----------
        names : sequence of str
            Columns of the table.

        Raises
        ------
        ValueError
            If an option has a column that is not among these names.
        """
        for name in self.limits:
            _check_column("limits", name, names)
        if self.split_column is not None:
            _check_column("split_column", self.split_column, names)

    def _check_split(self) -> None:
        split = np.asarray(self.split, dtype=float)
        if split.shape != (3,) or not np.all(split >= 0) or not split[0] or not np.isclose(split.sum(), 1):
            expected = "three shares of at least 0 that add up to 1, the first above 0"
            raise ValueError(f"split must be {expected}, got {self.split!r}")
        if self.split_by == "random":
            if self.split_column is not None:
                raise ValueError(f"split_by='random' takes no split_column, got {self.split_column!r}")
        elif self.split_column is None:
            raise ValueError(f"split_by={self.split_by!r} needs a split_column, the column to split by")


def _check_choice(option: str, value: Any, choices: Sequence[Any]) -> None:
    if choices and value not in choices:
        near = did_you_mean(str(value), [choice for choice in choices if isinstance(choice, str)])
        raise ValueError(f"{option} must be one of {', '.join(map(repr, choices))}, got {value!r}{near}")


def _check_column(option: str, name: Any, names: Sequence[Any]) -> None:
    if name not in names:
        suggestion = did_you_mean(str(name), map(str, names))
        raise ValueError(f"{option} has a column {name!r} that the table does not have{suggestion}")


def _check_bounds(name: Any, bounds: Any) -> None:
    lowest, highest = bounds if isinstance(bounds, Sequence) and len(bounds) == 2 else (1, 0)
    if not _at_least(lowest, -np.inf) or not _at_least(highest, -np.inf if lowest is None else lowest):
        raise ValueError(f"limits of column {name!r} must be (lowest, highest), either may be None, got {bounds!r}")


def _at_least(value: Any, least: float) -> bool:
    return value is None or (isinstance(value, int | float | np.number) and bool(value >= least))
