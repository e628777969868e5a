"""The explanation of scores: as arrays or data frames, as a table and as sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from isthmus.data.tables.frames import is_frame
from isthmus.formatting import format_interval, format_value, is_missing

Values = np.ndarray[Any, Any]

# A printed explanation has at most N_VALUES sentences per row, of values with at least MIN_SHARE of the score, and
# N_ROWS rows.
N_VALUES, MIN_SHARE, N_ROWS = 3, 0.05, 20
# Shares up to this one round to 0 % and are left out.
ROUNDS_TO_0 = 0.005
CODE = "code"


class Reason(NamedTuple):
    """One value of a row, its share of the score, and whether it is within the expected interval."""

    row: Any
    feature: str
    value: str
    expected: str
    share: float
    novelty: str = ""
    is_within: bool = False

    def __str__(self) -> str:
        return f"row {self.row}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """The text without the number of the row."""
        value = f" = {self.value}" if self.value else ""
        # A value that equals its expected value can have a negative contribution; the text is not repeated then.
        expected = f", expected {self.expected}" if self.expected not in ("", self.value) else ""
        if self.is_within:
            why = " but unusual with the other values" if self.share >= MIN_SHARE else ""
            expected = f", within the expected {self.expected}{why}"
        instead = f", {self.novelty}" if self.novelty else expected
        return f"{self.feature}{value}{instead}, {round(100 * self.share)} % of the score"


@dataclass(frozen=True, repr=False)
class Explanation:
    """Explains the scores of rows.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Scores of the rows.
    contributions : ndarray or data frame of shape (n, n_values + 2)
        Addends of the scores: one column per value, then "code" for the code and "base" for the rest. Negative addends
        make a row less normal.
    values : ndarray or data frame of shape (n, ...)
        The rows; words, or pieces of words, for texts.
    expected : ndarray or data frame of shape (n, ...)
        Expected value of each value, given the rest of the row with anomalous values replaced.
    low, high : ndarray or data frame of shape (n, ...)
        Limits that contain 90 % of normal values with this expected value. For a category, both are the expected
        category.
    nearest : ndarray of int of shape (n, n_nearest)
        Positions of the most similar normal rows in the training data, the nearest first.
    nearest_rows : list of ndarray or data frame of shape (n_nearest, ...)
        These rows.
    names : tuple of str
        Name of each value.
    labels : sequence of shape (n,) or None, default=None
        Names of the rows in tables and sentences; None numbers the rows from 0.
    novel : mapping of str to ndarray of bool of shape (n,), default={}
        For each name, which values do not occur in the training rows.
    n_fit : int, default=0
        Number of training rows.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly import Explanation
    >>> x, zero, one = np.array([[9.1e6, 2.0]]), np.zeros((1, 2)), np.ones((1, 2))
    >>> addends = np.array([[-9.0, -1.0, 0.0, 3.0]])
    >>> nearest = np.array([[0]])
    >>> print(Explanation(addends.sum(1), addends, x, zero, zero, one, nearest, [x], ("bytes_out", "hour")))
    row 0: bytes_out = 9.1e6, expected 0 to 1, 90 % of the score
    row 0: hour = 2, expected 0 to 1, 10 % of the score
    """

    scores: Values
    contributions: Any
    values: Any
    expected: Any
    low: Any
    high: Any
    nearest: Values
    nearest_rows: list[Any]
    names: tuple[str, ...]
    labels: Sequence[Any] | None = None
    novel: Mapping[Any, Values] = field(default_factory=dict)
    n_fit: int = 0

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return (len(self.names),) if is_frame(self.values) else self.values.shape[1:]

    @property
    def by_value(self) -> Values:
        """Contributions of the values, without code and base, (n, *shape)."""
        return self._addends[:, : prod(self.shape)].reshape(len(self), *self.shape)

    @property
    def shares(self) -> Values:
        """Share of each value and of the code in the negative contributions of a row, (n, n_values + 1)."""
        negative = np.maximum(-self._addends[:, :-1], 0.0)
        total = negative.sum(1, keepdims=True)
        return negative / np.where(total > 0, total, 1.0)

    def reasons(self, row: int, top: int = N_VALUES) -> list[Reason]:
        """Return the values of a row with the largest shares, the largest first.

        Parameters
        ----------
        row : int
            Position of the row.
        top : int, default=3
            Largest number of values.

        Returns
        -------
        list of Reason
            Values with their expected values and shares of the score.
        """
        shares = self.shares[row]
        worst = np.argsort(-shares, kind="stable")[:top]
        return [self._reason(row, int(j), float(shares[j])) for j in worst if shares[j] > ROUNDS_TO_0]

    def table(self, top: int = N_VALUES) -> Any:
        """Return a table of the values with the largest shares.

        Parameters
        ----------
        top : int, default=3
            Largest number of values per row.

        Returns
        -------
        data frame of the library of the rows, pyarrow for arrays
            Columns row, feature, value, expected, share in percent, novelty, a note on values that do not occur in the
            training rows, and is_within, whether the value is within the expected interval.
        """
        reasons = [reason for row in range(len(self)) for reason in self.reasons(row, top)]
        columns = {name: [getattr(reason, name) for reason in reasons] for name in Reason._fields}
        columns["share"] = [round(100 * share, 1) for share in columns["share"]]
        backend: Any = nw.from_native(self.values).implementation if is_frame(self.values) else "pyarrow"
        return nw.from_dict(columns, backend=backend).to_native()

    def __str__(self) -> str:
        more = f"\n... and {len(self) - N_ROWS} more rows" if len(self) > N_ROWS else ""
        return "\n".join(self._sentences()) + more

    __repr__ = __str__

    def _sentences(self) -> Iterator[str]:
        for row in range(min(len(self), N_ROWS)):
            reasons = [reason for reason in self.reasons(row) if reason.share >= MIN_SHARE]
            yield from map(str, reasons)
            if not reasons:
                yield f"row {self._label(row)}: no value stands out"

    def _label(self, row: int) -> Any:
        return row if self.labels is None else self.labels[row]

    @property
    def _addends(self) -> Values:
        frame = self.contributions
        return nw.from_native(frame).to_numpy() if is_frame(frame) else np.asarray(frame)

    def _reason(self, row: int, j: int, share: float) -> Reason:
        label = self._label(row)
        if j == len(self.names):
            return Reason(label, CODE, "", "", share)
        value, expected, low, high = (
            self._cell(each, row, j) for each in (self.values, self.expected, self.low, self.high)
        )
        name = self.names[j]
        novelty = self._novelty(name, row)
        # A changed constant gets enough digits to differ from its former value.
        limits = (expected, value) if novelty else (low, high)
        shown, interval = format_value(value, *limits), format_interval(expected, low, high)
        return Reason(label, name, shown, interval, share, novelty, _is_within(value, low, high))

    def _novelty(self, name: Any, row: int) -> str:
        is_novel = name in self.novel and self.novel[name][row]
        return f"never seen in {self.n_fit:,} rows" if is_novel else ""

    def _cell(self, rows: Any, row: int, j: int) -> Any:
        if is_frame(rows):
            return nw.from_native(rows, eager_only=True).get_column(self.names[j])[row]
        return rows.reshape(len(self), -1)[row].tolist()[j]


def _is_within(value: Any, low: Any, high: Any) -> bool:
    """Whether a number or a date is within an interval; a category has none."""
    has_interval = not (isinstance(value, str) or any(map(is_missing, (value, low, high)))) and low < high
    return bool(has_interval and low <= value <= high)
