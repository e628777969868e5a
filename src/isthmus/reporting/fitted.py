"""What a model keeps of its training rows: moments, ranges, categories, and for detectors some of the rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.rows import to_numbers
from isthmus.data import as_source
from isthmus.likelihoods.base import MAX_DEVIATIONS
from isthmus.reporting.cells import get_fields
from isthmus.reporting.subject import Subject, Values, once

# Columns of numbers whose extremes must all equal those of the training rows. Ties and small ranges can be equal by
# chance in few columns.
MIN_COLUMNS = 3


@dataclass(frozen=True)
class Fitted:
    """Statistics of the training rows for each value of a row, (n_values,); NaN where they are not known.

    Parameters
    ----------
    mean, deviation : ndarray
    low, high : ndarray
        Smallest and largest number; NaN for categories.
    """

    mean: Values
    deviation: Values
    low: Values
    high: Values


@once
def get_fitted(subject: Subject) -> Fitted:
    """Return the statistics of the training rows: of the rows themselves, if there are some, or of the model."""
    rows, schema = get_training_rows(subject), subject.schema
    if rows is not None:
        fitted = _measure(rows)
    else:
        unknown = np.full(int(np.prod(schema.shape)), np.nan)
        mean, deviation = (unknown, unknown) if subject.net is None else _get_moments(subject.net.module_)
        fitted = Fitted(mean, deviation, *_get_ranges(schema))
    for values in (fitted.mean, fitted.deviation, fitted.low, fitted.high):
        values[schema.categorical] = np.nan
    return fitted


@once
def get_training_rows(subject: Subject) -> Values | None:
    """Return training rows as numbers (n, n_values): those given, or those of a detector; None if there are none."""
    rows = subject.train
    if rows is None and isinstance(subject.model, AnomalyDetector):
        rows = subject.model._reference.rows
    if rows is None or subject.data == "time points":
        return None
    numbers = to_numbers(as_source(rows, subject.schema))
    return numbers.reshape(len(numbers), -1)


@once
def measure_overlap(subject: Subject) -> float | None:
    """Return the share of the judged rows that equal a known training row; None if no training rows are known."""
    rows = get_training_rows(subject)
    if rows is None:
        return None
    known = {row.tobytes() for row in np.nan_to_num(rows)}
    judged = np.nan_to_num(subject.numbers.reshape(len(subject.numbers), -1))
    return float(np.mean([row.tobytes() in known for row in judged]))


@once
def are_training_rows(subject: Subject) -> bool:
    """Whether most of the judged rows are training rows, as far as it is known; time points are not compared."""
    if subject.data == "time points" or subject.are_fitted:
        return subject.are_fitted
    judged, share = subject.numbers.reshape(len(subject.numbers), -1), measure_overlap(subject)
    if share is not None:
        return share > 0.5
    fitted, some = get_fitted(subject), ~np.isnan(judged).all(0)
    compared = some & ~np.isnan(fitted.low) & (fitted.low < fitted.high)
    if np.count_nonzero(compared) < MIN_COLUMNS:
        return False
    values = judged[:, compared]
    low, high = np.nanmin(values, 0), np.nanmax(values, 0)
    return bool(np.isclose(low, fitted.low[compared]).all() and np.isclose(high, fitted.high[compared]).all())


def _measure(rows: Values) -> Fitted:
    deviation = np.nanstd(rows, 0)
    return Fitted(np.nanmean(rows, 0), np.where(deviation > 0, deviation, 1), np.nanmin(rows, 0), np.nanmax(rows, 0))


def _get_moments(module: Any) -> tuple[Values, Values]:
    origin = 0.0 if module.origin is None else module.origin.double()
    mean = (module.likelihood.fill_value.double() + origin).flatten().cpu().numpy().copy()
    return mean, (module.likelihood.max_distance.double() / MAX_DEVIATIONS).flatten().cpu().numpy().copy()


def _get_ranges(schema: Any) -> tuple[Values, Values]:
    ends = [(None, None) if field is None else (field.low, field.high) for field in get_fields(schema)]
    low, high = np.array([[np.nan if end is None else end for end in pair] for pair in ends]).T
    return low.copy(), high.copy()
