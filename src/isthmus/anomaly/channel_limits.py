"""What the values of the channels of a normal series are like, one by one: windows of values may hide some faults."""

from typing import Any, NamedTuple, Self

import numpy as np

from isthmus.data.series.series import Series

Values = np.ndarray[Any, Any]


class ChannelLimits(NamedTuple):
    """Limits of the channels of a series, each of shape (n_channels,).

    Parameters
    ----------
    low, high : ndarray of float
        Smallest and largest value.
    longest_run, longest_gap : ndarray of int
        Largest number of equal, and of missing values in a row.
    """

    low: Values
    high: Values
    longest_run: Values
    longest_gap: Values

    @classmethod
    def of(cls, series: Series) -> Self:
        """Return the limits of a series in which every channel has a value."""
        channels = series.values.double().numpy()
        runs, gaps = ([find(values)[0] for values in channels] for find in (find_longest_run, find_longest_gap))
        return cls(np.nanmin(channels, 1), np.nanmax(channels, 1), np.array(runs), np.array(gaps))


def find_longest_run(values: Values) -> tuple[int, int]:
    """Return the length and the start of the longest run of equal values; missing values are not equal.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.channel_limits import find_longest_run
    >>> find_longest_run(np.array([1.0, 2.0, 2.0, np.nan, np.nan, np.nan]))
    (2, 1)
    """
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    lengths = np.diff(np.append(starts, len(values)))
    longest = int(lengths.argmax())
    return int(lengths[longest]), int(starts[longest])


def find_longest_gap(values: Values) -> tuple[int, int]:
    """Return the length and the start of the longest run of missing values; the length is 0 if there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.channel_limits import find_longest_gap
    >>> find_longest_gap(np.array([1.0, 2.0, 2.0, np.nan, np.nan, np.nan]))
    (3, 3)
    """
    length, start = find_longest_run(np.where(np.isnan(values), 0.0, np.arange(1.0, len(values) + 1)))
    return (length, start) if np.isnan(values[start]) else (0, 0)
