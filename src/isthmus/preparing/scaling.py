"""Columns of numbers on a common scale, learned on the training part alone, and back."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from isthmus.data.tables.cells import is_number, to_floats
from isthmus.preparing.coding import Values, put_numbers
from isthmus.preparing.outliers import THRESHOLDS, robust_z

# A column with more distinct integers than this is not a column of grades.
MAX_GRADES = 10
# A column with a larger share of outliers is scaled by its quartiles.
MAX_OUTLIERS = 0.01


class Scale(NamedTuple):
    """How a column was scaled: ``center`` was subtracted, and the rest divided by ``scale``."""

    method: str
    center: float
    scale: float


def learn_scales(train: Any, method: str, without: Collection[Any]) -> dict[Any, Scale]:
    """Learn how to scale each column of numbers of a narwhals frame.

    Parameters
    ----------
    train : narwhals.DataFrame
    method : {"standard", "robust", "range", "auto"}
        ``auto`` leaves columns of at most two values, or of values from 0 to 1, as they are; gives up to ten different
        integers their range, columns with over 1 % of outliers their quartiles, and all others their deviation.
    without : collection
        Columns to leave as they are.
    """
    scales = {}
    for name in train.columns:
        if name not in without and is_number(train.get_column(name).dtype):
            values = to_floats(train.get_column(name))
            scale = _learn(values[~np.isnan(values)], method)
            if scale is not None:
                scales[name] = scale
    return scales


def scale_columns(frame: Any, scales: Mapping[Any, Scale]) -> Any:
    """Return a narwhals frame with its columns scaled."""
    for name, (_, center, scale) in scales.items():
        frame = put_numbers(frame, name, (to_floats(frame.get_column(name)) - center) / scale)
    return frame


def unscale_columns(frame: Any, scales: Mapping[Any, Scale]) -> Any:
    """Return a narwhals frame with those of its columns that were scaled in their own units again."""
    for name in frame.columns:
        if name in scales:
            _, center, scale = scales[name]
            frame = put_numbers(frame, name, to_floats(frame.get_column(name)) * scale + center)
    return frame


def _learn(values: Values, method: str) -> Scale | None:
    if not len(values):
        return None
    method = _choose(values) if method == "auto" else method
    if method == "none":
        return None
    if method == "range":
        return Scale(method, float(values.min()), _width(np.ptp(values)))
    if method == "robust":
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        # Where half the values are the same, quartiles say nothing of the width.
        return Scale(method, float(middle), _width(high - low or values.std()))
    return Scale(method, float(values.mean()), _width(values.std()))


def _width(width: float) -> float:
    return float(width) if width > 0 else 1.0


def _choose(values: Values) -> str:
    distinct = np.unique(values)
    if len(distinct) <= 2 or (distinct[0] >= 0 and distinct[-1] <= 1):
        return "none"
    if len(distinct) <= MAX_GRADES and np.array_equal(distinct, np.round(distinct)):
        return "range"
    outliers = np.abs(robust_z(values)) > THRESHOLDS["robust_z"]
    return "robust" if outliers.mean() > MAX_OUTLIERS else "standard"
